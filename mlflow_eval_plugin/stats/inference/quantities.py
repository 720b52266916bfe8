"""The kinds of estimate, vectorised over slices; each knows its limits at any one-sided error.

``ProportionQuantity`` (rates), ``UnitMean`` (Brier score, calibration in the large), ``MeanQuantity`` (log loss),
``AucQuantity`` and ``BalancedAccuracy``. What is made of two of them stands in ``contrasts``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlflow_eval_plugin.stats.arrays import FloatArray, IntArray
from mlflow_eval_plugin.stats.inference.estimate import Ends, Entries
from mlflow_eval_plugin.stats.inference.intervals import (
    Alpha,
    Limits,
    clopper_pearson,
    logit_student,
    mover_difference,
    normal_quantile,
    student,
    wilson,
)

FEW = 10.0  # rows of the smaller class that are ranked wrongly, below which DeLong's variance is not relied on


@dataclass(frozen=True, eq=False)
class ProportionQuantity(Entries):
    """Proportions ``value`` of ``trials`` effective trials; Wilson limits, or Clopper-Pearson where exact.

    Attributes:
        weight: the sum of weights behind the denominator, by which a part mixes into a whole.
        f1: the value is ``2 p / (1 + p)`` of a proportion ``p = tp / (tp + fp + fn)``, so its limits transform alike.
    """

    proportion: FloatArray
    trials: FloatArray
    n: IntArray
    weight: FloatArray
    reason: str
    f1: bool = False

    @property
    def value(self) -> FloatArray:
        """The estimates, in [0, 1]."""
        return _f1_of(self.proportion) if self.f1 else self.proportion

    @property
    def bound(self) -> FloatArray:
        """Zero: proportions are counted exactly."""
        return np.zeros_like(self.proportion)

    @property
    def ends(self) -> Ends:
        """0 and 1."""
        return 0.0, 1.0

    def limits(self, alpha: Alpha, *, exact: bool) -> Limits:
        """One-sided limits."""
        method = clopper_pearson if exact else wilson
        lower, upper = method(self.proportion, self.trials, alpha)
        return (_f1_of(lower), _f1_of(upper)) if self.f1 else (lower, upper)


@dataclass(frozen=True, eq=False)
class MeanQuantity(Entries):
    """Means of per-row values, with Student limits; ``effective`` is Kish's effective number of rows."""

    value: FloatArray
    standard_error: FloatArray
    effective: FloatArray
    n: IntArray
    weight: FloatArray
    reason: str
    lowest: float = 0.0
    highest: float = np.inf

    @property
    def bound(self) -> FloatArray:
        """Zero: the sums are exact to 1e-9."""
        return np.zeros_like(self.value)

    @property
    def ends(self) -> Ends:
        """The lowest and the highest possible mean."""
        return self.lowest, self.highest

    def limits(self, alpha: Alpha, *, exact: bool) -> Limits:
        """One-sided limits, cut off at the lowest and highest possible value; the same whether exact or not."""
        del exact
        lower, upper = student(self.value, self.standard_error, self.effective - 1, alpha)
        return np.maximum(lower, self.lowest), np.minimum(upper, self.highest)


@dataclass(frozen=True, eq=False)
class UnitMean(Entries):
    """Means of per-row values in [0, 1], with the limits of a proportion of as many trials as have their variance.

    Student's limits of a mean trust the variance that is seen, and among a few dozen rows without an event that is next
    to nothing. Here the variance is at least that of calibrated scores, and the tails are those of a proportion.

    Attributes:
        trials: see ``trials_of``.
        base: where given, the value is ``base - mean``: the mean score less the event rate.
        beyond: where given, the variance of the value beyond that of the mean of so many trials, as that of an
            independent normal part (added by MOVER, Zou & Donner 2008).
        scale: the value is so many means, where there is no base.
    """

    mean: FloatArray
    trials: FloatArray
    n: IntArray
    weight: FloatArray
    reason: str
    base: FloatArray | None = None
    beyond: FloatArray | None = None
    scale: float = 1.0

    @property
    def value(self) -> FloatArray:
        """The estimates."""
        return self.scale * self.mean if self.base is None else self.base - self.mean

    @property
    def bound(self) -> FloatArray:
        """Zero: the sums are exact to 1e-9."""
        return np.zeros_like(self.mean)

    @property
    def ends(self) -> Ends:
        """0 and the scale; of a difference from the base -1 and 1."""
        return (0.0, self.scale) if self.base is None else (-1.0, 1.0)

    def limits(self, alpha: Alpha, *, exact: bool) -> Limits:
        """One-sided limits."""
        lower, upper = (clopper_pearson if exact else wilson)(self.mean, self.trials, alpha)
        if self.beyond is not None:
            reach = normal_quantile(alpha) * np.sqrt(self.beyond)
            lower = np.where(reach > 0, self.mean - np.hypot(self.mean - lower, reach), lower)
            upper = np.where(reach > 0, self.mean + np.hypot(upper - self.mean, reach), upper)
        if self.base is None:
            return self.scale * lower, self.scale * upper
        # The mean score less the rate, neither of which leaves [0, 1].
        return np.maximum(self.base - upper, -1.0), np.minimum(self.base - lower, 1.0)


