"""Rows that are read into memory, of which there may be so many and no more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from mlflow_eval_plugin.plugin.sources.source import Source
from mlflow_eval_plugin.stats.errors import InputError


@dataclass(frozen=True, eq=False)
class Bounded:
    """See ``source.Source``; of a source that does not know how many rows it has they are counted as they are read.

    Attributes:
        most: how many rows there may be.
        why: why they are in memory, and what else could be asked.
    """

    source: Source
    most: int
    why: str

    @property
    def told(self) -> str:
        """What this is, for messages."""
        return self.source.told

    @property
    def schema(self) -> pa.Schema:
        """The columns, as every part has them."""
        return self.source.schema

    @property
    def rows(self) -> int | None:
        """How many rows there are, where that is known without reading them."""
        return self.source.rows

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """All rows, as the source has them.

        Raises:
            InputError: before the first part with which they would be too many is handed over.
        """
        read = 0
        for batch in self.source.batches(columns):
            read += batch.num_rows
            if read > self.most:
                raise InputError(
                    f"data: {self.told} has more rows than the {self.most:,} that are read into memory: {self.why}"
                )
            yield batch
