"""Means of errors as Quantities: limits for values that are skewed, as absolute and squared errors are.

No limits of a mean hold for every distribution without a bound (Bahadur & Savage 1956): a rare huge error that was not
seen moves the mean, and no data of the sample tell. What can be had is limits that follow the skewness there is. For
means of values of 0 or more these are the limits of a gamma variable with their mean and variance, which for squares
of normal errors are the familiar ones of chi-squared; for signed errors Hall's (1992) transformation of Student's.
Student's own, which is too short towards the long tail and too long on the other side, is kept where it is the wider
one for a Check.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special

from mlflow_eval_plugin.stats.arrays import FloatArray, IntArray
from mlflow_eval_plugin.stats.inference.estimate import Entries, Quantity
from mlflow_eval_plugin.stats.inference.intervals import Alpha, Limits, normal_quantile, student

_NEAR_HALF = 1e-3  # where the quantiles of both the normal and Student's distribution are nearly 0


@dataclass(frozen=True, eq=False)
class PositiveMean(Entries):
    """Means of values of 0 or more, with the limits of a gamma variable; ``effective`` is Kish's number of rows.

    The shape of the gamma variable is ``(mean / standard error)**2``, times ``(z / t)**2`` for the variance that had to
    be estimated: with many rows the limits are Student's. Rows whose values are all the same tell nothing of those that
    are not, and so have no limits.

    Attributes:
        fixed: values that are all the same are so by design, as widths are; their limits are the value.
    """

    value: FloatArray
    standard_error: FloatArray
    effective: FloatArray
    n: IntArray
    weight: FloatArray
    reason: str
    fixed: bool = False

    @property
    def bound(self) -> FloatArray:
        """Zero: the sums are exact."""
        return np.zeros_like(self.value)

    def limits(self, alpha: Alpha, *, exact: bool) -> Limits:
        """One-sided limits, the lower ones at least 0; where exact, the wider of these and Student's."""
        lower, upper = self._gamma(np.asarray(alpha))
        if exact:
            low, high = student(self.value, self.standard_error, self.effective - 1, alpha)
            lower, upper = np.minimum(lower, np.maximum(low, 0.0)), np.maximum(upper, high)
        same = (self.standard_error == 0) & (not self.fixed)
        unknown = ((self.effective < 2) | same) & ~np.isnan(self.value)
        return np.where(unknown, 0.0, lower), np.where(unknown, np.inf, upper)

    def _gamma(self, alpha: FloatArray) -> Limits:
        away = np.where(np.abs(alpha - 0.5) < _NEAR_HALF, 0.5 - _NEAR_HALF, alpha)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            t = special.stdtrit(np.maximum(self.effective - 1, 1.0), away)
            shape = (self.value / self.standard_error * normal_quantile(away) / t) ** 2
            lower = self.value * (shape / special.gammainccinv(shape, alpha))
            upper = self.value * (shape / special.gammaincinv(shape, alpha))
        # Values that are all the same show no variance, and values of 0 no mean either.
        same = (self.standard_error == 0) | (self.value == 0)
        return np.where(same, self.value, lower), np.where(same, self.value, upper)


@dataclass(frozen=True, eq=False)
class SkewedMean(Entries):
    """Means of signed values, with Hall's (1992) limits: Student's, transformed for the skewness that is seen."""

    value: FloatArray
    standard_error: FloatArray
    skewness: FloatArray
    effective: FloatArray
    n: IntArray
    weight: FloatArray
    reason: str

    @property
    def bound(self) -> FloatArray:
        """Zero: the sums are exact."""
        return np.zeros_like(self.value)

    def limits(self, alpha: Alpha, *, exact: bool) -> Limits:
        """One-sided limits; where exact, the wider of these and Student's."""
        low, high = student(self.value, self.standard_error, self.effective - 1, alpha)
        lower, upper = self._transformed(alpha)
        if exact:
            lower, upper = np.minimum(lower, low), np.maximum(upper, high)
        unknown = ((self.effective < 2) | (self.standard_error == 0)) & ~np.isnan(self.value)
        return np.where(unknown, -np.inf, lower), np.where(unknown, np.inf, upper)

    def _transformed(self, alpha: Alpha) -> Limits:
        t = -special.stdtrit(np.maximum(self.effective - 1, 1.0), alpha)
        return (
            self.value - self.standard_error * self._inverse(t),
            self.value - self.standard_error * self._inverse(-t),
        )

    def _inverse(self, t: FloatArray) -> FloatArray:
        root = np.sqrt(np.maximum(self.effective, 1.0))
        skewness = np.where(np.abs(self.skewness) < 1e-9, 1e-9, self.skewness)
        cubed = 1 + skewness * (t / root - skewness / (6 * root**2))
        return np.asarray(3 * root / skewness * (np.cbrt(cubed) - 1))


