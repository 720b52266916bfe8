"""AUC of ranked rows, with DeLong's variance and the largest error that cells of several scores can have caused."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlflow_eval_plugin.stats.arrays import FloatArray
from mlflow_eval_plugin.stats.counts.ranks import Ranked


@dataclass(frozen=True, eq=False)
class Auc:
    """AUC per slice, shape ``(S,)``; NaN where a class is absent.

    Attributes:
        value: P(score of a positive > score of a negative) + P(equal) / 2; rows in one cell count as equal.
        standard_error: DeLong, DeLong & Clarke-Pearson (1988).
        bound: half the share of pairs in cells of several scores: the exact value is within it. 0 where ties are ties.
    """

    value: FloatArray
    standard_error: FloatArray
    bound: FloatArray


def auc(slices: Iterable[Ranked], effective: FloatArray) -> Auc:
    """AUC of every slice.

    Args:
        effective: Kish's effective rows by slice and label, ``(S, 2)``.
    """
    found = np.array([_area(one, *rows) for one, rows in zip(slices, effective.tolist(), strict=True)])
    return Auc(*found.reshape(-1, 3).T)


def placements(one: Ranked) -> tuple[FloatArray, FloatArray]:
    """The share of the other class that a row is ranked the right side of, ties counted half, by cell.

    Returns:
        Of negatives and of positives, each ``(K,)``; NaN where the other class has no weight.
    """
    beaten, beating = _below(one.negative), _below(one.positive)
    return np.subtract(1, beating, out=beating), beaten


def _below(amount: NDArray[Any]) -> FloatArray:
    # Whole numbers add up in a sixth of the time of floats, which wait for one another.
    sums = np.cumsum(amount)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((sums - amount / 2) / (sums[-1] if len(sums) else 0))


def _area(one: Ranked, negatives: float, positives: float) -> tuple[float, float, float]:
    negative, positive = one.negative.astype(np.float64), one.positive.astype(np.float64)
    pairs = float(negative.sum()) * float(positive.sum())
    if pairs == 0:
        return np.nan, np.inf, 0.0
    beating, beaten = placements(one)
    value = float((positive * beaten).sum() / positive.sum())
    bound = float((negative * positive)[one.mixed].sum() / (2 * pairs))
    if min(negatives, positives) <= 1:
        return value, np.inf, bound
    spread_positive = float((positive * (beaten - value) ** 2).sum() / positive.sum())
    spread_negative = float((negative * (beating - value) ** 2).sum() / negative.sum())
    variance = spread_positive / (positives - 1) + spread_negative / (negatives - 1)
    if spread_positive + spread_negative <= 0:
        variance = _hanley_mcneil(value, negatives, positives)
    return value, float(np.sqrt(variance)), bound


def _hanley_mcneil(value: float, negatives: float, positives: float) -> float:
    """Variance by Hanley & McNeil (1982), for separated classes: DeLong's is 0 there, which nobody should believe."""
    pairs = negatives * positives
    a = (value * pairs + 0.5) / (pairs + 1)
    q1, q2 = a / (2 - a), 2 * a**2 / (1 + a)
    return (a * (1 - a) + (positives - 1) * (q1 - a**2) + (negatives - 1) * (q2 - a**2)) / pairs
