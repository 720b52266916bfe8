"""Passes in this process, over batches of Arrow that can be read again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from mlflow_eval_plugin.engines.parts.passes import PART_ROWS, Kernel
from mlflow_eval_plugin.engines.parts.places import Place, cut, places_of, with_places

Batches = Callable[[Sequence[str]], Iterable[pa.RecordBatch]]


@dataclass(frozen=True, eq=False)
class LocalPasses:
    """See ``passes.Passes``.

    Attributes:
        schema: of all columns that there are.
        batches: all rows anew, with the named columns alone, in any order; with none of them batches still have their
            rows.
        part_rows: how many rows are gathered before they are counted.
    """

    schema: pa.Schema
    batches: Batches
    part_rows: int = PART_ROWS
    name: str = "local"

    def count(self, kernels: Sequence[Kernel[Any]]) -> tuple[Any, ...]:
        """One pass over all rows: what each kernel counts of the parts, added."""
        wanted = frozenset().union(*(one.columns for one in kernels))
        names = [name for name in self.schema.names if name in wanted]
        found: list[Any] | None = None
        for part in gathered(self.batches(names), self.part_rows):
            counted = [one(part) for one in kernels]
            found = counted if found is None else [a + b for a, b in zip(found, counted, strict=True)]
        if found is None:
            empty = pa.schema([self.schema.field(name) for name in names]).empty_table()
            found = [one(empty) for one in kernels]
        return tuple(found)


def gathered(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[pa.Table]:
    """The same rows in parts of so many, the last one smaller; batches without rows are passed over."""
    held: list[pa.RecordBatch] = []
    places: list[Place] = []
    missing = rows
    for batch in batches:
        known, begin = places_of(batch.schema), 0
        while begin < batch.num_rows:
            taken = batch.slice(begin, missing)
            held.append(taken.replace_schema_metadata(None))
            places.extend(cut(known, begin, taken.num_rows))
            begin, missing = begin + taken.num_rows, missing - taken.num_rows
            if missing == 0:
                yield _part(held, places)
                held, places, missing = [], [], rows
    if held:
        yield _part(held, places)


def _part(batches: Sequence[pa.RecordBatch], places: Sequence[Place]) -> pa.Table:
    part = pa.Table.from_batches(batches)
    return part.replace_schema_metadata(with_places(part.schema, places).metadata) if places else part
