"""The first pass by level: which levels columns have, counted up to so many."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from mlflow_eval_plugin.engines.arrow.columns.bands import MISSING
from mlflow_eval_plugin.engines.arrow.columns.levels import coded_columns
from mlflow_eval_plugin.engines.arrow.columns.plain import kind_of
from mlflow_eval_plugin.engines.arrow.joint import MAX_SLICES
from mlflow_eval_plugin.engines.parts.columns import Part
from mlflow_eval_plugin.engines.parts.shown import Shown, ShownColumn
from mlflow_eval_plugin.engines.slicing import Edge
from mlflow_eval_plugin.stats.errors import TooManyLevels

_FIRST = 2**14  # rows that tell most columns of too many levels


@dataclass(frozen=True)
class Levels:
    """The levels that a column has, up to so many.

    Attributes:
        counts: rows by level, missing ones under ``(missing)``; None where there are more than ``most``.
        rows: of how many rows.
    """

    counts: dict[str, int] | None
    rows: int
    most: int

    def __add__(self, other: Levels) -> Levels:
        """Those of both sets of rows."""
        rows = self.rows + other.rows
        if self.counts is None or other.counts is None:
            return Levels(None, rows, self.most)
        both = dict(self.counts)
        for level, count in other.counts.items():
            both[level] = both.get(level, 0) + count
        return Levels(both if len(both.keys() - {MISSING}) <= self.most else None, rows, self.most)


@dataclass(frozen=True)
class LevelsOf:
    """Counts a column by its levels, or by its bands between edges.

    Attributes:
        most: more levels than that, without the missing one, are too many; below 0 they are so without being read.
        edges: None where its own values are the levels.
    """

    column: ShownColumn
    most: int
    edges: tuple[Edge, ...] | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """All that is read."""
        return (self.column.source,)

    def of(self, part: Part) -> Levels:
        """Of a part."""
        name, frame = self.column.name, Shown((self.column,)).of(part)
        cut: dict[str, Sequence[Edge]] = {} if self.edges is None else {name: self.edges}
        if self.most < 0 or (self.edges is None and self._are_many(frame[name].iloc[:_FIRST])):
            return Levels(None, part.rows, self.most)
        try:
            (coded,) = coded_columns(frame, [name], edges=cut, quantiles={}, max_levels=self.most)
        except TooManyLevels:
            return Levels(None, part.rows, self.most)
        counts = np.bincount(coded.codes, minlength=len(coded.levels)).tolist()
        return Levels(dict(zip(coded.levels, counts, strict=True)), part.rows, self.most)

    def _are_many(self, first: pd.Series[Any]) -> bool:
        """Whether the first rows say so; of lists nothing can be said."""
        return kind_of(first) != "lists" and first.nunique() > self.most


@dataclass(frozen=True)
class LevelsOfSlices:
    """The levels of all slice columns.

    Attributes:
        asked: the columns, and for each that has too many levels what to do.
        bands: into how many bands further columns are going to be cut, by name.
    """

    asked: tuple[tuple[str, str], ...]
    each: tuple[Levels, ...]
    bands: tuple[tuple[str, int], ...]
    depth: int
    rows: int

    def __add__(self, other: LevelsOfSlices) -> LevelsOfSlices:
        """Those of both sets of rows.

        Raises:
            TooManyLevels: for a column of too many levels, or levels that make too many slices.
        """
        each = tuple(a + b for a, b in zip(self.each, other.each, strict=True))
        return LevelsOfSlices(self.asked, each, self.bands, self.depth, self.rows + other.rows).checked()

    def checked(self) -> LevelsOfSlices:
        """The same.

        Raises:
            TooManyLevels: as when two are added.
        """
        sizes = dict(self.bands)
        for (name, mend), one in zip(self.asked, self.each, strict=True):
            if one.counts is None:
                raise TooManyLevels(
                    f"slices: column {name!r} has more than max_levels={one.most} levels after {self.rows:,} rows; "
                    f"{mend}, raise max_levels, or leave it out"
                )
            sizes[name] = len(one.counts)
        depths = range(1, min(self.depth, len(sizes)) + 1)
        possible = sum(math.prod(some) for depth in depths for some in combinations(sizes.values(), depth))
        if possible > MAX_SLICES:
            widest = sorted(sizes.items(), key=lambda entry: -entry[1])[:3]
            listed = ", ".join(f"{name!r} ({size})" for name, size in widest)
            raise TooManyLevels(
                f"slices: {possible:,} possible slices at depth {self.depth} after {self.rows:,} rows, more than "
                f"{MAX_SLICES:,}; reduce depth or group the levels of {listed}"
            )
        return self


@dataclass(frozen=True)
class LevelsOfAll:
    """Finds the levels of all slice columns; see ``LevelsOfSlices``."""

    each: tuple[LevelsOf, ...]
    mends: tuple[str, ...]
    bands: tuple[tuple[str, int], ...]
    depth: int

    @property
    def columns(self) -> tuple[str, ...]:
        """All that is read."""
        return tuple(dict.fromkeys(one.column.source for one in self.each))

    def of(self, part: Part) -> LevelsOfSlices:
        """Of a part."""
        asked = tuple((one.column.name, mend) for one, mend in zip(self.each, self.mends, strict=True))
        found = tuple(one.of(part) for one in self.each)
        return LevelsOfSlices(asked, found, self.bands, self.depth, part.rows)
