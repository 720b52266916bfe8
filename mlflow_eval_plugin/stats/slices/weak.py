"""Weak slices: the conjunctions of levels in which a model errs most, the exact best of all there are.

    weak_slices(counter, depth=3, top=10, minimum=500, weight=0.95) -> WeakSlices

SliceLine (Sagadeeva & Boehm 2021, "SliceLine: Fast, Linear-Algebra-based Slice Finding for ML Model Debugging",
SIGMOD): the slices with the highest scores above 0, of those with a minimum of rows. The search itself is in
``lattice``.

A slice that was looked for looks bad by luck too. Its p-value is a bound of the chance that as many rows, drawn
blindly, have so high a mean error (see ``chance``). Adjusted for the search it is a layered critical value (Webb 2008,
"Layered critical values: a powerful direct-adjustment approach to discovering significant patterns", Machine Learning
71): the error is shared equally among the numbers of columns, and each share by all slices that can have the minimum of
rows. Of the slices whose rows have nothing to do with errors, be that all or some, the chance that any is found with an
adjusted p-value of at most 5 % is at most 5 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np

from mlflow_eval_plugin.stats.arrays import FloatArray, IntArray
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.inference.contrasts import Difference
from mlflow_eval_plugin.stats.inference.estimate import Estimate, estimates
from mlflow_eval_plugin.stats.inference.means import Sums
from mlflow_eval_plugin.stats.inference.quantities import UnitMean, trials_of
from mlflow_eval_plugin.stats.slices.chance import chance_of_mean
from mlflow_eval_plugin.stats.slices.lattice import (
    NO_CODES,
    Best,
    CellsToSplit,
    CellToSquare,
    Entry,
    ErrorCounter,
    Lattice,
    Scoring,
)

MOST_SUBSETS = 50_000
NO_REST = "the slice holds all rows"


@dataclass(frozen=True)
class WeakSlice:
    """One slice that was found.

    Attributes:
        mean_error: of its rows; ``ratio`` times that of all rows.
        score: SliceLine's; positive.
        difference: its mean error less that of all other rows; the interval does not know that the slice was chosen.
        p_value: a bound of the chance of so high a mean error among as many rows, did errors not depend on being in it.
        p_adjusted: the same, for any slice that could have been found.
    """

    label: str
    slice: tuple[tuple[str, str], ...]
    n: int
    mean_error: float
    ratio: float
    score: float
    difference: Estimate
    p_value: float
    p_adjusted: float


@dataclass(frozen=True)
class WeakSlices:
    """The weak slices, the weakest first.

    Attributes:
        lattice: how many slices of one column, of two, and so on, can at most have the minimum of rows.
    """

    n: int
    mean_error: float
    lattice: tuple[int, ...]
    slices: tuple[WeakSlice, ...]


def weak_slices(counter: ErrorCounter, *, depth: int, top: int, minimum: int, weight: float) -> WeakSlices:
    """The ``top`` slices with the highest scores above 0.

    Args:
        depth: of at most so many columns.
        minimum: rows that a slice needs.
        weight: how much the mean error counts against the number of rows, in (0, 1]; SliceLine's alpha.

    Raises:
        InputError: see ``can_be_searched``.
    """
    can_be_searched(len(counter.levels), depth)
    counter.expect([CellsToSplit((), NO_CODES, tuple(range(len(counter.levels))))])
    everything = counter.split((), NO_CODES)
    singles = [everything.by(column) for column in range(len(counter.levels))]
    scoring = Scoring(int(singles[0].n.sum()), int(singles[0].total.sum()), minimum, weight)
    best = Best(scoring, top)
    if scoring.total > 0:
        Lattice(counter, best, singles).search(depth)
    frequent = [int((one.n >= minimum).sum()) for one in singles]
    lattice = _lattice(frequent, scoring.n // minimum, depth)
    return WeakSlices(scoring.n, scoring.total / scoring.n / counter.one, lattice, _described(counter, best, lattice))


def can_be_searched(columns: int, depth: int) -> None:
    """Refuse a search that would not end.

    Raises:
        InputError: for no columns, or more than ``MOST_SUBSETS`` sets of at most ``depth`` of them.
    """
    if columns == 0:
        raise InputError("search: there is no column to search; expected one with two levels, or numbers to cut")
    subsets = sum(comb(columns, size) for size in range(1, depth + 1))
    if subsets > MOST_SUBSETS:
        raise InputError(
            f"search: {columns} columns at depth {depth} are {subsets:,} sets of columns, more than {MOST_SUBSETS:,}; "
            "reduce the depth or name fewer columns"
        )


def _lattice(frequent: Sequence[int], most: int, depth: int) -> tuple[int, ...]:
    """How many slices of one column, of two, and so on can have the minimum of rows.

    The slices of one set of columns share no row, so that at most ``most`` of them do. Nothing here depends on errors.
    """
    sizes = range(1, min(depth, len(frequent)) + 1)
    levels = np.array(frequent, dtype=np.float64)
    subsets = (np.array(list(combinations(range(len(frequent)), size))) for size in sizes)
    return tuple(int(np.minimum(levels[subset].prod(axis=1), most).sum()) for subset in subsets)


def _described(counter: ErrorCounter, best: Best, lattice: tuple[int, ...]) -> tuple[WeakSlice, ...]:
    entries, whole = best.entries, best.scoring
    if not entries:
        return ()
    counter.expect_squares([CellToSquare(entry.columns, np.array(entry.codes)) for entry in entries])
    n = np.array([entry.n for entry in entries], dtype=np.int64)
    total = np.array([entry.total for entry in entries]) / counter.one
    square = np.array([counter.square(entry.columns, np.array(entry.codes)) for entry in entries])
    rest = whole.n - n, whole.total / counter.one - total, counter.spectrum.square - square
    largest = np.full(len(n), counter.spectrum.largest)
    apart = Difference(_mean(n, total, square, largest), _mean(*rest, largest), largest, NO_REST)
    chances = chance_of_mean(counter.spectrum, n, total / n)
    return tuple(
        _weak_slice(counter, entry, difference, float(p), lattice, whole.total / whole.n)
        for entry, difference, p in zip(entries, estimates(apart), chances, strict=True)
    )


def _mean(n: IntArray, total: FloatArray, square: FloatArray, largest: FloatArray) -> UnitMean:
    """Mean errors as shares of the largest one."""
    rows = n.astype(np.float64)
    sums = Sums(n, rows, rows)
    mean = sums.mean(total / largest)
    variance = sums.variance(total / largest, square / largest**2)
    return UnitMean(mean, trials_of(mean, variance, rows), n, rows, NO_REST)


def _weak_slice(
    counter: ErrorCounter, entry: Entry, difference: Estimate, p: float, lattice: tuple[int, ...], overall: float
) -> WeakSlice:
    named = counter.slice_of(entry.columns, np.array(entry.codes))
    mean = entry.total / entry.n
    return WeakSlice(
        label=named.label,
        slice=named.levels,
        n=entry.n,
        mean_error=mean / counter.one,
        ratio=mean / overall,
        score=entry.score,
        difference=difference,
        p_value=p,
        # An equal share of the error for every number of columns, and of that one for every slice (Webb 2008).
        p_adjusted=min(1.0, p * len(lattice) * lattice[len(entry.columns) - 1]),
    )
