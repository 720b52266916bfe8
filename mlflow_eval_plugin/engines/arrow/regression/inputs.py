"""What the rows of a regression must be before anything is counted, and how they are read in chunks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlflow_eval_plugin.engines.arrow.columns.inputs import (
    ColumnArgument,
    checked_weights,
    column_of,
    finite_numbers,
    how_many,
    power_of_two,
    scale_of,
)
from mlflow_eval_plugin.engines.arrow.counting import Lanes, chunked
from mlflow_eval_plugin.engines.arrow.digest import row_digests
from mlflow_eval_plugin.engines.arrow.sampling import of_sample
from mlflow_eval_plugin.stats.arrays import FloatArray
from mlflow_eval_plugin.stats.counts.exact_sums import add_parts, empty_lane, parts_of, product
from mlflow_eval_plugin.stats.counts.fixed_point import Places, add_at
from mlflow_eval_plugin.stats.counts.slice import rows_countable
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.regression.names import level_text
from mlflow_eval_plugin.stats.regression.summary import (
    RegressionScale,
    checked_levels,
)

Terms = tuple[str, tuple[FloatArray, ...]]  # the name of a lane, and numbers whose sum a row adds to it

LARGEST = 1e70  # fourth powers of larger numbers could overflow


@dataclass(frozen=True, eq=False)
class Interval:
    """A predicted interval of every row: by its name, the share of rows that it claims to hold, and its two ends."""

    name: str
    level: float
    lower: FloatArray
    upper: FloatArray


@dataclass(frozen=True, eq=False)
class Predicted:
    """Rows of a regression that can be counted; arrays of one length, all finite.

    Attributes:
        quantiles: by level, increasing.
        weight: non-negative; None when unweighted.
        frame: the data, by which rows that are predicted alike are told apart.
        sample: the places of the rows that bins of predictions are of; None where that is all of them.
    """

    target: FloatArray
    prediction: FloatArray
    quantiles: Mapping[float, FloatArray]
    intervals: tuple[Interval, ...]
    weight: FloatArray | None
    scale: RegressionScale
    frame: pd.DataFrame
    sample: NDArray[np.intp] | None = None

    @cached_property
    def digests(self) -> NDArray[np.uint64]:
        """64 bits of all that each row holds."""
        known = (self.target, self.prediction, self.weight)
        return row_digests(self.frame, *(one for one in known if one is not None))


def predicted_rows(
    rows: pd.DataFrame,
    *,
    target: ColumnArgument,
    prediction: ColumnArgument,
    quantiles: Mapping[float, ColumnArgument] | None = None,
    intervals: Sequence[tuple[str, float, ColumnArgument, ColumnArgument]] = (),
    weight: ColumnArgument | None = None,
    scale: RegressionScale | None = None,
    sample: NDArray[np.intp] | None = None,
) -> Predicted:
    """Check targets, predictions, quantiles, intervals and weights, and bring them into the form that is counted.

    Args:
        quantiles: level to predicted quantile. They may cross; see ``moment_summary``.
        intervals: name, level, lower and upper end.
        scale: for shards that are to be merged; that of these rows by default.
        sample: the places of the rows that the centre and bins of predictions are of; all rows by default.

    Raises:
        InputError: for no rows, values that are no finite numbers, levels that do not increase inside (0, 1), an
            interval whose lower end is above its upper one, or a scale that is too small.
    """
    _require_rows(len(rows))

    def read(column: ColumnArgument, argument: str) -> FloatArray:
        return finite_numbers(column_of(rows, column, argument=argument), argument=argument, largest=LARGEST)

    y, p = read(target, "target"), read(prediction, "prediction")
    levels = checked_levels(tuple(quantiles or {}))
    by_level = {level: read((quantiles or {})[level], f"quantile {level_text(level)}") for level in levels}
    given = tuple(
        Interval(name, level, read(lower, f"interval {name!r} lower"), read(upper, f"interval {name!r} upper"))
        for name, level, lower, upper in intervals
    )
    _ends_in_order(given)
    w, unit = _weights(rows, weight, scale)
    largest = largest_distance(y, p, by_level, given)
    known = scale or scale_on(float(np.median(of_sample(y, sample))), y, largest, unit)
    return Predicted(y, p, by_level, given, w, _right(known, y, largest), rows, sample)


@dataclass(frozen=True, eq=False)
class PredictedChunk:
    """Some rows, relative to the scale."""

    rows: slice
    all: Predicted

    @property
    def weight(self) -> FloatArray:
        """Weights, at most 1."""
        given = self.all.weight
        return np.ones(len(self.target)) if given is None else given[self.rows] / self.all.scale.weight

    @property
    def target(self) -> FloatArray:
        """Targets less the centre."""
        return self._scaled(self.all.target[self.rows] - self.all.scale.centre)

    @property
    def error(self) -> FloatArray:
        """Predictions less targets."""
        return self._scaled(self.all.prediction[self.rows] - self.all.target[self.rows])

    def moments(self) -> Iterator[Terms]:
        """What a MomentSummary sums."""
        w, y, e = self.weight, self.target, self.error
        yield from self._shared(w, y, e)
        we, wy = w * e * e, w * y * y
        yield "a", (w * np.abs(e),)
        yield "eee", (we * e,)
        yield "eeee", (we * e * e,)
        yield "eey", (we * y,)
        yield "eeyy", (we * y * y,)
        yield "yyy", (wy * y,)
        yield "yyyy", (wy * y * y,)
        yield from self._quantiles(w)
        for one in self.all.intervals:
            yield from self._interval(one, w)

    def by_prediction(self) -> Iterator[Terms]:
        """What a PredictionSummary sums."""
        w, y, e = self.weight, self.target, self.error
        p = self._scaled(self.all.prediction[self.rows] - self.all.scale.centre)
        yield from self._shared(w, y, e)
        yield "p", (w * p,)
        yield "pp", (w * p * p,)

    def _shared(self, w: FloatArray, y: FloatArray, e: FloatArray) -> Iterator[Terms]:
        yield "w", (w,)
        yield "ww", (w * w,)
        yield "e", (w * e,)
        yield "ee", (w * e * e,)
        # The variance of the target is the difference of these two, so they are exact.
        high, low = product(y, y)
        yield "y", product(w, y)
        yield "yy", (*product(w, high), w * low)

    def _quantiles(self, w: FloatArray) -> Iterator[Terms]:
        y = self.all.target[self.rows]
        below = np.zeros(len(y), dtype=np.int64)
        last, crossing = np.full(len(y), -np.inf), np.zeros(len(y), dtype=bool)
        for level, quantiles in self.all.quantiles.items():
            q, name = quantiles[self.rows], level_text(level)
            loss = self._scaled(np.where(y >= q, level * (y - q), (1 - level) * (q - y)))
            yield f"under:{name}", (w * (y <= q),)
            yield f"loss:{name}", (w * loss,)
            yield f"loss2:{name}", (w * loss * loss,)
            below, crossing, last = below + (q < y), crossing | (q < last), np.maximum(q, last)
        if self.all.quantiles:
            yield "crossing", (w * crossing,)
            for k in range(len(self.all.quantiles) + 1):
                yield f"pit:{k}", (w * (below == k),)

    def _interval(self, one: Interval, w: FloatArray) -> Iterator[Terms]:
        y, lower, upper = self.all.target[self.rows], one.lower[self.rows], one.upper[self.rows]
        width = self._scaled(upper - lower)
        score = (1 - one.level) / 2 * width + self._scaled(np.maximum(np.maximum(lower - y, y - upper), 0.0))
        yield f"inside:{one.name}", (w * ((lower <= y) & (y <= upper)),)
        yield f"width:{one.name}", (w * width,)
        yield f"width2:{one.name}", (w * width * width,)
        yield f"score:{one.name}", (w * score,)
        yield f"score2:{one.name}", (w * score * score,)

    def _scaled(self, values: FloatArray) -> FloatArray:
        return np.asarray(values / self.all.scale.unit)


def chunks_of(predicted: Predicted, rows: slice) -> Iterator[PredictedChunk]:
    """Some of the rows, a chunk at a time."""
    return (PredictedChunk(part, predicted) for part in chunked(rows))


def add_terms(terms_of: Iterator[Terms], lanes: Lanes, cell: Places) -> None:
    """Count the rows by cell, and add the terms to the lanes that they name."""
    add_at(lanes["cells"], cell, np.ones(len(cell), dtype=np.int64))
    for name, terms in terms_of:
        lane = lanes.setdefault(name, empty_lane(len(lanes["cells"])))
        for term in terms:
            add_parts(lane, cell, parts_of(term))


def _weights(
    rows: pd.DataFrame, weight: ColumnArgument | None, scale: RegressionScale | None
) -> tuple[FloatArray | None, float | None]:
    if weight is None:
        return None, None
    found = checked_weights(column_of(rows, weight, argument="weight"), part=scale is not None)
    return found, scale_of(found, scale.weight if scale else None)


def _require_rows(rows: int) -> None:
    if rows == 0:
        raise InputError("there are no rows to evaluate; expected at least one, check the filter that made the data")
    rows_countable(rows)


def _ends_in_order(intervals: Sequence[Interval]) -> None:
    for one in intervals:
        wrong = one.lower > one.upper
        if wrong.any():
            raise InputError(
                f"interval {one.name!r}: {how_many(wrong)} with a lower end above the upper one; are the columns "
                "swapped?"
            )


def largest_distance(
    y: FloatArray, p: FloatArray, quantiles: Mapping[float, FloatArray], intervals: Sequence[Interval]
) -> float:
    """The largest of the errors, of distances of quantiles and ends of intervals from the target, and of widths."""
    distances = [p - y, *(q - y for q in quantiles.values())]
    distances += [end for one in intervals for end in (one.upper - one.lower, one.lower - y, one.upper - y)]
    return max(float(np.abs(one).max()) for one in distances)


def scale_on(centre: float, ends: FloatArray, largest: float, weight: float | None) -> RegressionScale:
    """The scale of rows.

    Args:
        ends: targets, the smallest and the largest among them.
        largest: see ``largest_distance``.
        weight: the power of two at or above the largest weight; None when unweighted.
    """
    return RegressionScale(centre, power_of_two(max(largest, float(np.abs(ends - centre).max()))), weight or 1.0)


def _right(given: RegressionScale, y: FloatArray, largest: float) -> RegressionScale:
    largest = max(largest, float(np.abs(y - given.centre).max()))
    if math.frexp(given.unit)[0] != 0.5 or given.unit < largest:
        raise InputError(
            f"scale: expected a unit that is a power of two at or above the largest distance {largest!r}, found "
            f"{given.unit!r}"
        )
    return given
