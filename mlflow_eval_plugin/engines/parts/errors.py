"""The search of weak slices in rows that come in parts: what a level of it needs is counted in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from mlflow_eval_plugin.engines.arrow.columns.levels import CodedColumn, coded_columns
from mlflow_eval_plugin.engines.arrow.search import CodedErrors
from mlflow_eval_plugin.engines.contract import PassedOver, Sought
from mlflow_eval_plugin.engines.parts.asking import Asking
from mlflow_eval_plugin.engines.parts.columns import Part
from mlflow_eval_plugin.engines.parts.shown import Shown, ShownColumn
from mlflow_eval_plugin.engines.parts.slices import bands_of, edges_of, in_order, onto, sample_of
from mlflow_eval_plugin.engines.parts.survey.facts import Facts, FactsOfColumns, require_names
from mlflow_eval_plugin.engines.parts.survey.levels import Levels, LevelsOf
from mlflow_eval_plugin.engines.slicing import Edge
from mlflow_eval_plugin.stats.arrays import Index, IntArray
from mlflow_eval_plugin.stats.counts.slice import Slice
from mlflow_eval_plugin.stats.errors import TooManyLevels
from mlflow_eval_plugin.stats.slices.chance import Spectrum
from mlflow_eval_plugin.stats.slices.lattice import NO_CODES, CellsToSplit, CellToSquare, Errors
from mlflow_eval_plugin.stats.slices.weak import can_be_searched


@dataclass(frozen=True)
class SearchedColumn:
    """One column: its levels in all rows, and the edges that it is cut at, if it is."""

    shown: ShownColumn
    levels: tuple[str, ...]
    edges: tuple[Edge, ...] | None

    def of(self, part: Part) -> CodedColumn:
        """Its codes in a part."""
        name = self.shown.name
        edges = {} if self.edges is None else {name: self.edges}
        (found,) = coded_columns(Shown((self.shown,)).of(part), [name], edges=edges, quantiles={}, max_levels=part.rows)
        return onto(found, self.levels)


class ErrorsOf(Protocol):
    """One error a row, as a task has it."""

    @property
    def columns(self) -> tuple[str, ...]:
        """All that is read."""

    def template(self, columns: tuple[tuple[str, tuple[str, ...]], ...]) -> CodedErrors:
        """Errors of no row, in the units of all."""

    def of(self, part: Part, columns: Sequence[CodedColumn]) -> CodedErrors:
        """Those of a part, by coded columns."""


@dataclass(frozen=True, eq=False)
class Searching:
    """The columns that are searched, and the error."""

    each: tuple[SearchedColumn, ...]
    errors: ErrorsOf

    @property
    def columns(self) -> tuple[str, ...]:
        """All that is read."""
        return (*self.errors.columns, *(one.shown.source for one in self.each))

    def of(self, part: Part) -> CodedErrors:
        """The errors of a part."""
        return part.once(("errors", id(self)), lambda: self.errors.of(part, [one.of(part) for one in self.each]))


@dataclass(frozen=True, eq=False)
class Tables:
    """Cells by levels of further columns, table by table, and the largest error of all rows."""

    each: tuple[Errors, ...]
    largest: int

    def __add__(self, other: Tables) -> Tables:
        """Those of both sets of rows."""
        both = zip(self.each, other.each, strict=True)
        return Tables(
            tuple(Errors(a.n + b.n, a.total + b.total, np.maximum(a.largest, b.largest)) for a, b in both),
            max(self.largest, other.largest),
        )


@dataclass(frozen=True, eq=False)
class TablesOf:
    """Counts cells by further columns."""

    searching: Searching
    asked: tuple[CellsToSplit, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """All that is read."""
        return self.searching.columns

    def of(self, part: Part) -> Tables:
        """Of a part."""
        counts, found = self.searching.of(part), []
        for one in self.asked:
            split = counts.split(one.columns, one.cells)
            found += [split.by(column) for column in one.by]
        return Tables(tuple(found), counts.largest)


@dataclass(frozen=True, eq=False)
class Squares:
    """The errors of all rows by bin, and sums of squares: of all rows, and of some cells."""

    n: IntArray
    offset: IntArray
    squares: tuple[int, ...]

    def __add__(self, other: Squares) -> Squares:
        """Those of both sets of rows."""
        squares = tuple(a + b for a, b in zip(self.squares, other.squares, strict=True))
        return Squares(self.n + other.n, self.offset + other.offset, squares)


@dataclass(frozen=True, eq=False)
class SquaresOf:
    """Counts errors by bin, and adds up squares."""

    searching: Searching
    largest: int
    asked: tuple[CellToSquare, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """All that is read."""
        return self.searching.columns

    def of(self, part: Part) -> Squares:
        """Of a part."""
        counts = self.searching.of(part)
        rows = (counts.split(one.columns, one.cell[None, :]).rows for one in self.asked)
        return Squares(*counts.binned(self.largest), (counts.squares(), *(counts.squares(some) for some in rows)))


class PartedErrors:
    """See ``contract.ErrorCounts``."""

    def __init__(self, asking: Asking, searching: Searching, passed_over: tuple[PassedOver, ...]) -> None:
        self._passed_over = passed_over
        self._asking, self._searching = asking, searching
        self._known: dict[tuple[int, ...], tuple[Index, dict[int, Errors]]] = {}
        self._squares: list[tuple[CellToSquare, int]] = []
        named = tuple((one.shown.name, one.levels) for one in searching.each)
        self._template = searching.errors.template(named)

    @property
    def passed_over(self) -> tuple[PassedOver, ...]:
        """The columns that cannot be searched."""
        return self._passed_over

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return self._asking.rows

    @property
    def columns(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """The columns that are searched, by name, with their levels."""
        return self._template.columns

    @property
    def levels(self) -> tuple[int, ...]:
        """How many levels each column has."""
        return self._template.levels

    @property
    def one(self) -> float:
        """The error 1."""
        return self._template.one

    def expect(self, cells: Sequence[CellsToSplit]) -> None:
        """Count all of these in one pass: they will be asked."""
        if not cells:
            return
        found: Tables = self._asking.one(TablesOf(self._searching, tuple(cells)))
        tables = iter(found.each)
        for one in cells:
            self._known[one.columns] = one.cells, {column: next(tables) for column in one.by}

    def split(self, columns: tuple[int, ...], cells: Index) -> CountedCells:
        """The rows of some cells."""
        return CountedCells(self, columns, cells)

    def by(self, columns: tuple[int, ...], cells: Index, column: int) -> Errors:
        """Some cells by a further column."""
        known, tables = self._known.get(columns, (None, {}))
        places = None if known is None else _places(cells, known, self.levels, columns)
        if places is None or column not in tables:
            self.expect([CellsToSplit(columns, cells, (column,))])
            return self._known[columns][1][column]
        return tables[column].take(places)

    def expect_squares(self, cells: Sequence[CellToSquare]) -> None:
        """Add up the squares of all of these in one pass: they will be asked."""
        found: Squares = self._asking.one(SquaresOf(self._searching, self._largest, tuple(cells)))
        self._spectrum = found
        self._squares = list(zip(cells, found.squares[1:], strict=True))

    def square(self, columns: tuple[int, ...], cell: Index) -> float:
        """The sum of squared errors of one cell."""
        for known, total in self._squares:
            if known.columns == columns and np.array_equal(known.cell, cell):
                return self._template.in_squares(total)
        self.expect_squares([CellToSquare(columns, cell)])
        return self.square(columns, cell)

    @property
    def spectrum(self) -> Spectrum:
        """The errors of all rows."""
        found = self._spectrum
        squares = self._template.in_squares(found.squares[0])
        return Spectrum(found.n, found.offset, self._largest / self.one, squares)

    def slice_of(self, columns: tuple[int, ...], cell: Index) -> Slice:
        """What a cell is called."""
        return self._template.slice_of(columns, cell)

    @cached_property
    def _spectrum(self) -> Squares:
        found: Squares = self._asking.one(SquaresOf(self._searching, self._largest, ()))
        return found

    @cached_property
    def _largest(self) -> int:
        found: Tables = self._asking.one(TablesOf(self._searching, (CellsToSplit((), NO_CODES, ()),)))
        return found.largest


@dataclass(frozen=True, eq=False)
class CountedCells:
    """Some cells of all parts."""

    counts: PartedErrors
    columns: tuple[int, ...]
    cells: Index

    def by(self, column: int) -> Errors:
        """Each cell by the levels of a further column."""
        return self.counts.by(self.columns, self.cells, column)


def _places(cells: Index, known: Index, levels: tuple[int, ...], columns: tuple[int, ...]) -> Index | None:
    """Where each cell is among those that are known; None where one is not."""
    if not columns:
        return np.zeros(len(cells), dtype=np.intp)
    shape = tuple(levels[column] for column in columns)
    own, held = (np.ravel_multi_index(tuple(one.T), shape) for one in (cells, known))
    order = np.argsort(held)
    at = np.searchsorted(held[order], own)
    if (at >= len(held)).any():
        return None
    places = order[at]
    return places if np.array_equal(held[places], own) else None


class Searched(Protocol):
    """Rows that are searched."""

    asking: Asking
    shown: Shown

    @property
    def facts(self) -> FactsOfColumns:
        """What is known of each column."""


def searched(rows: Searched, sought: Sought, errors: ErrorsOf) -> PartedErrors:
    """The errors of rows by the columns that are searched.

    Raises:
        InputError: for a column that is missing, edges that cannot be used, or a search that is too wide.
        TooManyLevels: for a column that was asked for by name and has too many levels.
    """
    require_names(rows.shown, list(sought.columns), "search" if sought.as_given else "slices")
    names = sorted(set(sought.columns))
    facts = rows.facts.each
    asked = {name: _levels_of(name, rows, sought, facts[name]) for name in names}
    counted = dict(zip(names, rows.asking.all([asked[name] for name in names]), strict=True))
    found = [_searched(name, rows, sought, counted[name]) for name in names]
    columns = tuple(one for one in found if not isinstance(one, PassedOver))
    can_be_searched(len(columns), sought.depth)
    passed_over = tuple(one for one in found if isinstance(one, PassedOver))
    return PartedErrors(rows.asking, Searching(columns, errors), passed_over)


def _levels_of(name: str, rows: Searched, sought: Sought, facts: Facts) -> LevelsOf:
    edges = sought.edges.get(name)
    most = sought.bands if _may_be_cut(name, sought, facts) else sought.max_levels
    if facts.kind == "lists" and not sought.as_given:
        most = -1
    return LevelsOf(rows.shown.column(name), most, None if edges is None else tuple(edges))


def _may_be_cut(name: str, sought: Sought, facts: Facts) -> bool:
    return facts.kind in ("number", "datetime") and name not in sought.edges and name not in sought.quantiles


def _searched(name: str, rows: Searched, sought: Sought, counted: Levels) -> SearchedColumn | PassedOver:
    facts, shown = rows.facts.each[name], rows.shown.column(name)
    if facts.kind == "lists" and not sought.as_given:
        return PassedOver(name, "lists, not one value a row")
    edges = tuple(sought.edges[name]) if name in sought.edges else None
    parts = sought.quantiles.get(name)
    if counted.counts is None and _may_be_cut(name, sought, facts):
        parts = sought.bands
    if parts is not None:
        edges = edges_of(name, parts, rows.shown, rows.asking)
        levels = bands_of(name, sample_of(name, rows.shown, rows.asking), edges, facts, rows.asking.rows)
    elif counted.counts is None or len(counted.counts.keys() - {"(missing)"}) > sought.max_levels:
        return _too_many(name, sought, counted)
    else:
        levels = in_order(counted.counts)
    return PassedOver(name, "the same in all rows") if len(levels) < 2 else SearchedColumn(shown, levels, edges)


def _too_many(name: str, sought: Sought, counted: Levels) -> PassedOver:
    if sought.as_given:
        raise TooManyLevels(
            f"search: column {name!r} has more than max_levels={sought.max_levels} levels in {counted.rows:,} rows; "
            "cut it with edges or quantiles, raise max_levels, or leave it out"
        )
    return PassedOver(name, f"more than {sought.max_levels} levels")
