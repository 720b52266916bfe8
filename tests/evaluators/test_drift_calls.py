"""Drift as a reader meets it: late labels, columns that come and go, and columns that cannot be compared."""

from __future__ import annotations

from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from support.evaluating import FEATURES, LABEL, World, refused

ROWS = 2000


def scored(seed: int = 0, rows: int = ROWS, **columns: Any) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    score = generator.random(rows)
    label = (generator.random(rows) < score).astype(int)
    return pd.DataFrame({"x": generator.normal(size=rows), "p": score, "y": label}).assign(**columns)


def drift(data: pd.DataFrame, reference: pd.DataFrame, model_type: str = "classifier", **config: Any) -> Any:
    """The Evidence of static predictions, and the logged scalars."""
    with mlflow.start_run() as run:
        mlflow.models.evaluate(
            data=data, targets="y", predictions="p", model_type=model_type, evaluators=["drift"],
            evaluator_config={"drift": {"reference": reference, **config}},
        )  # fmt: skip
    found = mlflow.artifacts.load_dict(f"runs:/{run.info.run_id}/evidence/drift.json")
    return found, mlflow.get_run(run.info.run_id).data.metrics


def failed(found: dict[str, Any]) -> set[str]:
    return {check["id"] for check in found["checks"] if check["verdict"] == "fail"}


def late(data: pd.DataFrame, received: int) -> pd.DataFrame:
    return data.assign(y=data.y.where(data.index < received))


@pytest.mark.parametrize("model_type", ["classifier", "regressor"])
@pytest.mark.parametrize("received", [0, 150, 900])
def test_late_labels_are_no_drift(world: World, received: int, model_type: str) -> None:
    found, metrics = drift(late(scored(1), received), scored(0), model_type)
    assert failed(found) == set()
    label = {check["metric"] for check in found["checks"] if check["scope"] == "y"}
    assert bool(label) == (received >= 200) and "missing_change" not in label
    assert {"x", "p"} <= {check["scope"] for check in found["checks"]}
    measured = found["measurements"]
    assert measured["labels"] == {"column": "y", "rows": ROWS, "received": received, "received_reference": ROWS}
    assert (metrics["drift_labels_received"], metrics["drift_labels_received_share"]) == (received, received / ROWS)
    hints = {one["name"]: one["hint"] for one in measured["columns"]}
    assert hints["y"] == "none"


def test_columns_of_one_value_are_judged_without_a_unit(world: World) -> None:
    before, after = scored(0, one=7.0, other=1), scored(1, one=7.0, other=2)
    found, _ = drift(after, before)
    by_column = {
        name: {c["metric"]: c["verdict"] for c in found["checks"] if c["scope"] == name} for name in ("one", "other")
    }
    assert by_column["one"] == {"js": "pass", "new_share": "pass", "missing_change": "pass"}
    assert by_column["other"] == {
        "js": "fail",
        "new_share": "fail",
        "missing_change": "pass",
        "wasserstein": "insufficient",
    }


def test_labels_that_have_arrived_are_judged(world: World) -> None:
    data = scored(1)
    found, _ = drift(late(data.assign(y=1), 900), scored(0))
    assert {one.partition(":")[2] for one in failed(found)} == {"y"}
    found, _ = drift(late(data.assign(x=data.x + 3), 0), scored(0))
    assert {one.partition(":")[2] for one in failed(found)} == {"x"}
    found, _ = drift(data, late(scored(0), 0))
    assert failed(found) == set()
    assert found["measurements"]["passed_over"] == [{"column": "y", "reason": "it has no value in the reference"}]


def test_late_labels_of_a_model_are_no_drift(world: World) -> None:
    for received in (0, 3000):
        rows = world.rows.assign(**{LABEL: world.train[LABEL].where(world.rows.index < received)})
        run, _ = world.evaluate(rows, evaluators=["drift"], evaluator_config={"drift": {"reference": world.train}})
        found = mlflow.artifacts.load_dict(f"runs:/{run.info.run_id}/evidence/drift.json")
        assert found["measurements"]["labels"]["received"] == received
        assert not [one for one in failed(found) if one.endswith(LABEL)]
        assert {check["scope"] for check in found["checks"]} >= {*FEATURES, "score"}


