"""Calibration errors as norms of noisy gaps, with limits that stay honest although noise inflates a norm.

Observed gaps are ``g_b = delta_b + noise_b``, with independent noise of standard deviation ``tau_b``. A norm of them is
biased upwards: a perfectly calibrated model has a positive ECE. By the triangle inequality
``norm(g) <= norm(delta) + norm(noise)`` whatever the true gaps are, so ``norm(g) - q(alpha)``, with ``q`` the upper
quantile of the norm of the noise alone, lies above the truth with probability at most ``alpha``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from mlflow_eval_plugin.stats.arrays import FloatArray
from mlflow_eval_plugin.stats.inference.estimate import Ends, Entries
from mlflow_eval_plugin.stats.inference.intervals import Alpha, Limits, normal_quantile

HALF_NORMAL_MEAN = float(np.sqrt(2 / np.pi))
HALF_NORMAL_VARIANCE = 1 - 2 / np.pi
HALF_NORMAL_THIRD = float(np.sqrt(2 / np.pi) * (4 / np.pi - 1))  # the third central moment

EMPTY = "there are no rows with weight"
_PARTS = np.linspace(0.0, 1.0, 33)

NormKind = Literal["sum", "root_mean_square", "maximum"]


@dataclass(frozen=True, eq=False)
class NoisyNorm(Entries):
    """A norm of gaps per slice.

    Attributes:
        gap: signed gaps ``(S, K)``, already times the bin's share of the weight ("sum") or its square root
            ("root_mean_square"); NaN where the bin is empty.
        deviation: standard deviations of the gaps were the model calibrated, on the same scale.
        n: rows, ``(S,)``.
        kind: "sum" is ECE; "root_mean_square" is the debiased L2 error (Kumar 2019); "maximum" is MCE.
        correction: what "root_mean_square" takes from the squared norm to be unbiased, ``(S,)``.
        highest: what no true norm exceeds: 1 where gaps are of probabilities.
    """

    gap: FloatArray
    deviation: FloatArray
    n: NDArray[np.int64]
    reason: str
    kind: NormKind = "sum"
    correction: FloatArray | None = None
    highest: float = 1.0

    @property
    def value(self) -> FloatArray:
        """The estimates; NaN where every bin is empty. Only the "root_mean_square" one is bias-corrected."""
        if self.kind == "root_mean_square":
            corrected = self._raw**2 - (0.0 if self.correction is None else self.correction)
            return np.where(np.isnan(self._raw), np.nan, np.sqrt(np.maximum(corrected, 0.0)))
        return self._raw

    @property
    def bound(self) -> FloatArray:
        """Zero: the sums of every bin are exact."""
        return np.zeros(len(self.gap))

    @property
    def ends(self) -> Ends:
        """0, and what no true norm exceeds."""
        return 0.0, self.highest

    def limits(self, alpha: Alpha, *, exact: bool) -> Limits:
        """One-sided limits; the same whether exact or not."""
        del exact
        lower, upper = {
            "sum": self._sum_limits,
            "root_mean_square": self._square_limits,
            "maximum": self._maximum_limits,
        }[self.kind](alpha)
        value = self.value
        return np.clip(lower, 0.0, value), np.maximum(np.minimum(upper, self.highest), value)

    @cached_property
    def _raw(self) -> FloatArray:
        known = ~np.isnan(self.gap)
        gap = np.where(known, np.abs(self.gap), 0.0)
        if self.kind == "sum":
            norm = gap.sum(axis=1)
        elif self.kind == "root_mean_square":
            norm = np.sqrt((gap**2).sum(axis=1))
        else:
            norm = gap.max(axis=1, initial=0.0)
        return np.where(known.any(axis=1), norm, np.nan)

    def _sum_limits(self, alpha: Alpha) -> Limits:
        tau = np.nan_to_num(self.deviation)
        total, square, cube = tau.sum(axis=1), (tau**2).sum(axis=1), (tau**3).sum(axis=1)
        noise = _gamma_quantile(
            HALF_NORMAL_MEAN * total, HALF_NORMAL_VARIANCE * square, HALF_NORMAL_THIRD * cube, alpha
        )
        return self._raw - noise, _sum_upper(self._raw, total, np.sqrt(square), alpha)

    def _square_limits(self, alpha: Alpha) -> Limits:
        variance = np.nan_to_num(self.deviation) ** 2
        z = normal_quantile(alpha)
        total, square, largest = variance.sum(axis=1), (variance**2).sum(axis=1), variance.max(axis=1)
        # Gaussian concentration: the norm is 1-Lipschitz in noise of at most sqrt(largest).
        lower = self._raw - np.sqrt(total) - np.maximum(z, 0.0) * np.sqrt(largest)
        # Var(T^2) <= 2 sum(var^2) + 4 theta^2 max(var); solve theta^2 + total - z sd = T^2 for theta^2.
        shift = total - self._raw**2 - 2 * z**2 * largest
        root = shift**2 - (total - self._raw**2) ** 2 + 2 * z**2 * square
        upper = np.sqrt(np.maximum(-shift + np.sqrt(np.maximum(root, 0.0)), 0.0))
        return lower, upper

    def _maximum_limits(self, alpha: Alpha) -> Limits:
        bins = np.maximum((~np.isnan(self.gap)).sum(axis=1, keepdims=True), 1)
        gap, tau = np.abs(np.nan_to_num(self.gap)), np.nan_to_num(self.deviation)
        level = np.broadcast_to(alpha, len(gap))[:, None]
        far, near = normal_quantile(level / (2 * bins)), normal_quantile(level)
        return (gap - far * tau).max(axis=1), (gap + near * tau).max(axis=1)


def binned_norm(
    weight: FloatArray,
    events: FloatArray,
    gap: FloatArray,
    variance: FloatArray,
    effective: FloatArray,
    n: NDArray[np.int64],
    kind: NormKind,
) -> NoisyNorm:
    """ECE ("sum"; Naeini 2015), debiased L2 error ("root_mean_square"; Kumar 2019) or MCE ("maximum") of sums by bin.

    The debiased error follows Kumar: from every bin's squared gap the variance of its event rate, r (1 - r) / (n - 1),
    is taken away (Bröcker 2012 for the same correction of reliability); bins with one row do not count.

    Args:
        weight, events: sums of weights, and of those with a positive label, ``(S, K)``.
        gap: sums of w * (score - label).
        variance: of each of these sums.
        effective: Kish's effective rows of each bin.
        n: rows, ``(S,)``.
    """
    total = weight.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        share, rate = weight / total, events / weight
        correction = np.nansum(np.where(effective > 1, share * rate * (1 - rate) / (effective - 1), 0.0), axis=1)
        if kind == "root_mean_square":
            share = np.where(effective > 1, share, np.nan)
        scale = {"sum": np.ones_like(share), "root_mean_square": 1 / np.sqrt(share), "maximum": 1 / share}[kind]
        scaled = np.where(weight > 0, scale * gap / total, np.nan)
        deviation = scale * np.sqrt(variance) / total
    reason = "no bin has two rows" if kind == "root_mean_square" and (n > 0).all() else EMPTY
    return NoisyNorm(scaled, deviation, n, reason, kind, correction)


def _gamma_quantile(mean: FloatArray, variance: FloatArray, third: FloatArray, alpha: Alpha) -> FloatArray:
    """The upper ``alpha`` quantile of a sum with these three central moments (Pearson type III)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        shape = 4 * variance**3 / third**2
        standard = (special.gammainccinv(shape, alpha) - shape) / np.sqrt(shape)
    return np.where(variance > 0, mean + np.sqrt(variance) * np.nan_to_num(standard), mean)


