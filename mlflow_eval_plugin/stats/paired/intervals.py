"""Confidence limits of differences between two models on the same rows, each a function of a one-sided error ``alpha``.

Arrays broadcast. Above an ``alpha`` of a half a limit is the estimate itself.
"""

from __future__ import annotations

import numpy as np
from scipy import special

from mlflow_eval_plugin.stats.arrays import FloatArray
from mlflow_eval_plugin.stats.inference.intervals import Alpha, Limits, clopper_pearson, normal_quantile

FEW = 100  # pairs, below which no approximation is used
_HALVINGS = 52  # to the last digit of a double


def tango(gained: FloatArray, lost: FloatArray, n: FloatArray, alpha: Alpha) -> Limits:
    """Tango's (1998) score limits of the difference ``gained - lost`` of two paired proportions, in [-1, 1].

    Args:
        gained: share of the pairs where only the first is a success.
        lost: share of the pairs where only the second is.
        n: pairs, or Kish's effective number of them; NaN limits where it is 0.
        alpha: error of each side.
    """
    z = np.maximum(normal_quantile(alpha), 0.0)
    gained, lost, n, z = np.broadcast_arrays(gained, lost, n, z)
    # The limits of gained - lost are those of lost - gained with the other sign.
    lower, upper = -_tango_upper(lost, gained, n, z), _tango_upper(gained, lost, n, z)
    undefined = ~(n > 0)
    return np.where(undefined, np.nan, lower), np.where(undefined, np.nan, upper)


def _tango_upper(gained: FloatArray, lost: FloatArray, n: FloatArray, z: FloatArray) -> FloatArray:
    low, high = gained - lost, np.ones_like(gained)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        plausible = gained - lost - middle >= -z * _tango_deviation(middle, gained, lost, n)
        low, high = np.where(plausible, middle, low), np.where(plausible, high, middle)
    return low


def _tango_deviation(difference: FloatArray, gained: FloatArray, lost: FloatArray, n: FloatArray) -> FloatArray:
    """The standard deviation of ``gained - lost``, were its true value ``difference``."""
    b = -gained - lost + (2 - gained + lost) * difference
    c = -lost * difference * (1 - difference)
    least_lost = (np.sqrt(np.maximum(b**2 - 8 * c, 0.0)) - b) / 4
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.sqrt(np.maximum(2 * least_lost + difference * (1 - difference), 0.0) / n)


def discordant(gained: FloatArray, lost: FloatArray, n: FloatArray, alpha: Alpha) -> Limits:
    """Limits of ``gained - lost`` from the exact binomial limits of both shares: they hold at small ``alpha``.

    From ``FEW`` pairs on the two are combined by variance recovery (Zou & Donner 2008), with what a pair that cannot be
    both adds to the variance. That alone misses up to five times as often as it should at an ``alpha`` of 1e-5, since
    the tails of few pairs are skewed; below 5 % a level is therefore taken that falls faster than ``alpha``. Of fewer
    pairs the limits of both shares, each at half the error, are as they are (Bonferroni).

    Enumerated over all outcomes of 10 to 300 pairs, the error is at most ``alpha`` down to 1e-5 (1.04 ``alpha`` where
    all pairs differ).
    """
    alpha = np.minimum(alpha, 0.5)
    gained, lost, n, alpha = np.broadcast_arrays(gained, lost, n, alpha)
    few = n < FEW
    level = np.where(few, alpha / 2, alpha * np.minimum(alpha / 0.05, 1.0) ** 0.25)
    (gained_low, gained_high), (lost_low, lost_high) = (clopper_pearson(one, n, level) for one in (gained, lost))
    with np.errstate(divide="ignore", invalid="ignore"):
        shared = 2 * gained * lost / n * np.maximum(normal_quantile(level), 0.0) ** 2
        down = np.sqrt((gained - gained_low) ** 2 + (lost_high - lost) ** 2 + shared)
        up = np.sqrt((gained_high - gained) ** 2 + (lost - lost_low) ** 2 + shared)
    difference = gained - lost
    lower = np.where(few, gained_low - lost_high, difference - down)
    upper = np.where(few, gained_high - lost_low, difference + up)
    return np.maximum(lower, -1.0), np.minimum(upper, 1.0)


def empirical_bernstein(mean: FloatArray, variance: FloatArray, span: float, n: FloatArray, alpha: Alpha) -> Limits:
    """Maurer & Pontil's (2009, theorem 4) limits of the mean of values in a range, whatever their distribution.

    Args:
        variance: of the sample, with n - 1.
        span: from the least to the largest value there can be.
        n: values, or Kish's effective number of them; infinite limits below 2.
        alpha: error of each side.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        doubt = np.log(2 / np.minimum(alpha, 0.5))
        reach = np.sqrt(2 * variance * doubt / n) + 7 * span * doubt / (3 * (n - 1))
    reach = np.where(n >= 2, reach, np.inf)
    return mean - reach, mean + reach


def mcnemar(gained: int, lost: int) -> float:
    """McNemar's (1947) test, exact and two-sided: the p-value of so uneven a split of the pairs that differ."""
    pairs = gained + lost
    return min(1.0, 2 * float(special.bdtr(min(gained, lost), pairs, 0.5))) if pairs else 1.0
