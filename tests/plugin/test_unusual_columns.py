"""Columns that are no slices and no distributions stop no call; times are cut like numbers, whatever is evaluated."""

from __future__ import annotations

import datetime
import uuid
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from support.evaluating import World

N = 600
STATIC: dict[str, Any] = {"model": None, "targets": "y", "predictions": "p"}


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(8)
    p = rng.random(N)
    day = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 366 * 24, N), "h")
    y = (rng.random(N) < p).astype(int)
    return pd.DataFrame({"g": np.where(rng.random(N) < 0.5, "a", "b"), "p": p, "q": p, "day": day, "y": y})


def documents(world: World, data: pd.DataFrame, config: dict[str, Any], **given: Any) -> dict[str, Any]:
    run, _ = world.evaluate(data, evaluators=list(config), evaluator_config=config, **{**STATIC, **given})
    uri = f"runs:/{run.info.run_id}/evidence"
    return {kind: mlflow.artifacts.load_dict(f"{uri}/{kind}.json") for kind in config}


def columns() -> dict[str, tuple[Any, Any]]:
    """By name, a column of the data and of the reference."""
    numbers = list(np.random.default_rng(1).normal(size=(N, 4)))
    return {
        "empty in the reference": (np.ones(N), np.full(N, np.nan)),
        "empty texts in the reference": (["a"] * N, [None] * N),
        "empty": (np.full(N, np.nan), np.full(N, np.nan)),
        "lists": ([[1.0, 2.0]] * N, [[1.0, 2.0]] * N),
        "embeddings of another length": (numbers, [one[:3] for one in numbers]),
        "mappings": ([{"a": 1}] * N, [{"a": 1}] * N),
        "keys": ([f"k{i}" for i in range(N)], [f"k{i + N}" for i in range(N)]),
        "uuids": ([uuid.UUID(int=i) for i in range(N)], [uuid.UUID(int=i + N) for i in range(N)]),
        "counter": (np.arange(N) + N, np.arange(N)),
    }


def test_embeddings_are_compared(world: World, data: pd.DataFrame) -> None:
    numbers = list(np.random.default_rng(1).normal(size=(N, 4)))
    reference = data.assign(odd=numbers[::-1])
    found = documents(world, data.assign(odd=numbers), {"drift": {"reference": reference}})["drift"]
    judged = {check["id"]: check["verdict"] for check in found["checks"] if check["scope"] == "odd"}
    assert judged == {"two_sample_auc:odd": "pass", "mean_shift:odd": "pass"}
    assert "odd" not in {one["column"] for one in found["measurements"]["passed_over"]}


@pytest.mark.parametrize("name", sorted(columns()))
def test_a_column_that_cannot_be_compared_stops_no_call(world: World, data: pd.DataFrame, name: str) -> None:
    now, before = columns()[name]
    reference = data.assign(odd=before)
    config = {
        "calibration": {"reference": reference, "slices": ["g"]},
        "disaggregated": {"slices": ["g"], "search": {"columns": ["g", "day"]}},
        "drift": {"reference": reference},
        "comparison": {"champion": "q", "slices": ["g"]},
    }
    found = documents(world, data.assign(odd=now), config)
    passed_over = {one["column"]: one["reason"] for one in found["drift"]["measurements"]["passed_over"]}
    judged = {check["scope"]: check["verdict"] for check in found["drift"]["checks"]}
    assert passed_over.get("odd") or judged["odd"] in ("insufficient", "fail")
    assert judged["day"] == judged["p"] == "pass"  # the others are judged all the same
    without = documents(world, data.assign(odd=now), {"drift": {"reference": reference, "exclude_columns": ["odd"]}})
    scopes = {check["scope"] for check in without["drift"]["checks"]}
    assert "odd" not in scopes and {"day", "p", "g"} <= scopes


def test_a_search_of_all_features_passes_over_them(world: World, data: pd.DataFrame) -> None:
    odd = {name: pd.Series(list(now)) for name, (now, _) in columns().items() if name != "counter"}
    found = documents(world, data.assign(**odd), {"disaggregated": {"search": True}})
    search = found["disaggregated"]["measurements"]["weak_slices"]
    assert search["columns"] == ["day", "g", "q"]
    assert {one["column"] for one in search["passed_over"]} == set(odd)


def test_columns_that_are_excluded_need_not_be_there(world: World, data: pd.DataFrame) -> None:
    for reference in (data, data.drop(columns="g")):
        config = {"reference": reference, "exclude_columns": ["g"]}
        checks = documents(world, data, {"drift": config})["drift"]["checks"]
        assert "g" not in {check["scope"] for check in checks}
        assert next(check for check in checks if check["id"] == "schema_changes:overall")["verdict"] == "pass"


BY_DATE = {"column": "day", "edges": ["2024-01-01", datetime.date(2024, 7, 1), np.datetime64("2025-01-02")]}
HALVES = ["day=[2024-01-01, 2024-07-01)", "day=[2024-07-01, 2025-01-02]"]


