"""Metrics of slices: which cells of a ``SliceSummary`` make which Quantity.

A ``SlicePart`` is a set of slices, or of their complements, in plain sums; ``quantity`` makes any metric of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from mlflow_eval_plugin.stats.arrays import FloatArray
from mlflow_eval_plugin.stats.binary.average_precision import average_precision
from mlflow_eval_plugin.stats.binary.ranking import auc
from mlflow_eval_plugin.stats.binary.score_sums import ECE_BINS, ScoreSums
from mlflow_eval_plugin.stats.binary.summary import COARSE_BINS, FINE_BINS, SliceSummary
from mlflow_eval_plugin.stats.counts.ranks import Ranked, known
from mlflow_eval_plugin.stats.counts.slice import LOSS_ONE, LOSS_SQUARE_ONE, ONE
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.inference.estimate import Quantity
from mlflow_eval_plugin.stats.inference.means import Sums, brier, in_the_large, kish, log_loss
from mlflow_eval_plugin.stats.inference.norms import NoisyNorm, NormKind, binned_norm
from mlflow_eval_plugin.stats.inference.quantities import AucQuantity, BalancedAccuracy, ProportionQuantity

Metric = Literal[
    "prevalence",
    "selection_rate",
    "accuracy",
    "balanced_accuracy",
    "precision",
    "recall",
    "fpr",
    "fnr",
    "f1",
    "auc",
    "average_precision",
    "log_loss",
    "brier",
    "ece",
    "calibration_in_the_large",
]
METRICS: tuple[Metric, ...] = get_args(Metric)
# These mean nothing where predictions are classes.
OF_SCORES: tuple[Metric, ...] = (
    "auc", "average_precision", "log_loss", "brier", "ece", "calibration_in_the_large",
)  # fmt: skip

# Cells [label, predicted] of numerator and denominator, and why the denominator can be empty.
_TN, _FP, _FN, _TP = (0, 0), (0, 1), (1, 0), (1, 1)
_RATES = {
    "prevalence": ((_FN, _TP), (_TN, _FP, _FN, _TP), "there are no rows with weight"),
    "selection_rate": ((_FP, _TP), (_TN, _FP, _FN, _TP), "there are no rows with weight"),
    "accuracy": ((_TN, _TP), (_TN, _FP, _FN, _TP), "there are no rows with weight"),
    "precision": ((_TP,), (_FP, _TP), "no row is predicted positive"),
    "recall": ((_TP,), (_FN, _TP), "no row has the positive label"),
    "fpr": ((_FP,), (_TN, _FP), "no row has the negative label"),
    "fnr": ((_FN,), (_FN, _TP), "no row has the positive label"),
    "specificity": ((_TN,), (_TN, _FP), "no row has the negative label"),
    "f1": ((_TP,), (_FP, _FN, _TP), "no row has the positive label or is predicted positive"),
}


@dataclass(frozen=True, eq=False)
class SlicePart:
    """Sums over ``S`` slices or complements of slices, as float64.

    Attributes:
        n: rows, ``(S,)`` int64.
        cells, cells_square: sums of w and of w**2 by label and predicted label, ``(S, 2, 2)``.
        histogram: makes sums of w by fine bin and label, ``(S, FINE_BINS, 2)``, integers where unweighted.
        ece_weight: sums of w by bin of the ECE and label, ``(S, ECE_BINS, 2)``.
        score: sums of w * score, ``(S, COARSE_BINS, 2)``.
        square_error, loss, loss_square: sums over all rows, ``(S,)``.
        ranked: the rows in the order of their scores, slice by slice.
        by_score: sums of functions of the score.
    """

    n: NDArray[np.int64]
    cells: FloatArray
    cells_square: FloatArray
    histogram: Callable[[], NDArray[Any]]
    ece_weight: FloatArray
    score: FloatArray
    square_error: FloatArray
    loss: FloatArray
    loss_square: FloatArray
    ranked: Callable[[], Iterator[Ranked]]
    by_score: ScoreSums

    @property
    def weight(self) -> FloatArray:
        """Sum of weights."""
        return np.asarray(self.cells.sum(axis=(1, 2)))

    @property
    def effective(self) -> FloatArray:
        """Kish's effective number of rows; the number of rows where unweighted."""
        return kish(self.weight, self.cells_square.sum(axis=(1, 2)))

    @property
    def inflation(self) -> FloatArray:
        """Sum of w**2 over sum of w, by which weights inflate variances; 1 without rows."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.weight > 0, self.weight / self.effective, 1.0)

    @property
    def effective_by_label(self) -> FloatArray:
        """Kish's effective number of rows by label, ``(S, 2)``."""
        return kish(self.cells.sum(axis=2), self.cells_square.sum(axis=2))


