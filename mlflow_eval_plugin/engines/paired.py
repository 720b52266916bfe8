"""Rows with the predictions of two models into a ``PairedSummary``, and in a second pass into a ``PlacementSummary``.

pairs = paired_rows(frame, label=..., champion=..., challenger=..., slices=[...])
summary = paired_summary(pairs)
placements = placement_summary(pairs, summary)     # of a shard: with the summary of all of them
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlflow_eval_plugin.engines.counting import Lanes, counted
from mlflow_eval_plugin.engines.families import Family, families
from mlflow_eval_plugin.engines.inputs import ColumnArgument, Scored, scored_rows
from mlflow_eval_plugin.engines.joint import Columns, cell_codes, size, tabulated
from mlflow_eval_plugin.engines.queries import sliced_columns
from mlflow_eval_plugin.engines.scores import Chunk, chunks
from mlflow_eval_plugin.engines.slices import counted_slices
from mlflow_eval_plugin.query import NamedQuery
from mlflow_eval_plugin.stats.fixed_point import add_at
from mlflow_eval_plugin.stats.paired import (
    JOINT_BINS,
    PLACEMENT_ONE,
    PairedSummary,
    PlacementSummary,
    placement_tables,
)
from mlflow_eval_plugin.stats.summaries import FINE_BINS, LOSS_SQUARE_ONE, ONE

IntArray = NDArray[np.int64]


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
    slices: Sequence[str] = (),
    depth: int = 1,
    thresholds: tuple[float, float] = (0.5, 0.5),
    pos_label: object | None = None,
    weight: ColumnArgument | None = None,
    weight_scale: float | None = None,
    edges: Mapping[str, Sequence[float]] | None = None,
    quantiles: Mapping[str, int] | None = None,
    max_levels: int = 100,
    queries: Sequence[NamedQuery] = (),
) -> PairedRows:
    """Check the rows and bring them into the form that is counted.

    Args:
        rows, label, pos_label, weight, weight_scale, slices, depth, edges, quantiles, max_levels, queries: as in
            ``slice_summary``.
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
    columns = sliced_columns(
        rows, slices, depth=depth, edges=edges, quantiles=quantiles, max_levels=max_levels, queries=queries
    )
    return PairedRows(scored[0], scored[1], columns, depth, thresholds)


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
    change = np.zeros((len(summary.slices), 2), dtype=np.int64)
    for family in families(summary.slices, pairs.columns):
        tables = [placement_tables(one, family.members) for one in (summary.champion, summary.challenger)]
        change += counted(len(pairs), partial(_moved, pairs, family, tables, change.shape))["change"]
    return PlacementSummary(summary.slices, change, summary.champion.weight_scale)


def _moved(pairs: PairedRows, family: Family, tables: list[NDArray[Any]], shape: tuple[int, int], rows: slice) -> Lanes:
    change = np.zeros(shape, dtype=np.int64)
    for part, *both in pairs.chunks(rows):
        at = family.place(part)
        inside = np.flatnonzero(at >= 0)
        at, models = at[inside], [chunk.taken(inside) for chunk in both]
        label = models[0].label
        # A row's place among the other class, in either model: (slice of the family, fine bin, label).
        first, second = (
            table[at, chunk.bins(FINE_BINS) >> 1, label] for table, chunk in zip(tables, models, strict=True)
        )
        moved = models[0].fixed(((second - first) / PLACEMENT_ONE) ** 2, ONE)
        add_at(change.reshape(-1), family.members[at] * 2 + label, moved)
    return {"change": change}


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