def trials_of(mean: FloatArray, variance: FloatArray, effective: FloatArray) -> FloatArray:
    """How many trials of a proportion vary as much as the mean of ``effective`` rows of this variance; never fewer."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return effective * np.where(variance > 0, np.maximum(mean * (1 - mean) / variance, 1.0), 1.0)


@dataclass(frozen=True, eq=False)
class AucQuantity(Entries):
    """Areas under the ROC curve with DeLong standard errors; limits are Student's on the logit scale.

    The variance of an AUC is at most ``A (1 - A) / min(n0, n1)`` (Birnbaum & Klose 1957), that of a proportion of the
    smaller class, so the limits of a proportion hold as well; they are the better ones near 0 and 1, where the logit is
    infinite.
    """

    value: FloatArray
    standard_error: FloatArray
    df: FloatArray
    bound: FloatArray
    n: IntArray
    reason: str

    @property
    def ends(self) -> Ends:
        """0 and 1."""
        return 0.0, 1.0

    def limits(self, alpha: Alpha, *, exact: bool) -> Limits:
        """One-sided limits, in [0, 1]."""
        # One half of a pair is the finest step the data could have shown.
        step = 0.5 / np.maximum(self.df + 1, 1.0) ** 2
        inside = np.clip(self.value, step, 1 - step)
        lower, upper = logit_student(inside, self.standard_error, self.df, alpha)
        low, high = (clopper_pearson if exact else wilson)(self.value, self.df + 1, alpha)
        if exact:
            # Few rows on the wrong side hide their variance in many samples, and the logit's limit is then too near.
            trials = self.df + 1
            lower = np.where((1 - self.value) * trials < FEW, low, lower)
            upper = np.where(self.value * trials < FEW, high, upper)
        return np.clip(lower, low, self.value), np.clip(upper, self.value, high)


@dataclass(frozen=True, eq=False)
class BalancedAccuracy(Entries):
    """The mean of two independent rates, recall and specificity, with limits by MOVER."""

    recall: ProportionQuantity
    specificity: ProportionQuantity
    n: IntArray
    reason: str = "balanced accuracy needs rows of both classes"

    @property
    def value(self) -> FloatArray:
        """The estimates, in [0, 1]."""
        return (self.recall.value + self.specificity.value) / 2

    @property
    def bound(self) -> FloatArray:
        """Zero."""
        return np.zeros_like(self.value)

    @property
    def ends(self) -> Ends:
        """0 and 1."""
        return 0.0, 1.0

    def limits(self, alpha: Alpha, *, exact: bool) -> Limits:
        """One-sided limits."""
        low, high = self.specificity.limits(alpha, exact=exact)
        # A sum is a difference from the negative.
        lower, upper = mover_difference(
            self.recall.value, self.recall.limits(alpha, exact=exact), -self.specificity.value, (-high, -low)
        )
        return np.maximum(lower / 2, 0.0), np.minimum(upper / 2, 1.0)


def _f1_of(p: FloatArray) -> FloatArray:
    return 2 * p / (1 + p)


@dataclass(frozen=True, eq=False)
class MeanCost(Entries):
    """``low + span * unit``: a mean of costs, with the limits of one in [0, 1]."""

    unit: UnitMean
    low: float
    span: float

    @property
    def value(self) -> FloatArray:
        """The estimates."""
        return self.low + self.span * self.unit.value

    @property
    def n(self) -> NDArray[np.int64]:
        """Rows behind each."""
        return self.unit.n

    @property
    def bound(self) -> FloatArray:
        """Zero: cells are counted exactly."""
        return self.unit.bound

    @property
    def reason(self) -> str:
        """Why an entry is NaN where one is."""
        return self.unit.reason

    @property
    def ends(self) -> Ends:
        """The least and the largest cost."""
        return self.low, self.low + self.span

    def limits(self, alpha: Alpha, *, exact: bool) -> Limits:
        """One-sided limits."""
        lower, upper = self.unit.limits(alpha, exact=exact)
        return self.low + self.span * lower, self.low + self.span * upper


def mean_cost(cells: FloatArray, costs: FloatArray, effective: FloatArray, n: NDArray[np.int64]) -> MeanCost:
    """The mean cost of rows that fall into ``K`` cells.

    Args:
        cells: sums of weights, ``(S, K)``.
        costs: what a row of each cell costs, ``(K,)``, not all the same; negative where something is saved.
        effective, n: Kish's effective rows, and rows, ``(S,)``.
    """
    low, span = float(costs.min()), float(np.ptp(costs))
    unit, weight = (costs - low) / span, cells.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = cells / weight[:, None]
        mean, square = share @ unit, share @ unit**2
        # What few rows did not show can still happen: one more of the cheapest kind, and one of the dearest.
        centre, spread = ((effective * one + 1) / (effective + 2) for one in (mean, square))
    trials = trials_of(mean, spread - centre**2, effective)
    return MeanCost(UnitMean(mean, trials, n, weight, "there are no rows with weight"), low, span)
