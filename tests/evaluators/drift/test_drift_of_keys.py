"""Rows that repeat a key: a Check that is a fact, the same on every engine and against a baseline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from evaluators.test_drift_calls import drift, failed, scored
from mlflow.exceptions import MlflowException
from support.documents.judged import documents
from support.evaluating import World
from support.shards.people import of_any

from mlflow_eval_plugin import freeze
from mlflow_eval_plugin.engines.arrow.rows import ArrowRows
from mlflow_eval_plugin.stats.drift.quality import keys
from mlflow_eval_plugin.stats.errors import InputError

ROWS = 800
GIVEN: dict[str, Any] = {"targets": "y", "predictions": "p"}
KEYS = {
    "id": lambda place: place,
    "order": lambda place: np.array([f"o-{one // 2}" for one in place]),
    "line": lambda place: place % 2,
    "day": lambda place: pd.Timestamp("2026-01-01") + pd.to_timedelta(place // 100, "D"),
}


def rows(seed: int, repeats: int = 0, missing: int = 0) -> pd.DataFrame:
    """Rows with keys, of which the last ones repeat those of the first, and some before have none."""
    place = np.arange(ROWS)
    place[ROWS - repeats :] = place[:repeats]
    found = scored(seed, ROWS, **{name: make(place) for name, make in KEYS.items()})
    found["id"] = found["id"].astype("Int64").mask(found.index.isin(range(400, 400 + missing)))
    return found


def check(found: dict[str, Any]) -> dict[str, Any]:
    return next(one for one in found["checks"] if one["metric"] == "duplicate_keys")


@pytest.mark.parametrize("columns", [["id"], ["order", "line"], ["line", "order"], ["day"], ["order", "id"]])
def test_every_engine_counts_what_pandas_counts(columns: list[str]) -> None:
    data = rows(0, repeats=37, missing=11)
    known = data[columns].dropna()
    whole, parted = ArrowRows(data).keys(columns), of_any(data).keys(columns)
    assert whole == parted
    assert (whole.rows, whole.missing) == (ROWS, ROWS - len(known))
    assert whole.repeated == int(known.duplicated().sum())


def test_files_frames_and_baselines_say_the_same(world: World, tmp_path: Path) -> None:
    data, reference = rows(1, repeats=20, missing=5), rows(0, repeats=4)
    for name, frame in (("data", data), ("reference", reference)):
        (tmp_path / name).mkdir()
        frame.iloc[:300].to_parquet(tmp_path / name / "a.parquet", index=False)
        frame.iloc[300:].to_parquet(tmp_path / name / "b.parquet", index=False)
    asked: dict[str, Any] = {"key": ["id"]}
    uri = freeze(reference, **GIVEN, evaluator_config={"drift": asked})
    sides = [
        (data, reference), (data, uri), (str(tmp_path / "data"), str(tmp_path / "reference")),
        (str(tmp_path / "data"), uri),
    ]  # fmt: skip
    found = [documents(one, {"drift": {"reference": other, **asked}}, **GIVEN) for one, other in sides]
    told = {json.dumps([one["drift_evidence"][key] for key in ("checks", "measurements")]) for one in found}
    assert len(told) == 1
    measured = found[0]["drift_evidence"]["measurements"]["keys"]
    assert measured == {
        "columns": ["id"],
        "current": {"rows": ROWS, "missing": 5, "repeated": 20, "share": 20 / (ROWS - 5)},
        "reference": {"rows": ROWS, "missing": 0, "repeated": 4, "share": 4 / ROWS},
    }


def test_a_rise_above_the_tolerance_fails_and_says_the_counts(world: World) -> None:
    found, _ = drift(rows(1, repeats=8), rows(0, repeats=2), key="id")
    one = check(found)
    assert (one["id"], one["verdict"], one["maximum"], one["n"]) == ("duplicate_keys:id", "fail", 0.001, ROWS)
    assert one["value"] == 8 / ROWS - 2 / ROWS and one["interval"] == [one["value"]] * 2 and one["p_value"] is None
    assert one["reason"] == (
        "A fact, not an estimate: 8 of 800 rows with a key repeat one (1.0000%); of the reference, 2 of 800 rows with "
        "a key repeat one (0.2500%)."
    )
    assert check(drift(rows(1, repeats=8), rows(0), key="id", max_duplicate_keys=0.01)[0])["verdict"] == "pass"
    assert check(drift(rows(1, repeats=1), rows(0), key="id", max_duplicate_keys=0)[0])["verdict"] == "fail"
    assert check(drift(rows(1), rows(0), key=["order", "line"], max_duplicate_keys=0)[0])["verdict"] == "pass"
    none, _ = drift(rows(1, repeats=8), rows(0), key="id", max_duplicate_keys=None)
    assert "duplicate_keys:id" not in {one["id"] for one in none["checks"]}
    assert none["measurements"]["keys"]["current"]["repeated"] == 8


def test_a_key_of_one_column_is_not_compared_and_its_type_is(world: World) -> None:
    data, before = rows(1).assign(id=np.arange(ROWS) * 7 + 10**6), rows(0).assign(id=np.arange(ROWS) // 2)
    assert {one.partition(":")[2] for one in failed(drift(data, before)[0])} == {"id"}
    found, _ = drift(data, before, key="id")
    assert failed(found) == set()
    found, _ = drift(data.assign(id=data.id.map("c{}".format)), before, key="id")
    assert failed(found) == {"schema_changes:overall", "schema_changes:id"}


def test_a_reference_without_the_key_has_no_repeats_and_rows_without_any_decide_nothing(world: World) -> None:
    before = rows(0).drop(columns=["id"])
    found, _ = drift(rows(1, repeats=8), before, key="id", exclude_columns=["id"])
    assert check(found)["value"] == 8 / ROWS and found["measurements"]["keys"]["reference"] is None
    assert check(found)["reason"].endswith("; the reference has no such key.")
    data = rows(1).assign(id=pd.Series([None] * ROWS, dtype="Int64"))
    one = check(drift(data, rows(0), key="id")[0])
    assert (one["verdict"], one["value"], one["n"]) == ("insufficient", None, 0) and "no row has a key" in one["reason"]


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"key": ["ordr"]}, "key: neither side has 'ordr', did you mean 'order'"),
        ({"key": ["id", "id"]}, "'key' names a column twice: 'id', 'id'"),
        ({"max_duplicate_keys": 0.1}, "'max_duplicate_keys' has no effect without 'key'"),
        ({"key": ["id"], "max_duplicate_keys": 1.5}, "duplicate_keys is never above 1"),
        ({"key": ["tags"]}, "key: 'tags' holds lists, which tell no rows apart; leave it out"),
        ({"key": ["gone"]}, "key: the data have no column 'gone'"),
    ],
)
def test_keys_that_cannot_be_meant_are_refused(config: dict[str, Any], why: str, world: World) -> None:
    tags = [["x"]] * ROWS
    with pytest.raises(MlflowException, match=why):
        drift(rows(1).assign(tags=tags), rows(0).assign(tags=tags, gone=1), **config)


def test_a_baseline_refuses_a_key_that_was_not_counted(world: World) -> None:
    uri = freeze(rows(0), **GIVEN, evaluator_config={"drift": {"key": ["order", "line"]}})
    assert check(drift(rows(1), uri, key=["line", "order"])[0])["verdict"] == "pass"  # type: ignore[arg-type]
    with pytest.raises(MlflowException, match="drift: key: 'id' was not counted; freeze it anew with this 'key'"):
        drift(rows(1), uri, key="id")  # type: ignore[arg-type]


@pytest.mark.parametrize("engine", [ArrowRows, of_any])
def test_more_keys_than_are_held_are_refused_on_every_engine(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "MOST_KEYS", 700)
    with pytest.raises(InputError, match="key: there are more than 700 different keys"):
        engine(rows(0)).keys(["id"])
    assert engine(rows(0)).keys(["order"]).repeated == ROWS // 2
