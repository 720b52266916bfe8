"""CORP: the isotonic reliability curve, its score decomposition and its consistency band.

Dimitriadis, Gneiting & Jordan (2021), "Stable reliability diagrams for probabilistic classifiers", PNAS 118(8):
mean score = MCB - DSC + UNC, where the recalibrated forecast is the isotonic (PAV) regression of labels on scores.
PAV runs on score bins; rows of one score bin share their recalibrated value, and ``bound`` says how much that can
matter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from mlflow_eval_plugin.stats.arrays import FloatArray
from mlflow_eval_plugin.stats.binary.summary import SCORE_BINS, ScoreSummary
from mlflow_eval_plugin.stats.counts.slice import over_labels
from mlflow_eval_plugin.stats.counts.threads import side_by_side, streams
from mlflow_eval_plugin.stats.inference.isotonic import MAX_POINTS, Curve, isotonic
from mlflow_eval_plugin.stats.inference.means import kish

BAND_GROUPS = 480
Scoring = Callable[[FloatArray, FloatArray, FloatArray], float]


@dataclass(frozen=True)
class Decomposition:
    """score = mcb - dsc + unc: miscalibration, discrimination, uncertainty; ``bound`` is of mcb and dsc."""

    score: float
    mcb: float
    dsc: float
    unc: float
    bound: float


def corp_curve(summary: ScoreSummary) -> Curve:
    """The isotonic regression of labels on scores, on occupied score bins."""
    weight, events = over_labels(summary.w), summary.w[:, 1]
    used = weight > 0
    weight, events, score = weight[used], events[used], over_labels(summary.w_score)[used]
    return Curve(score / weight, isotonic(events, weight), weight, events)


def decompositions(summary: ScoreSummary) -> tuple[Decomposition, Decomposition]:
    """The decompositions of the Brier score and of log loss (nats)."""
    curve = corp_curve(summary)
    brier = float(summary.w_square_error.sum() / curve.weight.sum())
    log_loss = float(summary.w_loss.sum() / curve.weight.sum())
    return (
        _bounded(brier, curve, quadratic_score),
        _bounded(log_loss, curve, logarithmic_score),
    )


def quadratic_score(forecast: FloatArray, events: FloatArray, weight: FloatArray) -> float:
    """The mean Brier score of forecasts of groups with these events."""
    return float(((weight - events) * forecast**2 + events * (1 - forecast) ** 2).sum() / weight.sum())


def logarithmic_score(forecast: FloatArray, events: FloatArray, weight: FloatArray) -> float:
    """The mean log loss of forecasts of groups with these events, with 0 log 0 = 0."""
    loss = special.xlogy(weight - events, 1 - forecast) + special.xlogy(events, forecast)
    return float(-loss.sum() / weight.sum())


def consistency_band(
    summary: ScoreSummary, *, replicates: int = 200, seed: int = 0, level: float = 0.95
) -> tuple[tuple[float, float, float], ...]:
    """Where the curve would lie, pointwise, were the model calibrated: ``(score, lower, upper)``, at most 512 points.

    In every replicate the labels of each group of ``band_groups`` are redrawn binomially with its mean score, and the
    curve is fitted again. Deterministic for a given seed. Under weights the number of trials is Kish's effective one.
    Quantiles lie linearly between the replicates, as in Hyndman & Fan (1996), their definition 7.
    """
    sums = [over_labels(lane) for lane in (summary.w, summary.w_square, summary.w_score)]
    groups = band_groups(sums[0])
    weight, square, score = (np.add.reduceat(lane, groups) for lane in sums)
    used = weight > 0
    weight, score = weight[used], score[used] / weight[used]
    trials = np.maximum(np.rint(kish(weight, square[used])), 1).astype(np.int64)
    drawn = _redrawn(trials, np.clip(score, 0, 1), replicates, seed)
    points = np.unique(np.linspace(0, len(trials) - 1, MAX_POINTS).astype(np.intp))
    rates = np.ascontiguousarray((drawn / trials[:, None]).T)
    fitted = np.stack([optimize.isotonic_regression(one, weights=weight).x[points] for one in rates], axis=1)
    fitted.sort(axis=1)
    lower, upper = (_between(fitted, (replicates - 1) * part) for part in ((1 - level) / 2, (1 + level) / 2))
    return tuple(zip(score[points].tolist(), lower.tolist(), upper.tolist(), strict=True))


def _redrawn(trials: NDArray[np.int64], rate: FloatArray, replicates: int, seed: int) -> NDArray[np.int64]:
    """How many of the trials of each group are events, ``(groups, replicates)``."""
    # Each thread draws some of the groups, from a stream of its own.
    generators = streams(seed)
    drawn = np.empty((len(trials), replicates), dtype=np.int64)

    def draw(place: int) -> None:
        some = slice(place, None, len(generators))
        # Group by group, since numpy prepares a binomial distribution once for draws that follow each other.
        size = drawn[some].shape
        drawn[some] = generators[place].binomial(trials[some, None], rate[some, None], size=size)

    side_by_side(draw, range(len(generators)))
    return drawn


def _between(ordered: FloatArray, place: float) -> FloatArray:
    """What lies at a place, which need not be whole, among the ordered values of each row."""
    below = min(int(place), ordered.shape[1] - 2)
    low, high = ordered[:, below], ordered[:, below + 1]
    return np.asarray(low + (high - low) * (place - below))


def band_groups(weight: FloatArray) -> NDArray[np.intp]:
    """Where groups of neighbouring score bins begin: ``BAND_GROUPS`` of equal width, cut again into as many of equal
    weight, so that neither a thin tail nor a narrow crowd of scores is a single point of the band.

    Finer groups change the band by less than the chance in 200 replicates does: see ``docs/statistics.md``.

    Args:
        weight: of every score bin, ``(SCORE_BINS,)``, not all 0.
    """
    steps = np.arange(BAND_GROUPS)
    crowded = np.searchsorted(np.cumsum(weight), steps * (weight.sum() / BAND_GROUPS), side="right")
    return np.unique(np.concatenate([steps * (SCORE_BINS // BAND_GROUPS), crowded]))


def decomposed(score: float, curve: Curve, scoring: Scoring) -> Decomposition:
    """The components of a mean score, with a bound of 0."""
    recalibrated = scoring(curve.event_rate, curve.events, curve.weight)
    marginal = np.full(1, curve.events.sum() / curve.weight.sum())
    uncertainty = scoring(marginal, curve.events.sum(keepdims=True), curve.weight.sum(keepdims=True))
    return Decomposition(score, score - recalibrated, uncertainty - recalibrated, uncertainty, 0.0)


def _bounded(score: float, curve: Curve, scoring: Scoring) -> Decomposition:
    parts = decomposed(score, curve, scoring)
    slack = parts.unc - parts.dsc - _most_favourable(curve, scoring)
    return replace(parts, bound=max(slack, 0.0))


def _most_favourable(curve: Curve, scoring: Scoring) -> float:
    """The score of the isotonic fit if, inside every score bin, all negative rows came before all positive ones."""
    weight = np.stack([curve.weight - curve.events, curve.events], axis=1).reshape(-1)
    events = np.stack([np.zeros_like(curve.events), curve.events], axis=1).reshape(-1)
    used = weight > 0
    return scoring(isotonic(events[used], weight[used]), events[used], weight[used])