@pytest.mark.parametrize("task", ["two classes", "three classes", "regression"])
def test_bands_of_times(world: World, data: pd.DataFrame, task: str) -> None:
    """By dates and by quantiles, crossed with another column, in every evaluator that slices."""
    given: dict[str, Any] = {}
    if task == "three classes":
        said, champion = np.resize(["cat", "dog", "emu"], N), np.resize(["emu", "cat"], N)
        data = data.assign(y=np.random.default_rng(0).permutation(said), p=said, q=champion)
    elif task == "regression":
        data, given = data.assign(y=data.p + data.y), {"model_type": "regressor"}
    quarters = {"column": "day", "quantiles": 4}
    config = {
        "calibration": {"slices": [BY_DATE]},
        "disaggregated": {"slices": [quarters, [quarters, "g"]], "search": True},
        "comparison": {"champion": "q", "slices": [BY_DATE]},
    }
    if task == "three classes":
        del config["calibration"]
    found = documents(world, data, config, **given)
    early = int((data.day < "2024-07-01").sum())
    for kind in config.keys() - {"disaggregated"}:
        slices = {one["label"]: one["n"] for one in found[kind]["measurements"]["slices"]}
        assert slices == dict(zip(HALVES, (early, N - early), strict=True))
    assert found["comparison"]["config"]["slices"][0]["edges"][0] == "2024-01-01 00:00:00"
    slices = {one["label"]: one["n"] for one in found["disaggregated"]["measurements"]["slices"]}
    first = [label for label in slices if " & " not in label]
    assert len(first) == 4 and sum(slices[label] for label in first) == N
    # In order of time, each about as full; cuts are times that there are.
    assert first == sorted(first) and all(abs(slices[label] - N / 4) <= 5 for label in first)
    least = data.day.min()
    assert first[0].startswith(f"day=[{least:%Y-%m-%d %H:%M:%S}, 2024-0")
    assert sum(count for label, count in slices.items() if " & g=" in label) == N
    assert "day" in found["disaggregated"]["measurements"]["weak_slices"]["columns"]


@pytest.mark.parametrize("held", ["ns", "s", "zone", "dates", "objects", "categories", "pyarrow"])
def test_levels_at_midnight_are_dates_whatever_holds_them(world: World, data: pd.DataFrame, held: str) -> None:
    """In slices, intersections, searches, categories of data and reference, and for the names that people give."""
    days = pd.Series(pd.to_datetime(np.resize(["2024-03-01", "2024-03-02"], N)))
    column: Any = {
        "ns": lambda: days.astype("datetime64[ns]"), "s": lambda: days.dt.as_unit("s"),
        "zone": lambda: days.dt.tz_localize("Europe/Zurich"), "dates": lambda: days.dt.date,
        "objects": lambda: days.astype(object), "categories": lambda: days.astype("category"),
        "pyarrow": lambda: days.astype("timestamp[us][pyarrow]"),
    }[held]()  # fmt: skip
    rows = data.drop(columns="day").assign(hired=column)
    # The reference has other times too; a level is the same whatever stands beside it.
    before = data.drop(columns="day").assign(hired=days.where(days.index > 0, pd.Timestamp("2024-03-01 12:30")))
    names = {"hired": {pd.Timestamp("2024-03-01"): "the first", "2024-03-02": "the second"}}
    config = {
        "disaggregated": {"slices": ["hired", ["hired", "g"]], "search": {"columns": ["hired", "g"]},
                          "queries": {"early": "hired == '2024-03-01'"}, "value_labels": names},
        "drift": {"reference": before, "categorical": ["hired"]},
    }  # fmt: skip
    found = documents(world, rows, config)
    labels = {one["label"] for one in found["disaggregated"]["measurements"]["slices"]}
    assert {"hired=2024-03-01", "hired=2024-03-02", "hired=2024-03-01 & g=a", "early"} <= labels
    assert not [label for label in labels if "00:00" in label]
    assert found["disaggregated"]["config"]["value_labels"] == {
        "hired": {"2024-03-01": "the first", "2024-03-02": "the second"}
    }
    assert "day" not in found["disaggregated"]["measurements"]["weak_slices"]["columns"]
    if held == "zone":  # other instants than those of the reference, which has no zone
        return
    drifted = next(one for one in found["drift"]["measurements"]["columns"] if one["name"] == "hired")
    assert set(drifted["histogram"]["labels"]) == {"2024-03-01", "2024-03-02", "2024-03-01 12:30:00"}
    assert drifted["vanished_categories"] == ["2024-03-01 12:30:00"] and drifted["new_categories"] == []
    # What holds the dates makes no difference to the digest, and how a level is written neither.
    plainly = documents(world, rows.assign(hired=days), {"disaggregated": config["disaggregated"]})["disaggregated"]
    assert plainly["data"]["digest"] == found["drift"]["data"]["digest"]


@pytest.mark.parametrize("name", ["p.csv", "p.parquet"])
def test_a_key_of_times_is_that_of_a_file_however_it_writes_them(
    world: World, data: pd.DataFrame, tmp_path: Path, name: str
) -> None:
    hours = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(N), "h")
    table = pd.DataFrame({"when": hours, "p": data.p})
    table.to_csv(tmp_path / name, index=False) if name.endswith(".csv") else table.to_parquet(tmp_path / name)
    with mlflow.start_run() as run:
        mlflow.log_artifact(str(tmp_path / name))
    champion = {"run": run.info.run_id, "path": name, "column": "p", "key": "when"}
    for key in (hours, hours.tz_localize("UTC")):
        config = {"comparison": {"champion": champion, "slice_data": {"when": key}}}
        assert documents(world, data, config)["comparison"]["measurements"]["champion"]["path"] == name
    with pytest.raises(mlflow.MlflowException, match="not those of the data in the same order"):
        documents(world, data, {"comparison": {"champion": champion, "slice_data": {"when": hours[::-1]}}})
