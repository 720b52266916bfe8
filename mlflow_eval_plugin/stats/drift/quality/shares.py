"""How far the quality of a column is from that of the reference, as quantities with limits.

Shares are compared by MOVER with the limits of the field: of values that one side lacks, by what a sample of its size
must lack (Good 1953); of values out of range, by the distribution of what lies beyond the extremes of a sample (Wilks
1941).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from mlflow_eval_plugin.stats.arrays import FloatArray, IntArray
from mlflow_eval_plugin.stats.drift.cells import fine_cells
from mlflow_eval_plugin.stats.drift.summary import CategoricalColumn, Column, NumericColumn
from mlflow_eval_plugin.stats.drift.watched import SENTINELS, WORDS
from mlflow_eval_plugin.stats.inference.contrasts import Difference, Ratio
from mlflow_eval_plugin.stats.inference.estimate import Ends, Entries, Quantity
from mlflow_eval_plugin.stats.inference.intervals import Alpha, Limits
from mlflow_eval_plugin.stats.inference.quantities import ProportionQuantity

NO_ROWS = "a data set has no rows"
NO_VALUES = "one of the data sets has no value of this column"


def share_of(count: float, rows: float) -> ProportionQuantity:
    """A count of rows as a share of them; NaN of none."""
    of = np.array([rows], dtype=np.float64)
    value = np.where(of > 0, count / np.maximum(of, 1), np.nan)
    return ProportionQuantity(value, of, of.astype(np.int64), of, "there are no rows")


def rise(after: float, of_after: float, before: float, of_before: float, reason: str = NO_ROWS) -> Difference:
    """The share in the current rows less that in the reference."""
    return Difference(share_of(after, of_after), share_of(before, of_before), np.ones(1), reason)


def sentinels_of(column: Column) -> dict[str, int]:
    """How often each value occurs that stands for none; of numbers only what lies beyond the fences can be one."""
    if isinstance(column, CategoricalColumn):
        known = zip(column.levels, column.counts.tolist(), strict=True)
        return {level: count for level, count in known if level.strip().lower() in WORDS and count}
    if column.watched is None:
        return {}
    named = SENTINELS[column.watched.measure].items()
    found = zip(named, column.watched.sentinels.tolist(), strict=True)
    low, high = column.fences
    return {name: count for (name, value), count in found if count and not low <= value <= high}


def sentinel_change(before: Column, after: Column) -> Difference:
    """The change in the share of the rows whose value stands for none."""
    first, second = (sum(sentinels_of(one).values()) for one in (before, after))
    return rise(second, after.rows, first, before.rows)


def new_categories(before: CategoricalColumn, after: CategoricalColumn) -> Difference:
    """The share of the current values in categories that the reference has not.

    Less the share that it must be expected to lack: that of the categories it has once (Good 1953), whose variance
    counts those it has twice as well (Esty 1983).
    """
    known = set(before.levels)
    unknown = sum(count for level, count in zip(after.levels, after.counts.tolist(), strict=True) if level not in known)
    once, twice = (int((before.counts == times).sum()) for times in (1, 2))
    lacked = share_of(once, before.present)
    lacked = replace(lacked, trials=lacked.trials * max(once, 1) / max(once + 2 * twice, 1))
    return Difference(share_of(unknown, after.present), lacked, np.ones(1), NO_VALUES)


def vanished_categories(before: CategoricalColumn, after: CategoricalColumn) -> Difference:
    """The share of the reference's values in categories that the current rows have not, less that to be expected."""
    return replace(new_categories(after, before), reason=NO_VALUES)


def lost_variety(before: Column, after: Column) -> Quantity:
    """Which part of the values other than the commonest is gone: 1 where a column is constant, 0 where none is."""
    counts = fine_cells(before, after)
    common = int(counts[1].argmax())
    others = [share_of(int(side.sum() - side[common]), int(side.sum())) for side in counts]
    return _Lost(Ratio(others[1], others[0], np.ones(1), "the reference is constant, or a data set is empty"))


@dataclass(frozen=True, eq=False)
class _Lost(Entries):
    """1 less a ratio, at least 0."""

    kept: Ratio

    @property
    def value(self) -> FloatArray:
        """What is not kept."""
        return np.maximum(1 - self.kept.value, 0.0)

    @property
    def n(self) -> IntArray:
        """Rows of the current data."""
        return self.kept.n

    @property
    def bound(self) -> FloatArray:
        """Zero."""
        return np.zeros(1)

    @property
    def reason(self) -> str:
        """Why there is no ratio."""
        return self.kept.reason

    @property
    def ends(self) -> Ends:
        """0 and 1."""
        return 0.0, 1.0

    def limits(self, alpha: Alpha, *, exact: bool) -> Limits:
        """One-sided limits."""
        lower, upper = self.kept.limits(alpha, exact=exact)
        return np.clip(1 - upper, 0.0, 1.0), np.clip(1 - lower, 0.0, 1.0)


@dataclass(frozen=True, eq=False)
class _Beyond(Entries):
    """The share of a population beyond the least and the largest of ``rows`` values drawn from it.

    It has a beta distribution of (2, rows - 1), whatever the population; where values are tied it is smaller.
    """

    rows: IntArray
    reason: str = NO_VALUES

    @property
    def value(self) -> FloatArray:
        """Its mean."""
        return np.where(self.rows > 0, np.minimum(2 / (self.rows + 1), 1.0), np.nan)

    @property
    def n(self) -> IntArray:
        """The rows."""
        return self.rows

    @property
    def bound(self) -> FloatArray:
        """Zero."""
        return np.zeros(1)

    def limits(self, alpha: Alpha, *, exact: bool) -> Limits:
        """One-sided limits; the same whether exact or not."""
        del exact
        many = np.maximum(self.rows - 1, 1)
        lower, upper = (np.asarray(stats.beta.ppf(p, 2, many)) for p in (np.asarray(alpha), 1 - np.asarray(alpha)))
        return np.minimum(lower, self.value), np.maximum(upper, self.value)


def out_of_range(before: NumericColumn, after: NumericColumn) -> Difference:
    """The share of the current values out of the reference's range, less what is to be expected."""
    outside = after.watched.outside if after.watched is not None else 0
    first: NDArray[np.int64] = np.array([before.present], dtype=np.int64)
    return Difference(share_of(outside, after.present), _Beyond(first), np.ones(1), NO_VALUES)
