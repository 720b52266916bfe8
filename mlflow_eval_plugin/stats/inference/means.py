"""Brier score, log loss and calibration in the large as Quantities, from sums over rows.

A few dozen rows without an event show next to no variance, and limits that trusted it would be next to nothing wide. So
every variance is at least the one that the rows would have were their scores calibrated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from mlflow_eval_plugin.stats.arrays import FloatArray
from mlflow_eval_plugin.stats.inference.quantities import MeanQuantity, UnitMean, trials_of

NO_ROWS = "there are no rows with weight"
LEAST_EVENTS = 3.0  # an event that n rows do not show can still have the rate 3 / n, with 95 % confidence


@dataclass(frozen=True, eq=False)
class Sums:
    """Rows, sums of weights, and Kish's effective rows; each ``(S,)``."""

    n: NDArray[np.int64]
    weight: FloatArray
    effective: FloatArray

    def mean(self, total: FloatArray) -> FloatArray:
        """A sum over the weight; NaN where there is none."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.weight > 0, total / self.weight, np.nan)

    def variance(self, total: FloatArray, square: FloatArray) -> FloatArray:
        """The variance of row values from their sum and that of their squares; huge where one row is all there is."""
        population = np.maximum(self.mean(square) - self.mean(total) ** 2, 0.0)
        return population * self.effective / np.maximum(self.effective - 1, 1e-9)


def brier(sums: Sums, total: FloatArray, square: FloatArray, spread: FloatArray, spread_square: FloatArray) -> UnitMean:
    """The Brier score, from sums of the squared errors, of their squares, and of u = s (1 - s) and its square."""
    mean, expected = sums.mean(total), sums.mean(spread)
    # Given s, a squared error has the mean u and the variance u - 4 u**2 where the score is calibrated.
    calibrated = expected - 3 * sums.mean(spread_square) - expected**2
    variance = np.maximum(sums.variance(total, square), calibrated)
    return UnitMean(mean, trials_of(mean, variance, sums.effective), sums.n, sums.weight, NO_ROWS)


def in_the_large(
    sums: Sums, score: FloatArray, events: FloatArray, square_error: FloatArray, spread: FloatArray
) -> UnitMean:
    """The mean score less the event rate, from sums of scores, labels, squared errors and s (1 - s)."""
    rate, base = sums.mean(events), sums.mean(score)
    with np.errstate(divide="ignore"):
        least = LEAST_EVENTS / sums.effective
    seen = sums.variance(score - events, square_error)
    trials = trials_of(rate, np.maximum(np.maximum(seen, sums.mean(spread)), least), sums.effective)
    # Scores add to the variance of the labels, unless they go along with them.
    beyond = np.maximum(seen - rate * (1 - rate), 0.0) / sums.effective
    return UnitMean(rate, trials, sums.n, sums.weight, NO_ROWS, base, beyond)


def log_loss(
    sums: Sums, total: FloatArray, square: FloatArray, expected: FloatArray, expected_square: FloatArray
) -> MeanQuantity:
    """Log loss, from sums of the losses and their squares, as they are and as ``calibrated_loss`` has them."""
    calibrated = sums.mean(expected_square) - sums.mean(expected) ** 2
    variance = np.maximum(sums.variance(total, square), calibrated)
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.sqrt(variance / sums.effective)
    return MeanQuantity(sums.mean(total), error, sums.effective, sums.n, sums.weight, NO_ROWS)


def calibrated_loss(score: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The expected log loss, and the expected square of it, of a row whose score is calibrated."""
    expected = special.entr(score) + special.entr(1 - score)
    with np.errstate(divide="ignore", invalid="ignore"):
        square = score * np.log(score) ** 2 + (1 - score) * np.log1p(-score) ** 2
    return expected, np.nan_to_num(square)


def kish(weight: FloatArray, square: FloatArray) -> FloatArray:
    """Kish's effective number: (sum w)**2 / sum w**2; 0 where there is no weight."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(square > 0, weight**2 / square, 0.0)
