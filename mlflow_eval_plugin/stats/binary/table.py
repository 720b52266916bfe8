"""Metrics of the slices of two classes, each computed once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mlflow_eval_plugin.stats.arrays import Index
from mlflow_eval_plugin.stats.binary.metrics import SlicePart, quantity, slice_part
from mlflow_eval_plugin.stats.binary.summary import SliceSummary
from mlflow_eval_plugin.stats.inference.estimate import Quantity
from mlflow_eval_plugin.stats.slices.gaps import families_of
from mlflow_eval_plugin.stats.slices.table import MetricTableBase


class SliceTable(MetricTableBase[SliceSummary]):
    """A SliceSummary with its metrics."""

    @property
    def rows(self) -> NDArray[np.int64]:
        """Rows per slice, ``(S,)``."""
        return np.asarray(self.summary.cells.sum(axis=(1, 2)), dtype=np.int64)

    def part(self, *, complement: bool = False) -> SlicePart:
        """The sums of every slice, or of everything but it."""
        rest_of = self.part() if complement else None
        every = np.arange(len(self.slices))
        return self.once(lambda: slice_part(self.summary, every, rest_of=rest_of), "part", complement)

    def _metric(self, name: str, complement: bool) -> Quantity:
        return quantity(self.part(complement=complement), name)

    def families(self) -> list[Index]:
        """The slices of the same columns, for each set of columns; "overall" is one of its own."""
        return families_of(self.slices)
