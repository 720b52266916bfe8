"""Custom metrics of slices, with intervals: functions of the rows themselves, and what all such metrics share.

    row_metric(name, function, rows) -> RowMaker         a function of arrays, by a jackknife of blocks of rows

Functions of what was counted are in the ``user_metrics`` of each task. A Maker gives a table of slices the Quantity of
a metric that it does not know itself. Limits are Student's around the value, with the standard error of the resamples.
Where the resamples do not vary, or the metric is undefined in some of them, there is no interval: no resample of twelve
rows without a mistake shows one, and that is no certainty.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.inference.wald import Wald
from mlflow_eval_plugin.stats.slices.gaps import MetricTable

REPLICATES = 200
BLOCKS = 50
UNDEFINED = "the metric is not a finite number here"
RowMaker = Callable[[MetricTable, bool], Wald]
RowFunction = Callable[[Any, Any, Any, Any], Any]


@dataclass(frozen=True, eq=False)
class SliceRows:
    """Rows in an order that depends on their values alone, and which of them are in each slice.

    Attributes:
        arrays: label, score, prediction and weight, each ``(N,)``, or scores of ``K`` classes ``(N, K)``. Labels and
            predictions are 0 or 1, or classes as text, or numbers where they are predicted; the score is None where
            there are only predictions.
        members: the places of the rows of each slice, ascending.
    """

    arrays: tuple[NDArray[Any], NDArray[Any] | None, NDArray[Any], NDArray[Any]]
    members: tuple[NDArray[np.intp], ...]

    def of(self, index: int, complement: bool) -> NDArray[np.intp]:
        """The places of the rows of one slice, or of all others."""
        if not complement:
            return self.members[index]
        others = np.ones(len(self.arrays[0]), dtype=bool)
        others[self.members[index]] = False
        return np.flatnonzero(others)

    def values(self, places: NDArray[np.intp]) -> tuple[Any, ...]:
        """The arrays at these places, as copies."""
        return tuple(None if one is None else one[places] for one in self.arrays)


def row_metric(
    name: str, function: RowFunction, rows: Callable[[MetricTable], SliceRows], *, seed: int = 0
) -> RowMaker:
    """A metric of the arrays ``(label, score, prediction, weight)`` of a slice's rows.

    The function is called once with the rows of a slice and once without each of 50 blocks of them, drawn with a fixed
    seed from rows in the order of their values, so that the order of the data does not matter (Efron & Tibshirani 1993,
    "An introduction to the bootstrap", section 11.5: the jackknife of blocks).

    Args:
        rows: gives the rows of the slices of a table.

    Raises:
        InputError: from the Maker, when the function fails or does not give a number; names metric and slice.
    """

    def make(table: MetricTable, complement: bool) -> Wald:
        given = rows(table)
        found = []
        for index, label in enumerate(labels_of(table, complement)):
            found.append(_jackknifed(name, function, given, given.of(index, complement), label, seed))
        value, error, df, n = np.array(found, dtype=np.float64).T
        return Wald(value, error, df, np.zeros(len(value)), n.astype(np.int64), UNDEFINED)

    return make


def _jackknifed(
    name: str, function: RowFunction, rows: SliceRows, places: NDArray[np.intp], label: str, seed: int
) -> tuple[float, float, float, float]:
    n = len(places)
    value = called(name, function, label, *rows.values(places)) if n else math.nan
    blocks = min(BLOCKS, n)
    if math.isnan(value) or blocks < 2:
        return value, math.inf, 0.0, n
    block = np.random.default_rng(seed).permutation(n) % blocks
    without = [called(name, function, label, *rows.values(places[block != one])) for one in range(blocks)]
    spread = np.array(without) - np.mean(without)
    return value, finite_error(math.sqrt((blocks - 1) / blocks * float((spread**2).sum()))), blocks - 1.0, n


def own_draws(label: str, seed: int) -> np.random.Generator:
    """The random numbers of a slice, which are the same whatever the other slices are."""
    own = int.from_bytes(hashlib.sha256(label.encode()).digest()[:8], "big")
    return np.random.default_rng([seed, own])


def finite_error(error: float) -> float:
    """A standard error, infinite where resamples gave none: then there is no interval."""
    return error if error > 0 and math.isfinite(error) else math.inf


def called(name: str, function: Callable[..., Any], label: str, *given: Any) -> float:
    """What a user's function says; NaN where that is not finite or it divides by zero.

    Raises:
        InputError: when it fails otherwise, or what it gives is no number.
    """
    try:
        with np.errstate(all="ignore"):
            found = function(*given)
    except ZeroDivisionError:
        return math.nan
    except Exception as error:
        raise InputError(f"metrics: {name!r} failed on slice {label!r}: {type(error).__name__}: {error}") from error
    if isinstance(found, (np.ndarray, np.generic)) and np.ndim(found) == 0:
        found = found.item()
    if isinstance(found, bool) or not isinstance(found, (int, float)):
        kind = type(found).__name__
        raise InputError(f"metrics: {name!r} of slice {label!r}: expected the function to give a number, found {kind}")
    return float(found) if math.isfinite(found) else math.nan


def labels_of(table: MetricTable, complement: bool) -> list[str]:
    """What each slice, or everything but it, is called in messages."""
    labels = [one.label for one in table.slices]
    return [f"not {label}" for label in labels] if complement else labels