def _sum_upper(raw: FloatArray, total: FloatArray, root: FloatArray, alpha: Alpha) -> FloatArray:
    """The largest true sum of gaps that gives a sum as small as ``raw`` with probability ``alpha``.

    Among true gaps of one sum, those in proportion to ``tau`` give the smallest observed sums (they equalise the slopes
    of the folded means), so the limit is found along them, up to ``raw + z * root``, which holds for any.
    """
    z = normal_quantile(alpha)
    plain = raw + np.maximum(z, 0.0) * root
    low, high = np.zeros_like(raw), np.where(total > 0, plain / np.where(total > 0, total, 1.0), 0.0)
    wide, rows = np.broadcast_to(z, raw.shape)[:, None], np.arange(len(raw))
    # Thirty-two parts ten times: 50 halvings in a fifth of the calls, which is what few slices take their time for.
    for _ in range(10):
        tried = low[:, None] + (high - low)[:, None] * _PARTS
        mean, variance = _folded(tried)
        below = mean * total[:, None] - wide * np.sqrt(variance) * root[:, None] < raw[:, None]
        first = np.where(below.all(axis=1), len(_PARTS) - 1, below.argmin(axis=1))
        low, high = tried[rows, np.maximum(first - 1, 0)], tried[rows, first]
    return high * total


def _folded(location: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and variance of ``|location + Z|`` for a standard normal ``Z``."""
    mean = HALF_NORMAL_MEAN * np.exp(-(location**2) / 2) + location * (1 - 2 * special.ndtr(-location))
    return mean, np.maximum(location**2 + 1 - mean**2, 0.0)
