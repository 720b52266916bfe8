"""Average precision of ranked rows, with its standard error and the largest error that cells can have caused.

scikit-learn's definition: the sum over thresholds, from the highest score on, of the step in recall times the precision
there; without interpolation, and rows of one score share a threshold. Its mean over random scores is the prevalence.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlflow_eval_plugin.stats.arrays import FloatArray
from mlflow_eval_plugin.stats.counts.ranks import Ranked
from mlflow_eval_plugin.stats.inference.estimate import Ends, Entries
from mlflow_eval_plugin.stats.inference.intervals import Alpha, Limits, clopper_pearson, logit_student


@dataclass(frozen=True, eq=False)
class AveragePrecision(Entries):
    """Average precisions of slices, ``(S,)``; NaN without a positive. Limits are Student's on the logit scale.

    Attributes:
        standard_error: from the influence of every row; infinite with one positive.
        df: effective positives less one, of which the estimate is a mean.
        bound: the exact value is within it, however the rows in cells of several scores are ordered.
    """

    value: FloatArray
    standard_error: FloatArray
    df: FloatArray
    bound: FloatArray
    n: NDArray[np.int64]
    reason: str = "average precision needs a row with the positive label"

    @property
    def ends(self) -> Ends:
        """0 and 1."""
        return 0.0, 1.0

    def limits(self, alpha: Alpha, *, exact: bool) -> Limits:
        """One-sided limits in [0, 1].

        Where exact, they are no tighter than those of a proportion of as many trials as there are positives: the
        estimate is biased upwards in small samples and its tails are longer than Student's.
        """
        # The logit is infinite at 0 and 1, where half a positive decides.
        step = 0.5 / (self.df + 2)
        inside = np.clip(self.value, step, 1 - step)
        lower, upper = logit_student(inside, self.standard_error, self.df, alpha)
        if exact:
            low, high = clopper_pearson(self.value, self.df + 1, alpha)
            lower, upper = np.minimum(lower, low), np.maximum(upper, high)
        return np.minimum(lower, self.value), np.maximum(upper, self.value)


def average_precision(slices: Iterable[Ranked], effective: FloatArray, n: NDArray[np.int64]) -> AveragePrecision:
    """Average precision of every slice.

    Args:
        effective: Kish's effective rows by slice and label, ``(S, 2)``.
        n: rows, ``(S,)``.
    """
    found = np.array([_precise(one, *rows) for one, rows in zip(slices, effective.tolist(), strict=True)])
    value, error, bound = found.reshape(-1, 3).T
    return AveragePrecision(value, error, effective[:, 1] - 1, bound, n)


def _precise(one: Ranked, negatives: float, positives: float) -> tuple[float, float, float]:
    # From the highest score on, as thresholds fall.
    negative, positive = one.negative[::-1].astype(np.float64), one.positive[::-1].astype(np.float64)
    # Whole numbers add up in a sixth of the time of floats, which wait for one another.
    hits, misses = (np.cumsum(side[::-1]).astype(np.float64) for side in (one.positive, one.negative))
    called = hits + misses
    total = hits[-1] if len(hits) else 0.0
    if total == 0:
        return np.nan, np.inf, 0.0
    precision = hits / np.where(called > 0, called, 1.0)
    unsure = np.flatnonzero(one.mixed[::-1] & (positive > 0))
    least, likely, most = _orders(negative[unsure], positive[unsure], hits[unsure], called[unsure])
    precision[unsure] = likely
    value = float((positive * precision).sum() / total)
    bound = float(max(*((positive[unsure] * np.stack([most - likely, likely - least])).sum(axis=1))) / total)
    if positives <= 1:
        return value, np.inf, bound
    variance = _variance(negative, positive, precision, called, value, negatives + positives)
    if not variance > 1e-12:
        # Perfectly ranked rows show no variance at all, which nobody should believe: that of a proportion, then.
        near = (value * positives + 0.5) / (positives + 1)
        variance = near * (1 - near) / positives
    return value, float(np.sqrt(variance)), bound


def _variance(
    negative: FloatArray, positive: FloatArray, precision: FloatArray, called: FloatArray, value: float, rows: float
) -> float:
    """The mean squared influence of a row over the effective number of rows.

    A row moves the precision at its own threshold only if it is positive, and by its being called it moves the
    precision at every threshold at or below its score, by (label - precision) / called.
    """
    share = positive / np.where(called > 0, called, 1.0)
    below = np.cumsum(share[::-1])[::-1]
    below_precise = np.cumsum((share * precision)[::-1])[::-1]
    of_positive = precision - value + below - below_precise
    square = (positive * of_positive**2 + negative * below_precise**2).sum()
    return float(square * called[-1] / positive.sum() ** 2 / (rows - 1))


def _orders(
    negative: FloatArray, positive: FloatArray, hits: FloatArray, called: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The mean precision of the positives of mixed cells: in the worst order, evenly among the negatives, at best.

    Sums over positives are integrals from one half before the first to one half behind the last.
    """
    hits_before, called_before = hits - positive, called - positive - negative
    best = hits / (called_before + positive)
    # All negatives first, then one positive after the other: no less than the integral of the precision.
    start = called_before + negative
    grown = np.log1p(positive / np.where(start > 0, start, np.inf))
    worst = 1 + (hits_before - start) * grown / positive
    # So many more rows with every positive.
    step = 1 + negative / (positive + 1)
    spread = np.log((called_before + step * (positive + 0.5)) / (called_before + step * 0.5))
    even = 1 / step + (hits_before - called_before / step) * spread / (step * positive)
    worst = np.minimum(worst, best)
    return worst, np.minimum(np.maximum(even, worst), best), best
