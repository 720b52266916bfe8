"""Rows for the search of weak slices: coded columns and one error a row, counted cell by cell.

Errors are fixed-point integers, so that the order of rows changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlflow_eval_plugin.engines.inputs import ColumnArgument, Scored, require_columns, scored_rows
from mlflow_eval_plugin.engines.levels import CodedColumn, coded_columns, slice_of
from mlflow_eval_plugin.engines.scores import CHUNK_ROWS, chunks
from mlflow_eval_plugin.stats.chance import SPECTRUM_BINS, Spectrum
from mlflow_eval_plugin.stats.errors import TooManyLevels
from mlflow_eval_plugin.stats.slice_lattice import Codes, Errors
from mlflow_eval_plugin.stats.summaries import LOSS_ONE, LOSS_SQUARE_ONE, ONE, Slice

ErrorKind = Literal["log_loss", "brier", "wrong"]
_SAMPLE = 1000

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class PassedOver:
    """A column that is not searched, and why."""

    column: str
    reason: str


def searched_columns(
    rows: pd.DataFrame,
    columns: Sequence[str],
    *,
    edges: Mapping[str, Sequence[float]],
    quantiles: Mapping[str, int],
    bands: int,
    max_levels: int,
    as_given: bool,
) -> tuple[tuple[CodedColumn, ...], tuple[PassedOver, ...]]:
    """Columns by name, coded, and those that cannot be searched.

    Args:
        edges, quantiles: how to cut some of the columns, as in ``slice_summary``.
        bands: into how many full intervals other numbers are cut, where they have more values than that.
        as_given: the columns were asked for by name, so that too many levels are an error.

    Raises:
        InputError: for a column that is missing, or edges that cannot be used.
        TooManyLevels: with ``as_given``, for a column of more than ``max_levels`` levels.
    """
    argument = "search" if as_given else "slices"
    require_columns(rows, list(columns), argument=argument)
    coded, passed_over = [], []
    for name in sorted(set(columns)):
        own_edges = {name: edges[name]} if name in edges else {}
        parts = {name: quantiles[name]} if name in quantiles else {}
        if not own_edges and not parts and _are_many_numbers(rows[name], bands):
            parts = {name: bands}
        try:
            (column,) = coded_columns(
                rows, [name], edges=own_edges, quantiles=parts, max_levels=max_levels, argument=argument
            )
        except TooManyLevels:
            if as_given:
                raise
            passed_over.append(PassedOver(name, f"more than {max_levels} levels"))
            continue
        if len(column.levels) < 2:
            passed_over.append(PassedOver(name, "the same in all rows"))
        else:
            coded.append(column)
    return tuple(coded), tuple(passed_over)


def error_counts(
    rows: pd.DataFrame,
    columns: Sequence[CodedColumn],
    *,
    label: ColumnArgument,
    score: ColumnArgument,
    error: ErrorKind,
    threshold: float,
) -> ErrorCounts:
    """What ``weak_slices`` asks of rows.

    Args:
        label, score: as in ``score_summary``.
        error: ``log_loss`` in nats, ``brier`` (the squared error), or ``wrong`` (1 where a row is decided wrongly).
        threshold: rows with ``score >= threshold`` are decided as positive.

    Raises:
        InputError: when labels or scores cannot be evaluated.
    """
    scored = scored_rows(rows, label=label, score=score, pos_label=None, weight=None, weight_scale=None)
    codes = tuple(column.codes.astype(np.min_scalar_type(len(column.levels))) for column in columns)
    return ErrorCounts(
        tuple((column.name, column.levels) for column in columns), codes, _errors(scored, error, threshold)
    )


def _are_many_numbers(column: pd.Series[Any], bands: int) -> bool:
    if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        return False
    return column.iloc[:_SAMPLE].nunique() > bands or column.nunique() > bands


def _errors(scored: Scored, error: ErrorKind, threshold: float) -> IntArray:
    errors = np.empty(len(scored.score), dtype=np.int64)
    for chunk in chunks(scored):
        if error == "wrong":
            value = ((chunk.score >= threshold) != chunk.label).astype(np.float64)
        else:
            value = chunk.loss if error == "log_loss" else chunk.error**2
        errors[chunk.rows] = chunk.fixed(value, LOSS_ONE)
    return errors


@dataclass(frozen=True, eq=False)
class ErrorCounts:
    """See ``slice_lattice.ErrorCounter``.

    Attributes:
        columns: names with their levels.
        codes: for every column the level of each row.
        errors: in units of ``1 / LOSS_ONE``.
    """

    columns: tuple[tuple[str, tuple[str, ...]], ...]
    codes: tuple[NDArray[Any], ...]
    errors: IntArray

    @property
    def levels(self) -> tuple[int, ...]:
        """How many levels each column has."""
        return tuple(len(levels) for _, levels in self.columns)

    @property
    def one(self) -> float:
        """The error 1."""
        return LOSS_ONE

    @property
    def spectrum(self) -> Spectrum:
        """The errors of all rows."""
        largest = int(self.errors.max())
        place = self.errors * (SPECTRUM_BINS / max(largest, 1))
        bins = np.minimum(place.astype(np.int64), SPECTRUM_BINS - 1)
        offset = np.zeros(SPECTRUM_BINS, dtype=np.int64)
        np.add.at(offset, bins, np.rint((place - bins) * ONE).astype(np.int64))
        return Spectrum(np.bincount(bins, minlength=SPECTRUM_BINS), offset, largest / LOSS_ONE, _square(self.errors))

    def split(self, columns: tuple[int, ...], cells: Codes) -> RowsOfCells:
        """The rows of some cells."""
        rows, place = np.arange(len(self.errors)), np.zeros(len(self.errors), dtype=np.intp)
        known = np.zeros(len(cells), dtype=np.intp)  # which beginning of a cell each cell has
        for depth, column in enumerate(columns):
            levels = self.levels[column]
            beginnings, longer = np.unique(known * levels + cells[:, depth], return_inverse=True)
            table = np.full((int(known.max(initial=0)) + 1) * levels, -1, dtype=np.intp)
            table[beginnings] = np.arange(len(beginnings))
            place = table[place * levels + self.codes[column][rows]]
            inside = np.flatnonzero(place >= 0)
            rows, place, known = rows[inside], place[inside], longer
        # Beginnings of full length are the cells, in another order.
        return RowsOfCells(self, rows, np.argsort(known)[place], len(cells))

    def square(self, columns: tuple[int, ...], cell: Codes) -> float:
        """The sum of squared errors of one cell."""
        return _square(self.errors[self.split(columns, cell[None, :]).rows])

    def slice_of(self, columns: tuple[int, ...], cell: Codes) -> Slice:
        """What a cell is called."""
        return slice_of((self.columns[c][0], self.columns[c][1][code]) for c, code in zip(columns, cell, strict=True))


@dataclass(frozen=True, eq=False)
class RowsOfCells:
    """Some rows, each in one of ``cells`` cells."""

    counts: ErrorCounts
    rows: NDArray[np.intp]
    place: NDArray[np.intp]
    cells: int

    def by(self, column: int) -> Errors:
        """Each cell by the levels of a further column."""
        codes, levels = self.counts.codes[column], self.counts.levels[column]
        n, total, largest = np.zeros((3, self.cells * levels), dtype=np.int64)
        for start in range(0, len(self.rows), CHUNK_ROWS):
            rows = self.rows[start : start + CHUNK_ROWS]
            key = self.place[start : start + CHUNK_ROWS] * levels + codes[rows]
            errors = self.counts.errors[rows]
            n += np.bincount(key, minlength=len(n))
            np.add.at(total, key, errors)
            np.maximum.at(largest, key, errors)
        return Errors(*(lane.reshape(self.cells, levels) for lane in (n, total, largest)))


def _square(errors: IntArray) -> float:
    squares = np.rint((errors / LOSS_ONE) ** 2 * LOSS_SQUARE_ONE).astype(np.int64)
    return float(squares.sum() / LOSS_SQUARE_ONE)
