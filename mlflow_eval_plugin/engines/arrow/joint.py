"""Joint tables of slice columns: a few are counted and marginalised to single columns and pairs.

Counting six columns and their fifteen pairs one by one would be twenty-one passes over the rows; a joint table of
several columns gives all of its margins for one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from mlflow_eval_plugin.engines.arrow.columns.levels import CodedColumn, slice_of
from mlflow_eval_plugin.engines.arrow.counting import Lanes, counted
from mlflow_eval_plugin.stats.counts.slice import Slice, slice_order
from mlflow_eval_plugin.stats.errors import TooManyLevels

JOINT_CELLS = 512  # 16 MB of counts; larger joint tables cost more than the passes they save
MAX_SLICES = 2048  # 63 MB of counts

OVERALL = Slice("overall", ())
Columns = tuple[CodedColumn, ...]


def tabulated(
    count: Callable[[Columns, slice], Lanes], rows: int, columns: Columns, depth: int, *, cells: int = JOINT_CELLS
) -> tuple[tuple[Slice, ...], Lanes]:
    """The slices that have rows, "overall" first and then in canonical order, and their lanes along the first axis.

    Args:
        count: counts some of the rows by the cells of some columns (see ``cell_codes``); its lane ``cells``, or ``n``,
            counts rows.
        rows: how many there are.
        depth: of how many columns the slices are, at most.
        cells: joint tables are not grown beyond these.

    Raises:
        TooManyLevels: for more than ``MAX_SLICES`` possible slices.
    """
    found, parts = in_views(count, rows, columns, depth, cells=cells)
    return found, {name: np.stack([lanes[name] for lanes in parts]) for name in parts[0]}


def in_views(
    count: Callable[[Columns, slice], Lanes], rows: int, columns: Columns, depth: int, *, cells: int = JOINT_CELLS
) -> tuple[tuple[Slice, ...], list[Lanes]]:
    """As ``tabulated``, each slice's lanes by themselves, as views: large ones need not be copied together."""
    wanted = subsets(columns, depth)
    tables: list[Counted] = []
    for group, margins in _joint_tables(wanted, cells) or [((), [])]:
        joint = Counted(group, counted(rows, partial(count, group)))
        # All rows are a margin of any table, too.
        tables.extend(joint.margin(subset) for subset in (margins if tables else [(), *margins]))
    found = [(one, table, cell) for table in tables for cell, one in table.slices()]
    found.sort(key=lambda entry: slice_order(entry[0]))
    parts = [{name: lane[cell] for name, lane in table.lanes.items()} for _, table, cell in found]
    return tuple(one for one, _, _ in found), parts


def cell_codes(columns: Columns, rows: slice) -> NDArray[np.int32]:
    """The cell of each of some rows, in mixed radix of the columns' levels."""
    # Numbers of 16 bits are added twice as fast as those of 32, and suffice: no table has 2**15 cells.
    cell = np.zeros(rows.stop - rows.start, dtype=np.int16)
    for column in columns:
        cell *= cell.dtype.type(len(column.levels))
        cell += column.codes[rows]
    return cell.astype(np.int32)


def size(columns: Columns) -> int:
    """The number of cells."""
    return math.prod(len(column.levels) for column in columns)


def subsets_of(columns: Columns, depth: int) -> int:
    """How many sets of columns make slices: of each, none among them, every row is in one slice."""
    own = sum(column.named is None for column in columns)
    return sum(math.comb(own, size) for size in range(min(depth, own) + 1))


@dataclass(frozen=True, eq=False)
class Counted:
    """A joint table of some columns: every lane has one axis of cells, in mixed radix of the columns' levels."""

    columns: Columns
    lanes: Lanes

    def margin(self, subset: Columns) -> Counted:
        """The table of some of the columns only."""
        shape = tuple(len(column.levels) for column in self.columns)
        others = tuple(axis for axis, column in enumerate(self.columns) if column not in subset)
        if not others:
            return self
        kept = tuple(column for column in self.columns if column in subset)
        lanes = {}
        for name, lane in self.lanes.items():
            summed = lane.reshape((*shape, *lane.shape[1:])).sum(axis=others, dtype=lane.dtype)
            lanes[name] = summed.reshape((size(kept), *lane.shape[1:]))
        return Counted(kept, lanes)

    def slices(self) -> list[tuple[int, Slice]]:
        """The cells that have rows, each with its slice."""
        if not self.columns:
            return [(0, OVERALL)]
        if self.columns[0].named:
            return [(1, self.columns[0].named)]
        shape = tuple(len(column.levels) for column in self.columns)
        rows = self.lanes["cells" if "cells" in self.lanes else "n"]
        occupied = np.flatnonzero(rows.reshape(len(rows), -1).max(axis=1))  # an eighth of the time of ``any``
        return [(int(cell), self._slice(np.unravel_index(cell, shape))) for cell in occupied]

    def _slice(self, codes: Iterable[np.intp]) -> Slice:
        return slice_of((column.name, column.levels[code]) for column, code in zip(self.columns, codes, strict=True))


def subsets(columns: Columns, depth: int) -> list[Columns]:
    """The sets of columns whose cells are slices, and each named slice.

    Raises:
        TooManyLevels: for more than ``MAX_SLICES`` possible slices.
    """
    own = [column for column in columns if column.named is None]
    subsets = [subset for length in range(1, min(depth, len(own)) + 1) for subset in combinations(own, length)]
    # Named slices are met by nothing, whatever the depth.
    subsets += [(column,) for column in columns if column.named]
    most = sum(size(subset) for subset in subsets)
    if most > MAX_SLICES:
        widest = sorted(columns, key=lambda column: -len(column.levels))[:3]
        listed = ", ".join(f"{column.name!r} ({len(column.levels)})" for column in widest)
        raise TooManyLevels(
            f"slices: {most:,} possible slices at depth {depth}, more than {MAX_SLICES:,}; reduce depth or group the "
            f"levels of {listed}"
        )
    return subsets


def _joint_tables(wanted: list[Columns], cells: int) -> list[tuple[Columns, list[Columns]]]:
    """Joint tables that cover every wanted margin, each with the margins it is to give."""
    names = {subset: frozenset(column.name for column in subset) for subset in wanted}
    tables: list[tuple[Columns, list[Columns]]] = []
    # The largest margins come first, so that the small ones find a table that is there already.
    for subset in sorted(wanted, key=lambda margin: (-len(margin), -size(margin))):
        for group, margins in tables:
            if names[subset] <= {column.name for column in group}:
                margins.append(subset)
                break
        else:
            tables.append((_grown(subset, wanted, cells), [subset]))
    return tables


def _grown(seed: Columns, wanted: list[Columns], cells: int) -> Columns:
    group, everything = seed, dict.fromkeys(column for subset in wanted for column in subset)
    for column in everything:
        if column not in group and size((*group, column)) <= cells:
            group = (*group, column)
    # In the order given: a slice must not be named after the table that it happened to be counted in.
    return tuple(column for column in everything if column in group)
