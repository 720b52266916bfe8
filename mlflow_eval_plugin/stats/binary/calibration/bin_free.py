"""Calibration errors that choose no bins: smooth ECE and the cumulative ECCE, each a Quantity of length one.

- ``smooth_ece``: Błasiok & Nakkiran (2023), "Smooth ECE: Principled Reliability Diagrams via Kernel Smoothing". The
  gaps (score less label) are smoothed by a Gaussian kernel that is reflected at 0 and 1; the integral of their absolute
  value falls as the bandwidth grows, and smooth ECE is the bandwidth at which both are the same.
- ``ecce``: Arrieta-Ibarra, Gujral, Tannen, Tygert & Xu (2022), "Metrics of calibration for probabilistic predictions",
  JMLR 23(351): the range of the cumulative sum of gaps in the order of scores (ECCE-R). Rows of one score are taken
  together.

Noise inflates both. Their limits rest on two facts that hold wherever the true gaps lie: the triangle inequality (a
norm of observed gaps is at most that of the true gaps plus that of the noise), and concentration (both are Lipschitz in
the noise, so they stray from their means by more than z standard deviations of the sum of gaps with probability at most
that of a normal; Borell 1975, Tsirelson, Ibragimov & Sudakov 1976).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import fft, optimize, special

from mlflow_eval_plugin.stats.arrays import FloatArray
from mlflow_eval_plugin.stats.binary.calibration.bins import score_spread
from mlflow_eval_plugin.stats.binary.summary import SCORE_BINS, ScoreSummary
from mlflow_eval_plugin.stats.counts.slice import over_labels
from mlflow_eval_plugin.stats.inference.estimate import Ends, Entries
from mlflow_eval_plugin.stats.inference.intervals import Alpha, Limits, normal_quantile
from mlflow_eval_plugin.stats.inference.norms import EMPTY, HALF_NORMAL_MEAN

SMALLEST_BANDWIDTH = 1 / SCORE_BINS  # below it the grid is coarser than the kernel
_LARGEST_SECOND_DERIVATIVE = 4 / math.sqrt(2 * math.pi * math.e)  # integral of |K''| of a standard normal density
_SAME_SCORE = 1e-6  # variance of the place in a score bin, of its width 1, below which all its rows have one score
_INAUDIBLE = 39.0  # exp(-x**2 / 2) is 0 from here on
_TERMS = np.arange(1, 101)[:, None]


@dataclass(frozen=True, eq=False)
class NormOfSums(Entries):
    """A value with the limits of the module's text, cut off at 0 and 1.

    Attributes:
        noise: for a one-sided error, what the norm of the noise alone exceeds with at most that probability.
        deviation: standard deviation of the sum of all gaps were the model calibrated.
    """

    value: FloatArray
    bound: FloatArray
    deviation: float
    n: NDArray[np.int64]
    noise: Callable[[Alpha], FloatArray]
    reason: str = EMPTY

    @property
    def ends(self) -> Ends:
        """0 and 1."""
        return 0.0, 1.0

    def limits(self, alpha: Alpha, *, exact: bool) -> Limits:
        """One-sided limits; the same whether exact or not."""
        del exact
        lower, upper = self.value - self.noise(alpha), self.value + normal_quantile(alpha) * self.deviation
        return np.clip(lower, 0.0, self.value), np.maximum(np.minimum(upper, 1.0), self.value)

    def take(self, index: NDArray[np.intp]) -> NormOfSums:
        """Itself: it has one entry."""
        del index
        return self


@dataclass(frozen=True, eq=False)
class Gaps:
    """What both statistics need of a Summary: gaps by score bin, as shares of all weight.

    Attributes:
        summary: with at least one row of weight.
    """

    summary: ScoreSummary

    @cached_property
    def total(self) -> float:
        """The sum of weights."""
        return float(self.summary.w.sum())

    @cached_property
    def gap(self) -> FloatArray:
        """Sum of w * (score - label) over the weight, ``(SCORE_BINS,)``."""
        return np.asarray((over_labels(self.summary.w_score) - self.summary.w[:, 1]) / self.total)

    @cached_property
    def variance(self) -> FloatArray:
        """The variance of each gap were the model calibrated."""
        weight, square = over_labels(self.summary.w), over_labels(self.summary.w_square)
        inflation = np.divide(square, weight, out=np.zeros_like(weight), where=weight > 0)
        return np.asarray(score_spread(self.summary) * inflation / self.total**2)

    @cached_property
    def deviation(self) -> float:
        """The standard deviation of the sum of all gaps were the model calibrated."""
        return math.sqrt(self.variance.sum())

    @cached_property
    def rows(self) -> NDArray[np.int64]:
        """The number of rows, of length one."""
        return np.array([int(self.summary.n.sum())], dtype=np.int64)

    def smoothed(self, bandwidth: float) -> float:
        """The integral over [0, 1] of the absolute smoothed gaps at one bandwidth."""
        return float(np.abs(fft.idct(_damped(self._waves, bandwidth))).sum())

    def smoothed_noise(self, bandwidth: float) -> float:
        """The expected integral of absolute smoothed noise."""
        # The square of a Gaussian is one of 1 / sqrt(2) of its bandwidth; its images at 0 and 1 add their products.
        narrow = fft.idct(_damped(fft.dct(self.variance), bandwidth / math.sqrt(2)))
        place = (np.arange(SCORE_BINS) + 0.5) / SCORE_BINS
        density = np.maximum(narrow * SCORE_BINS, 0.0) / (2 * bandwidth * math.sqrt(math.pi))
        for away in (place, 1 - place):
            near = np.exp(-((away / bandwidth) ** 2))
            density += near * (near * self.variance).sum() / (math.pi * bandwidth**2)
        return float(HALF_NORMAL_MEAN * np.sqrt(density).mean())

    @cached_property
    def _waves(self) -> FloatArray:
        return np.asarray(fft.dct(self._placed))

    @cached_property
    def _placed(self) -> FloatArray:
        """The gaps on the middles of the score bins, with each bin's first moment kept by its two neighbours."""
        moment = self._first_moment
        placed: FloatArray = self.gap.copy()
        placed[1:] += moment[:-1] / 2
        placed[:-1] -= moment[1:] / 2
        placed[-1] += moment[-1] / 2  # what leaves the grid is reflected
        placed[0] -= moment[0] / 2
        return placed

    @cached_property
    def _first_moment(self) -> FloatArray:
        """Sum of w * (score - label) * (place in the bin - 1/2) over the weight."""
        offset, square = self.summary.w_offset, self.summary.w_offset_square
        below = np.arange(SCORE_BINS, dtype=np.float64)
        times_score = (below * over_labels(offset) + over_labels(square)) / SCORE_BINS
        return np.asarray((times_score - offset[:, 1]) / self.total - self.gap / 2)

    @cached_property
    def excursion(self) -> float:
        """The furthest that the cumulative sum can go up and down inside one score bin."""
        lanes = self.summary
        weight, offset, square = (over_labels(lane) for lane in (lanes.w, lanes.w_offset, lanes.w_offset_square))
        used = weight > 0
        mean = np.divide(offset, weight, out=np.zeros_like(weight), where=used)
        spread = np.divide(square, weight, out=np.zeros_like(weight), where=used) - mean**2
        moving = used & (spread > _SAME_SCORE)
        up, down = lanes.w_score[moving, 0], lanes.w[moving, 1] - lanes.w_score[moving, 1]
        return float((up.max(initial=0.0) + down.max(initial=0.0)) / self.total)


