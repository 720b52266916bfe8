"""Rows for the search of weak slices: coded columns and one error a row (``errors`` of the task), counted by cell.

Errors are fixed-point integers, so that the order of rows changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlflow_eval_plugin.engines.arrow.columns.bands import can_be_cut
from mlflow_eval_plugin.engines.arrow.columns.inputs import require_columns
from mlflow_eval_plugin.engines.arrow.columns.levels import CodedColumn, coded_columns, slice_of
from mlflow_eval_plugin.engines.arrow.columns.plain import kind_of, plain
from mlflow_eval_plugin.engines.arrow.counting import chunked
from mlflow_eval_plugin.engines.contract import PassedOver, Sought
from mlflow_eval_plugin.engines.slicing import Edge
from mlflow_eval_plugin.stats.arrays import Index, IntArray
from mlflow_eval_plugin.stats.counts.fixed_point import add_at
from mlflow_eval_plugin.stats.counts.slice import LOSS_ONE, LOSS_SQUARE_ONE, ONE, Slice
from mlflow_eval_plugin.stats.errors import TooManyLevels
from mlflow_eval_plugin.stats.slices.chance import SPECTRUM_BINS, Spectrum
from mlflow_eval_plugin.stats.slices.lattice import CellsToSplit, CellToSquare, Errors
from mlflow_eval_plugin.stats.slices.weak import can_be_searched

_SAMPLE = 1000


def searched_columns(
    rows: pd.DataFrame,
    columns: Sequence[str],
    *,
    edges: Mapping[str, Sequence[Edge]],
    quantiles: Mapping[str, int],
    bands: int,
    max_levels: int,
    as_given: bool,
    sample: NDArray[np.intp] | None = None,
) -> tuple[tuple[CodedColumn, ...], tuple[PassedOver, ...]]:
    """Columns by name, coded, and those that cannot be searched.

    Args:
        edges, quantiles: how to cut some of the columns, as in ``slice_summary``.
        bands: into how many full intervals other numbers and times are cut, where they have more values than that.
        as_given: the columns were asked for by name, so that too many levels are an error.
        sample: the places of the rows that quantiles are of; all rows by default.

    Raises:
        InputError: for a column that is missing, or edges that cannot be used.
        TooManyLevels: with ``as_given``, for a column of more than ``max_levels`` levels.
    """
    require_columns(rows, list(columns), argument="search" if as_given else "slices")
    found = []
    for name in sorted(set(columns)):
        own_edges = {name: edges[name]} if name in edges else {}
        parts = {name: quantiles[name]} if name in quantiles else {}
        found.append(_searched(rows, name, own_edges, parts, bands, max_levels, as_given, sample))
    passed_over = tuple(one for one in found if isinstance(one, PassedOver))
    return tuple(one for one in found if not isinstance(one, PassedOver)), passed_over


def _searched(
    rows: pd.DataFrame,
    name: str,
    edges: Mapping[str, Sequence[Edge]],
    quantiles: Mapping[str, int],
    bands: int,
    max_levels: int,
    as_given: bool,
    sample: NDArray[np.intp] | None,
) -> CodedColumn | PassedOver:
    if not as_given and kind_of(plain(rows[name])) == "lists":
        return PassedOver(name, "lists, not one value a row")
    if not edges and not quantiles and _are_many(rows[name], bands):
        quantiles = {name: bands}
    argument = "search" if as_given else "slices"
    try:
        (column,) = coded_columns(
            rows,
            [name],
            edges=edges,
            quantiles=quantiles,
            max_levels=max_levels,
            argument=argument,
            sample=sample,
        )
    except TooManyLevels:
        if as_given:
            raise
        return PassedOver(name, f"more than {max_levels} levels")
    return PassedOver(name, "the same in all rows") if len(column.levels) < 2 else column


def sought_columns(
    rows: pd.DataFrame, sought: Sought, sample: NDArray[np.intp] | None = None
) -> tuple[tuple[CodedColumn, ...], tuple[PassedOver, ...]]:
    """``searched_columns`` of a search, which they do not make too wide.

    Raises:
        InputError: as ``searched_columns``, or for columns and a depth that make too many slices.
        TooManyLevels: as ``searched_columns``.
    """
    columns, passed_over = searched_columns(
        rows,
        sought.columns,
        edges=sought.edges,
        quantiles=sought.quantiles,
        bands=sought.bands,
        max_levels=sought.max_levels,
        as_given=sought.as_given,
        sample=sample,
    )
    can_be_searched(len(columns), sought.depth)
    return columns, passed_over


def counts_of(columns: Sequence[CodedColumn], errors: IntArray) -> CodedErrors:
    """Coded columns with one error a row, in units of ``1 / LOSS_ONE``."""
    codes = tuple(column.codes.astype(np.min_scalar_type(len(column.levels))) for column in columns)
    return CodedErrors(tuple((column.name, column.levels) for column in columns), codes, errors)


def _are_many(column: pd.Series[Any], bands: int) -> bool:
    column = plain(column)
    if not can_be_cut(column):
        return False
    return column.iloc[:_SAMPLE].nunique() > bands or column.nunique() > bands


@dataclass(frozen=True, eq=False)
class CodedErrors:
    """See ``stats.slices.lattice.ErrorCounter``.

    Attributes:
        columns: names with their levels.
        codes: for every column the level of each row.
        errors: in units of ``unit / LOSS_ONE``.
        square_one: squares are added in units of ``unit**2 / square_one``.
        passed_over: the columns that cannot be searched.
    """

    columns: tuple[tuple[str, tuple[str, ...]], ...]
    codes: tuple[NDArray[Any], ...]
    errors: IntArray
    unit: float = 1.0
    square_one: float = LOSS_SQUARE_ONE
    passed_over: tuple[PassedOver, ...] = ()

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.errors)

    @property
    def levels(self) -> tuple[int, ...]:
        """How many levels each column has."""
        return tuple(len(levels) for _, levels in self.columns)

    @property
    def one(self) -> float:
        """The error 1."""
        return LOSS_ONE / self.unit

    @property
    def largest(self) -> int:
        """The largest error."""
        return int(self.errors.max())

    @property
    def spectrum(self) -> Spectrum:
        """The errors of all rows."""
        largest = self.largest
        counted, offset = self.binned(largest)
        return Spectrum(counted, offset, largest / self.one, self.in_squares(self.squares()))

    def binned(self, largest: int) -> tuple[IntArray, IntArray]:
        """The rows of each bin of a ``Spectrum`` up to the largest error of all, and their places inside the bins."""
        place = self.errors * (SPECTRUM_BINS / max(largest, 1))
        bins = np.minimum(place.astype(np.int64), SPECTRUM_BINS - 1)
        offset = np.zeros(SPECTRUM_BINS, dtype=np.int64)
        add_at(offset, bins, np.rint((place - bins) * ONE).astype(np.int64))
        return np.bincount(bins, minlength=SPECTRUM_BINS), offset

    def expect(self, cells: Sequence[CellsToSplit]) -> None:
        """Nothing: rows in memory are read as often as they are asked."""

    def expect_squares(self, cells: Sequence[CellToSquare]) -> None:
        """Nothing, as ``expect``."""

    def split(self, columns: tuple[int, ...], cells: Index) -> RowsOfCells:
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

    def square(self, columns: tuple[int, ...], cell: Index) -> float:
        """The sum of squared errors of one cell."""
        return self.in_squares(self.squares(self.split(columns, cell[None, :]).rows))

    def squares(self, rows: NDArray[np.intp] | slice = slice(None)) -> int:
        """The sum of the squared errors of some rows, in units of ``unit**2 / square_one``."""
        return int(np.rint((self.errors[rows] / LOSS_ONE) ** 2 * self.square_one).astype(np.int64).sum())

    def in_squares(self, total: int) -> float:
        """Such a sum in squared errors."""
        return float(total / self.square_one * self.unit**2)

    def slice_of(self, columns: tuple[int, ...], cell: Index) -> Slice:
        """What a cell is called."""
        return slice_of((self.columns[c][0], self.columns[c][1][code]) for c, code in zip(columns, cell, strict=True))


@dataclass(frozen=True, eq=False)
class RowsOfCells:
    """Some rows, each in one of ``cells`` cells."""

    counts: CodedErrors
    rows: NDArray[np.intp]
    place: NDArray[np.intp]
    cells: int

    def by(self, column: int) -> Errors:
        """Each cell by the levels of a further column."""
        codes, levels = self.counts.codes[column], self.counts.levels[column]
        n, total, largest = np.zeros((3, self.cells * levels), dtype=np.int64)
        for part in chunked(slice(0, len(self.rows))):
            rows = self.rows[part]
            key = self.place[part] * levels + codes[rows]
            errors = self.counts.errors[rows]
            n += np.bincount(key, minlength=len(n))
            add_at(total, key, errors)
            np.maximum.at(largest, key, errors)
        return Errors(*(lane.reshape(self.cells, levels) for lane in (n, total, largest)))
