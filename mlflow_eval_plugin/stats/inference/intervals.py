"""Confidence limits, each a function of a one-sided error ``alpha``; arrays broadcast.

Two-sided 95 % intervals are ``limits(alpha=0.025)``. Everything is vectorised over slices, and no limit is ever NaN
where the estimate is defined.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

from mlflow_eval_plugin.stats.arrays import FloatArray

Limits = tuple[FloatArray, FloatArray]
Alpha = float | FloatArray  # one error for all, or one for each


def normal_quantile(alpha: Alpha) -> FloatArray:
    """The ``z`` that a standard normal exceeds with probability ``alpha``."""
    return np.asarray(-special.ndtri(alpha))


def wilson(p: FloatArray, n: FloatArray, alpha: Alpha) -> Limits:
    """Wilson (1927) score limits of a proportion, in [0, 1].

    Args:
        p: observed proportions; any shape.
        n: trials, or Kish's effective number of trials under weights; NaN limits where ``n`` is 0.
        alpha: error of each side.
    """
    z2 = normal_quantile(alpha) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        centre = (p + z2 / (2 * n)) / (1 + z2 / n)
        half = np.sqrt(z2) / (1 + z2 / n) * np.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    lower = np.where(p <= 0, 0.0, np.maximum(centre - half, 0.0))
    upper = np.where(p >= 1, 1.0, np.minimum(centre + half, 1.0))
    return _undefined_where(~(n > 0), lower, upper)


def clopper_pearson(p: FloatArray, n: FloatArray, alpha: Alpha) -> Limits:
    """Exact binomial limits (Clopper & Pearson 1934): one-sided error at most ``alpha`` at every ``n`` and ``p``.

    Checks use these, because Wilson's tails are not reliable at the small levels that a family of Checks needs.
    """
    return least_proportion(p, n, alpha), most_proportion(p, n, alpha)


def least_proportion(p: FloatArray, n: FloatArray, alpha: Alpha) -> FloatArray:
    """The lower limit of `clopper_pearson`; NaN where ``n`` is 0."""
    successes = p * n
    with np.errstate(invalid="ignore"):
        found = special.betaincinv(np.maximum(successes, 1e-300), n - successes + 1, alpha)
    return np.where(n > 0, np.where(p <= 0, 0.0, found), np.nan)


def most_proportion(p: FloatArray, n: FloatArray, alpha: Alpha) -> FloatArray:
    """The upper limit of `clopper_pearson`; NaN where ``n`` is 0."""
    successes = p * n
    with np.errstate(invalid="ignore"):
        found = special.betaincinv(successes + 1, np.maximum(n - successes, 1e-300), 1 - alpha)
    return np.where(n > 0, np.where(p >= 1, 1.0, found), np.nan)


def mover_difference(a: FloatArray, a_limits: Limits, b: FloatArray, b_limits: Limits) -> Limits:
    """Limits of ``a - b`` from the limits of two independent estimates (Zou & Donner 2008).

    With Wilson limits this is Newcombe's (1998) method 10 for a difference of proportions.
    """
    (a_low, a_high), (b_low, b_high) = a_limits, b_limits
    return mover_lower(a, a_low, b, b_high), -mover_lower(b, b_low, a, a_high)


def mover_lower(a: FloatArray, a_low: FloatArray, b: FloatArray, b_high: FloatArray) -> FloatArray:
    """The lower limit of `mover_difference`, which asks for one limit of each."""
    return a - b - np.hypot(a - a_low, b_high - b)


def mover_ratio(a: FloatArray, a_limits: Limits, b: FloatArray, b_limits: Limits) -> Limits:
    """Limits of ``a / b`` for non-negative independent estimates (Donner & Zou 2012, MOVER-R).

    Stays finite at ``a = 0``; the upper limit is infinite where the limits of ``b`` reach 0, and both are NaN where
    ``b`` is 0.
    """
    (a_low, a_high), (b_low, b_high) = a_limits, b_limits
    product = a * b
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        # Written as B / (A + sqrt(A^2 - BC)), which has no 0 / 0 where the textbook form has.
        low_b, low_c = a_low * (2 * a - a_low), b_high * (2 * b - b_high)
        low_root = np.sqrt(np.maximum(product**2 - low_b * low_c, 0.0))
        lower = np.where(low_b <= 0, 0.0, low_b / (product + low_root))
        high_b, high_c = a_high * (2 * a - a_high), b_low * (2 * b - b_low)
        high_root = np.sqrt(np.maximum(product**2 - high_b * high_c, 0.0))
        upper = np.where(high_c <= 0, np.inf, (product + high_root) / high_c)
    return _undefined_where(~(b > 0), lower, upper)


def student(mean: FloatArray, standard_error: FloatArray, df: FloatArray, alpha: Alpha) -> Limits:
    """Student limits of a mean; infinite where ``df`` is below 1, since one row has no variance, or the error is."""
    with np.errstate(invalid="ignore"):
        t = np.where(df >= 1, -special.stdtrit(np.maximum(df, 1.0), alpha), np.inf)
        half = np.where((df >= 1) & ~np.isposinf(standard_error), t * standard_error, np.inf)
    return mean - half, mean + half


def logit_student(p: FloatArray, standard_error: FloatArray, df: FloatArray, alpha: Alpha) -> Limits:
    """Student limits of an estimate in (0, 1), symmetric on the logit scale, so that they stay inside [0, 1]."""
    with np.errstate(divide="ignore", invalid="ignore"):
        t = -special.stdtrit(np.maximum(df, 1.0), alpha)
        half = t * standard_error / (p * (1 - p))
        lower, upper = special.expit(special.logit(p) - half), special.expit(special.logit(p) + half)
    unknown = (df < 1) & ~np.isnan(p)
    return np.where(unknown, 0.0, lower), np.where(unknown, 1.0, upper)


def _undefined_where(undefined: NDArray[np.bool_], lower: FloatArray, upper: FloatArray) -> Limits:
    return np.where(undefined, np.nan, lower), np.where(undefined, np.nan, upper)