def smooth_ece(gaps: Gaps) -> NormOfSums:
    """Smooth ECE; 0 where every gap is.

    The lower limit uses that the integral falls with the bandwidth: if the smoothed noise is at most d at the value's
    own bandwidth, the value of the true gaps is at least the value less d.
    """
    bandwidth = _where_equal(gaps)
    value = gaps.smoothed(bandwidth) if bandwidth <= SMALLEST_BANDWIDTH else bandwidth
    width = 1 / SCORE_BINS / bandwidth
    moved = float(np.abs(gaps.gap).sum()) * _LARGEST_SECOND_DERIVATIVE * width**2 / 2
    mean = gaps.smoothed_noise(bandwidth)

    def noise(alpha: Alpha) -> FloatArray:
        return np.asarray(mean + np.maximum(normal_quantile(alpha), 0.0) * gaps.deviation)

    return NormOfSums(np.array([value]), np.array([moved]), gaps.deviation, gaps.rows, noise)


def ecce(gaps: Gaps) -> NormOfSums:
    """ECCE-R: the range of the cumulative sum of gaps, from 0, in the order of scores."""
    walk = np.cumsum(gaps.gap)
    value = max(float(walk.max()), 0.0) - min(float(walk.min()), 0.0)

    def noise(alpha: Alpha) -> FloatArray:
        return range_quantile(alpha) * gaps.deviation

    return NormOfSums(np.array([value]), np.array([gaps.excursion]), gaps.deviation, gaps.rows, noise)


