"""How far means have moved, in standard deviations of the reference: along principal axes, and of an error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlflow_eval_plugin.stats.arrays import FloatArray, IntArray
from mlflow_eval_plugin.stats.inference.estimate import Entries
from mlflow_eval_plugin.stats.inference.intervals import Alpha, Limits, student


@dataclass(frozen=True, eq=False)
class LargestShift(Entries):
    """The largest of some differences of means, each in the reference's standard deviations, whichever way.

    The lower limit is the largest of those of all directions, each at a level divided by twice their number. The upper
    one needs no division: it holds for the direction that moved most, whichever it is.

    Attributes:
        shifts: mean of the data less mean of the reference, over the reference's standard deviation, ``(1, K)``; none
            where a side is too small, or nothing varies.
        standard_errors: ``(1, K)``; those of the two means, and that of the standard deviation (Hedges 1981).
        df: Welch's degrees of freedom, ``(1, K)``.
    """

    shifts: FloatArray
    standard_errors: FloatArray
    df: FloatArray
    rows: int
    reason: str

    @property
    def value(self) -> FloatArray:
        """The largest difference."""
        return np.abs(self.shifts).max(axis=1) if self.shifts.size else np.array([np.nan])

    @property
    def n(self) -> IntArray:
        """Rows of the smaller side."""
        return np.array([self.rows], dtype=np.int64)

    @property
    def bound(self) -> FloatArray:
        """Zero: nothing is binned."""
        return np.zeros(1)

    def limits(self, alpha: Alpha, *, exact: bool) -> Limits:
        """One-sided limits, of which the lower is at least 0; the same whether exact or not."""
        del exact
        if not self.shifts.size:
            return np.array([np.nan]), np.array([np.nan])
        error, size = np.asarray(alpha, dtype=np.float64), np.abs(self.shifts)
        lower, _ = student(size, self.standard_errors, self.df, error / (2 * self.shifts.shape[1]))
        _, upper = student(size, self.standard_errors, self.df, error)
        return np.maximum(lower.max(axis=1), 0.0), upper.max(axis=1)

    def take(self, index: NDArray[np.intp]) -> LargestShift:
        """The only entry."""
        del index
        return self


def largest_shift(reference: FloatArray, current: FloatArray, reason: str) -> LargestShift:
    """Of two sets of rows, ``(n, K)`` and ``(m, K)``; directions that do not vary in the reference are left out."""
    n, m = len(reference), len(current)
    spread = reference.std(axis=0, ddof=1) if n > 1 else np.zeros(reference.shape[1])
    kept = spread > 0 if m > 1 else np.zeros(len(spread), dtype=np.bool_)
    if not kept.any():
        none = np.zeros((1, 0))
        return LargestShift(none, none, none, min(n, m), reason)
    before, after, unit = reference[:, kept], current[:, kept], spread[kept]
    shifts = (after.mean(axis=0) - before.mean(axis=0)) / unit
    own, other = np.full(len(unit), 1 / n), (after.std(axis=0, ddof=1) / unit) ** 2 / m
    df = (own + other) ** 2 / (own**2 / (n - 1) + other**2 / (m - 1))
    errors = np.sqrt(own + other + shifts**2 / (2 * (n - 1)))
    return LargestShift(shifts[None], errors[None], df[None], min(n, m), reason)