def slice_part(summary: SliceSummary, index: NDArray[np.intp], *, rest_of: SlicePart | None = None) -> SlicePart:
    """The slices at ``index``, or everything but each of them.

    Args:
        rest_of: the part of the slices at ``index``, "overall" first, where everything else is wanted.
    """

    def lane(values: NDArray[Any]) -> NDArray[Any]:
        return values[index] if rest_of is None else values[0] - values[index]

    scale = summary.weight_scale
    counts, unit = (summary.n, 1.0) if summary.weight is None else (summary.weight, scale / ONE)
    return SlicePart(
        n=np.asarray(lane(summary.cells).sum(axis=(1, 2)), dtype=np.int64),
        cells=lane(summary.cell_weight) * (scale / ONE),
        cells_square=lane(summary.cell_weight_square) * (scale**2 / ONE),
        histogram=lambda: lane(counts) if summary.weight is None else lane(counts) * unit,
        ece_weight=_by_ece_bin(counts, index, complement=rest_of is not None) * unit,
        score=lane(summary.score) * (scale / ONE),
        square_error=lane(summary.square_error).sum(axis=1) * (scale / ONE),
        loss=lane(summary.loss).sum(axis=1) * (scale / LOSS_ONE),
        loss_square=lane(summary.loss_square).sum(axis=1) * (scale / LOSS_SQUARE_ONE),
        ranked=lambda: _in_order(summary, index, complement=rest_of is not None),
        by_score=ScoreSums(summary.ranks, index, unit, None if rest_of is None else rest_of.by_score),
    )


def _in_order(summary: SliceSummary, index: NDArray[np.intp], *, complement: bool) -> Iterator[Ranked]:
    ranks = known(summary.ranks)
    return map(ranks.others if complement else ranks.entry, index.tolist())


def quantity(part: SlicePart, metric: str) -> Quantity:
    """A metric of every slice of a part.

    Raises:
        InputError: for a metric there is none of, or one that needs ranks, of rows that were counted without.
    """
    if metric in _RATES:
        return rate(part, metric)
    if metric == "balanced_accuracy":
        return BalancedAccuracy(rate(part, "recall"), rate(part, "specificity"), part.n)
    makers = {
        "auc": _auc,
        "average_precision": _average_precision,
        "brier": _brier,
        "log_loss": _log_loss,
        "ece": _ece,
        "calibration_in_the_large": _calibration_in_the_large,
    }
    if metric not in makers:
        raise InputError(f"metric: there is no {metric!r}; expected one of {', '.join(METRICS)}")
    return makers[metric](part)


class Confusion(Protocol):
    """Cells by label and predicted label, of slices or of classes."""

    @property
    def n(self) -> NDArray[np.int64]:
        """Rows, ``(S,)``."""

    @property
    def cells(self) -> FloatArray:
        """Sums of w by label and predicted label, ``(S, 2, 2)``."""

    @property
    def cells_square(self) -> FloatArray:
        """Sums of w**2 over the same cells."""


def rate(part: Confusion, metric: str) -> ProportionQuantity:
    """A rate of every slice: prevalence, selection rate, accuracy, precision, recall, FPR, FNR, specificity or F1."""
    over, under, reason = _RATES[metric]
    numerator, denominator = _sum_cells(part.cells, over), _sum_cells(part.cells, under)
    with np.errstate(divide="ignore", invalid="ignore"):
        proportion = np.where(denominator > 0, numerator / denominator, np.nan)
    return ProportionQuantity(
        proportion=proportion,
        trials=kish(denominator, _sum_cells(part.cells_square, under)),
        n=part.n,
        weight=denominator,
        reason=reason,
        f1=metric == "f1",
    )


