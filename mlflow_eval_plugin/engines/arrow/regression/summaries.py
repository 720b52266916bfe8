"""Rows into the Summaries of a regression: in chunks, each number split into the limbs of exact sums."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

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
from mlflow_eval_plugin.engines.arrow.counting import Lanes, chunked, counted
from mlflow_eval_plugin.engines.arrow.digest import row_digests
from mlflow_eval_plugin.engines.arrow.joint import Columns, cell_codes, size, tabulated
from mlflow_eval_plugin.engines.arrow.queries import sliced_columns
from mlflow_eval_plugin.engines.slicing import UNSLICED, Slicing
from mlflow_eval_plugin.stats.counts.exact_sums import add_parts, carried, empty_lane, parts_of, product
from mlflow_eval_plugin.stats.counts.fixed_point import Places, add_at
from mlflow_eval_plugin.stats.counts.slice import rows_countable
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.regression.folds import MOST_DISTINCT, Distinct, FoldSummary, fold_of
from mlflow_eval_plugin.stats.regression.names import level_text
from mlflow_eval_plugin.stats.regression.summary import (
    MOST_BINS,
    Band,
    MomentSummary,
    PredictionSummary,
    RegressionScale,
    checked_levels,
)

SUM_CELLS = 4096  # of a joint table: 6 MB; more costs more than the passes that it saves
LARGEST = 1e70  # fourth powers of larger numbers could overflow

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.int64]
Terms = tuple[str, tuple[FloatArray, ...]]  # the name of a lane, and numbers whose sum a row adds to it


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
    """

    target: FloatArray
    prediction: FloatArray
    quantiles: Mapping[float, FloatArray]
    intervals: tuple[Interval, ...]
    weight: FloatArray | None
    scale: RegressionScale
    frame: pd.DataFrame

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
) -> Predicted:
    """Check targets, predictions, quantiles, intervals and weights, and bring them into the form that is counted.

    Args:
        quantiles: level to predicted quantile. They may cross; see ``moment_summary``.
        intervals: name, level, lower and upper end.
        scale: for shards that are to be merged; that of these rows by default.

    Raises:
        InputError: for no rows, values that are no finite numbers, levels that do not increase inside (0, 1), an
            interval whose lower end is above its upper one, or a scale that is too small.
    """
    if len(rows) == 0:
        raise InputError("there are no rows to evaluate; expected at least one, check the filter that made the data")
    rows_countable(len(rows))

    def read(column: ColumnArgument, argument: str) -> FloatArray:
        return finite_numbers(column_of(rows, column, argument=argument), argument=argument, largest=LARGEST)

    y, p = read(target, "target"), read(prediction, "prediction")
    levels = checked_levels(tuple(quantiles or {}))
    by_level = {level: read((quantiles or {})[level], f"quantile {level_text(level)}") for level in levels}
    given = tuple(
        Interval(name, level, read(lower, f"interval {name!r} lower"), read(upper, f"interval {name!r} upper"))
        for name, level, lower, upper in intervals
    )
    for one in given:
        _ends_in_order(one)
    w = None if weight is None else checked_weights(column_of(rows, weight, argument="weight"))
    known = _scale(y, p, by_level, given, None if w is None else scale_of(w, scale.weight if scale else None), scale)
    return Predicted(y, p, by_level, given, w, known, rows)


def moment_summary(
    rows: pd.DataFrame,
    predicted: Predicted,
    *,
    slicing: Slicing = UNSLICED,
) -> MomentSummary:
    """Sum errors and targets by slice.

    Where predicted quantiles cross, ``pit`` counts those below the target in any order, as if the row's quantiles were
    sorted (Chernozhukov, Fernandez-Val & Galichon 2010); each quantile's own coverage and loss take it as it is.

    Args:
        rows: the data with the slice columns; neither changed nor copied.
        predicted: see ``predicted_rows``.
        slicing: what the rows are sliced by.

    Raises:
        InputError: for a slice column that is missing or cannot be cut.
        TooManyLevels: for a column with more than ``max_levels`` levels, or too many slices.
    """
    columns = sliced_columns(rows, slicing)
    return counted_moments(predicted, columns, slicing.depth)


def counted_moments(predicted: Predicted, columns: Columns, depth: int) -> MomentSummary:
    """``moment_summary`` of slice columns that are coded.

    Raises:
        TooManyLevels: for too many slices.
    """

    def count(some: Columns, rows: slice) -> Lanes:
        lanes: Lanes = {"cells": np.zeros(size(some), dtype=np.int64)}
        for part in chunks_of(predicted, rows):
            add_terms(part.moments(), lanes, cell_codes(some, part.rows))
        return lanes

    found, lanes = tabulated(count, len(predicted.target), columns, depth, cells=SUM_CELLS)
    return MomentSummary(
        slices=found,
        rows=lanes.pop("cells"),
        lanes={name: carried(lane) for name, lane in lanes.items()},
        scale=predicted.scale,
        weighted=predicted.weight is not None,
        levels=tuple(predicted.quantiles),
        bands=tuple(Band(one.name, one.level) for one in predicted.intervals),
    )


