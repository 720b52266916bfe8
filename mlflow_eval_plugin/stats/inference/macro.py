"""Means over classes, with limits from those of the classes (variance recovery, Zou & Donner 2008).

How the estimates of the classes hang together decides how their distances to their limits add up:

- Recalls rest on the rows of one label each and precisions on those of one prediction each, so they are independent;
  false positive rates are not, but given the labels a row that is taken for one class is not taken for another, so they
  correlate negatively: squares add up at most.
- An error counts in the F1 of two classes, that of its label and that of its prediction, and no row in more. Since
  (a + b)**2 <= 2 (a**2 + b**2), twice the squares add up at most.
- AUCs of one class against the rest share all rows: the distances themselves add up at most.

Many classes that are nearly always right each have a limit at the edge, where distances say too little (ten classes of
five rows, 95 % right: beyond a 2.5 % limit in 10 %). So the limits of rates are also never nearer than those of one
proportion of as many trials as vary like the mean: 2.9 % at most then, in all cases tried.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mlflow_eval_plugin.stats.arrays import FloatArray
from mlflow_eval_plugin.stats.inference.estimate import Ends, Entries, Quantity, ends_of
from mlflow_eval_plugin.stats.inference.intervals import Alpha, Limits, clopper_pearson, wilson
from mlflow_eval_plugin.stats.inference.quantities import ProportionQuantity

NEVER_TOGETHER, IN_PAIRS, ANY = 1.0, 2.0, float("inf")
NO_CLASS = "no class has a value of it here"


@dataclass(frozen=True, eq=False)
class Macro(Entries):
    """Unweighted means over the classes that have a value.

    Attributes:
        classwise: estimates in [0, 1] by slice and class, ``(S * K,)``, all classes of the first slice first.
        counted: which classes count, ``(S, K)``; one without a value never does.
        n: rows of the slices, ``(S,)``.
        together: what the squares of the distances to the limits are multiplied with: ``NEVER_TOGETHER``,
            ``IN_PAIRS`` or ``ANY``.
    """

    classwise: Quantity
    counted: NDArray[np.bool_]
    n: NDArray[np.int64]
    together: float
    reason: str = NO_CLASS

    @classmethod
    def of(cls, classwise: Quantity, n: NDArray[np.int64], together: float) -> Macro:
        """Over all classes that have a value."""
        counted = ~np.isnan(classwise.value).reshape(len(n), -1)
        return cls(classwise, counted, n, together)

    @property
    def value(self) -> FloatArray:
        """The means; NaN where no class counts."""
        return self._mean(self.classwise.value)

    @property
    def bound(self) -> FloatArray:
        """The mean of the classes' bounds."""
        return np.nan_to_num(self._mean(self.classwise.bound))

    @property
    def ends(self) -> Ends:
        """0 and 1."""
        return 0.0, 1.0

    def limits(self, alpha: Alpha, *, exact: bool) -> Limits:
        """One-sided limits, in [0, 1]."""
        value, level = self.classwise.value, np.repeat(np.broadcast_to(alpha, len(self.n)), self.counted.shape[1])
        lower, upper = self.classwise.limits(level, exact=exact)
        mean = self.value
        low, high = mean - self._reach(value - lower), mean + self._reach(upper - value)
        if isinstance(self.classwise, ProportionQuantity):
            trial = (clopper_pearson if exact else wilson)(mean, self._trials(self.classwise), alpha)
            low, high = np.minimum(low, trial[0]), np.maximum(high, trial[1])
        return np.maximum(low, 0.0), np.minimum(high, 1.0)

    def take(self, index: NDArray[np.intp]) -> Macro:
        """The entries at ``index``."""
        k = self.counted.shape[1]
        flat = (np.asarray(index)[:, None] * k + np.arange(k)).reshape(-1)
        return replace(self, classwise=self.classwise.take(flat), counted=self.counted[index], n=self.n[index])

    def where(self, other: Macro) -> Macro:
        """The same over the classes that count in ``other`` too, as what is compared must be of the same classes."""
        return replace(self, counted=self.counted & other.counted)

    def _trials(self, rates: ProportionQuantity) -> FloatArray:
        """How many trials of one proportion vary as much as the mean does.

        With half a row added on either side (Jeffreys), since a class without an error varies too.
        """
        p = (rates.proportion * rates.trials + 0.5) / (rates.trials + 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            variance = p * (1 - p) / rates.trials
        if rates.f1:
            p, variance = 2 * p / (1 + p), variance * (2 / (1 + p) ** 2) ** 2
        mean, k = self._mean(p), self.counted.sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(mean * (1 - mean) * k**2 / (self.together * self._by_class(variance).sum(axis=1)))

    def _by_class(self, flat: FloatArray) -> FloatArray:
        return np.where(self.counted, flat.reshape(self.counted.shape), 0.0)

    def _mean(self, flat: FloatArray) -> FloatArray:
        with np.errstate(invalid="ignore"):
            return np.asarray(self._by_class(flat).sum(axis=1) / self.counted.sum(axis=1))

    def _reach(self, distance: FloatArray) -> FloatArray:
        by_class = np.maximum(self._by_class(distance), 0.0)
        # Together they never reach further than if all erred in the same direction at once.
        reach = by_class.sum(axis=1)
        if np.isfinite(self.together):
            reach = np.minimum(reach, np.sqrt(self.together * (by_class**2).sum(axis=1)))
        with np.errstate(invalid="ignore"):
            return np.asarray(reach / self.counted.sum(axis=1))


@dataclass(frozen=True, eq=False)
class MeanOfNorms(Entries):
    """The mean of estimates of length one that noise inflates, each with limits at ``alpha / k`` (Bonferroni)."""

    parts: tuple[Quantity, ...]

    @property
    def value(self) -> FloatArray:
        """The mean."""
        return np.asarray(np.mean([one.value for one in self.parts], axis=0))

    @property
    def n(self) -> NDArray[np.int64]:
        """Rows behind it."""
        return self.parts[0].n

    @property
    def bound(self) -> FloatArray:
        """The mean bound."""
        return np.asarray(np.mean([one.bound for one in self.parts], axis=0))

    @property
    def reason(self) -> str:
        """Why it has no value where it has none."""
        return self.parts[0].reason

    @property
    def ends(self) -> Ends:
        """Those of the parts."""
        return ends_of(self.parts[0])

    def limits(self, alpha: Alpha, *, exact: bool) -> Limits:
        """One-sided limits: with probability 1 - alpha no part is beyond its own, whatever their dependence."""
        sides = [one.limits(np.asarray(alpha) / len(self.parts), exact=exact) for one in self.parts]
        lower, upper = (np.mean(side, axis=0) for side in zip(*sides, strict=True))
        return np.asarray(lower), np.asarray(upper)

    def take(self, index: NDArray[np.intp]) -> MeanOfNorms:
        """The entries at ``index``."""
        return MeanOfNorms(tuple(one.take(index) for one in self.parts))
