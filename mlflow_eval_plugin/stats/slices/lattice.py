"""The exact search for the slices of the highest SliceLine scores, level by level through the lattice of conjunctions.

Of N rows with the mean error E, a slice of n rows with the mean error e has the score

    weight * (e / E - 1) - (1 - weight) * (N / n - 1)

No slice has more rows, a larger sum of errors or a larger error than any slice that holds it. That bounds its score,
and what cannot come among the best is neither counted nor extended (Sagadeeva & Boehm 2021, section 3). Ties go to the
slice of fewer columns, then in the order of columns and levels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mlflow_eval_plugin.stats.arrays import FloatArray, Index, IntArray
from mlflow_eval_plugin.stats.counts.slice import Slice
from mlflow_eval_plugin.stats.slices.chance import Spectrum

# Bounds and scores come from different formulas; what is lost in their last digits must not lose a slice.
_SLACK = 1e-9

Counts = IntArray | FloatArray


@dataclass(frozen=True, eq=False)
class Errors:
    """What is known of cells: rows, and the sum and the largest of their errors, in units of the counter's choice."""

    n: IntArray
    total: IntArray
    largest: IntArray

    def take(self, index: Any) -> Errors:
        """The cells at ``index``."""
        return Errors(self.n[index], self.total[index], self.largest[index])

    def least(self, other: Errors) -> Errors:
        """What bounds a cell that is part of two."""
        return Errors(
            np.minimum(self.n, other.n), np.minimum(self.total, other.total), np.minimum(self.largest, other.largest)
        )


NO_CODES = np.zeros((1, 0), dtype=np.intp)  # the one cell of no columns
NOTHING = Errors(*np.zeros((3, 1, 1), dtype=np.int64))


@dataclass(frozen=True, eq=False)
class CellsToSplit:
    """Cells that are going to be split, each a code for every column, and by which further columns."""

    columns: tuple[int, ...]
    cells: Index
    by: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class CellToSquare:
    """A cell of which the sum of squared errors is going to be asked."""

    columns: tuple[int, ...]
    cell: Index


class Split(Protocol):
    """The rows of some cells."""

    def by(self, column: int) -> Errors:
        """Each cell by the levels of a further column, ``(cells, levels)``."""


class ErrorCounter(Protocol):
    """Whoever has the rows: counts of coded columns, which come in the order of their names."""

    @property
    def levels(self) -> tuple[int, ...]:
        """How many levels each column has."""

    @property
    def one(self) -> float:
        """The error 1 in units of the counter."""

    @property
    def spectrum(self) -> Spectrum:
        """The errors of all rows."""

    def expect(self, cells: Sequence[CellsToSplit]) -> None:
        """These cells, or some of them, are what is split next: who reads rows in passes counts them all in one."""

    def expect_squares(self, cells: Sequence[CellToSquare]) -> None:
        """The sums of squares of these cells are what is asked next, and ``spectrum``."""

    def split(self, columns: tuple[int, ...], cells: Index) -> Split:
        """The rows of cells, each a code for every column, ``(cells, columns)``; all rows for the one cell of none."""

    def square(self, columns: tuple[int, ...], cell: Index) -> float:
        """The sum of squared errors of one cell, in squared errors."""

    def slice_of(self, columns: tuple[int, ...], cell: Index) -> Slice:
        """What a cell is called."""