def _auc(part: SlicePart) -> Quantity:
    found = auc(part.ranked(), part.effective_by_label)
    df = part.effective_by_label.min(axis=1) - 1
    reason = "AUC needs rows of both classes"
    return AucQuantity(found.value, found.standard_error, df, found.bound, part.n, reason)


def _average_precision(part: SlicePart) -> Quantity:
    return average_precision(part.ranked(), part.effective_by_label, part.n)


def _brier(part: SlicePart) -> Quantity:
    sums = part.by_score
    return brier(sums_of(part), part.square_error, sums.fourth_power, sums.spread, sums.spread_square)


def _log_loss(part: SlicePart) -> Quantity:
    return log_loss(sums_of(part), part.loss, part.loss_square, part.by_score.loss, part.by_score.loss_square)


def _calibration_in_the_large(part: SlicePart) -> Quantity:
    events, score = part.cells[:, 1].sum(axis=1), part.score.sum(axis=(1, 2))
    return in_the_large(sums_of(part), score, events, part.square_error, part.by_score.spread)


def sums_of(part: SlicePart) -> Sums:
    """Rows, weights and effective rows of every slice."""
    return Sums(part.n, part.weight, part.effective)


def calibration_error(part: SlicePart, kind: NormKind) -> NoisyNorm:
    """ECE, debiased L2 error or MCE of every slice on ``ECE_BINS`` equal-width bins, see ``binned_norm``."""
    weight = part.ece_weight
    score = part.score.reshape(len(part.n), ECE_BINS, COARSE_BINS // ECE_BINS, 2).sum(axis=(2, 3))
    spread = part.by_score.spread_by_ece_bin
    return norm_of_bins(sums_of(part), weight.sum(axis=2), weight[:, :, 1], score, spread, kind)


def norm_of_bins(
    sums: Sums, weight: FloatArray, events: FloatArray, score: FloatArray, spread: FloatArray, kind: NormKind = "sum"
) -> NoisyNorm:
    """The calibration error, from sums of w, w * label, w * s and w * s * (1 - s) by bin, each ``(S, B)``."""
    with np.errstate(divide="ignore", invalid="ignore"):
        # Squares of weights are not known bin by bin.
        inflation = (sums.weight / sums.effective)[:, None]
        variance = gap_variance(weight, events, spread) * inflation
        return binned_norm(weight, events, score - events, variance, weight / inflation, sums.n, kind)


def _ece(part: SlicePart) -> Quantity:
    return calibration_error(part, "sum")


def gap_variance(weight: FloatArray, events: FloatArray, spread: FloatArray) -> FloatArray:
    """Variance of the sum of labels in a bin: the calibrated one, or the observed one where that is larger.

    A bin of few rows with one class only has an observed variance of 0, a badly calibrated one may have a far larger
    variance than its scores claim; neither may make an interval too short.

    Args:
        weight, events: sums of weights, and of those with a positive label, per bin.
        spread: sums of w * s * (1 - s) per bin.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        observed = np.where(weight > 0, events * (1 - events / weight), 0.0)
    return np.maximum(spread, observed)


def _by_ece_bin(counts: NDArray[Any], index: NDArray[np.intp], *, complement: bool) -> NDArray[np.int64]:
    """Sums of a lane of the fine bins over those of the ECE, ``(len(index), ECE_BINS, 2)``."""
    if complement:
        sums = _by_ece_bin(counts, np.arange(len(counts)), complement=False)
        return np.asarray(sums[0] - sums[index])
    # All slices are read where they stand: a copy of their histograms is as large as all other sums together.
    some = counts if np.array_equal(index, np.arange(len(counts))) else counts[index]
    bins = some.reshape(len(some), ECE_BINS, FINE_BINS // ECE_BINS, 2)
    # Label by label: numpy's loop over so short a last axis takes ten times as long.
    return np.stack([bins[..., label].sum(axis=2, dtype=np.int64) for label in (0, 1)], axis=2)


def _sum_cells(cells: FloatArray, which: tuple[tuple[int, int], ...]) -> FloatArray:
    return np.asarray(sum(cells[:, label, predicted] for label, predicted in which))
