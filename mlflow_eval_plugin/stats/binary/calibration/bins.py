"""Reliability tables and calibration errors from a ``ScoreSummary``.

Equal-width bins are unions of score bins, hence exact. Equal-mass bins are unions of score bins too: a score bin
belongs to the equal-mass bin in which the middle of its cumulative weight lies, so ties and rows of one score bin
stay together, and a bin can be empty where one score bin holds more than a bin's share.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mlflow_eval_plugin.stats.arrays import FloatArray
from mlflow_eval_plugin.stats.binary.metrics import gap_variance
from mlflow_eval_plugin.stats.binary.summary import FINE_BINS, SCORE_BINS, ScoreSummary
from mlflow_eval_plugin.stats.counts.slice import over_labels
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.inference.intervals import wilson
from mlflow_eval_plugin.stats.inference.isotonic import equal_mass_member
from mlflow_eval_plugin.stats.inference.means import kish
from mlflow_eval_plugin.stats.inference.norms import NoisyNorm, NormKind, binned_norm

Binning = Literal["width", "mass"]


@dataclass(frozen=True)
class ReliabilityBin:
    """One bin of scores in [lower, upper), the last one closed; empty bins have ``n`` 0 and None.

    Attributes:
        interval: pointwise 95 % Wilson interval of the event rate, with Kish's effective rows under weights.
    """

    lower: float
    upper: float
    n: int
    weight: float
    mean_score: float | None
    event_rate: float | None
    interval: tuple[float, float] | None


@dataclass(frozen=True, eq=False)
class ReliabilityTable:
    """Sums per bin, each of shape ``(K,)``; ``edges`` has ``K + 1`` entries."""

    edges: FloatArray
    n: NDArray[np.int64]
    weight: FloatArray
    weight_square: FloatArray
    score: FloatArray
    events: FloatArray
    variance: FloatArray

    def bins(self) -> tuple[ReliabilityBin, ...]:
        """The table as records."""
        with np.errstate(divide="ignore", invalid="ignore"):
            mean, rate = self.score / self.weight, self.events / self.weight
        lower, upper = wilson(rate, kish(self.weight, self.weight_square), 0.025)
        return tuple(
            ReliabilityBin(low, high, n, weight, *((s, r, (a, b)) if weight > 0 else (None, None, None)))
            for low, high, n, weight, s, r, a, b in zip(
                self.edges[:-1].tolist(),
                self.edges[1:].tolist(),
                *(array.tolist() for array in (self.n, self.weight, mean, rate, lower, upper)),
                strict=True,
            )
        )


def reliability(summary: ScoreSummary, bins: int = 15, binning: Binning = "width") -> ReliabilityTable:
    """Sums of scores and labels in ``bins`` equal-width or equal-mass bins.

    Raises:
        InputError: when ``bins`` is below 1 or, for equal width, does not divide ``FINE_BINS``.
    """
    member, edges = _equal_width(bins) if binning == "width" else _equal_mass(summary, bins)

    def total(lane: FloatArray) -> FloatArray:
        return np.asarray(np.bincount(member, weights=lane, minlength=bins), dtype=np.float64)

    weight, events = total(over_labels(summary.w)), total(summary.w[:, 1])
    spread, inflation = total(score_spread(summary)), total(over_labels(summary.w_square))
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = np.where(weight > 0, gap_variance(weight, events, spread) * inflation / weight, 0.0)
    return ReliabilityTable(
        edges=edges,
        n=np.rint(total(over_labels(summary.n))).astype(np.int64),
        weight=weight,
        weight_square=inflation,
        score=total(over_labels(summary.w_score)),
        events=events,
        variance=variance,
    )


def calibration_norm(table: ReliabilityTable, kind: NormKind) -> NoisyNorm:
    """ECE ("sum"), debiased L2 error ("root_mean_square") or MCE ("maximum") of length one, see ``binned_norm``."""
    effective = kish(table.weight, table.weight_square)
    rows = np.array([int(table.n.sum())], dtype=np.int64)
    sums = (table.weight, table.events, table.score - table.events, table.variance, effective)
    weight, events, gap, variance, effective = (one[None] for one in sums)
    return binned_norm(weight, events, gap, variance, effective, rows, kind)


def score_spread(summary: ScoreSummary) -> FloatArray:
    """Sum of w * s * (1 - s) per score bin, ``(SCORE_BINS,)``: the variance of calibrated labels."""
    # s (1 - s) is s - s**2, and s**2 comes from the squared errors of either label.
    errors, score, weight = summary.w_square_error, summary.w_score, summary.w
    square = errors[:, 0] + errors[:, 1] - weight[:, 1] + 2 * score[:, 1]
    return np.asarray(np.maximum(over_labels(score) - square, 0.0))


def _equal_width(bins: int) -> tuple[NDArray[np.int64], FloatArray]:
    if bins < 1 or FINE_BINS % bins:
        raise InputError(f"bins: expected a divisor of {FINE_BINS} (such as 10, 15 or 20), found {bins}")
    return np.arange(SCORE_BINS) // (SCORE_BINS // bins), np.arange(bins + 1) / bins


def _equal_mass(summary: ScoreSummary, bins: int) -> tuple[NDArray[np.int64], FloatArray]:
    if bins < 1:
        raise InputError(f"bins: expected 1 or more, found {bins}")
    member = equal_mass_member(over_labels(summary.w), bins)
    starts = np.searchsorted(member, np.arange(1, bins))
    return member, np.concatenate([[0.0], starts / SCORE_BINS, [1.0]])
