"""Drift Summaries of slices, which add up slice by slice."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from mlflow_eval_plugin.stats.counts.slice import Slice, union_of_slices
from mlflow_eval_plugin.stats.drift.summary import DriftSummary


@dataclass(frozen=True, eq=False)
class SlicedDrift:
    """Rows by slice, each slice counted on the same bins.

    Attributes:
        slices: those that have rows, in canonical order.
        summaries: one of each.
    """

    slices: tuple[Slice, ...]
    summaries: tuple[DriftSummary, ...]

    @cached_property
    def by_slice(self) -> dict[Slice, DriftSummary]:
        """The Summary of each slice."""
        return dict(zip(self.slices, self.summaries, strict=True))

    def strata(self, column: str) -> dict[str, DriftSummary]:
        """The slices of one column by level: every row is in one of them."""
        return {one.levels[0][1]: found for one, found in self.by_slice.items() if one.columns == (column,)}

    def __add__(self, other: SlicedDrift) -> SlicedDrift:
        """The slices of both sets of rows.

        Raises:
            MergeError: when columns, bins or queries differ.
        """
        found = dict(self.by_slice)
        for one, more in other.by_slice.items():
            found[one] = found[one] + more if one in found else more
        slices = union_of_slices(self.slices, other.slices)
        return SlicedDrift(slices, tuple(found[one] for one in slices))
