"""What a source of rows that come in parts can do: count all of them, in one pass.

A *kernel* counts one part. What it answers with is a Summary: two of them are added, and neither the order of the rows
nor their division into parts changes the sum. A *pass* gives each of some kernels all rows, part by part.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol, TypeVar

import pyarrow as pa

PART_ROWS: Final = 2**18  # smaller parts cost more to add than to count; in larger ones temporaries leave the cache

Counted_co = TypeVar("Counted_co", covariant=True)


class Kernel(Protocol[Counted_co]):
    """Counts a part of the rows. It is pickled to where the rows are, and so is its answer on the way back."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The only columns that it reads, each once; without any it reads how many rows there are."""

    def __call__(self, part: pa.Table, /) -> Counted_co:
        """Count the rows of a part. A part has at least one row, unless there is no row at all."""


class Passes(Protocol):
    """Rows that can be read again and again, and are the same each time."""

    @property
    def name(self) -> str:
        """What the engine is called, in Evidence and messages."""

    @property
    def schema(self) -> pa.Schema:
        """The columns, each with its type."""

    def count(self, kernels: Sequence[Kernel[Any]]) -> tuple[Any, ...]:
        """One pass over all rows: what each kernel counts of the parts, added.

        Parts are gathered to ``PART_ROWS`` rows. A part may say in the metadata of its schema where its rows come from
        (see ``places``). Where there is no row, each kernel is given one part without rows.
        """