def prediction_summary(predicted: Predicted, *, edges: FloatArray | None = None) -> PredictionSummary:
    """Sum targets and errors by bin of the prediction; arguments as in ``fold_summary``."""
    chosen, exact = _chosen(predicted, edges)
    return _by_fold(predicted, 1, chosen, _places(predicted, chosen), exact)[0]


def prediction_folds(
    predicted: Predicted, folds: int, *, edges: FloatArray | None = None
) -> tuple[PredictionSummary, ...]:
    """Sum targets and errors by bin of the prediction, in folds of disjoint rows, which add up to all.

    Of shards take the ``fold_summary`` of each; arguments are the same.
    """
    return fold_summary(predicted, folds, edges=edges).folds


def fold_summary(predicted: Predicted, folds: int, *, edges: FloatArray | None = None) -> FoldSummary:
    """The same where shards are to be merged.

    Args:
        edges: increasing lower ends of the bins, for shards that are to be merged. By default each different prediction
            has a bin of its own, or where there are more than ``MOST_BINS`` the bins are equally full.
    """
    chosen, exact = _chosen(predicted, edges)
    places = _places(predicted, chosen)
    return FoldSummary(_by_fold(predicted, folds, chosen, places, exact), _distinct(predicted, places))


def _by_fold(
    predicted: Predicted, folds: int, edges: FloatArray, places: IntArray, exact: bool
) -> tuple[PredictionSummary, ...]:
    bins = len(edges)
    cells = places if folds == 1 else places + bins * fold_of(predicted.digests, folds)

    def count(rows: slice) -> Lanes:
        lanes: Lanes = {"cells": np.zeros(folds * bins, dtype=np.int64)}
        for part in chunks_of(predicted, rows):
            add_terms(part.by_prediction(), lanes, cells[part.rows])
        return lanes

    lanes = counted(len(predicted.target), count)
    n, weighted = lanes.pop("cells"), predicted.weight is not None
    sums = {name: carried(lane) for name, lane in lanes.items()}
    return tuple(
        PredictionSummary(
            edges, n[at : at + bins], {name: lane[at : at + bins] for name, lane in sums.items()}, predicted.scale,
            weighted, exact,
        )
        for at in range(0, folds * bins, bins)
    )  # fmt: skip


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


def _chosen(predicted: Predicted, edges: FloatArray | None) -> tuple[FloatArray, bool]:
    """The edges, and whether no bin holds two different predictions."""
    if edges is not None:
        return np.asarray(edges, dtype=np.float64), False
    return _bins(predicted.prediction)


def _places(predicted: Predicted, edges: FloatArray) -> IntArray:
    """The bin of every row."""
    return np.maximum(np.searchsorted(edges, predicted.prediction, side="right") - 1, 0).astype(np.int64)


def _bins(prediction: FloatArray) -> tuple[FloatArray, bool]:
    distinct = np.unique(prediction)
    if len(distinct) <= MOST_BINS:
        return distinct, True
    ordered = np.sort(prediction)
    return np.unique(ordered[(np.arange(MOST_BINS) * len(ordered)) // MOST_BINS]), False


def _distinct(predicted: Predicted, places: IntArray) -> Distinct | None:
    """The distinct rows, each with the place of its bin; None where they are more than ``MOST_DISTINCT``."""
    digests = predicted.digests
    if len(np.unique(digests[: 2 * MOST_DISTINCT])) > MOST_DISTINCT:  # as of most data
        return None
    key, first, rows = np.unique(digests, return_index=True, return_counts=True)
    if len(key) > MOST_DISTINCT:
        return None
    lanes: Lanes = {"cells": np.zeros(len(key), dtype=np.int64)}
    weight = None if predicted.weight is None else predicted.weight[first]
    once = replace(predicted, target=predicted.target[first], prediction=predicted.prediction[first], weight=weight)
    for part in chunks_of(once, slice(0, len(key))):
        add_terms(part.by_prediction(), lanes, np.arange(len(key))[part.rows])
    del lanes["cells"]
    return Distinct(key, rows.astype(np.int64), places[first], {name: carried(lane) for name, lane in lanes.items()})


def _ends_in_order(one: Interval) -> None:
    wrong = one.lower > one.upper
    if wrong.any():
        raise InputError(
            f"interval {one.name!r}: {how_many(wrong)} with a lower end above the upper one; are the columns swapped?"
        )


def _scale(
    y: FloatArray,
    p: FloatArray,
    quantiles: Mapping[float, FloatArray],
    intervals: Sequence[Interval],
    weight: float | None,
    given: RegressionScale | None,
) -> RegressionScale:
    centre = float(np.median(y)) if given is None else given.centre
    distances = [y - centre, p - y, *(q - y for q in quantiles.values())]
    distances += [end for one in intervals for end in (one.upper - one.lower, one.lower - y, one.upper - y)]
    largest = max(float(np.abs(one).max()) for one in distances)
    if given is None:
        return RegressionScale(centre, power_of_two(largest), weight or 1.0)
    if math.frexp(given.unit)[0] != 0.5 or given.unit < largest:
        raise InputError(
            f"scale: expected a unit that is a power of two at or above the largest distance {largest!r}, found "
            f"{given.unit!r}"
        )
    return given