@dataclass(frozen=True)
class Scoring:
    """The score and its bound, given all rows and their sum of errors."""

    n: int
    total: int
    minimum: int
    weight: float

    def score(self, n: Counts, total: Counts) -> FloatArray:
        """The score of cells of ``n`` rows with the sum of errors ``total``."""
        with np.errstate(divide="ignore", invalid="ignore"):
            error = (total / n) / (self.total / self.n)
            return self.weight * (error - 1) - (1 - self.weight) * (self.n / n - 1)

    def bound(self, within: Errors) -> FloatArray:
        """The highest score of any slice within cells; minus infinity where none has the minimum of rows."""
        most = within.n.astype(np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            # With fewer rows all may have the largest error; with more, the sum is what limits them. In between and
            # beyond the score rises or falls throughout, so that one of the two ends has the highest.
            full = np.clip(within.total / within.largest, self.minimum, most)
        ends = [self.score(n, np.minimum(n * within.largest, within.total)) for n in (full, most)]
        return np.where((within.n >= self.minimum) & (within.total > 0), np.maximum(*ends), -np.inf)


@dataclass(frozen=True, eq=False)
class Cells:
    """Cells of one set of columns that have the minimum of rows: their codes ``(cells, columns)`` and errors."""

    columns: tuple[int, ...]
    codes: Index
    errors: Errors

    def take(self, index: NDArray[np.bool_] | Index) -> Cells:
        """The cells at ``index``."""
        return Cells(self.columns, self.codes[index], self.errors.take(index))


@dataclass(frozen=True)
class Entry:
    """One of the best."""

    score: float
    columns: tuple[int, ...]
    codes: tuple[int, ...]
    n: int
    total: int

    def order(self) -> tuple[float, int, tuple[int, ...], tuple[int, ...]]:
        """A sort key: the highest score first, then fewer columns, then columns and levels."""
        return (-self.score, len(self.columns), self.columns, self.codes)


@dataclass(eq=False)
class Best:
    """The best slices so far."""

    scoring: Scoring
    top: int
    entries: list[Entry] = field(default_factory=list)

    @property
    def floor(self) -> float:
        """What a bound must reach for a slice to be among the best; a tie may."""
        least = self.entries[-1].score if len(self.entries) == self.top else 0.0
        return least - _SLACK * (1 + least)

    def add(self, cells: Cells) -> None:
        """Take in those of the cells that are among the best."""
        scores = self.scoring.score(cells.errors.n, cells.errors.total)
        chosen = np.flatnonzero((scores > 0) & (scores >= self.floor))
        if len(chosen):
            entries = [self._entry(cells, int(i), float(scores[i])) for i in chosen]
            self.entries = sorted([*self.entries, *entries], key=Entry.order)[: self.top]

    def possible(self, within: Errors) -> NDArray[np.bool_]:
        """Whether any slice within each of the cells can be among the best."""
        return np.asarray(self.scoring.bound(within) >= self.floor)

    def _entry(self, cells: Cells, i: int, score: float) -> Entry:
        codes = tuple(cells.codes[i].tolist())
        return Entry(score, cells.columns, codes, int(cells.errors.n[i]), int(cells.errors.total[i]))


@dataclass(eq=False)
class Lattice:
    """The slices of some rows, as far as they had to be counted.

    Attributes:
        singles: the cells of each column.
        pairs: of each two columns that were counted, the cells that can hold one of the best; nothing elsewhere.
    """

    counter: ErrorCounter
    best: Best
    singles: Sequence[Errors]
    pairs: dict[tuple[int, ...], Errors] = field(default_factory=dict)

    def search(self, depth: int) -> None:
        """Find the best slices of at most ``depth`` columns."""
        layer = [self._cells((column,), NO_CODES, one) for column, one in enumerate(self.singles)]
        for cells in layer:
            self.best.add(cells)
        for _ in range(1, depth):
            self.counter.expect([one for cells in layer if (one := self._to_split(cells)) is not None])
            layer = [alive for cells in layer for alive in self._grown(cells)]

    def _grown(self, cells: Cells) -> Iterator[Cells]:
        """The cells by each later column where that may lead to one of the best."""
        asked = self._to_split(cells)
        if asked is None:
            return
        split = self.counter.split(asked.columns, asked.cells)
        for column in asked.by:
            larger = self._cells((*asked.columns, column), asked.cells, split.by(column))
            self.best.add(larger)
            alive = larger.take(self.best.possible(larger.errors))
            if len(alive.codes):
                self._keep(alive)
                yield alive

    def _to_split(self, cells: Cells) -> CellsToSplit | None:
        """Those of the cells that can hold one of the best, and the later columns by which they can."""
        cells = cells.take(self.best.possible(cells.errors))
        later = range(cells.columns[-1] + 1, len(self.singles))
        possible = {column: self.best.possible(self._within(cells, column)).any(axis=1) for column in later}
        reachable = {column: some for column, some in possible.items() if some.any()}
        if not reachable:
            return None
        cells = cells.take(np.logical_or.reduce(list(reachable.values())))
        return CellsToSplit(cells.columns, cells.codes, tuple(reachable))

    def _within(self, cells: Cells, column: int) -> Errors:
        """What bounds the cells by a further column: themselves, and the pairs of it with each of theirs."""
        within = cells.errors.take(np.s_[:, None])
        if len(cells.columns) == 1:
            return within.least(self.singles[column])
        for place, own in enumerate(cells.columns):
            pair = self.pairs.get((own, column))
            if pair is None:
                return NOTHING
            within = within.least(pair.take(cells.codes[:, place]))
        return within

    def _cells(self, columns: tuple[int, ...], codes: Index, errors: Errors) -> Cells:
        """Those of a table, cells by levels of a further column, that have the minimum of rows."""
        cell, level = np.nonzero(errors.n >= self.best.scoring.minimum)
        return Cells(columns, np.column_stack([codes[cell], level]), errors.take((cell, level)))

    def _keep(self, cells: Cells) -> None:
        if len(cells.columns) != 2:
            return
        lanes = []
        for lane in (cells.errors.n, cells.errors.total, cells.errors.largest):
            table = np.zeros([self.counter.levels[column] for column in cells.columns], dtype=np.int64)
            table[tuple(cells.codes.T)] = lane
            lanes.append(table)
        self.pairs[cells.columns] = Errors(*lanes)
