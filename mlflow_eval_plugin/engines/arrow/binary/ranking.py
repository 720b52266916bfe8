"""Rows into ``Ranks``: how many rows of each label have each score, slice by slice.

Where cells are exact or fine, the rows of every family of slices are sorted by slice and score, and runs of equals are
counted. Where they are coarse, they are few, and are counted like any histogram, in the joint tables of ``joint``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

from mlflow_eval_plugin.engines.arrow.columns.inputs import Scored
from mlflow_eval_plugin.engines.arrow.counting import CHUNK_ROWS, Lanes, chunked, in_parts
from mlflow_eval_plugin.engines.arrow.families import Family, families
from mlflow_eval_plugin.engines.arrow.joint import Columns, cell_codes, in_views, size, subsets_of, tabulated
from mlflow_eval_plugin.stats.arrays import IntArray
from mlflow_eval_plugin.stats.counts.fixed_point import add_at, fixed_point
from mlflow_eval_plugin.stats.counts.ranks import (
    COARSE,
    EXACT_ROWS,
    MANTISSA,
    MOST_BITS,
    SOME_SLICES,
    Keys,
    Ranks,
    by_entry,
    cells_of,
    coarse_bits,
    gathered,
    grid_of,
    score_keys,
)
from mlflow_eval_plugin.stats.counts.slice import ONE, Slice
from mlflow_eval_plugin.stats.counts.threads import side_by_side

# Of fewer rows the joint tables fit the cache; of many, passes over them cost more than leaving it does.
JOINT_CELLS, MOST_JOINT_CELLS, ROWS_A_CELL = 2**20, 2**21, 4
SUM_CELLS = 8192  # of a table of sums, 8 MB: a larger one leaves the cache, which costs more than passes that it saves
_LEADING = 21  # bits of a key, of which coarse cells are cut
_SHIFT = 63 - _LEADING


@dataclass(frozen=True, eq=False)
class Placed:
    """Rows by the cell of their score.

    Attributes:
        cell: of every row, as a place in ``places``.
        places: where in ``key`` and ``mixed`` each of them is, see ``Ranks``.
    """

    cell: NDArray[np.signedinteger]
    places: NDArray[np.signedinteger]
    key: Keys
    mixed: NDArray[np.bool_]


def ranks_of(
    scored: Scored, columns: Columns, depth: int, slices: Sequence[Slice], rows: IntArray, *, tables: int = 1
) -> Ranks:
    """The table of ranks of rows that are scored and coded.

    Args:
        slices: of a Summary of these rows, "overall" first.
        rows: of each of these.
        tables: how many there will be of these rows, see ``grid_of``.
    """
    grid = grid_of(rows, tables, least=scored.part_of * subsets_of(columns, depth))
    placed = placed_rows(scored.score, grid)
    if grid == COARSE:
        return _tabulated(scored, placed, columns, depth, tables)[1]
    amounts = None if scored.weight is None else fixed_point(scored.weight / scored.weight_scale, ONE)
    found = side_by_side(partial(_sorted, scored.label, amounts, placed), families(slices, columns))
    entry, cell, amount = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return replace(gathered(placed.key, placed.mixed, entry, cell, amount, rows), tables=tables, grid=grid)


def ranked_alone(scored: Scored, columns: Columns, depth: int) -> tuple[tuple[Slice, ...], Ranks]:
    """The slices and the table of ranks of rows of which nothing has been counted."""
    if len(scored.score) > EXACT_ROWS and sum(len(column.levels) for column in columns) >= SOME_SLICES:
        # Cells are coarse unless levels are without rows, which counting them tells in passing.
        found, ranks = _tabulated(scored, _in_coarse_cells(scored.score), columns, depth, 1)
        if grid_of(ranks.rows) == COARSE:
            return found, ranks
    found, lanes = tabulated(_rows, len(scored.score), columns, depth, cells=SUM_CELLS)
    return found, ranks_of(scored, columns, depth, found, lanes["n"])


def _rows(columns: Columns, some: slice) -> Lanes:
    counts = np.zeros(size(columns), dtype=np.int64)
    for rows in chunked(some):
        at = cell_codes(columns, rows)
        add_at(counts, at, np.ones(len(at), dtype=np.int64))
    return {"n": counts}


def placed_rows(score: NDArray[np.float64], grid: int) -> Placed:
    """The cell of every score, and the cells that have any."""
    return _in_coarse_cells(score) if grid == COARSE else _in_order(score, grid)


def _in_order(score: NDArray[np.float64], grid: int) -> Placed:
    key = score_keys(score)
    order = np.argsort(key)
    key = key[order]
    floor = cells_of(key, grid)
    new = np.r_[True, floor[1:] != floor[:-1]]
    first = np.flatnonzero(new)
    last = np.append(first[1:], len(key)) - 1
    mixed = key[first] != key[last]
    cell = np.empty(len(key), dtype=np.int32)
    cell[order] = np.cumsum(new, dtype=np.int32) - 1
    return Placed(cell, np.arange(len(first), dtype=np.int32), np.where(mixed, floor[first], key[first]), mixed)


def _in_coarse_cells(score: NDArray[np.float64]) -> Placed:
    floors, of_leading = _coarse_cells()
    cell = np.empty(len(score), dtype=np.int16)

    def settle(rows: slice) -> tuple[Keys, NDArray[np.bool_]]:
        # One score of every cell, whichever, and the cells that have another one, too.
        seen, mixed = np.full(len(floors), -1), np.zeros(len(floors), dtype=np.bool_)
        for part in chunked(rows):
            key = score_keys(score[part])
            # All places are in the tables: clipped ones are looked up without being checked first.
            at = of_leading.take(key >> _SHIFT, mode="clip", out=cell[part])
            single = np.flatnonzero(~mixed.take(at, mode="clip"))
            key, at = key[single], at[single]
            fresh = seen[at] < 0
            seen[at[fresh]] = key[fresh]
            mixed[at[seen[at] != key]] = True
        return seen, mixed

    (seen, mixed), *others = in_parts(len(score), settle)
    for key, also in others:
        mixed |= also | ((seen >= 0) & (key >= 0) & (seen != key))
        seen = np.maximum(seen, key)
    used = np.flatnonzero(seen >= 0)
    places = np.zeros(len(floors), dtype=np.int16)
    places[used] = np.arange(len(used))
    return Placed(cell, places, np.where(mixed, floors, seen)[used], mixed[used])


@cache
def _coarse_cells() -> tuple[Keys, NDArray[np.int16]]:
    """The lowest key of every coarse cell, and the cell of the leading bits of a key."""
    exponents = np.arange(2 ** (_LEADING - MOST_BITS)) << MANTISSA
    kept = coarse_bits(exponents)
    first = np.zeros((len(exponents), 2**MOST_BITS), dtype=np.bool_)
    for bits in np.unique(kept).tolist():
        first[kept == bits, :: 2 ** (MOST_BITS - bits)] = True
    cell = np.cumsum(first, dtype=np.int16)
    cell -= 1
    return np.flatnonzero(first) << _SHIFT, cell


def _sorted(
    label: NDArray[np.uint8], amounts: IntArray | None, placed: Placed, family: Family
) -> tuple[NDArray[np.intp], NDArray[np.int32], NDArray[np.integer]]:
    """Entry, cell and amounts by label of the rows of a family, ascending."""
    at = family.place(slice(0, len(label)))
    inside = np.flatnonzero(at >= 0) if (at < 0).any() else slice(None)
    at, length = at[inside], len(placed.key)
    at *= length
    at += placed.cell[inside]
    at <<= 1
    at |= label[inside]
    if amounts is None:
        at.sort()
        weight = None
    else:
        order = np.argsort(at)
        at, weight = at[order], amounts[inside][order]
    positive = at & 1
    at >>= 1
    first = np.flatnonzero(np.r_[True, at[1:] != at[:-1]][: len(at)])
    if weight is None:
        hits = np.add.reduceat(positive, first) if len(first) else positive
        misses = np.diff(np.append(first, len(at))) - hits
        amount = np.stack([misses, hits], axis=1).astype(np.int32)
    else:
        of_label = [np.where(positive == one, weight, 0) for one in (0, 1)]
        amount = np.stack([np.add.reduceat(one, first) if len(first) else one for one in of_label], axis=1)
    start, cell = by_entry(at[first], len(family.members), length)
    return np.repeat(family.members, np.diff(start)), cell, amount


def cells_in(ranks: Ranks, score: NDArray[np.float64]) -> NDArray[np.integer]:
    """Which cell of a table each score belongs to; rows of the scores must be among those of the table."""
    placed = placed_rows(score, ranks.grid)
    known = np.searchsorted(cells_of(ranks.key, ranks.grid), cells_of(placed.key, ranks.grid))
    return np.asarray(known[placed.places][placed.cell])


def _tabulated(
    scored: Scored, placed: Placed, columns: Columns, depth: int, tables: int
) -> tuple[tuple[Slice, ...], Ranks]:
    length, weighted = len(placed.key), scored.weight is not None
    # Twice the cell, plus the label, of every row: what all joint tables are counted by.
    bins, twice = np.empty(len(scored.label), dtype=np.uint16), (2 * placed.places).astype(np.uint16)

    def fill(rows: slice) -> None:
        for part in chunked(rows):
            twice.take(placed.cell[part], mode="clip", out=bins[part])
            bins[part] |= scored.label[part]

    in_parts(len(bins), fill)

    once = np.ones(CHUNK_ROWS, dtype=np.int32)

    def count(joint: Columns, some: slice) -> Lanes:
        lanes: Lanes = {"n": np.zeros((size(joint), length, 2), dtype=np.int32)}
        if weighted:
            lanes["weight"] = np.zeros(lanes["n"].shape, dtype=np.int64)
        for part in chunked(some):
            at = cell_codes(joint, part)
            at *= 2 * length
            at += bins[part]
            add_at(lanes["n"].reshape(-1), at, once[: len(at)])
            if scored.weight is not None:
                add_at(lanes["weight"].reshape(-1), at, fixed_point(scored.weight[part] / scored.weight_scale, ONE))
        return lanes

    most = min(max(len(bins) // ROWS_A_CELL, JOINT_CELLS), MOST_JOINT_CELLS)
    slices, lanes = in_views(count, len(bins), columns, depth, cells=max(most // length, 1))
    parts = side_by_side(_used, lanes)
    cells, amounts, rows = (list(each) for each in zip(*parts, strict=True))
    start = np.cumsum([0, *map(len, cells)])
    cell = np.concatenate(cells, dtype=np.int32)
    return slices, Ranks(placed.key, placed.mixed, start, cell, np.concatenate(amounts), np.array(rows), tables, COARSE)


def _used(lanes: Lanes) -> tuple[NDArray[np.intp], NDArray[np.integer], int]:
    """The cells of a slice that have rows, what they hold by label, and the rows of all."""
    both = lanes["n"].view(np.int64)[:, 0]  # both labels at once
    used = np.flatnonzero(both)
    n = both[used].view(np.int32).reshape(-1, 2)
    amount = lanes["weight"][used] if "weight" in lanes else n
    return used, amount, int(n.sum(dtype=np.int64))