def range_exceeded(size: Alpha) -> FloatArray:
    """The probability that the range of a standard Brownian motion on [0, 1] exceeds ``size`` (Feller 1951)."""
    size = np.asarray(size, dtype=np.float64)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        # Two series of one function: the first converges where the range is large, the second where it is small.
        signs = np.where(_TERMS % 2, 1.0, -1.0)
        large = 8 * (signs * _TERMS * special.ndtr(-_TERMS * size.reshape(1, -1))).sum(axis=0)
        half = (_TERMS - 0.5) ** 2 * math.pi**2
        flat = size.reshape(1, -1)
        small = 1 - ((8 / flat**2 + 2 / half) * np.exp(-2 * half / flat**2)).sum(axis=0)
    found = np.where(size.reshape(-1) > 1.5, large, np.where(size.reshape(-1) > 0, small, 1.0))
    return np.asarray(np.clip(found, 0.0, 1.0).reshape(size.shape))


def range_quantile(alpha: Alpha) -> FloatArray:
    """What the range of a standard Brownian motion exceeds with probability ``alpha``."""
    return np.asarray(np.vectorize(_range_quantile, otypes=[np.float64])(alpha))


def _range_quantile(alpha: float) -> float:
    if alpha <= 0:
        return math.inf
    # The range is at least |B(1)|, and at most 4 of the first term of its series exceeds.
    high = float(normal_quantile(min(alpha / 8, 0.4))) + 1.0
    if alpha >= 1:
        return 0.0
    return float(optimize.brentq(lambda size: float(range_exceeded(size)) - alpha, 1e-3, high, xtol=1e-12))


def _where_equal(gaps: Gaps) -> float:
    """The bandwidth that the integral at it equals, in [``SMALLEST_BANDWIDTH``, 1]."""

    @cache
    def beyond(bandwidth: float) -> float:
        return gaps.smoothed(bandwidth) - bandwidth

    if beyond(SMALLEST_BANDWIDTH) <= 0:
        return SMALLEST_BANDWIDTH
    # The integral falls, so that it is met below its value at any bandwidth under that, and above its value there.
    high = min(beyond(SMALLEST_BANDWIDTH) + SMALLEST_BANDWIDTH, 1.0)
    low = max(beyond(high) + high, SMALLEST_BANDWIDTH)
    if beyond(high) >= 0 or beyond(low) <= 0:
        return low
    return float(optimize.brentq(beyond, low, high, xtol=1e-12))


def _damped(waves: FloatArray, bandwidth: float) -> FloatArray:
    """What a reflected Gaussian kernel leaves of each wave of a cosine transform: the heat equation's solution."""
    step, left = math.pi * bandwidth, np.zeros_like(waves)
    heard = np.arange(min(len(waves), math.ceil(_INAUDIBLE / step)))
    left[: len(heard)] = waves[: len(heard)] * np.exp(-((heard * step) ** 2) / 2)
    return left