def test_a_column_that_went_away_or_came_is_a_fail_of_its_own(world: World) -> None:
    before, after = scored(0, region="n", z=1.5), scored(1, z=["a"] * ROWS, extra=np.arange(ROWS) % 7)
    found, _ = drift(after, before)
    changes = {one["column"]: (one["change"], one["allowed"]) for one in found["measurements"]["schema_changes"]}
    assert changes == {"extra": ("added", False), "region": ("removed", False), "z": ("type", False)}
    checks = {check["id"]: check for check in found["checks"] if check["metric"] == "schema_changes"}
    assert {id_: check["verdict"] for id_, check in checks.items()} == {
        f"schema_changes:{scope}": "fail" for scope in ("overall", "extra", "region", "z")
    }
    assert "region is in the reference, as text ('n'), and not in the data" in checks["schema_changes:region"]["reason"]
    assert "extra is in the data, as number (0, 1, 2), and not in" in checks["schema_changes:extra"]["reason"]
    assert "z was number (1.5) in the reference and is text ('a')" in checks["schema_changes:z"]["reason"]
    allowed, _ = drift(after, before, schema_changes={"region": "allow", "z": "allow"})
    assert {one for one in failed(allowed) if one.startswith("schema")} == {
        "schema_changes:overall", "schema_changes:extra",
    }  # fmt: skip
    allowed, _ = drift(after, before, schema_changes={"*": "allow", "extra": "fail"}, exclude_columns=["z"])
    assert failed(allowed) == {"schema_changes:overall", "schema_changes:extra"}
    named, _ = drift(after, before, columns=["x", "region"])
    assert failed(named) == {"schema_changes:overall", "schema_changes:region"}


@pytest.mark.parametrize("gone", [True, False], ids=["only in the reference", "only in the data"])
def test_a_column_of_one_side_alone_fails_by_name(world: World, gone: bool) -> None:
    plain, more = scored(0), scored(1, region="north")
    found, _ = drift(plain, more) if gone else drift(more, plain)
    assert failed(found) == {"schema_changes:overall", "schema_changes:region"}
    assert found["verdict"] == "fail"


def test_what_a_model_does_not_need_may_be_in_the_reference_alone(world: World) -> None:
    reference = world.train.assign(split="train")
    run, _ = world.evaluate(evaluators=["drift"], evaluator_config={"drift": {"reference": reference}})
    found = mlflow.artifacts.load_dict(f"runs:/{run.info.run_id}/evidence/drift.json")
    assert found["measurements"]["schema_changes"] == []


def test_what_no_model_sees_may_be_in_the_data_alone(world: World) -> None:
    rows = world.rows.assign(region=np.where(world.rows.index % 2 == 0, "north", "south"))
    for reference, compared in ((world.train, False), (world.train.assign(region="north"), True)):
        run, _ = world.evaluate(rows, evaluators=["drift"], evaluator_config={"drift": {"reference": reference}})
        found = mlflow.artifacts.load_dict(f"runs:/{run.info.run_id}/evidence/drift.json")
        assert found["measurements"]["schema_changes"] == []
        assert ("js:region" in failed(found)) == compared
    # Without a model nothing says that it is of no use, and what the model sees has to be there.
    found, _ = drift(scored(1, region="north"), scored(0))
    assert failed(found) == {"schema_changes:overall", "schema_changes:region"}


def test_the_worst_finding_says_what_changed(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    flags = np.where(np.arange(ROWS) % 2 == 0, "True", "False")
    cases: list[tuple[dict[str, Any], dict[str, Any], str]] = [
        ({}, {"gone": 1.5}, "gone is in the reference, as number (1.5), and not in the data"),
        ({"new": "a"}, {}, "new is in the data, as text ('a'), and not in the reference"),
        ({"flag": flags}, {"flag": flags == "True"}, "flag was number (True, False) in the reference and is text"),
        ({f"n{i}": 1 for i in range(5)}, {}, "; and 2 more changes of schema."),
    ]
    for now, before, words in cases:
        with mlflow.start_run() as run:
            mlflow.models.evaluate(
                data=scored(1, **now), targets="y", predictions="p", model_type="classifier", evaluators=["drift"],
                evaluator_config={"drift": {"reference": scored(0, **before)}},
            )  # fmt: skip
        worst = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("Worst: "))
        page = mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/reports/drift.html")
        assert words in worst and "tolerance" not in worst and ">None<" not in page