@dataclass(frozen=True, eq=False)
class Monotone(Entries):
    """An increasing function of estimates, such as the root of a mean square; ``function`` maps arrays."""

    of: Quantity
    function: Callable[[FloatArray], FloatArray]

    @property
    def value(self) -> FloatArray:
        """The estimates."""
        return self.function(self.of.value)

    @property
    def n(self) -> IntArray:
        """Rows behind each."""
        return self.of.n

    @property
    def bound(self) -> FloatArray:
        """Zero."""
        return np.zeros(len(self.n))

    @property
    def reason(self) -> str:
        """Why an entry is NaN where one is."""
        return self.of.reason

    def limits(self, alpha: Alpha, *, exact: bool) -> Limits:
        """One-sided limits."""
        lower, upper = self.of.limits(alpha, exact=exact)
        return self.function(lower), self.function(upper)


@dataclass(frozen=True, eq=False)
class Standardized(Entries):
    """A mean in standard deviations: each of the two has its limits at half of the error, whatever their dependence.

    Attributes:
        mean: signed.
        deviation: positive.
    """

    mean: Quantity
    deviation: Quantity
    reason: str

    @property
    def value(self) -> FloatArray:
        """The estimates; NaN where nothing varies."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.deviation.value > 0, self.mean.value / self.deviation.value, np.nan)

    @property
    def n(self) -> IntArray:
        """Rows behind each."""
        return self.mean.n

    @property
    def bound(self) -> FloatArray:
        """Zero."""
        return np.zeros(len(self.n))

    def limits(self, alpha: Alpha, *, exact: bool) -> Limits:
        """One-sided limits."""
        half = np.asarray(alpha) / 2
        (low, high), (least, most) = (one.limits(half, exact=exact) for one in (self.mean, self.deviation))
        with np.errstate(divide="ignore", invalid="ignore"):
            lower, upper = low / np.where(low > 0, most, least), high / np.where(high > 0, least, most)
        defined = self.deviation.value > 0
        return np.where(defined, lower, np.nan), np.where(defined, upper, np.nan)


@dataclass(frozen=True, eq=False)
class Determination(Entries):
    """Coefficients of determination, 1 - ``ratio``, with Student limits of the logarithm of the ratio.

    Attributes:
        ratio: the mean squared error over the variance of the target.
        relative_error: the standard error of the ratio over it, by the delta method.
    """

    ratio: FloatArray
    relative_error: FloatArray
    effective: FloatArray
    n: IntArray
    reason: str

    @property
    def value(self) -> FloatArray:
        """The estimates, at most 1."""
        return 1 - self.ratio

    @property
    def bound(self) -> FloatArray:
        """Zero."""
        return np.zeros_like(self.ratio)

    def limits(self, alpha: Alpha, *, exact: bool) -> Limits:
        """One-sided limits, at most 1; the same whether exact or not."""
        del exact
        # Without an error on some rows nothing is known of the next one.
        known = (self.effective >= 3) & (self.relative_error > 0) & (self.ratio > 0)
        t = -special.stdtrit(np.maximum(self.effective - 2, 1.0), alpha)
        # Two rows can leave the ratio open to both sides.
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            factor = np.exp(t * self.relative_error)
            lower, upper = 1 - self.ratio * factor, 1 - self.ratio / factor
        return np.where(known, lower, -np.inf), np.where(known, upper, 1.0)
