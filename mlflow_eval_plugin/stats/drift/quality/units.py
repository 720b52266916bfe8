"""Whether values are those of the reference in another unit.

Their distribution is held against that of the reference as it would be in each known unit. A unit explains a change
where it leaves less than a third of the Jensen-Shannon distance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlflow_eval_plugin.stats.arrays import FloatArray, IntArray
from mlflow_eval_plugin.stats.drift.divergences import Divergence, coarse_counts, divergence
from mlflow_eval_plugin.stats.drift.summary import NumericColumn
from mlflow_eval_plugin.stats.drift.watched import UNITS
from mlflow_eval_plugin.stats.inference.estimate import Ends, Entries
from mlflow_eval_plugin.stats.inference.intervals import Alpha, Limits

LEAVES = 3.0  # what is left, times so much, is less than the distance


@dataclass(frozen=True, eq=False)
class UnitChange(Entries):
    """By how much the Jensen-Shannon distance is less in the unit that explains it; 0 where none does.

    The limits allow for the choice among the units: half of the error is that of the distance as it is, and the other
    half is divided by their number.

    Attributes:
        own: the distance of the values as they are.
        left: the distance in the unit that leaves least.
        unit: which that is; "" where it explains nothing.
        units: among how many it was found.
    """

    own: Divergence
    left: Divergence
    unit: str
    units: int

    @property
    def value(self) -> FloatArray:
        """What is explained."""
        explained = self.own.value - self.left.value
        return np.where(
            np.isnan(explained), np.nan, np.where(self._explains(self.own.value, self.left.value), explained, 0.0)
        )

    @property
    def n(self) -> IntArray:
        """Rows with a value in the current data."""
        return self.own.n

    @property
    def bound(self) -> FloatArray:
        """Zero: the bins are part of the definition."""
        return np.zeros(1)

    @property
    def reason(self) -> str:
        """Why there is no distance."""
        return self.own.reason

    @property
    def ends(self) -> Ends:
        """Those of the distance."""
        return 0.0, 1.0

    def limits(self, alpha: Alpha, *, exact: bool) -> Limits:
        """One-sided limits."""
        half = np.asarray(alpha) / 2
        (least, most), left = self.own.limits(half, exact=exact), self.left.limits(half / self.units, exact=exact)[1]
        return np.where(self._explains(least, left), np.maximum(least - left, 0.0), 0.0), most

    @staticmethod
    def _explains(own: FloatArray, left: FloatArray) -> FloatArray:
        return np.asarray(left * LEAVES < own)


def unit_change(before: NumericColumn, after: NumericColumn) -> UnitChange | None:
    """The unit that explains most; None where no units were counted."""
    if after.watched is None or not len(after.watched.units):
        return None
    known = coarse_counts(before)
    distances = [divergence("js", known, cells) for cells in after.watched.units]
    best = int(np.argmin([one.raw[0] for one in distances]))
    own = divergence("js", known, coarse_counts(after))
    made = UnitChange(own, distances[best], list(UNITS)[best], len(distances))
    return made
