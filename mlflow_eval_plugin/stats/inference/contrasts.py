"""How two estimates differ, vectorised over slices: ``Difference``, ``Ratio``, ``Apart``, and the ``Widest`` of many.

Means and regression coefficients of two samples differ by MOVER (Zou & Donner 2008). Calibration errors do not: noise
inflates a norm, so that its value is no middle between its limits, and MOVER would be too sure of a difference when one
sample inflates it more. Their limits are the differences of limits that hold together, see ``Apart``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mlflow_eval_plugin.stats.arrays import FloatArray, Index, IntArray
from mlflow_eval_plugin.stats.inference.estimate import (
    Ends,
    Entries,
    Quantity,
    ends_of,
    ends_of_difference,
)
from mlflow_eval_plugin.stats.inference.intervals import Alpha, Limits, mover_difference, mover_ratio
from mlflow_eval_plugin.stats.inference.norms import NoisyNorm
from mlflow_eval_plugin.stats.inference.skewed_means import Monotone


@dataclass(frozen=True, eq=False)
class Difference(Entries):
    """``share * (first - second)`` entry by entry, for independent estimates, by MOVER (Newcombe for proportions).

    ``share`` is 1 but for a part against its whole: there the difference is that to the complement times the
    complement's share of the weight.
    """

    first: Quantity
    second: Quantity
    share: FloatArray
    reason: str

    @property
    def value(self) -> FloatArray:
        """The differences."""
        return np.asarray(self.share * (self.first.value - self.second.value))

    @property
    def n(self) -> IntArray:
        """Rows of the first."""
        return self.first.n

    @property
    def bound(self) -> FloatArray:
        """The bounds of both together."""
        return np.asarray(self.share * (self.first.bound + self.second.bound))

    @property
    def ends(self) -> Ends:
        """Those of a difference."""
        return ends_of_difference(self.first, self.second)

    def limits(self, alpha: Alpha, *, exact: bool) -> Limits:
        """One-sided limits."""
        first, second = self.first, self.second
        lower, upper = mover_difference(
            first.value, first.limits(alpha, exact=exact), second.value, second.limits(alpha, exact=exact)
        )
        return self.share * lower, self.share * upper


@dataclass(frozen=True, eq=False)
class Ratio(Entries):
    """``first / second`` entry by entry, for independent non-negative estimates, by MOVER-R.

    ``share`` is 1 but for a part against its whole, where the whole is ``share`` of the second and the rest the first.
    """

    first: Quantity
    second: Quantity
    share: FloatArray
    reason: str

    @property
    def value(self) -> FloatArray:
        """The ratios; NaN where the second is 0."""
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(self.second.value > 0, self.first.value / self.second.value, np.nan)
        return self._to_whole(ratio)

    @property
    def n(self) -> IntArray:
        """Rows of the first."""
        return self.first.n

    @property
    def bound(self) -> FloatArray:
        """First order in the bounds of both."""
        with np.errstate(divide="ignore", invalid="ignore"):
            relative = (self.first.bound + self.value * self.second.bound) / self.second.value
        return np.where(self.second.value > 0, relative, 0.0)

    @property
    def ends(self) -> Ends:
        """0, and none."""
        return 0.0, np.inf

    def limits(self, alpha: Alpha, *, exact: bool) -> Limits:
        """One-sided limits; the upper one is infinite where the second may be 0."""
        first, second = self.first, self.second
        lower, upper = mover_ratio(
            first.value, first.limits(alpha, exact=exact), second.value, second.limits(alpha, exact=exact)
        )
        return self._to_whole(lower), self._to_whole(upper)

    def _to_whole(self, ratio: FloatArray) -> FloatArray:
        # r / (1 - share + share * ... ) written so that r = inf gives its finite limit.
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(ratio == 0, 0.0, 1.0 / ((1 - self.share) + self.share / ratio))


@dataclass(frozen=True, eq=False)
class Widest(Entries):
    """For each of ``S`` owners the largest, or with ``smallest`` the least, of its candidate gaps.

    The largest of noisy estimates is biased upwards. Its limits are not: the lower one is the largest of the lower
    limits at ``alpha / k`` (Bonferroni over the owner's ``k`` candidates), the upper one the largest of the
    upper limits.

    Attributes:
        candidates: gaps, ``(P,)``; NaN ones do not count.
        owner: whose candidate each is, ``(P,)``, in 0 ... S - 1.
        itself: the gap of an owner to itself, which bounds the extreme, ``(S,)``; NaN where the owner has no value.
        n: rows of the owners, ``(S,)``.
    """

    candidates: Quantity
    owner: Index
    itself: FloatArray
    n: IntArray
    smallest: bool
    reason: str

    @property
    def value(self) -> FloatArray:
        """The extreme candidate of each owner."""
        return self._extreme(self.candidates.value)

    @property
    def bound(self) -> FloatArray:
        """The largest bound of any candidate."""
        bounds = np.zeros(len(self.n))
        np.maximum.at(bounds, self.owner, np.nan_to_num(self.candidates.bound))
        return bounds

    @property
    def ends(self) -> Ends:
        """Those of the candidates."""
        return ends_of(self.candidates)

    def limits(self, alpha: Alpha, *, exact: bool) -> Limits:
        """One-sided limits."""
        known = ~np.isnan(self.candidates.value)
        k = np.maximum(np.bincount(self.owner, weights=known, minlength=len(self.n)), 1.0)
        level = np.broadcast_to(alpha, len(self.n))
        near = self.candidates.limits(level[self.owner], exact=exact)
        far = self.candidates.limits((level / k)[self.owner], exact=exact)
        lower, upper = (near[0], far[1]) if self.smallest else (far[0], near[1])
        return self._extreme(lower), self._extreme(upper)

    def take(self, index: Index) -> Widest:
        """The entries at ``index``."""
        chosen = [np.flatnonzero(self.owner == one) for one in index]
        owner = np.repeat(np.arange(len(index)), [len(one) for one in chosen])
        flat = np.concatenate([*chosen, np.zeros(0, dtype=np.intp)]).astype(np.intp)
        return replace(
            self, candidates=self.candidates.take(flat), owner=owner, itself=self.itself[index], n=self.n[index]
        )

    def _extreme(self, values: FloatArray) -> FloatArray:
        extreme = self.itself.copy()
        reduce = np.fmin if self.smallest else np.fmax
        reduce.at(extreme, self.owner, values)
        return np.where(np.isnan(self.itself), np.nan, extreme)


UNDEFINED = "the rows, or those of the reference, have no value of this metric"


@dataclass(frozen=True, eq=False)
class Apart(Entries):
    """``first - second`` of any two estimates, from any limits that hold, however lopsided and dependent.

    Each limit has half of the error (Bonferroni), so that both hold at once.
    """

    first: Quantity
    second: Quantity
    reason: str

    @property
    def value(self) -> FloatArray:
        """The differences."""
        return np.asarray(self.first.value - self.second.value)

    @property
    def n(self) -> NDArray[np.int64]:
        """Rows of the first."""
        return self.first.n

    @property
    def bound(self) -> FloatArray:
        """The bounds of both together."""
        return np.asarray(self.first.bound + self.second.bound)

    @property
    def ends(self) -> Ends:
        """Those of a difference."""
        return ends_of_difference(self.first, self.second)

    def limits(self, alpha: Alpha, *, exact: bool) -> Limits:
        """One-sided limits."""
        each = np.asarray(alpha) / 2
        (low, high), (low_2, high_2) = (one.limits(each, exact=exact) for one in (self.first, self.second))
        return low - high_2, high - low_2


def change_of(current: Quantity, reference: Quantity) -> Quantity:
    """``current - reference`` of two samples of rows, as their kind allows."""
    if _is_norm(current):
        return Apart(current, reference, f"{UNDEFINED}: {current.reason}")
    return Difference(current, reference, np.ones(1), f"{UNDEFINED}: {current.reason}")


def _is_norm(quantity: Quantity) -> bool:
    inner = quantity.of if isinstance(quantity, Monotone) else quantity
    return isinstance(inner, NoisyNorm)
