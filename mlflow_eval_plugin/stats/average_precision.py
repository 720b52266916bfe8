"""Average precision from binned scores, with its standard error and the largest error that binning can have caused.

scikit-learn's definition: the sum over thresholds, from the highest score on, of the step in recall times the precision
there; without interpolation, and rows of one score share a threshold. Its mean over random scores is the prevalence.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mlflow_eval_plugin.stats.intervals import Alpha, FloatArray, Limits, clopper_pearson, logit_student
from mlflow_eval_plugin.stats.ranking import BLOCK


@dataclass(frozen=True, eq=False)
class AveragePrecision:
    """Average precisions of slices, ``(S,)``; NaN without a positive. Limits are Student's on the logit scale.

    Attributes:
        standard_error: from the influence of every row; infinite with one positive.
        df: effective positives less one, of which the estimate is a mean.
        bound: the exact value is within it, however the rows of a bin are ordered.
    """

    value: FloatArray
    standard_error: FloatArray
    df: FloatArray
    bound: FloatArray
    n: NDArray[np.int64]
    reason: str = "average precision needs a row with the positive label"

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

    def take(self, index: NDArray[np.intp]) -> AveragePrecision:
        """The entries at ``index``."""
        arrays = {name: getattr(self, name)[index] for name in ("value", "standard_error", "df", "bound", "n")}
        return replace(self, **arrays)


def average_precision(weights: NDArray[np.floating], effective: FloatArray, n: NDArray[np.int64]) -> AveragePrecision:
    """Average precision of every slice from its histogram.

    Args:
        weights: sums of weights by slice, bin (ascending scores) and label, ``(S, B, 2)``.
        effective: Kish's effective rows by slice and label, ``(S, 2)``.
        n: rows, ``(S,)``.
    """
    blocks = range(0, max(len(weights), 1), BLOCK)
    parts = [_block(weights[i : i + BLOCK], effective[i : i + BLOCK]) for i in blocks]
    value, error, bound = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return AveragePrecision(value, error, effective[:, 1] - 1, bound, n)


def _block(weights: NDArray[np.floating], effective: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    # From the highest score on, as thresholds fall.
    negative, positive = (weights[:, ::-1, label].astype(np.float64) for label in (0, 1))
    hits, called = np.cumsum(positive, axis=1), np.cumsum(positive + negative, axis=1)
    total = hits[:, -1:]
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.where(called > 0, hits / called, 0.0)
        value = (positive * precision).sum(axis=1) / total[:, 0]
        bound = np.maximum(*_slack(negative, positive, hits, called)) / total[:, 0]
        variance = _variance(negative, positive, precision, called, value, effective)
        # Perfectly ranked rows show no variance at all, which nobody should believe: that of a proportion, then.
        near = (value * effective[:, 1] + 0.5) / (effective[:, 1] + 1)
        variance = np.where(variance > 1e-12, variance, near * (1 - near) / effective[:, 1])
    return value, np.where(effective[:, 1] <= 1, np.inf, np.sqrt(variance)), bound


def _variance(
    negative: FloatArray,
    positive: FloatArray,
    precision: FloatArray,
    called: FloatArray,
    value: FloatArray,
    effective: FloatArray,
) -> FloatArray:
    """The mean squared influence of a row over the effective number of rows.

    A row moves the precision at its own threshold only if it is positive, and by its being called it moves the
    precision at every threshold at or below its score, by (label - precision) / called.
    """
    share = np.where(called > 0, positive / called, 0.0)
    below = np.cumsum(share[:, ::-1], axis=1)[:, ::-1]
    below_precise = np.cumsum((share * precision)[:, ::-1], axis=1)[:, ::-1]
    of_positive = precision - value[:, None] + below - below_precise
    square = (positive * of_positive**2 + negative * below_precise**2).sum(axis=1)
    total, rows = positive.sum(axis=1), effective.sum(axis=1)
    return np.asarray(square * called[:, -1] / total**2 / (rows - 1))


def _slack(
    negative: FloatArray, positive: FloatArray, hits: FloatArray, called: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """How far the sum over thresholds can lie above and below, by the order of the rows inside the bins."""
    hits_before, called_before = hits - positive, called - positive - negative
    now = positive * np.where(called > 0, hits / called, 0.0)
    most = positive * np.where(called_before + positive > 0, hits / (called_before + positive), 0.0)
    # All negatives first, then one positive after the other: no less than the integral of the precision.
    start = called_before + negative
    grown = np.log1p(np.where(start > 0, positive / start, 0.0))
    least = positive + (hits_before - start) * grown
    return (most - now).sum(axis=1), np.maximum(now - least, 0.0).sum(axis=1)
