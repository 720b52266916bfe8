"""The kinds of difference between two models on the same rows, vectorised over slices: challenger less champion."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mlflow_eval_plugin.stats.arrays import FloatArray, Index, IntArray
from mlflow_eval_plugin.stats.inference.estimate import Ends, Entries, Quantity
from mlflow_eval_plugin.stats.inference.intervals import Alpha, Limits, clopper_pearson, mover_difference, student
from mlflow_eval_plugin.stats.inference.means import LEAST_EVENTS
from mlflow_eval_plugin.stats.paired.intervals import discordant, empirical_bernstein, tango

MOST_KINDS = 8


@dataclass(frozen=True, eq=False)
class PairedShare(Entries):
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
    n: IntArray
    reason: str

    @property
    def value(self) -> FloatArray:
        """The differences, in [-1, 1]."""
        return self.gained - self.lost

    @property
    def bound(self) -> FloatArray:
        """Zero: the cells are counted exactly."""
        return np.zeros_like(self.gained)

    @property
    def ends(self) -> Ends:
        """-1 and 1."""
        return -1.0, 1.0

    def limits(self, alpha: Alpha, *, exact: bool) -> Limits:
        """One-sided limits."""
        return (discordant if exact else tango)(self.gained, self.lost, self.trials, alpha)

    def reversed(self) -> PairedShare:
        """The difference with the other sign."""
        return replace(self, gained=self.lost, lost=self.gained)


@dataclass(frozen=True, eq=False)
class PairedBalancedAccuracy(Entries):
    """Half the difference in recall less half that in FPR, which rest on different rows, by MOVER."""

    recall: PairedShare
    fpr: PairedShare
    reason: str = "balanced accuracy needs rows of both classes"

    @property
    def value(self) -> FloatArray:
        """The differences, in [-1, 1]."""
        return (self.recall.value - self.fpr.value) / 2

    @property
    def n(self) -> IntArray:
        """Rows of the slices."""
        return self.recall.n

    @property
    def bound(self) -> FloatArray:
        """Zero."""
        return self.recall.bound

    @property
    def ends(self) -> Ends:
        """-1 and 1."""
        return -1.0, 1.0

    def limits(self, alpha: Alpha, *, exact: bool) -> Limits:
        """One-sided limits."""
        first, second = (one.limits(alpha, exact=exact) for one in (self.recall, self.fpr))
        lower, upper = mover_difference(self.recall.value, first, self.fpr.value, second)
        return lower / 2, upper / 2


@dataclass(frozen=True, eq=False)
class PairedMean(Entries):
    """A difference of two averages over the same rows, from how much it varies; Student's limits.

    Two models that agree on all of a few rows, or nearly, need not agree on the next: what ``LEAST_EVENTS`` rows that
    were not seen can change, of the kind that changes most, is part of the variance. So no interval is a point.

    Attributes:
        value: challenger less champion.
        variance: of the difference, as the rows show it.
        influence: how much one more row can change the difference at most.
        effective: rows behind it, by Kish; of AUC those of the smaller class.
        bound: the largest error that binning can have caused.
        furthest: how far two values can be apart.
    """

    value: FloatArray
    variance: FloatArray
    influence: FloatArray
    effective: FloatArray
    bound: FloatArray
    n: IntArray
    reason: str
    furthest: float = np.inf

    @property
    def ends(self) -> Ends:
        """The furthest that two values can be apart."""
        return -self.furthest, self.furthest

    def limits(self, alpha: Alpha, *, exact: bool) -> Limits:
        """One-sided limits, the same whether exact or not; those of an ``alpha`` of a half above it."""
        del exact
        error = np.sqrt(self.variance + LEAST_EVENTS * self.influence**2)
        return student(self.value, error, self.effective - 1, np.minimum(alpha, 0.5))


@dataclass(frozen=True, eq=False)
class PairedCost(Entries):
    """A difference in the mean cost of a row: of each kind of pair, its share times what it costs more or saves.

    Kinds that are rare and dear make the sum too skewed for the limits of a mean, which a report has. In a Check every
    share has its binomial limits at an equal part of the error (Bonferroni); of more than ``MOST_KINDS`` kinds, most of
    which were not seen, limits that hold for any values between the least and the largest.

    Attributes:
        shares: of the pairs that cost something else, ``(S, K)``.
        costs: what each kind costs more, ``(K,)``.
        trials: Kish's effective rows.
        mean: for the limits of a report.
    """

    shares: FloatArray
    costs: FloatArray
    trials: FloatArray
    mean: Quantity

    @property
    def value(self) -> FloatArray:
        """The differences."""
        return self.mean.value

    @property
    def n(self) -> IntArray:
        """Rows of the slices."""
        return self.mean.n

    @property
    def bound(self) -> FloatArray:
        """Zero: the cells are counted exactly."""
        return self.mean.bound

    @property
    def reason(self) -> str:
        """Why an entry is NaN where one is."""
        return self.mean.reason

    @property
    def ends(self) -> Ends:
        """What a row can cost less, and more."""
        return min(0.0, *self.costs.tolist()), max(0.0, *self.costs.tolist())

    def limits(self, alpha: Alpha, *, exact: bool) -> Limits:
        """One-sided limits."""
        level = np.minimum(np.asarray(alpha), 0.5)
        if not exact:
            return self.mean.limits(level, exact=False)
        if len(self.costs) > MOST_KINDS:
            span = float(np.ptp([0.0, *self.costs]))
            with np.errstate(divide="ignore", invalid="ignore"):
                population = np.maximum(self.shares @ self.costs**2 - self.value**2, 0.0)
                variance = population * self.trials / (self.trials - 1)
            return empirical_bernstein(self.value, variance, span, self.trials, level)
        each = np.broadcast_to(level, self.trials.shape)[:, None] / len(self.costs)
        low, high = clopper_pearson(self.shares, self.trials[:, None], each)
        dear = self.costs > 0
        lower, upper = np.where(dear, low, high) @ self.costs, np.where(dear, high, low) @ self.costs
        return lower, upper

    def take(self, index: Index) -> PairedCost:
        """The entries at ``index``."""
        return replace(self, shares=self.shares[index], trials=self.trials[index], mean=self.mean.take(index))
