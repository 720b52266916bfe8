"""Whatever engine holds rows, the same is frozen of them, and the same is said of them against a baseline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from support.shards.people import FEATURES, of_any, of_numbers, of_three, of_two, people

from mlflow_eval_plugin.canonical import canonical
from mlflow_eval_plugin.engines.arrow.rows import ArrowRows
from mlflow_eval_plugin.engines.contract import AskedColumns
from mlflow_eval_plugin.engines.frozen.freezing import (
    frozen_binary,
    frozen_columns,
    frozen_multiclass,
    frozen_regression,
)
from mlflow_eval_plugin.engines.frozen.tables import packed, unpacked
from mlflow_eval_plugin.engines.frozen.values import read, written
from mlflow_eval_plugin.engines.slicing import Slicing
from mlflow_eval_plugin.stats.errors import InputError

SLICING = Slicing(columns=["g"], depth=1)


def content(value: Any) -> tuple[bytes, bytes]:
    """All that is stored of a handle or a Summary."""
    arrays: list[NDArray[Any]] = []
    document = written(value, arrays)
    return canonical(document), packed(arrays)


def again(value: Any) -> Any:
    """A handle, stored and read."""
    arrays: list[NDArray[Any]] = []
    document = written(value, arrays)
    return read(document, unpacked(packed(arrays)))


@pytest.mark.parametrize(
    ("sides", "freeze"),
    [
        (of_two, lambda rows: frozen_binary(rows, [(SLICING, 0.5)])),
        (of_three, lambda rows: frozen_multiclass(rows, [SLICING])),
        (of_numbers, lambda rows: frozen_regression(rows, [SLICING])),
    ],
    ids=["binary", "multiclass", "regression"],
)
def test_the_same_is_frozen_of_rows_in_memory_and_in_parts(sides: Any, freeze: Callable[[Any], Any]) -> None:
    (whole, _), (parted, _) = sides(people())
    frozen = freeze(whole)
    assert content(frozen) == content(freeze(parted)) == content(again(frozen))


def test_the_same_columns_are_frozen_of_rows_in_memory_and_in_parts() -> None:
    names = [name for name in FEATURES if name != "lists"]
    frame, given = people()[names], {"columns": names, "categorical": ["age"]}
    whole, parted = (frozen_columns(one(frame), **given) for one in (ArrowRows, of_any))
    # Examples are of whichever rows come first.
    whole, parted = (
        replace(rows, columns={name: replace(one, examples=()) for name, one in rows.columns.items()})
        for rows in (whole, parted)
    )
    assert content(whole) == content(parted)


@pytest.mark.parametrize("engine", [ArrowRows, of_any])
def test_rows_of_any_engine_have_drifted_from_a_baseline_as_from_its_rows(engine: Callable[[Any], Any]) -> None:
    before, after = people(), people(8)
    names = [name for name in FEATURES if name != "lists"]
    columns = AskedColumns(tuple(names), {"ms": "score"}, frozenset({"age"}))
    frozen = again(frozen_columns(ArrowRows(before), columns=names, categorical=["age"]))
    found, known = (engine(after).drift(one, columns) for one in (frozen, ArrowRows(before)))
    for one in ("reference", "current"):
        assert getattr(found, one).to_document() == getattr(known, one).to_document()
    assert (found.passed_over, found.repeated) == (known.passed_over, known.repeated)


def test_what_only_rows_can_answer_is_refused_by_name() -> None:
    rows = ArrowRows(people())
    frozen = frozen_columns(rows, columns=["age"])
    with pytest.raises(InputError, match="baseline: it holds counts and no rows, and so no latencies and costs"):
        frozen.system(SLICING, latency="ms", cost=None)
    with pytest.raises(InputError, match="it holds counts and no rows"):
        frozen.drift(rows, AskedColumns(("age",)))
    (whole, _), _ = of_two(people())
    with pytest.raises(
        InputError, match=r'not frozen with sliced {"slicing":{"columns":\["part"\].*it has sliced {"slicing'
    ):
        frozen_binary(whole, [(SLICING, 0.5)]).sliced(Slicing(columns=["part"], depth=1), 0.5)


@pytest.mark.parametrize(
    "array",
    [
        np.array([], dtype=np.float64),
        np.array([np.nan, -np.inf, np.inf, -0.0, 5e-324, 1.7e308]),
        np.array([2**63 - 1, -(2**63), 0, -1, 2**62], dtype=np.int64),
        np.arange(12, dtype=np.int64).reshape(3, 4) * 10**12,
        np.array([[True, False]]),
        np.array([1, -(2**31)], dtype=np.int32),
        np.zeros((0, 5), dtype=np.int64),
    ],
    ids=str,
)
def test_arrays_are_read_bit_by_bit_as_they_were(array: NDArray[Any]) -> None:
    (found,) = unpacked(packed([array]))
    assert found.dtype == array.dtype and found.shape == array.shape
    assert found.tobytes() == array.tobytes()
