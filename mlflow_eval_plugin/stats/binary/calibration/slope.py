"""Calibration slope and intercept: the logistic regression of labels on the logits of scores (Cox 1958).

- *slope*: ``b`` in ``logit P(y = 1) = a + b logit(s)``, with ``a`` free: below 1 where scores are too extreme, above 1
  where they are too timid.
- *intercept*: ``a`` with ``b = 1``, calibration in the large on the logit scale: above 0 where scores are too low (Van
  Calster et al. 2019, "Calibration: the Achilles heel of predictive analytics").

Rows of one score bin and label are taken at their mean score, or at the least of a cell's where it is not known. What
that can change is told as the bound: the Newton step that the true logits would add, to second order in the width of a
bin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import special

from mlflow_eval_plugin.stats.arrays import FloatArray
from mlflow_eval_plugin.stats.binary.summary import SCORE_BINS, ScoreSummary
from mlflow_eval_plugin.stats.counts.ranks import WIDEST_CELL, Ranked
from mlflow_eval_plugin.stats.counts.slice import over_labels
from mlflow_eval_plugin.stats.inference.means import kish
from mlflow_eval_plugin.stats.inference.wald import Wald

NEAREST = 1e-6  # scores nearer to 0 or 1 are taken for this near: the logit of 0 would outweigh all others
ONE_CLASS = "one of the two classes has no rows with weight"
NO_SLOPE = "no slope is the likeliest: a class is absent, or the scores tell the two apart without a mistake"
_SAME_SCORE = 1e-6  # variance of the place in a bin, of its width 1, below which all its rows have one score
_STEPS = 100


@dataclass(frozen=True, eq=False)
class LogitCells:
    """Rows of one score bin and one label at a time; arrays of one length.

    Attributes:
        score: what stands for the scores of a cell, in [lower, upper].
        label: 0 or 1.
        weight, square: sums of w and of w**2.
        variance: the variance of the scores in a cell about ``score``; NaN where that is not known to be their mean.
    """

    score: FloatArray
    label: FloatArray
    weight: FloatArray
    square: FloatArray
    lower: FloatArray
    upper: FloatArray
    variance: FloatArray

    @cached_property
    def logit(self) -> FloatArray:
        """The logits of the scores."""
        return logit(self.score)

    @cached_property
    def columns(self) -> FloatArray:
        """One and the logit, ``(B, 2)``."""
        return np.stack([np.ones_like(self.score), self.logit], axis=1)

    @cached_property
    def by_label(self) -> FloatArray:
        """The weights by label, ``(B, 2)``."""
        return np.stack([self.weight * (self.label == 0), self.weight * (self.label == 1)], axis=1)

    @cached_property
    def fitted(self) -> FloatArray | None:
        """The likeliest intercept and slope; None where there are none."""
        return None if self.separated else likeliest(self.columns, self.by_label)

    @property
    def one_class(self) -> bool:
        """Whether a class has no weight."""
        return bool((self.label == self.label[:1]).all())

    @property
    def separated(self) -> bool:
        """Whether no slope is the likeliest: no row of one class lies beyond one of the other."""
        if self.one_class:
            return True
        x = self.logit
        negative, positive = x[self.label == 0], x[self.label == 1]
        return bool(negative.max() <= positive.min() or positive.max() <= negative.min())


@dataclass(frozen=True)
class CoxTest:
    """The joint fit, and the score test that it is 0 and 1: chi-squared if it is; None where undefined."""

    intercept: float | None
    slope: float | None
    chi_squared: float | None
    degrees_of_freedom: int
    p_value: float | None


def cells_of(summary: ScoreSummary) -> LogitCells:
    """The occupied score bins of each label, at their mean scores."""
    used, label = np.nonzero(summary.w > 0)
    weight, offset, square = (lane[used, label] for lane in (summary.w, summary.w_offset, summary.w_offset_square))
    place = np.clip(offset / weight, 0.0, 1.0)
    return LogitCells(
        score=(used + place) / SCORE_BINS,
        label=label.astype(np.float64),
        weight=weight,
        square=summary.w_square[used, label],
        lower=used / SCORE_BINS,
        upper=(used + 1) / SCORE_BINS,
        variance=np.maximum(square / weight - place**2, 0.0) / SCORE_BINS**2,
    )


def cells_of_ranked(one: Ranked, unit: float, inflation: float) -> LogitCells:
    """The scores of each label; where several share a cell, the least of them.

    Args:
        unit: what one of the amounts is as a weight.
        inflation: sum of w**2 over sum of w.
    """
    amount = np.stack([one.negative, one.positive], axis=1) * unit
    used, label = np.nonzero(amount > 0)
    weight, score, mixed = amount[used, label], one.score[used], one.mixed[used]
    return LogitCells(
        score=score,
        label=label.astype(np.float64),
        weight=weight,
        square=weight * inflation,
        lower=score,
        upper=np.where(mixed, score + WIDEST_CELL * np.minimum(score, 1 - score), score),
        variance=np.where(mixed, np.nan, 0.0),
    )


def slope(cells: Sequence[LogitCells], rows: NDArray[np.int64]) -> Wald:
    """The calibration slopes, one a set of cells; NaN without rows of both classes, or where they are separated."""
    return _wald([_slope(one) for one in cells], cells, rows, NO_SLOPE)


def intercept(cells: Sequence[LogitCells], rows: NDArray[np.int64]) -> Wald:
    """The calibration intercepts at slope 1, one a set of cells; NaN without rows of both classes."""
    return _wald([_intercept(one) for one in cells], cells, rows, ONE_CLASS)


def cox_test(cells: LogitCells) -> CoxTest:
    """Cox's test of intercept 0 and slope 1 together, as a score test: U' M^-1 U on two degrees of freedom.

    U is the sum of w (y - s) (1, x) over the rows, M that of w**2 s (1 - s) (1, x)(1, x)'.
    """
    columns = cells.columns
    a, b = (None, None) if cells.fitted is None else cells.fitted.tolist()
    score = special.expit(cells.logit)
    pull = _pulls(columns, cells.weight * (cells.label - score))
    spread = _information(columns, cells.square * score * (1 - score))
    if np.linalg.matrix_rank(spread) < 2:
        return CoxTest(a, b, None, 2, None)
    statistic = float(pull @ np.linalg.solve(spread, pull))
    return CoxTest(a, b, statistic, 2, float(special.chdtrc(2, statistic)))


def likeliest(
    columns: FloatArray, weight: FloatArray, offset: FloatArray | float = 0.0, start: FloatArray | None = None
) -> FloatArray | None:
    """Coefficients of a weighted logistic regression by Newton's method, ``(P,)``; None where they have no end.

    Args:
        columns: ``(B, P)``.
        weight: by label, ``(B, 2)``.
        offset: what is added to the linear predictor.
        start: coefficients to begin with, where some are known to be near.
    """
    total, events = over_labels(weight), weight[:, 1]
    found = np.zeros(columns.shape[1]) if start is None else start
    for _ in range(_STEPS):
        expected = special.expit(_predictor(columns, found) + offset)
        pull = _pulls(columns, events - total * expected)
        curve = _information(columns, total * expected * (1 - expected))
        if not np.linalg.cond(curve) <= 1e14:  # ever steeper: no row is left near the middle
            return None
        step = np.linalg.solve(curve, pull)
        # Far steps overshoot where the start is far from the end.
        found = found + step * min(1.0, 4.0 / max(np.abs(step).max(), 1e-300))
        if np.abs(step).max() < 1e-10 * (1 + np.abs(found).max()):
            return np.asarray(found)
    return None


# Sums of numpy's own rather than products of matrices, which BLAS shares out to its threads: they cost more than they
# save on so few columns, and their number would be in the last digits.


def _predictor(columns: FloatArray, coefficients: FloatArray) -> FloatArray:
    return np.asarray(sum(column * one for column, one in zip(columns.T, coefficients, strict=True)))


def _pulls(columns: FloatArray, residual: FloatArray) -> FloatArray:
    return np.array([(column * residual).sum() for column in columns.T])


def _information(columns: FloatArray, weight: FloatArray) -> FloatArray:
    return np.array([_pulls(columns, column * weight) for column in columns.T])


def logit(score: FloatArray) -> FloatArray:
    """Logits, with scores nearer than ``NEAREST`` to 0 or 1 taken for that near."""
    return np.asarray(special.logit(np.clip(score, NEAREST, 1 - NEAREST)))


_Found = tuple[float, float, float]
_UNDEFINED: _Found = (np.nan, np.nan, np.nan)


def _wald(found: list[_Found], cells: Sequence[LogitCells], rows: NDArray[np.int64], reason: str) -> Wald:
    value, error, bound = np.array(found, dtype=np.float64).reshape(-1, 3).T
    # A slope rests on the rows of the smaller class.
    smaller = [min(_effective(one, label) for label in (0, 1)) for one in cells]
    return Wald(value, error, np.array(smaller) - 1, bound, rows, reason)


def _effective(cells: LogitCells, label: int) -> float:
    of = cells.label == label
    return float(kish(cells.weight[of].sum(keepdims=True), cells.square[of].sum(keepdims=True))[0])


def _slope(cells: LogitCells) -> _Found:
    fitted = cells.fitted
    if fitted is None:
        return _UNDEFINED
    error, influence = _spread(cells, cells.columns, special.expit(_predictor(cells.columns, fitted)))
    return float(fitted[1]), error, _bound(cells, float(fitted[0]), float(fitted[1]), influence)


def _intercept(cells: LogitCells) -> _Found:
    ones = np.ones((len(cells.score), 1))
    fitted = None if cells.one_class else likeliest(ones, cells.by_label, cells.logit)
    if fitted is None:
        return _UNDEFINED
    error, influence = _spread(cells, ones, special.expit(cells.logit + fitted[0]))
    return float(fitted[0]), error, _bound(cells, float(fitted[0]), 1.0, np.array([*influence, 0.0]))


def _spread(cells: LogitCells, columns: FloatArray, expected: FloatArray) -> tuple[float, FloatArray]:
    """Standard error of the last coefficient, and the last row of the inverse information.

    The sandwich (Huber 1967; White 1982) once with the residuals seen and once with those expected, of which a few rows
    can show too little; the larger counts. Without weights the latter is the inverse information.
    """
    variance = expected * (1 - expected)
    bread = np.linalg.inv(_information(columns, cells.weight * variance))
    each = _predictor(columns, bread[-1])
    seen = (cells.square * (cells.label - expected) ** 2 * each**2).sum()
    return float(np.sqrt(max(seen, (cells.square * variance * each**2).sum()))), bread[-1]


def _bound(cells: LogitCells, a: float, b: float, influence: FloatArray) -> float:
    """The largest Newton step that the rows' own logits could add, where a row pulls by (y - p) (c0 + c1 x)."""
    ends = [_pull(cells, one, a, b, influence) for one in (cells.lower, cells.score, cells.upper)]
    across = np.maximum(np.abs(ends[0][0] - ends[1][0]), np.abs(ends[2][0] - ends[1][0]))
    curved = np.max([np.abs(curve) for _, curve in ends], axis=0) * cells.variance / 2
    alike = (cells.variance < _SAME_SCORE * (cells.upper - cells.lower) ** 2) | (cells.upper == cells.lower)
    # Where the variance is not known, or logits stop growing within the bin, what a whole bin can move counts.
    smooth = (cells.lower >= NEAREST) & (cells.upper <= 1 - NEAREST)
    moved = np.where(smooth, np.fmin(across, curved), across)
    return float((cells.weight * np.where(alike, 0.0, moved)).sum())


def _pull(
    cells: LogitCells, score: FloatArray, a: float, b: float, influence: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """The pull of a row at this score, and its second derivative by the score."""
    s, (c0, c1) = np.clip(score, NEAREST, 1 - NEAREST), influence
    x, p = logit(score), special.expit(a + b * logit(score))
    rest, share, first = cells.label - p, c0 + c1 * x, b * p * (1 - p)
    by_x = rest * c1 - first * share
    by_xx = -2 * first * c1 - b * first * (1 - 2 * p) * share
    slope_of_x = 1 / (s * (1 - s))
    return rest * share, by_xx * slope_of_x**2 + by_x * (2 * s - 1) * slope_of_x**2
