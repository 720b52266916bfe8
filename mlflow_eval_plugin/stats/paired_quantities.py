"""The kinds of difference between two models on the same rows, vectorised over slices: challenger less champion."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mlflow_eval_plugin.stats.estimate import Quantity
from mlflow_eval_plugin.stats.intervals import Alpha, FloatArray, Limits, mover_difference
from mlflow_eval_plugin.stats.paired_intervals import discordant, mover_paired, tango

Counts = NDArray[np.int64]
Index = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class PairedShare:
    """A difference of two shares of the same rows; Tango's limits, or those of ``discordant`` where exact.

    Attributes:
        gained, lost: shares of the rows that count for the challenger only, and for the champion only; NaN without
            rows.
        trials: Kish's effective rows.
        n: rows of the slice.
    """

    gained: FloatArray
    lost: FloatArray
    trials: FloatArray
    n: Counts
    reason: str

    @property
    def value(self) -> FloatArray:
        """The differences, in [-1, 1]."""
        return self.gained - self.lost

    @property
    def bound(self) -> FloatArray:
        """Zero: the cells are counted exactly."""
        return np.zeros_like(self.gained)

    def limits(self, alpha: Alpha, *, exact: bool) -> Limits:
        """One-sided limits."""
        return (discordant if exact else tango)(self.gained, self.lost, self.trials, alpha)

    def take(self, index: Index) -> PairedShare:
        """The entries at ``index``."""
        arrays = {name: getattr(self, name)[index] for name in ("gained", "lost", "trials", "n")}
        return replace(self, **arrays)

    def reversed(self) -> PairedShare:
        """The difference with the other sign."""
        return replace(self, gained=self.lost, lost=self.gained)


@dataclass(frozen=True, eq=False)
class PairedBalancedAccuracy:
    """Half the difference in recall less half that in FPR, which rest on different rows, by MOVER."""

    recall: PairedShare
    fpr: PairedShare
    reason: str = "balanced accuracy needs rows of both classes"

    @property
    def value(self) -> FloatArray:
        """The differences, in [-1, 1]."""
        return (self.recall.value - self.fpr.value) / 2

    @property
    def n(self) -> Counts:
        """Rows of the slices."""
        return self.recall.n

    @property
    def bound(self) -> FloatArray:
        """Zero."""
        return self.recall.bound

    def limits(self, alpha: Alpha, *, exact: bool) -> Limits:
        """One-sided limits."""
        first, second = (one.limits(alpha, exact=exact) for one in (self.recall, self.fpr))
        lower, upper = mover_difference(self.recall.value, first, self.fpr.value, second)
        return lower / 2, upper / 2

    def take(self, index: Index) -> PairedBalancedAccuracy:
        """The entries at ``index``."""
        return replace(self, recall=self.recall.take(index), fpr=self.fpr.take(index))


@dataclass(frozen=True, eq=False)
class PairedChange:
    """``challenger - champion`` of any metric, from the limits of both and how much the two estimates correlate.

    Attributes:
        correlation: of the two estimates, ``(S,)``; 0 is the careful choice where they correlate positively.
    """

    challenger: Quantity
    champion: Quantity
    correlation: FloatArray
    reason: str

    @property
    def value(self) -> FloatArray:
        """The differences."""
        return self.challenger.value - self.champion.value

    @property
    def n(self) -> Counts:
        """Rows of the slices."""
        return self.challenger.n

    @property
    def bound(self) -> FloatArray:
        """The bounds of both together."""
        return self.challenger.bound + self.champion.bound

    def limits(self, alpha: Alpha, *, exact: bool) -> Limits:
        """One-sided limits; those of an ``alpha`` of a half above it."""
        level = np.minimum(alpha, 0.5)
        first, second = (one.limits(level, exact=exact) for one in (self.challenger, self.champion))
        return mover_paired(self.challenger.value, first, self.champion.value, second, self.correlation)

    def take(self, index: Index) -> PairedChange:
        """The entries at ``index``."""
        return replace(
            self,
            challenger=self.challenger.take(index),
            champion=self.champion.take(index),
            correlation=self.correlation[index],
        )


def correlation_of(first: FloatArray, second: FloatArray, change: FloatArray, effective: FloatArray) -> FloatArray:
    """How much two estimates correlate, from their variances and that of their difference; 0 where one does not vary.

    Two models that agree on all of a few rows need not agree on the next: a positive correlation is that of one more
    row, on which the two have nothing in common.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        found = (first + second - change) / (2 * np.sqrt(first * second))
        shrunk = np.where(found > 0, found * effective / (effective + 1), found)
    return np.asarray(np.clip(np.nan_to_num(shrunk, nan=0.0, posinf=0.0, neginf=0.0), -1.0, 1.0))
