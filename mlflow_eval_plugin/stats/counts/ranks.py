"""Rows in the order of their scores, by slice: what AUC and average precision are computed from.

A table of ranks holds how many rows of each label have each score. It is exact, ties included, as long as the slices
hold ``EXACT_ROWS`` rows together (a row counts in every slice that it is in). Beyond, scores that agree in their first
bits share a *cell*. Cells are cut by the bits of the double, on either side of one half by those of the distance to the
nearer end, so that they are as fine in the logit near 0 and 1 as anywhere, and no logarithm decides where a score
belongs. A cell that turns out to hold a single score is still exact, however many rows have it.

How fine the cells are depends on nothing but the numbers of rows and of slices, and never gets finer as either grows.
So tables merge by addition, and give the same integers whatever the order of rows and shards.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlflow_eval_plugin.stats.arrays import IntArray
from mlflow_eval_plugin.stats.errors import InputError

EXACT_ROWS = 2**23  # of all slices together: 100 MB
FEW_SLICES, SOME_SLICES = 16, 128  # up to so many, cells may be fine, and less so
EXACT, FINE, MIDDLE, COARSE = 0, 1, 2, 3
OTHERS_CELLS = 2**14  # of all rows but those of a slice, which is a table as long as that of all rows

LARGEST_KEY = np.int64(2**63 - 1)
MANTISSA = 52
_BITS = {FINE: 16, MIDDLE: 13}
_LEAST_BITS, MOST_BITS = 8, 10
WIDEST_CELL = 2.0**-_LEAST_BITS  # of the distance to the nearer end, down to 2**-_OCTAVES
_OCTAVES = 32  # nearer to an end than 2**-_OCTAVES, an octave is one coarse cell
_HALF = 1022  # the exponent of one half, as a double holds it
_HIGH = np.int64(2**62)

Keys = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Ranked:
    """One slice: sums of weights (of any unit) by cell, in ascending order of scores, ``(K,)`` each.

    Attributes:
        mixed: which cells hold more than one score, so that the order of their rows is not known.
        score: of every cell; of a mixed one the least that it can hold.
    """

    negative: NDArray[Any]
    positive: NDArray[Any]
    mixed: NDArray[np.bool_]
    score: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Ranks:
    """Entry x cell x label; an entry is a slice, or a class of a slice.

    Attributes:
        key: ``score_keys`` of the score of every cell that has rows, ascending, ``(K,)``; of a cell of several scores
            the lowest key that belongs to it.
        mixed: which cells hold more than one score, ``(K,)``.
        start: where the cells of each entry begin, and where the last one's end, ``(S + 1,)``.
        cell: the cells that have rows, entry by entry, ascending in each, as places among the ``K``, ``(M,)`` int32.
        amount: sums of w, or rows where unweighted, by label, ``(M, 2)``; int64, or int32 where unweighted.
        rows: rows of each entry, ``(S,)``.
        tables: how many tables of these rows there are, see ``grid_of``.
        grid: how fine the cells are: as ``grid_of`` has it, or coarser, as it is of rows that these are some of.
    """

    key: Keys
    mixed: NDArray[np.bool_]
    start: NDArray[np.intp]
    cell: NDArray[np.int32]
    amount: NDArray[Any]
    rows: IntArray
    tables: int = 1
    grid: int = EXACT

    def __add__(self, other: Ranks) -> Ranks:
        """The table of both sets of rows; entries are the same in the same order."""
        rows = self.rows + other.rows
        grid = max(grid_of(rows, self.tables), self.grid, other.grid)
        sides = self.coarsened(grid), other.coarsened(grid)
        floors = [cells_of(one.key, grid) for one in sides]
        floor, at = np.unique(np.concatenate(floors), return_inverse=True)
        places = np.split(at, [len(floors[0])])
        key, mixed = np.full(len(floor), -1), np.zeros(len(floor), dtype=np.bool_)
        for one, place in zip(sides, places, strict=True):
            mixed[place] |= one.mixed | ((key[place] >= 0) & (key[place] != one.key))
            key[place] = one.key
        entry = np.concatenate([one.entries for one in sides])
        cell = np.concatenate([place[one.cell] for one, place in zip(sides, places, strict=True)])
        amount = np.concatenate([one.amount for one in sides])
        made = gathered(np.where(mixed, floor, key), mixed, entry, cell, amount, rows)
        return replace(made, tables=self.tables, grid=grid)

    @cached_property
    def scores(self) -> NDArray[np.float64]:
        """The scores of the keys, ``(K,)``."""
        return scores_of(self.key)

    @property
    def totals(self) -> NDArray[Any]:
        """Sums of the amounts by entry and label, ``(S, 2)``."""
        sums = np.concatenate([np.zeros((1, 2), dtype=np.int64), np.cumsum(self.amount, axis=0, dtype=np.int64)])
        return np.asarray(sums[self.start[1:]] - sums[self.start[:-1]])

    @property
    def entries(self) -> NDArray[np.intp]:
        """The entry of each of the ``M`` cells."""
        return np.repeat(np.arange(len(self.rows)), np.diff(self.start))

    def coarsened(self, grid: int) -> Ranks:
        """The same rows on cells that are no finer than those of a grid."""
        if grid == self.grid:
            return self
        floor = cells_of(self.key, grid)
        first = np.flatnonzero(np.r_[True, floor[1:] != floor[:-1]][: len(floor)])
        return replace(self._joined(first, floor), grid=grid)

    def placed(self, rows: NDArray[np.intp], length: int) -> Ranks:
        """The table with more entries: entry ``i`` of it at ``rows[i]``, ascending, and no rows in the others."""
        counts, total = np.zeros(length, dtype=np.intp), np.zeros(length, dtype=np.int64)
        counts[rows], total[rows] = np.diff(self.start), self.rows
        return replace(self, start=np.concatenate([[0], np.cumsum(counts)]), rows=total)

    def cells(self, index: int) -> NDArray[np.int32]:
        """The cells of one entry that have rows, as places among the ``K``."""
        return self.cell[self.start[index] : self.start[index + 1]]

    def amounts(self, index: int) -> NDArray[Any]:
        """The amounts of the same cells by label, ``(k, 2)``."""
        return self.amount[self.start[index] : self.start[index + 1]]

    def entry(self, index: int) -> Ranked:
        """One entry."""
        amount, cells = self.amounts(index), self.cells(index)
        return Ranked(amount[:, 0], amount[:, 1], self.mixed[cells], self.scores[cells])

    def others(self, index: int) -> Ranked:
        """The rows of entry 0 that are not in this one, on at most about ``OTHERS_CELLS`` cells."""
        joined, everything = self._for_others
        left = everything.copy()
        left[joined.cells(index)] -= joined.amounts(index)
        return Ranked(left[:, 0], left[:, 1], joined.mixed, joined.scores)

    def all_entries(self) -> Iterator[Ranked]:
        """Every entry."""
        return (self.entry(index) for index in range(len(self.rows)))

    @cached_property
    def _for_others(self) -> tuple[Ranks, NDArray[Any]]:
        joined = self
        whole = np.zeros((len(self.key), 2), dtype=self.amount.dtype)
        whole[self.cells(0)] = self.amount[: self.start[1]]
        if len(self.key) > OTHERS_CELLS:
            # Cut by the shares of both labels: a row of a rare label is a cell of its own.
            share = (whole / np.maximum(whole.sum(axis=0), 1)).mean(axis=1)
            group = ((np.cumsum(share) - share / 2) * OTHERS_CELLS).astype(np.int64)
            begins = np.flatnonzero(np.r_[True, group[1:] != group[:-1]])
            joined = self._joined(begins, self.key)
            whole = np.add.reduceat(whole, begins, axis=0)
        return joined, whole

    def _joined(self, first: NDArray[np.intp], floor: Keys) -> Ranks:
        """Neighbouring cells taken together, from each of ``first`` on; ``floor`` is the key of a mixed cell."""
        size = np.diff(np.append(first, len(self.key)))
        mixed = np.logical_or.reduceat(self.mixed, first) | (size > 1)
        place = np.repeat(np.arange(len(first)), size)
        key = np.where(mixed, floor[first], self.key[first])
        made = gathered(key, mixed, self.entries, place[self.cell], self.amount, self.rows)
        return replace(made, tables=self.tables, grid=self.grid)


def known(ranks: Ranks | None) -> Ranks:
    """The table of ranks of rows that were counted with one.

    Raises:
        InputError: where they were counted without.
    """
    if ranks is None:
        raise InputError(
            "ranked: areas, losses and calibration of slices need the order of the scores, which was not counted; "
            "count the rows with ranked=True"
        )
    return ranks


def gathered(
    key: Keys,
    mixed: NDArray[np.bool_],
    entry: NDArray[np.intp],
    cell: NDArray[np.integer[Any]],
    amount: NDArray[Any],
    rows: IntArray,
) -> Ranks:
    """The table of amounts that belong to an entry and a cell each, in any order; several may belong to one."""
    at = entry * len(key) + cell
    if (at[1:] < at[:-1]).any():
        order = np.argsort(at)
        at, amount = at[order], amount[order]
    begins = np.flatnonzero(np.r_[True, at[1:] != at[:-1]][: len(at)])
    if len(begins) < len(at):
        at, amount = at[begins], np.add.reduceat(amount, begins, axis=0, dtype=amount.dtype)
    start, cell = by_entry(at, len(rows), len(key))
    return Ranks(key, mixed, start, cell, amount, rows)


def by_entry(at: NDArray[np.intp], entries: int, length: int) -> tuple[NDArray[np.intp], NDArray[np.int32]]:
    """Where each entry begins among ascending places in a table of entries by cells, and the cell of each place."""
    first = np.arange(entries + 1) * length
    start = np.searchsorted(at, first)
    # Not the remainder of a division, which takes ten times as long.
    return start, (at - np.repeat(first[:-1], np.diff(start))).astype(np.int32)


def grid_of(rows: IntArray, tables: int = 1, least: int = 0) -> int:
    """``EXACT`` to ``COARSE``, by the rows of every entry: the same or a coarser one with more rows or entries.

    Args:
        tables: how many tables of so many rows there are, as of so many classes.
        least: how many rows all entries have at least, where these are parts of them.
    """
    if tables * max(int(rows.sum()), least) <= EXACT_ROWS:
        return EXACT
    entries = tables * np.count_nonzero(rows)
    return FINE if entries <= FEW_SLICES else MIDDLE if entries <= SOME_SLICES else COARSE


def score_keys(score: NDArray[np.float64]) -> Keys:
    """Integers in the order of the scores, which must be in [0, 1]; equal for equal scores only.

    Up to one half the bits of the score, above it those of its distance from 1, which is exact, taken from the top.
    """
    above = score >= 0.5
    nearest = np.subtract(score, above)
    np.abs(nearest, out=nearest)  # and -0.0 is 0.0
    found = nearest.view(np.int64)
    found ^= above * LARGEST_KEY
    return found


def scores_of(key: Keys) -> NDArray[np.float64]:
    """The scores of keys."""
    above = key >= _HIGH
    nearest = (key ^ (above * LARGEST_KEY)).view(np.float64)
    return np.asarray(np.where(above, 1 - nearest, nearest))


def cells_of(key: Keys, grid: int) -> Keys:
    """The lowest key of the cell of each key."""
    if grid == EXACT:
        return key
    if grid in _BITS:
        same = MANTISSA - _BITS[grid]
        return (key >> same) << same
    dropped = MANTISSA - coarse_bits(key)
    return np.asarray((key >> dropped) << dropped)


def coarse_bits(key: Keys) -> NDArray[np.int64]:
    """How many bits of the mantissa tell coarse cells apart; all keys of one exponent have as many."""
    octave = _HALF - ((key ^ ((key >= _HIGH) * LARGEST_KEY)) >> MANTISSA)
    # In the middle, cells are as wide as 1 / 4096; towards the ends, 256 an octave.
    bits = np.clip(MOST_BITS + 1 - octave, _LEAST_BITS, MOST_BITS)
    return np.where(octave < _OCTAVES, bits, 0)
