"""Batches that can be read again are gathered into parts of one size, whatever they come in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pytest

from mlflow_eval_plugin.engines.parts.local import LocalPasses
from mlflow_eval_plugin.engines.parts.passes import PART_ROWS
from mlflow_eval_plugin.engines.parts.places import Place, place_of, with_places

SCHEMA = pa.schema([("a", pa.int64()), ("b", pa.string())])


@dataclass(frozen=True)
class Listed:
    """What parts there are: their columns and numbers of rows, and the sum of ``a``."""

    columns: tuple[str, ...] = ("a",)

    def __call__(self, part: pa.Table) -> list[tuple[list[str], int]]:
        return [(part.column_names, part.num_rows)]


def passes_of(batches: Iterable[pa.RecordBatch], rows: int = 4) -> LocalPasses:
    held = list(batches)

    def read(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        for one in held:
            yield one.select(list(columns)) if columns else one.select([])

    return LocalPasses(SCHEMA, read, part_rows=rows)


def batch(*values: int, places: Sequence[Place] = ()) -> pa.RecordBatch:
    found = pa.record_batch([pa.array(values, pa.int64()), pa.array(map(str, values), pa.string())], schema=SCHEMA)
    return found.replace_schema_metadata(with_places(SCHEMA, places).metadata) if places else found


@pytest.mark.parametrize("sizes", [[10], [1] * 10, [3, 0, 7], [0, 4, 4, 2, 0]])
def test_parts_are_of_one_size_whatever_batches_come(sizes: list[int]) -> None:
    passes = passes_of(batch(*range(size)) for size in sizes)
    assert passes.count([Listed()]) == ([(["a"], 4), (["a"], 4), (["a"], 2)],)


def test_a_pass_reads_the_columns_of_all_kernels_and_no_other() -> None:
    passes = passes_of([batch(1, 2, 3)])
    assert passes.count([Listed(("b",)), Listed(())]) == ([(["b"], 3)], [(["b"], 3)])
    assert passes.count([Listed(())]) == ([([], 3)],)


@pytest.mark.parametrize("batches", [[], [batch()], [batch(), batch()]])
def test_without_a_row_each_kernel_is_given_one_part_without_rows(batches: list[pa.RecordBatch]) -> None:
    assert passes_of(batches).count([Listed(), Listed(("b",))]) == ([(["a", "b"], 0)], [(["a", "b"], 0)])


def test_a_part_says_where_its_rows_come_from_also_where_batches_were_cut() -> None:
    given = [batch(*range(6), places=[Place("one", 0, 5), Place("two", 0, 1)]), batch(6, places=[Place("two", 1, 1)])]
    found: list[list[str | None]] = []

    @dataclass(frozen=True)
    class Where:
        columns: tuple[str, ...] = ("a",)

        def __call__(self, part: pa.Table) -> int:
            found.append([place_of(part.schema, row) for row in range(part.num_rows)])
            return 0

    passes_of(given).count([Where()])
    rows = [[f"row {row} of one" for row in range(4)], ["row 4 of one", "row 0 of two", "row 1 of two"]]
    assert found == rows


def test_parts_are_as_large_as_the_engine_in_memory_counts_at_once() -> None:
    assert passes_of([], PART_ROWS).part_rows == 2**18
