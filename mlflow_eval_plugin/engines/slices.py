"""Rows into a ``SliceSummary``: a few joint tables are counted and marginalised to single columns and pairs.

Counting six columns and their fifteen pairs one by one would be twenty-one passes over the rows; a joint table of
several columns gives all of its margins for one.
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

JOINT_CELLS = 512  # 16 MB of counts; larger joint tables cost more than the passes they save
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
    wanted = subsets_of(columns, depth)
    tables = [_counted(scored, predicted, ())]
    for group, margins in joint_tables(wanted):
        joint = _counted(scored, predicted, group)
        tables.extend(joint.margin(subset) for subset in margins)
    return _summary(tables, scored, None if prediction is not None else threshold)


@dataclass(frozen=True, eq=False)
class JointTable:
    """A joint table of some columns: every lane has one axis of cells, in mixed radix of the columns' levels.

    The lane ``cells`` counts rows, on that axis and any others.
    """

    columns: Columns
    lanes: Lanes

    def margin(self, subset: Columns) -> JointTable:
        """The table of some of the columns only."""
        shape = tuple(len(column.levels) for column in self.columns)
        others = tuple(axis for axis, column in enumerate(self.columns) if column not in subset)
        kept = tuple(column for column in self.columns if column in subset)
        lanes = {}
        for name, lane in self.lanes.items():
            summed = lane.reshape((*shape, *lane.shape[1:])).sum(axis=others, dtype=lane.dtype)
            lanes[name] = summed.reshape((cells_of(kept), *lane.shape[1:]))
        return JointTable(kept, lanes)

    def slices(self) -> list[tuple[int, Slice]]:
        """The cells that have rows, each with its slice."""
        if not self.columns:
            return [(0, OVERALL)]
        shape = tuple(len(column.levels) for column in self.columns)
        occupied = np.flatnonzero(self.lanes["cells"].reshape(cells_of(self.columns), -1).sum(axis=1))
        return [(int(cell), self._slice(np.unravel_index(cell, shape))) for cell in occupied]

    def _slice(self, codes: Iterable[np.intp]) -> Slice:
        levels = tuple((column.name, column.levels[code]) for column, code in zip(self.columns, codes, strict=True))
        return Slice(" & ".join(slice_label(name, level) for name, level in levels), levels)


def cell_of(columns: Columns, rows: slice) -> IntArray:
    """The cell of the joint table in which each of some rows is."""
    cell = np.zeros(rows.stop - rows.start, dtype=np.int64)
    for column in columns:
        cell = cell * len(column.levels) + column.codes[rows]
    return cell


def _counted(scored: Scored, predicted: NDArray[np.uint8], columns: Columns) -> JointTable:
    lanes = _empty_lanes(cells_of(columns), weighted=scored.weight is not None)
    for chunk in chunks(scored):
        _count(lanes, cell_of(columns, chunk.rows), chunk, predicted[chunk.rows])
    return JointTable(columns, lanes)


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


def subsets_of(columns: Columns, depth: int) -> list[Columns]:
    """All intersections of up to ``depth`` columns.

    Raises:
        TooManyLevels: where they can have more than ``MAX_SLICES`` slices.
    """
    sizes = range(1, min(depth, len(columns)) + 1)
    subsets = [subset for size in sizes for subset in combinations(columns, size)]
    most = sum(cells_of(subset) for subset in subsets)
    if most > MAX_SLICES:
        widest = sorted(columns, key=lambda column: -len(column.levels))[:3]
        listed = ", ".join(f"{column.name!r} ({len(column.levels)})" for column in widest)
        raise TooManyLevels(
            f"slices: {most:,} possible slices at depth {depth}, more than {MAX_SLICES:,}; reduce depth or group the "
            f"levels of {listed}"
        )
    return subsets


def joint_tables(wanted: list[Columns]) -> list[tuple[Columns, list[Columns]]]:
    """Joint tables that cover every wanted margin, each with the margins it is to give."""
    names = {subset: frozenset(column.name for column in subset) for subset in wanted}
    tables: list[tuple[Columns, list[Columns]]] = []
    # The largest margins come first, so that the small ones find a table that is there already.
    for subset in sorted(wanted, key=lambda margin: (-len(margin), -cells_of(margin))):
        for group, margins in tables:
            if names[subset] <= {column.name for column in group}:
                margins.append(subset)
                break
        else:
            tables.append((_grown(subset, wanted), [subset]))
    return tables


def _grown(seed: Columns, wanted: list[Columns]) -> Columns:
    group = seed
    for column in dict.fromkeys(column for subset in wanted for column in subset):
        if column not in group and cells_of((*group, column)) <= JOINT_CELLS:
            group = (*group, column)
    return group


def cells_of(columns: Columns) -> int:
    """The cells of the joint table of some columns."""
    return math.prod(len(column.levels) for column in columns)


def _empty_lanes(cells: int, *, weighted: bool) -> Lanes:
    lanes: Lanes = {
        "n": np.zeros((cells, FINE_BINS, 2), dtype=np.int32),
        "score": np.zeros((cells, COARSE_BINS, 2), dtype=np.int64),
    }
    for name in ("cells", "cell_weight", "cell_weight_square"):
        lanes[name] = np.zeros((cells, 2, 2), dtype=np.int64)
    for name in ("square_error", "loss", "loss_square"):
        lanes[name] = np.zeros((cells, 2), dtype=np.int64)
    if weighted:
        lanes["weight"] = np.zeros((cells, FINE_BINS, 2), dtype=np.int64)
    return lanes


def _count(
    lanes: Lanes,
    cell: IntArray,
    chunk: Chunk,
    predicted: NDArray[np.uint8],
) -> None:
    score_bin = chunk.key >> 1
    fine = cell * (2 * FINE_BINS) + 2 * (score_bin // (SCORE_BINS // FINE_BINS)) + chunk.label
    coarse = cell * (2 * COARSE_BINS) + 2 * (score_bin // (SCORE_BINS // COARSE_BINS)) + chunk.label
    confusion = 4 * cell + 2 * chunk.label + predicted
    by_label = 2 * cell + chunk.label
    one, loss = chunk.fixed(np.ones(1), ONE), chunk.loss
    # add.at is fast only where the amounts are an array of the lane's own type.
    np.add.at(lanes["n"].reshape(-1), fine, np.ones(len(fine), dtype=np.int32))
    np.add.at(lanes["cells"].reshape(-1), confusion, np.ones(len(fine), dtype=np.int64))
    np.add.at(lanes["cell_weight"].reshape(-1), confusion, one)
    np.add.at(lanes["cell_weight_square"].reshape(-1), confusion, chunk.fixed(chunk.weight, ONE))
    np.add.at(lanes["score"].reshape(-1), coarse, chunk.fixed(chunk.score, ONE))
    np.add.at(lanes["square_error"].reshape(-1), by_label, chunk.fixed(chunk.error**2, ONE))
    np.add.at(lanes["loss"].reshape(-1), by_label, chunk.fixed(loss, LOSS_ONE))
    np.add.at(lanes["loss_square"].reshape(-1), by_label, chunk.fixed(loss**2, LOSS_SQUARE_ONE))
    if "weight" in lanes:
        np.add.at(lanes["weight"].reshape(-1), fine, one)


def _summary(tables: list[JointTable], scored: Scored, threshold: float | None) -> SliceSummary:
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
