"""Data frames of Spark, whose rows stay where they are: passes are made there, and only the first rows come here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa

from mlflow_eval_plugin.engines.spark.passes import SparkPasses
from mlflow_eval_plugin.plugin.data.tables import HEAD_ROWS
from mlflow_eval_plugin.stats.errors import InputError


@dataclass(frozen=True, eq=False)
class SparkSource:
    """See ``source.Source``.

    Attributes:
        frame: of ``pyspark.sql``, classic or of Spark Connect.
    """

    frame: Any
    told: str = "the Spark frame"
    rows: int | None = None

    @cached_property
    def passes(self) -> SparkPasses:
        """What counts the rows."""
        return SparkPasses(self.frame)

    @property
    def schema(self) -> pa.Schema:
        """The columns.

        Raises:
            InputError: for columns that have no single value a row.
        """
        return self.passes.schema

    def head(self) -> pa.Table:
        """The first rows, for a look at them."""
        return self.passes.head(self.schema.names, HEAD_ROWS)

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Refused: what asks for all rows would have them in one process.

        Raises:
            InputError: says what to do instead.
        """
        raise InputError(
            "data: the rows of a Spark frame are not collected; write them as Parquet, and give the path of that"
        )
