"""Rows into a ``SliceSummary``: a few joint tables are counted and marginalised to single columns and pairs.

Counting six columns and their fifteen pairs one by one would be twenty-one passes over the rows; a joint table of
several columns gives all of its margins for one. Score histograms are large, so their tables hold fewer cells than
those of the sums.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlflow_eval_plugin.engines.inputs import ColumnArgument, Scored, coded_labels, column_of, scored_rows
from mlflow_eval_plugin.engines.levels import CodedColumn, coded_columns, slice_label
from mlflow_eval_plugin.engines.scores import Chunk, chunks
from mlflow_eval_plugin.stats.errors import InputError, TooManyLevels
from mlflow_eval_plugin.stats.summaries import (
    COARSE_BINS,
    FINE_BINS,
    LOSS_ONE,
    LOSS_SQUARE_ONE,
    ONE,
    SCORE_BINS,
    Slice,
    SliceSummary,
    slice_order,
)

# Larger joint tables leave the cache, which costs more than the passes they save: 4 MB of histograms, 8 MB of sums.
HISTOGRAM_CELLS, SUM_CELLS = 128, 8192
MAX_SLICES = 2048  # 63 MB of counts

OVERALL = Slice("overall", ())
IntArray = NDArray[np.int64]
Columns = tuple[CodedColumn, ...]
Lanes = dict[str, NDArray[Any]]


def slice_summary(  # noqa: PLR0913 - the options of a report
    rows: pd.DataFrame,
    *,
    label: ColumnArgument,
    score: ColumnArgument,
    slices: Sequence[str],
    depth: int = 2,
    threshold: float = 0.5,
    prediction: ColumnArgument | None = None,
    pos_label: object | None = None,
    weight: ColumnArgument | None = None,
    weight_scale: float | None = None,
    edges: Mapping[str, Sequence[float]] | None = None,
    quantiles: Mapping[str, int] | None = None,
    max_levels: int = 100,
) -> SliceSummary:
    """Count rows by slice, fine score bin and label.

    Args:
        rows, label, score, pos_label, weight, weight_scale: as in ``score_summary``.
        slices: slice columns; their levels and the intersections of up to ``depth`` columns are slices.
        threshold: rows with ``score >= threshold`` are predicted positive, exactly, wherever the bins are.
        prediction: predicted labels; takes the place of ``threshold``.
        edges, quantiles: numeric columns to cut, at edges or into so many full intervals; shards need ``edges``.

    Raises:
        InputError: when labels, scores, weights, columns or edges cannot be evaluated.
        TooManyLevels: for a column with more than ``max_levels`` levels, or more than ``MAX_SLICES`` slices.
    """
    scored = scored_rows(rows, label=label, score=score, pos_label=pos_label, weight=weight, weight_scale=weight_scale)
    columns = coded_columns(
        rows, list(dict.fromkeys(slices)), edges=edges or {}, quantiles=quantiles or {}, max_levels=max_levels
    )
    predicted = _predicted(rows, prediction, scored, threshold)
    wanted = [(), *_subsets(columns, depth)]
    weighted = scored.weight is not None
    joint = [
        *(
            _Joint(group, margins, _histograms(_size(group), weighted))
            for group, margins in _joint_tables(wanted, HISTOGRAM_CELLS)
        ),
        *(_Joint(group, margins, _sums(_size(group), weighted)) for group, margins in _joint_tables(wanted, SUM_CELLS)),
    ]
    for chunk in chunks(scored):
        amounts = _amounts(chunk, predicted[chunk.rows], weighted)
        for table in joint:
            table.count(chunk, amounts)
    return _summary(_margins(wanted, joint), scored, None if prediction is not None else threshold)


@dataclass(frozen=True, eq=False)
class _Amount:
    """What the rows of a chunk add to one lane: to which place inside their cell, and how much."""

    place: IntArray
    value: NDArray[Any]


@dataclass(frozen=True, eq=False)
class _Joint:
    """A joint table of some columns, with the margins it is to give.

    Every lane has one axis of cells, in mixed radix of the columns' levels.
    """

    columns: Columns
    margins: list[Columns]
    lanes: Lanes

    def count(self, chunk: Chunk, amounts: dict[str, _Amount]) -> None:
        """Add the rows of a chunk to every lane."""
        cell = np.zeros(len(chunk.key), dtype=np.int64)
        for column in self.columns:
            cell *= len(column.levels)
            cell += column.codes[chunk.rows]
        for name, lane in self.lanes.items():
            amount = amounts[name]
            np.add.at(lane.reshape(-1), cell * math.prod(lane.shape[1:]) + amount.place, amount.value)

    def margin(self, subset: Columns) -> Lanes:
        """The lanes of the table of some of the columns only."""
        shape = tuple(len(column.levels) for column in self.columns)
        others = tuple(axis for axis, column in enumerate(self.columns) if column not in subset)
        lanes = {}
        for name, lane in self.lanes.items():
            summed = lane.reshape(*shape, *lane.shape[1:]).sum(axis=others, dtype=lane.dtype)
            lanes[name] = summed.reshape(_size(subset), *lane.shape[1:])
        return lanes


@dataclass(frozen=True, eq=False)
class _Counted:
    """The table of the columns of some slices."""

    columns: Columns
    lanes: Lanes

    def slices(self) -> list[tuple[int, Slice]]:
        """The cells that have rows, each with its slice."""
        if not self.columns:
            return [(0, OVERALL)]
        shape = tuple(len(column.levels) for column in self.columns)
        occupied = np.flatnonzero(self.lanes["cells"].sum(axis=(1, 2)))
        return [(int(cell), self._slice(np.unravel_index(cell, shape))) for cell in occupied]

    def _slice(self, codes: Iterable[np.intp]) -> Slice:
        levels = tuple((column.name, column.levels[code]) for column, code in zip(self.columns, codes, strict=True))
        return Slice(" & ".join(slice_label(name, level) for name, level in levels), levels)


def _margins(wanted: list[Columns], joint: list[_Joint]) -> list[_Counted]:
    lanes: dict[frozenset[str], Lanes] = {}
    for table in joint:
        for subset in table.margins:
            lanes.setdefault(_names(subset), {}).update(table.margin(subset))
    for found in lanes.values():
        if "cell_weight" not in found:
            # Unweighted rows weigh one each, which need not be counted again.
            found["cell_weight"] = found["cell_weight_square"] = found["cells"] * int(ONE)
    return [_Counted(subset, lanes[_names(subset)]) for subset in wanted]


def _predicted(
    rows: pd.DataFrame, prediction: ColumnArgument | None, scored: Scored, threshold: float
) -> NDArray[np.uint8]:
    if prediction is None:
        return (scored.score >= threshold).astype(np.uint8)
    values = column_of(rows, prediction, argument="prediction")
    if values.nunique() == 2:
        return coded_labels(values, scored.pos_label)[0]
    # A model that predicts one class only is legal; it has to be one of the two.
    only = values.astype(str)
    if values.isna().any() or only.nunique() != 1:
        raise InputError(
            f"prediction: expected predicted labels of two classes, found {values.nunique()} and missing ones"
        )
    return np.full(len(values), int(only.iloc[0] == scored.pos_label), dtype=np.uint8)


def _subsets(columns: Columns, depth: int) -> list[Columns]:
    sizes = range(1, min(depth, len(columns)) + 1)
    subsets = [subset for size in sizes for subset in combinations(columns, size)]
    most = sum(_size(subset) for subset in subsets)
    if most > MAX_SLICES:
        widest = sorted(columns, key=lambda column: -len(column.levels))[:3]
        listed = ", ".join(f"{column.name!r} ({len(column.levels)})" for column in widest)
        raise TooManyLevels(
            f"slices: {most:,} possible slices at depth {depth}, more than {MAX_SLICES:,}; reduce depth or group the "
            f"levels of {listed}"
        )
    return subsets


def _joint_tables(wanted: list[Columns], most: int) -> list[tuple[Columns, list[Columns]]]:
    """Joint tables that cover every wanted margin, each with the margins it is to give."""
    tables: list[tuple[Columns, list[Columns]]] = []
    # The largest margins come first, so that the small ones find a table that is there already.
    for subset in sorted(wanted, key=lambda margin: (-len(margin), -_size(margin))):
        for group, margins in tables:
            if _names(subset) <= _names(group):
                margins.append(subset)
                break
        else:
            tables.append((_grown(subset, wanted, most), [subset]))
    return tables


def _grown(seed: Columns, wanted: list[Columns], most: int) -> Columns:
    group, everything = seed, dict.fromkeys(column for subset in wanted for column in subset)
    for column in everything:
        if column not in group and _size((*group, column)) <= most:
            group = (*group, column)
    # In the order given: a slice must not be named after the table that it happened to be counted in.
    return tuple(column for column in everything if column in group)


def _names(columns: Columns) -> frozenset[str]:
    return frozenset(column.name for column in columns)


def _size(columns: Columns) -> int:
    return math.prod(len(column.levels) for column in columns)


def _histograms(cells: int, weighted: bool) -> Lanes:
    lanes: Lanes = {"n": np.zeros((cells, FINE_BINS, 2), dtype=np.int32)}
    if weighted:
        lanes["weight"] = np.zeros((cells, FINE_BINS, 2), dtype=np.int64)
    return lanes


def _sums(cells: int, weighted: bool) -> Lanes:
    lanes: Lanes = {"score": np.zeros((cells, COARSE_BINS, 2), dtype=np.int64)}
    for name in ("cells", "cell_weight", "cell_weight_square") if weighted else ("cells",):
        lanes[name] = np.zeros((cells, 2, 2), dtype=np.int64)
    for name in ("square_error", "loss", "loss_square"):
        lanes[name] = np.zeros((cells, 2), dtype=np.int64)
    return lanes


def _amounts(chunk: Chunk, predicted: NDArray[np.uint8], weighted: bool) -> dict[str, _Amount]:
    score_bin, label, loss = chunk.key >> 1, chunk.label, chunk.loss
    fine = 2 * (score_bin // (SCORE_BINS // FINE_BINS)) + label
    coarse = 2 * (score_bin // (SCORE_BINS // COARSE_BINS)) + label
    confusion = 2 * label + predicted
    # add.at is fast only where the amounts are an array of the lane's own type.
    amounts = {
        "n": _Amount(fine, np.ones(len(fine), dtype=np.int32)),
        "cells": _Amount(confusion, np.ones(len(fine), dtype=np.int64)),
        "score": _Amount(coarse, chunk.fixed(chunk.score, ONE)),
        "square_error": _Amount(label, chunk.fixed(chunk.error**2, ONE)),
        "loss": _Amount(label, chunk.fixed(loss, LOSS_ONE)),
        "loss_square": _Amount(label, chunk.fixed(loss**2, LOSS_SQUARE_ONE)),
    }
    if weighted:
        one = chunk.fixed(np.ones(1), ONE)
        amounts["weight"], amounts["cell_weight"] = _Amount(fine, one), _Amount(confusion, one)
        amounts["cell_weight_square"] = _Amount(confusion, chunk.weight_square)
    return amounts


def _summary(tables: list[_Counted], scored: Scored, threshold: float | None) -> SliceSummary:
    found = [(one, table, cell) for table in tables for cell, one in table.slices()]
    found.sort(key=lambda entry: slice_order(entry[0]))
    lanes: dict[str, Any] = {"weight": None}
    for name in tables[0].lanes:
        lanes[name] = np.stack([table.lanes[name][cell] for _, table, cell in found])
    return SliceSummary(
        slices=tuple(one for one, _, _ in found),
        **lanes,
        weight_scale=scored.weight_scale,
        weighted=scored.weight is not None,
        threshold=threshold,
        pos_label=scored.pos_label,
    )
