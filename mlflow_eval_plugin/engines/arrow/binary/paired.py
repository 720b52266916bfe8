"""Rows with the predictions of two models into a ``PairedSummary``, and in a second pass into a ``PlacementSummary``.

pairs = paired_rows(frame, label=..., champion=..., challenger=..., slices=[...])
summary = paired_summary(pairs)
placements = placement_summary(pairs, summary)     # of a shard: with the summary of all of them
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlflow_eval_plugin.engines.arrow.binary.ranking import cells_in
from mlflow_eval_plugin.engines.arrow.binary.scores import Chunk, chunks
from mlflow_eval_plugin.engines.arrow.binary.slices import counted_slices
from mlflow_eval_plugin.engines.arrow.columns.inputs import ColumnArgument, Scored, scored_rows
from mlflow_eval_plugin.engines.arrow.counting import Lanes, counted
from mlflow_eval_plugin.engines.arrow.families import families
from mlflow_eval_plugin.engines.arrow.joint import Columns, cell_codes, size, tabulated
from mlflow_eval_plugin.engines.arrow.queries import sliced_columns
from mlflow_eval_plugin.engines.slicing import UNSLICED, Slicing
from mlflow_eval_plugin.stats.arrays import IntArray
from mlflow_eval_plugin.stats.binary.paired import (
    JOINT_BINS,
    PLACEMENT_ONE,
    PairedSummary,
    PlacementSummary,
    placement_table,
)
from mlflow_eval_plugin.stats.counts.fixed_point import add_at, fixed_point
from mlflow_eval_plugin.stats.counts.ranks import Ranks, known
from mlflow_eval_plugin.stats.counts.slice import LOSS_SQUARE_ONE, ONE
from mlflow_eval_plugin.stats.counts.threads import side_by_side


@dataclass(frozen=True, eq=False)
class PairedRows:
    """Rows that can be counted, as both models score them."""

    champion: Scored
    challenger: Scored
    columns: Columns
    depth: int
    thresholds: tuple[float, float]

    def __len__(self) -> int:
        return len(self.champion.score)

    def chunks(self, rows: slice) -> Iterator[tuple[slice, Chunk, Chunk]]:
        """The same rows of both, some at a time, and which they are."""
        both = zip(chunks(self.champion, rows), chunks(self.challenger, rows), strict=True)
        return ((part, first, second) for (part, first), (_, second) in both)

    def predicted(self, model: int) -> NDArray[np.uint8]:
        """What the champion (0) or the challenger (1) decides."""
        scored = self.challenger if model else self.champion
        return (scored.score >= self.thresholds[model]).astype(np.uint8)


def paired_rows(  # noqa: PLR0913 - the options of a report
    rows: pd.DataFrame,
    *,
    label: ColumnArgument,
    champion: ColumnArgument,
    challenger: ColumnArgument,
    slicing: Slicing = UNSLICED,
    thresholds: tuple[float, float] = (0.5, 0.5),
    pos_label: object | None = None,
    weight: ColumnArgument | None = None,
    weight_scale: float | None = None,
) -> PairedRows:
    """Check the rows and bring them into the form that is counted.

    Args:
        rows, label, pos_label, weight, weight_scale, slicing: as in ``slice_summary``.
        champion, challenger: probabilities of the positive label, or predicted classes as 0 and 1.
        thresholds: of the champion and of the challenger: scores at or above it are predicted positive.

    Raises:
        InputError: when labels, scores, weights, columns or edges cannot be evaluated.
        TooManyLevels: for a column with more than ``max_levels`` levels.
    """
    scored = [
        scored_rows(rows, label=label, score=score, pos_label=pos_label, weight=weight, weight_scale=weight_scale)
        for score in (champion, challenger)
    ]
    columns = sliced_columns(rows, slicing)
    return PairedRows(scored[0], scored[1], columns, slicing.depth, thresholds)


def paired_summary(pairs: PairedRows) -> PairedSummary:
    """Count the rows by slice, label and both predictions.

    Raises:
        TooManyLevels: for more slices than a Summary holds.
    """
    predicted = pairs.predicted(0), pairs.predicted(1)
    champion, challenger = (
        counted_slices(scored, predicted[i], pairs.columns, pairs.depth, pairs.thresholds[i])
        for i, scored in enumerate((pairs.champion, pairs.challenger))
    )

    slices, lanes = tabulated(partial(_counted, pairs, predicted), len(pairs), pairs.columns, pairs.depth)
    lanes["n"] = lanes.pop("cells")
    by_cell = {name: lanes.pop(name).reshape(len(slices), 2, 2, 2) for name in ("n", "weight", "weight_square")}
    return PairedSummary(champion, challenger, joint=_joint(pairs), **by_cell, **lanes)


def placement_summary(pairs: PairedRows, summary: PairedSummary) -> PlacementSummary:
    """How differently the two models place these rows among all the rows of ``summary``."""
    models = [
        (known(one.ranks), cells_in(known(one.ranks), scored.score))
        for one, scored in ((summary.champion, pairs.champion), (summary.challenger, pairs.challenger))
    ]
    change, fourth = (np.zeros((len(summary.slices), 2), dtype=np.int64) for _ in range(2))
    for family in families(summary.slices, pairs.columns):
        place = family.place(slice(0, len(pairs)))
        order = np.argsort(place, kind="stable")
        ends = np.searchsorted(place[order], np.arange(len(family.members) + 1))
        members = zip(family.members.tolist(), pairwise(ends.tolist()), strict=True)
        some = ((entry, order[begin:end]) for entry, (begin, end) in members)
        for entry, moved in side_by_side(partial(_moved, pairs, models), some):
            change[entry], fourth[entry] = moved
    return PlacementSummary(summary.slices, change, fourth, summary.champion.weight_scale)


def _moved(
    pairs: PairedRows, models: list[tuple[Ranks, NDArray[Any]]], some: tuple[int, NDArray[np.intp]]
) -> tuple[int, list[list[int]]]:
    """Of an entry and its rows: the sums of squares and of fourth powers of changes of placement, by label."""
    entry, rows = some
    label, weight = pairs.champion.label[rows], pairs.champion.weight
    placed = []
    for ranks, cells in models:
        # Every row's cell is one of the entry's, so that nothing else of the table is read.
        table = np.empty((len(ranks.key), 2), dtype=np.int32)
        table[ranks.cells(entry)] = placement_table(ranks.entry(entry))
        placed.append(table[cells[rows], label])
    square = np.square((placed[1] - placed[0].astype(np.int64)) / PLACEMENT_ONE)
    share = 1.0 if weight is None else weight[rows] / pairs.champion.weight_scale
    powers = fixed_point(share * square, ONE), np.ceil(share * square * square * ONE).astype(np.int64)
    return entry, [[int(one[label == of].sum()) for of in (0, 1)] for one in powers]


def _counted(
    pairs: PairedRows, predicted: tuple[NDArray[np.uint8], NDArray[np.uint8]], columns: Columns, rows: slice
) -> Lanes:
    cells = {name: np.zeros((size(columns), 2, 4), dtype=np.int64) for name in ("cells", "weight", "weight_square")}
    lanes: Lanes = {**cells}
    for name in ("square_error_change", "loss_change", "score_change"):
        lanes[name] = np.zeros(size(columns), dtype=np.int64)
    for part, first, second in pairs.chunks(rows):
        index = cell_codes(columns, part)
        cell = 8 * index + 4 * first.label + 2 * predicted[0][part] + predicted[1][part]
        for name, amount in _amounts(first, second):
            add_at(lanes[name].reshape(-1), index if name.endswith("_change") else cell, amount)
    return lanes


def _amounts(first: Chunk, second: Chunk) -> Iterator[tuple[str, IntArray]]:
    yield "cells", np.ones(len(first.key), dtype=np.int64)
    yield "weight", first.weight_once
    yield "weight_square", first.weight_square
    yield "square_error_change", first.fixed((second.error**2 - first.error**2) ** 2, ONE)
    yield "loss_change", first.fixed((second.loss - first.loss) ** 2, LOSS_SQUARE_ONE)
    yield "score_change", first.fixed((second.score - first.score) ** 2, ONE)


def _joint(pairs: PairedRows) -> IntArray:
    def count(rows: slice) -> Lanes:
        counts = np.zeros((1, JOINT_BINS, JOINT_BINS, 2), dtype=np.int64)
        for _, first, second in pairs.chunks(rows):
            cell = (first.bins(JOINT_BINS) >> 1) * (2 * JOINT_BINS) + second.bins(JOINT_BINS)
            add_at(counts.reshape(-1), cell, first.weight_once)
        return {"joint": counts}

    return counted(len(pairs), count)["joint"]
