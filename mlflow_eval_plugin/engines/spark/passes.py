"""Passes over a Spark data frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import pyarrow as pa

from mlflow_eval_plugin.engines.parts.passes import PART_ROWS, Kernel
from mlflow_eval_plugin.engines.spark.columns import schema_of, selected
from mlflow_eval_plugin.engines.spark.shipping import ANSWER, Counting, Handing, Merging, answers_in, unpacked_rows
from mlflow_eval_plugin.engines.spark.workers import require_same_package

# So many answers reach the driver, however many partitions there are. Shuffling one answer a partition to few merging
# tasks costs less than shuffling its cells as rows.
MERGING: Final = 4


@dataclass(frozen=True, eq=False)
class SparkPasses:
    """See ``parts.passes.Passes``. Rows have no order in Spark, so that no part says where its rows come from.

    Attributes:
        frame: a data frame of ``pyspark.sql``, classic or of Spark Connect; neither cached nor changed.
        part_rows: how many rows are gathered before they are counted; Spark hands over 10,000 at a time.
    """

    frame: Any
    part_rows: int = PART_ROWS
    name: str = "spark"
    _asked: list[bool] = field(default_factory=list, init=False, repr=False)

    @cached_property
    def schema(self) -> pa.Schema:
        """The columns, each with its type.

        Raises:
            InputError: for columns of types that have no single value a row, all of them at once, and for several
                columns of one name.
        """
        return schema_of(self.frame.schema)

    def count(self, kernels: Sequence[Kernel[Any]]) -> tuple[Any, ...]:
        """One pass over all rows: what each kernel counts of the parts, added.

        Raises:
            InputError: what a kernel raises of its rows; of several parts, the first in order of the alphabet. And when
                a worker lacks this package, or has another version of it.
        """
        self._ask_workers_once()
        wanted = frozenset().union(*(one.columns for one in kernels))
        names = [name for name in self.schema.names if name in wanted]
        schema = pa.schema([self.schema.field(name) for name in names])
        counting, merging = Counting(tuple(kernels), schema, self.part_rows), Merging(len(kernels))
        counted = selected(self.frame, names).mapInArrow(counting, ANSWER)
        merged = counted.repartition(MERGING).mapInArrow(merging, ANSWER).collect()
        found = answers_in([row[0] for row in merged])
        return tuple(one(schema.empty_table()) for one in kernels) if found is None else found

    def head(self, columns: Sequence[str], rows: int) -> pa.Table:
        """Some rows, at most so many, as they come first."""
        names = [name for name in self.schema.names if name in columns]
        schema = pa.schema([self.schema.field(name) for name in names])
        self._ask_workers_once()
        told = selected(self.frame, names).limit(rows).mapInArrow(Handing(schema), ANSWER).collect()
        return pa.concat_tables([unpacked_rows(row[0]) for row in told]) if told else schema.empty_table()

    def _ask_workers_once(self) -> None:
        if not self._asked:
            require_same_package(self.frame)
            self._asked.append(True)
