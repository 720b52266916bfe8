"""Of many rows plans are made of a sample by what rows hold: the same in parts and in memory, in any order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.shards import people as sharded
from support.shards.people import MADE, people
from support.summaries import arrays

from mlflow_eval_plugin.engines.arrow import sampling
from mlflow_eval_plugin.engines.arrow.binary.rows import ArrowBinaryRows
from mlflow_eval_plugin.engines.arrow.columns.streams import read_arrow
from mlflow_eval_plugin.engines.arrow.digest import data_digest, digested
from mlflow_eval_plugin.engines.arrow.rows import ArrowRows
from mlflow_eval_plugin.engines.contract import AskedColumns, Sought
from mlflow_eval_plugin.engines.parts.asking import Asking
from mlflow_eval_plugin.engines.parts.binary import BinaryReading, PartedBinaryRows
from mlflow_eval_plugin.engines.parts.local import LocalPasses
from mlflow_eval_plugin.engines.parts.rows import PartedRows
from mlflow_eval_plugin.engines.parts.shown import Shown, ShownColumn
from mlflow_eval_plugin.engines.slicing import Slicing

SLICING = Slicing(("g", "day", "age"), 2, {}, {"day": 3, "age": 4}, 100)
SOUGHT = Sought(("g", "ms", "price"), 2, {}, {}, 5, 30, as_given=False)
ASKED: dict[str, tuple[str, Callable[[Any, Any], Any]]] = {
    "slices": ("binary", lambda rows, _: rows.sliced(SLICING, 0.4)),
    "pairs": ("binary", lambda _, pair: pair.counted(SLICING, (0.4, 0.6))),
    "search": ("binary", lambda rows, _: rows.errors(SOUGHT, "brier", 0.5).columns),
    "classes": ("multiclass", lambda rows, _: rows.sliced(SLICING)),
    "moments": ("regression", lambda rows, _: rows.moments(SLICING)),
    "folds": ("regression", lambda rows, _: rows.folds(5)),
    "pairs of numbers": ("regression", lambda _, pair: pair.counted(SLICING)),
}


def assert_same(found: Any, expected: Any) -> None:
    found, expected = arrays(found), arrays(expected)
    assert found.keys() == expected.keys()
    for path, value in expected.items():
        if isinstance(value, np.ndarray):
            assert found[path].dtype == value.dtype, path
            assert found[path].tobytes() == value.tobytes(), path
        else:
            assert found[path] == value, path


@pytest.mark.parametrize("asked", ASKED)
def test_parts_and_rows_in_memory_plan_from_the_same_sample(asked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    task, ask = ASKED[asked]
    known = ask(*MADE[task](people())[0])
    monkeypatch.setattr(sampling, "SAMPLED_ROWS", 120)
    whole, shards = MADE[task](people())
    expected = ask(*whole)
    assert_same(ask(*shards), expected)
    # The sample decides, and is not all rows.
    assert (
        asked == "pairs of numbers"
        or arrays(known).keys() != arrays(expected).keys()
        or any(not np.array_equal(value, arrays(known)[path]) for path, value in arrays(expected).items())
    )


def test_drift_has_bins_of_the_same_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "SAMPLED_ROWS", 120)
    names = [name for name in people() if name not in ("keys", "lists")]
    before, after = people()[names], people(8)[names]
    columns = AskedColumns(tuple(names), {"score": "score"}, frozenset({"age"}))
    whole = ArrowRows(after).drift(ArrowRows(before, digests=digested(before).lane), columns)
    current, reference = map(sharded.of_any, (after, before))
    assert_same(current.drift(reference, columns), whole)
    # What is counted is of all rows: none of the reference lies outside of its own range.
    price = next(one for one in whole.reference.columns if one.name == "price")
    assert price.watched.range == price.watched.seen == (before["price"].min(), before["price"].max())  # type: ignore
    assert price.watched.outside == 0  # type: ignore
    assert max(len(one.edges) for one in whole.reference.columns if hasattr(one, "edges")) <= 240


def test_the_sample_is_the_rows_whose_digests_begin_with_the_fewest_zeros(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "SAMPLED_ROWS", 100)
    digests = np.random.default_rng(3).integers(0, 2**64, 5000, dtype=np.uint64)
    found = sampling.sampled(digests)
    assert found is not None
    zeros = next(zeros for zeros in range(65) if sum(int(one) >> (64 - zeros) == 0 for one in digests) <= 100)
    assert sorted(found) == [place for place, one in enumerate(digests) if int(one) >> (64 - zeros) == 0]
    assert sampling.sampled(digests[:100]) is None


def test_few_different_rows_are_all_in_the_sample_as_often_as_they_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "SAMPLED_ROWS", 100)
    values = np.repeat([10, 20, 30], [5000, 3000, 2000])
    frame = pd.DataFrame({"x": np.random.default_rng(4).permutation(values)})
    found = sampling.sampled(digested(frame).lane)
    assert frame["x"].iloc[found].value_counts().to_dict() == {10: 50, 20: 30, 30: 20}


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    rows = draw(st.integers(2, 12))
    column = lambda one: draw(st.lists(one, min_size=rows, max_size=rows))  # noqa: E731
    numbers = st.floats(-50, 50, width=32) | st.none()
    return pa.table(
        {
            "label": pa.array(column(st.integers(0, 1)), pa.int64()),
            "score": pa.array(column(st.floats(0, 1)), pa.float64()),
            "g": pa.array(column(st.sampled_from(["a", "b", "c", None])), pa.string()),
            "n": pa.array([*column(numbers)[1:], 1.5], pa.float64()),
            "k": pa.array(column(st.integers(0, 3) | st.none()), pa.int64()),
        }
    )


def in_batches(table: pa.Table, sizes: Sequence[int], part_rows: int) -> LocalPasses:
    def read(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        some, begin = table.select(list(columns)).combine_chunks(), 0
        for size in (*sizes, table.num_rows):
            yield pa.RecordBatch.from_pylist([], schema=some.schema)
            yield from some.slice(begin, size).to_batches()
            begin += size

    return LocalPasses(table.schema, read, part_rows=part_rows)


@given(
    table=tables(), seed=st.integers(0, 99), sizes=st.lists(st.integers(0, 4), max_size=4),
    part_rows=st.integers(1, 15), few=st.sampled_from([5, 2**18]),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_neither_order_nor_batches_nor_parts_change_an_answer(
    table: pa.Table, seed: int, sizes: list[int], part_rows: int, few: int
) -> None:
    slicing = Slicing(("g", "n", "k"), 2, {}, {"n": 2}, 100)
    frame = read_arrow(table)
    assert isinstance(frame, pd.DataFrame)
    shuffled = table.take(pa.array(np.random.default_rng(seed).permutation(table.num_rows)))
    names = tuple(table.column_names)
    columns = AskedColumns(names, categorical=frozenset({"k"}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sampling, "SAMPLED_ROWS", few)
        lane = digested(frame).lane
        whole = ArrowBinaryRows(frame, frame["label"].to_numpy(), frame["score"].to_numpy(), digests=lane)
        asking = Asking(in_batches(shuffled, sizes, part_rows), Shown.given(names))
        reading = BinaryReading("label", None, ShownColumn("score", "score", "score"))
        rows = PartedBinaryRows(asking, Shown.given(names), reading)
        try:
            expected: Any = whole.sliced(slicing)
        except ValueError as error:  # a sample without a value to cut by
            with pytest.raises(type(error)):
                rows.sliced(slicing)
        else:
            assert_same(rows.sliced(slicing), expected)
        assert_same(rows.scores(), whole.scores())
        assert rows.digest == data_digest(frame)
        everything = PartedRows(asking, Shown.given(names))
        assert_same(everything.drift(everything, columns), ArrowRows(frame, digests=lane).drift(
            ArrowRows(frame, digests=lane), columns))  # fmt: skip
