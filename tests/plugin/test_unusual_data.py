"""Data that are unusual and right: columns named like a data set's attributes, objects that are numbers, late times."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from support.evaluating import World

ROWS = 400


def scored(seed: int = 0, **columns: Any) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    score = generator.random(ROWS)
    label = (generator.random(ROWS) < score).astype(int)
    return pd.DataFrame({"x": generator.normal(size=ROWS), "p": score, "y": label}).assign(**columns)


def evidence(world: World, data: pd.DataFrame, **config: Any) -> dict[str, Any]:
    """The Evidence of static predictions, by kind."""
    with mlflow.start_run() as run:
        mlflow.models.evaluate(
            data=data, targets="y", predictions="p", model_type="classifier",
            evaluators=list(config), evaluator_config=config,
        )  # fmt: skip
    uri = f"runs:/{run.info.run_id}/evidence"
    return {kind: mlflow.artifacts.load_dict(f"{uri}/{kind}.json") for kind in config}


@pytest.mark.parametrize("name", ["name", "df", "targets", "predictions", "digest", 7])
def test_a_reference_may_have_columns_of_any_name(world: World, name: object) -> None:
    before, after = (scored(seed).assign(extra=1.0).rename(columns={"extra": name}) for seed in (0, 1))
    columns = evidence(world, after, drift={"reference": before})["drift"]["measurements"]["columns"]
    assert [one["name"] for one in columns] == ["x", f"feature_{name}" if isinstance(name, int) else name, "p", "y"]


def test_times_beyond_what_nanoseconds_reach(world: World) -> None:
    times = np.array(["2020-01-01", "9999-12-31"], dtype="datetime64[s]")
    data = scored(until=times[np.arange(ROWS) % 2])
    assert evidence(world, data, drift={"reference": data})["drift"]["verdict"] != "fail"


def test_objects_that_are_numbers_are_probabilities(world: World) -> None:
    data = scored()
    plain = evidence(world, data, calibration={})
    objects = evidence(world, data.assign(p=data.p.astype(object)), calibration={})
    assert objects["calibration"]["measurements"] == plain["calibration"]["measurements"]


def test_a_bin_whose_rows_weigh_nothing_is_drawn_as_empty(world: World) -> None:
    data = scored(w=lambda rows: (rows.p > 0.2).astype(float))
    bins = evidence(world, data, calibration={"sample_weights": "w"})["calibration"]["measurements"]["bins"]
    assert bins[0]["n"] > 0
    assert bins[0]["mean_score"] is None


def test_slice_data_are_compared_where_the_reference_has_them(world: World) -> None:
    config = {"reference": scored(z=0.0), "slice_data": {"z": np.ones(ROWS), "other": np.ones(ROWS)}}
    found = evidence(world, scored(1), drift=config)["drift"]
    assert [one["name"] for one in found["measurements"]["columns"]] == ["x", "z", "p", "y"]
    assert {check["scope"] for check in found["checks"] if check["verdict"] == "fail"} == {"z"}


def test_the_data_digest_belongs_to_the_slice_data_of_its_own_config(world: World) -> None:
    given = [{"slice_data": pd.DataFrame({"g": np.arange(ROWS) % groups})} for groups in (2, 3, 2)]
    found = [evidence(world, scored(), disaggregated={"slices": ["g"], **one})["disaggregated"] for one in given]
    both = evidence(world, scored(), disaggregated={"slices": ["g"], **given[0]}, calibration=given[1])
    assert both["disaggregated"]["data"]["digest"] == found[0]["data"]["digest"] == found[2]["data"]["digest"]
    assert both["calibration"]["data"]["digest"] == found[1]["data"]["digest"] != found[0]["data"]["digest"]


def test_two_evaluators_may_have_references_of_their_own(world: World) -> None:
    found = evidence(world, scored(), calibration={"reference": scored(1)}, drift={"reference": scored(2)})
    assert found["calibration"]["reference"]["digest"] != found["drift"]["reference"]["digest"]


def test_what_holds_the_values_is_neither_drift_nor_another_slice(world: World) -> None:
    generator = np.random.default_rng(3)
    member = generator.random(ROWS) < 0.4
    paid = np.array([Decimal(int(one)) / 4 for one in generator.integers(0, 9, ROWS)], dtype=object)
    region = generator.choice(["north", "south"], ROWS)
    plain = scored(member=member, paid=paid.astype(float), region=region)
    held = plain.assign(
        member=pd.Series(member.astype(int)).mask(plain.index < 2), paid=np.where(plain.index < 2, None, paid),
        region=pd.Categorical(region), x=plain.x.astype("float64[pyarrow]"), y=plain.y.astype("boolean"),
    )  # fmt: skip
    for before, after in ((plain, held), (held, plain)):
        slices = {"slices": ["member", "region"], "min_count": 1}
        found = evidence(world, after, drift={"reference": before}, disaggregated=slices)
        assert found["drift"]["measurements"]["schema_changes"] == []
        assert [check["id"] for check in found["drift"]["checks"] if check["verdict"] == "fail"] == []
        labels = [one["label"] for one in found["disaggregated"]["measurements"]["slices"]]
        missing = ["member=(missing)"] if after is held else []
        assert labels == ["member=0", "member=1", *missing, "region=north", "region=south"]
