"""Rows that are read in parts, as often as they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import pyarrow as pa


class Source(Protocol):
    """Rows of a user, which are read again for every pass."""

    @property
    def told(self) -> str:
        """What this is, for messages: a path, or what kind of table."""

    @property
    def schema(self) -> pa.Schema:
        """The columns, as every part has them."""

    @property
    def rows(self) -> int | None:
        """How many rows there are, where that is known without reading them."""

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """All rows, from the first, with some of the columns and in parts of any size.

        Raises:
            InputError: when they cannot be read to the end, or are others than when they were opened.
        """
