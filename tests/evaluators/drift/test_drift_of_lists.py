"""How many numbers vectors have is part of the schema: on every engine, and against a baseline, byte by byte."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from evaluators.test_drift_calls import drift, failed, scored
from support.documents.judged import documents
from support.evaluating import World
from support.frozen_rows import CASES, Case, binary, evidence
from support.shards.people import of_any

from mlflow_eval_plugin import freeze
from mlflow_eval_plugin.engines.arrow.rows import ArrowRows

ROWS = 300
GIVEN: dict[str, Any] = {"targets": "y", "predictions": "p"}


def vectors(width: int, rows: int = ROWS) -> list[list[float]]:
    return np.random.default_rng(width).normal(size=(rows, width)).tolist()


def ragged(numbers: list[list[float]]) -> list[list[float]]:
    return [one[: 5 + place % 4] for place, one in enumerate(numbers)]


VECTORS, LISTS = "vectors of 8 numbers", "lists of 5 to 8 numbers"
CHANGES: dict[str, tuple[list[Any], list[Any], str, str]] = {
    "a longer vector": (vectors(8), vectors(16), VECTORS, "vectors of 16 numbers"),
    "one row of another length": (vectors(8), [*vectors(8)[1:], [1.0]], VECTORS, "lists of 1 to 8 numbers"),
    "an empty row": (vectors(8), [*vectors(8)[1:], []], VECTORS, "lists of 0 to 8 numbers"),
    "rows of differing lengths": (vectors(8), ragged(vectors(8)), VECTORS, LISTS),
    "other values": (vectors(8), [["a"] * 8] * ROWS, VECTORS, "lists of other values than numbers"),
    "texts became numbers": ([["a"]] * ROWS, vectors(8), "lists of other values than numbers", VECTORS),
    "a scalar": (vectors(8), list(range(ROWS)), VECTORS, "number"),
    "a vector of a scalar": ([one / 7 for one in range(ROWS)], vectors(8), "number", VECTORS),
    "lists became text": (ragged(vectors(8)), ["a", "b", "c"] * 100, LISTS, "text"),
    "gone": (vectors(8), [], VECTORS, ""),
    "come": ([], vectors(1), "", "vectors of 1 number"),
}
ALIKE: dict[str, tuple[list[Any], list[Any]]] = {
    "vectors of one length": (vectors(8), vectors(8)[::-1]),
    "missing rows and numbers": (vectors(8), [None, [None] * 8, *vectors(8)[2:]]),
    "lists of any length": (ragged(vectors(8)), vectors(8)),
    "texts": ([["a"], ["a", "b"]] * 150, [["a"]] * ROWS),
    "nothing": (vectors(8), [None] * ROWS),
    "empty lists": ([[]] * ROWS, vectors(8)),
}


def frame(seed: int, cells: list[Any]) -> pd.DataFrame:
    return scored(seed, ROWS, **({"e": pd.Series(cells)} if cells else {}))


def told(found: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(json.dumps(found["drift_evidence"][key]) for key in ("checks", "measurements", "verdict"))


@pytest.mark.parametrize("case", CHANGES)
def test_another_kind_of_lists_is_a_change_of_schema_against_rows_and_baselines(case: str, world: World) -> None:
    before, after, was, now = CHANGES[case]
    reference, data = frame(0, before), frame(1, after)
    found = documents(data, {"drift": {"reference": reference}}, **GIVEN)
    frozen = freeze(reference, **GIVEN, evaluator_config={"drift": {}})
    assert told(found) == told(documents(data, {"drift": {"reference": frozen}}, **GIVEN))
    checks = {one["id"]: one for one in found["drift_evidence"]["checks"]}
    one = checks["schema_changes:e"]
    assert one["verdict"] == "fail" and was in one["reason"] and now in one["reason"]
    assert {name for name, check in checks.items() if check["verdict"] == "fail"} == {
        "schema_changes:overall", "schema_changes:e",
    }  # fmt: skip
    passed_over = found["drift_evidence"]["measurements"]["passed_over"]
    reason = f"its values are {now}, and those of the reference {was}"
    assert passed_over == ([{"column": "e", "reason": reason}] if was and now else [])


@pytest.mark.parametrize("case", {**CHANGES, **ALIKE})
def test_every_engine_knows_the_same_of_lists(case: str) -> None:
    for seed, cells in enumerate({**CHANGES, **ALIKE}[case][:2]):
        rows = pd.concat([frame(seed, cells)] * 5, ignore_index=True)  # of which every shard has some
        whole, parted = ArrowRows(rows), of_any(rows)
        assert whole.schema() == parted.schema() and whole.examples("e") == parted.examples("e")


@pytest.mark.parametrize("case", ALIKE)
def test_lists_that_may_differ_change_no_schema(case: str, world: World) -> None:
    before, after = ALIKE[case]
    found, _ = drift(frame(1, after), frame(0, before))
    assert found["measurements"]["schema_changes"] == []
    assert not any(one.startswith("schema") for one in failed(found))


def test_a_changed_length_may_be_allowed_and_is_named_also_where_the_column_was_asked_for(world: World) -> None:
    data, before = frame(1, vectors(16)), frame(0, vectors(8))
    found, _ = drift(data, before, columns=["x", "e"])
    assert failed(found) == {"schema_changes:overall", "schema_changes:e"}
    found, _ = drift(data, before, columns=["x", "e"], schema_changes={"e": "allow"})
    assert failed(found) == set() and found["measurements"]["schema_changes"][0]["allowed"]
    reason = "its values are vectors of 16 numbers, and those of the reference vectors of 8 numbers"
    assert found["measurements"]["passed_over"] == [{"column": "e", "reason": reason}]


@pytest.mark.parametrize(
    "held",
    [
        lambda cells: pd.Series([np.array(one, dtype="float32") for one in cells]),
        lambda cells: pd.Series([tuple(one) for one in cells]),
        lambda cells: pd.Series([np.array(one, dtype=object) for one in cells]),
    ],
    ids=["arrays of single precision", "tuples", "arrays of objects"],
)
def test_what_holds_the_numbers_makes_no_difference(held: Callable[[Any], Any], world: World) -> None:
    found, _ = drift(scored(1, ROWS, e=held(vectors(8))), frame(0, vectors(8)))
    assert found["measurements"]["schema_changes"] == []
    found, _ = drift(scored(1, ROWS, e=held(vectors(16))), frame(0, vectors(8)))
    assert "schema_changes:e" in failed(found)


def test_a_baseline_that_knows_no_lengths_says_nothing_of_them(world: World) -> None:
    golden = str(Path(__file__).parents[2] / "golden" / "baseline-v1")
    case = Case(binary(200), binary(300, 2).assign(tags=[[1.0, 2.0]] * 300), CASES["binary"].named, {"drift": {}})
    found = evidence(case, golden)["drift"]
    assert "tags" not in {one["column"] for one in found["measurements"]["schema_changes"] if one["change"] == "type"}
