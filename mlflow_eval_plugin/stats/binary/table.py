"""Metrics of the slices of two classes, each computed once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mlflow_eval_plugin.stats.binary.metrics import Part, part_of, quantity
from mlflow_eval_plugin.stats.binary.summary import SliceSummary
from mlflow_eval_plugin.stats.counts.slice import Slice
from mlflow_eval_plugin.stats.inference.estimate import Quantity, Shared
from mlflow_eval_plugin.stats.slices.gaps import LOWER_IS_BETTER, Index, families_of


@dataclass(frozen=True, eq=False)
class SliceTable:
    """A SliceSummary with its metrics, each computed once; entry 0 of every Quantity is "overall".

    Attributes:
        own: what makes the metrics that are a user's own, of every slice or of everything but it.
    """

    summary: SliceSummary
    own: Mapping[str, Callable[[SliceTable, bool], Quantity]] = field(default_factory=dict, repr=False)
    _made: dict[tuple[str, bool], Quantity] = field(default_factory=dict, repr=False)
    _parts: dict[bool, Part] = field(default_factory=dict, repr=False)
    shared: dict[tuple[object, ...], Shared] = field(default_factory=dict, repr=False)

    @property
    def slices(self) -> tuple[Slice, ...]:
        """The slices, "overall" first."""
        return self.summary.slices

    @property
    def rows(self) -> NDArray[np.int64]:
        """Rows per slice, ``(S,)``."""
        return np.asarray(self.summary.cells.sum(axis=(1, 2)), dtype=np.int64)

    def part(self, *, complement: bool = False) -> Part:
        """The sums of every slice, or of everything but it."""
        if complement not in self._parts:
            everything = np.arange(len(self.summary.slices))
            rest_of = self.part() if complement else None
            self._parts[complement] = part_of(self.summary, everything, rest_of=rest_of)
        return self._parts[complement]

    def metric(self, name: str, *, complement: bool = False) -> Quantity:
        """A metric of every slice, or of everything but it.

        Raises:
            InputError: for a metric there is none of.
        """
        key = (name, complement)
        if key not in self._made:
            maker = self.own.get(name)
            part = self.part(complement=complement)
            self._made[key] = maker(self, complement) if maker else quantity(part, name)
        return self._made[key]

    def lower_is_better(self, metric: str) -> bool:
        """Whether the best slice is the one with the lowest value: so with error rates and losses."""
        return metric in LOWER_IS_BETTER

    def families(self) -> list[Index]:
        """The slices of the same columns, for each set of columns; "overall" is one of its own."""
        return families_of(self.slices)