def test_columns_that_cannot_be_compared_are_named_and_stop_nothing(world: World) -> None:
    further = {
        "empty": np.nan, "blank": None, "endless": np.inf, "row": np.arange(ROWS) + 50_000,
        "words": [["a", "b"]] * ROWS, "name": [f"n{i}" for i in range(ROWS)],
    }  # fmt: skip
    before = scored(0, **further)
    found, _ = drift(scored(1, **{**further, "empty": 1.0, "row": np.arange(ROWS) + 90_000}), before)
    reasons = {one["column"]: one["reason"] for one in found["measurements"]["passed_over"]}
    key = "every value of the reference is another one, as of keys and counters"
    assert reasons == {
        "empty": "it has no value in the reference",
        "blank": "it has no value in the reference",
        "endless": "it has no finite value in the reference",
        "row": key,
        "name": key,
        "words": "its lists hold something else than numbers",
    }
    assert failed(found) == set()
    assert {check["scope"] for check in found["checks"]} == {"overall", "x", "p", "y"}
    many = {"key": [f"k{i}" for i in range(10_001)], "same": 0}
    found, _ = drift(scored(1, 10_001, **many), scored(0, 20_002, key=many["key"] * 2, same=0))
    assert found["measurements"]["passed_over"][0]["reason"] == "it has more than 10,000 levels, as identifiers have"
    # What was asked for by name is not passed over.
    with pytest.raises(mlflow.MlflowException, match="column 'words': its lists hold something else than numbers"):
        drift(scored(1, **further), before, columns=["x", "words"])
    found, _ = drift(scored(1, **{**further, "row": np.arange(ROWS) + 90_000}), before, columns=["row"])
    assert "row" in {one.partition(":")[2] for one in failed(found)}


def test_a_column_that_nobody_has_is_refused(world: World) -> None:
    given = {"evaluators": ["drift"], "evaluator_config": {"drift": {"reference": world.train, "columns": ["AGE"]}}}
    assert "columns: neither side has 'AGE'" in refused(world, **given)


def test_a_column_to_exclude_that_nobody_has_is_refused(world: World) -> None:
    with pytest.raises(
        mlflow.MlflowException, match="exclude_columns: neither side has 'regoin', did you mean 'region'"
    ):
        drift(scored(1), scored(0, region="n"), exclude_columns=["regoin", "x"])


@pytest.mark.parametrize("now", [["True", "False"], ["2024-01-01", "n/a"]])
def test_values_that_are_no_longer_numbers_are_not_said_to_be_missing(world: World, now: list[str]) -> None:
    with mlflow.start_run() as run:
        mlflow.models.evaluate(
            data=scored(1, z=np.resize(now, ROWS), gone=np.nan), targets="y", predictions="p",
            model_type="classifier", evaluators=["drift"],
            evaluator_config={"drift": {"reference": scored(0, z=np.arange(ROWS) % 2, gone=np.arange(ROWS) % 2)}},
        )  # fmt: skip
    found = mlflow.artifacts.load_dict(f"runs:/{run.info.run_id}/evidence/drift.json")
    page = mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/reports/drift.html")
    assert failed(found) == {"schema_changes:overall", "schema_changes:z", "missing_change:gone"}
    reason = "its values are text, and those of the reference number"
    assert found["measurements"]["passed_over"] == [{"column": "z", "reason": reason}]
    assert "One column has fewer than the minimum count" in page and "js is undefined" not in page
    assert "One of the data sets has no value of this column." in page
    # Numbers that are written as text are numbers still.
    found, _ = drift(scored(1, z=np.resize(["0", "1"], ROWS)), scored(0, z=np.arange(ROWS) % 2))
    assert failed(found) == {"schema_changes:overall", "schema_changes:z"}
    assert {"js:z", "wasserstein:z"} <= {check["id"] for check in found["checks"]}
