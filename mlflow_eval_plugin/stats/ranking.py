"""AUC from binned scores, with DeLong's variance and the largest error that binning can have caused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlflow_eval_plugin.stats.intervals import FloatArray

BLOCK = 16  # slices at a time, so that the temporaries stay in the cache


@dataclass(frozen=True, eq=False)
class Auc:
    """AUC per slice, shape ``(S,)``; NaN where a class is absent.

    Attributes:
        value: P(score of a positive > score of a negative) + P(equal) / 2; rows in one bin count as equal.
        standard_error: DeLong, DeLong & Clarke-Pearson (1988).
        bound: half the share of pairs that fall into one bin: the exact value is within it.
    """

    value: FloatArray
    standard_error: FloatArray
    bound: FloatArray


def auc(weights: NDArray[Any], effective: FloatArray) -> Auc:
    """AUC of every slice from its histogram.

    Args:
        weights: sums of weights by slice, bin (ascending scores) and label, ``(S, B, 2)``.
        effective: Kish's effective rows by slice and label, ``(S, 2)``.
    """
    blocks = range(0, max(len(weights), 1), BLOCK)
    parts = [_block(weights[i : i + BLOCK], effective[i : i + BLOCK]) for i in blocks]
    return Auc(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def placements(weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The share of the other class that a row is ranked the right side of, ties counted half, by slice and bin.

    Args:
        weights: sums of weights by slice, bin (ascending scores) and label, ``(S, B, 2)``.

    Returns:
        Of negatives and of positives, each ``(S, B)``; NaN where the other class has no weight.
    """
    negative, positive = weights[:, :, 0].astype(np.float64), weights[:, :, 1].astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        beaten = (np.cumsum(negative, axis=1) - negative / 2) / negative.sum(axis=1)[:, None]
        beating = 1 - (np.cumsum(positive, axis=1) - positive / 2) / positive.sum(axis=1)[:, None]
    return beating, beaten


def _block(weights: FloatArray, effective: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    negative, positive = weights[:, :, 0].astype(np.float64), weights[:, :, 1].astype(np.float64)
    total_negative, total_positive = negative.sum(axis=1), positive.sum(axis=1)
    beating, beaten = placements(weights)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = (positive * beaten).sum(axis=1) / total_positive
        spread_positive = (positive * (beaten - value[:, None]) ** 2).sum(axis=1) / total_positive
        spread_negative = (negative * (beating - value[:, None]) ** 2).sum(axis=1) / total_negative
        variance = spread_positive / (effective[:, 1] - 1) + spread_negative / (effective[:, 0] - 1)
        bound = (negative * positive).sum(axis=1) / (2 * total_negative * total_positive)
        variance = np.where(spread_positive + spread_negative > 0, variance, _hanley_mcneil(value, effective))
    alone = np.minimum(effective[:, 0], effective[:, 1]) <= 1
    return value, np.sqrt(np.where(alone, np.inf, variance)), bound


def _hanley_mcneil(value: FloatArray, effective: FloatArray) -> FloatArray:
    """Variance by Hanley & McNeil (1982), for separated classes: DeLong's is 0 there, which nobody should believe."""
    negatives, positives = effective[:, 0], effective[:, 1]
    pairs = negatives * positives
    a = (value * pairs + 0.5) / (pairs + 1)
    q1, q2 = a / (2 - a), 2 * a**2 / (1 + a)
    return (a * (1 - a) + (positives - 1) * (q1 - a**2) + (negatives - 1) * (q2 - a**2)) / pairs
