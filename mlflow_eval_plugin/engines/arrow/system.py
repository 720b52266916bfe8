"""Rows into a ``SystemSummary``: latencies and costs by slice."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlflow_eval_plugin.engines.arrow.columns.inputs import ColumnArgument, checked_amounts, column_of, scale_of
from mlflow_eval_plugin.engines.arrow.columns.plain import kind_of, plain
from mlflow_eval_plugin.engines.arrow.counting import Lanes, chunked
from mlflow_eval_plugin.engines.arrow.joint import Columns, cell_codes, size, tabulated
from mlflow_eval_plugin.engines.arrow.queries import sliced_columns
from mlflow_eval_plugin.engines.slicing import Slicing
from mlflow_eval_plugin.stats.arrays import IntArray
from mlflow_eval_plugin.stats.counts.fixed_point import add_at, fixed_point, squares_up
from mlflow_eval_plugin.stats.counts.slice import ONE, rows_countable
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.slices.system import SystemSummary, latency_bins


def system_summary(
    rows: pd.DataFrame,
    *,
    slicing: Slicing,
    latency: ColumnArgument | None = None,
    cost: ColumnArgument | None = None,
    cost_scale: float | None = None,
) -> SystemSummary:
    """Count latencies and add up costs by slice.

    Args:
        latency, cost: non-negative numbers, one a row.
        cost_scale: for shards that are to be merged: a power of two at or above the largest cost of all shards.
        slicing: what the rows are sliced by.

    Raises:
        InputError: for columns that are missing, or hold text, missing, infinite or negative values.
        TooManyLevels: as in ``slice_summary``.
    """
    rows_countable(len(rows))
    return counted_system(
        rows, sliced_columns(rows, slicing), slicing.depth, latency=latency, cost=cost, cost_scale=cost_scale
    )


def counted_system(
    rows: pd.DataFrame,
    columns: Columns,
    depth: int,
    *,
    latency: ColumnArgument | None,
    cost: ColumnArgument | None,
    cost_scale: float | None = None,
) -> SystemSummary:
    """``system_summary`` of slice columns that are coded.

    Raises:
        InputError: as ``system_summary``.
        TooManyLevels: for too many slices.
    """
    bins, place = np.zeros(0, dtype=np.int64), None
    if latency is not None:
        bins, place = _occupied(latency_bins(_amounts(rows, latency, "latency")))
    scale, costs = _costs(rows, cost, cost_scale)

    count = partial(_counted, place, len(bins), costs)
    found, lanes = tabulated(count, len(rows), columns, depth)
    n = lanes.pop("cells")[:, 0, 0]
    return SystemSummary(found, n, bins, **lanes, cost_scale=scale)


def _amounts(rows: pd.DataFrame, column: ColumnArgument, what: str) -> NDArray[np.float64]:
    values = plain(column_of(rows, column, argument=what))
    if kind_of(values) not in ("number", "nothing"):
        # "12" would pass for a number, and a time span for its nanoseconds.
        raise InputError(
            f"{what}: expected numbers, found {kind_of(values)}; convert the column to numbers of one unit"
        )
    return checked_amounts(values, argument=what, what=what)


def _occupied(bins: IntArray) -> tuple[IntArray, IntArray]:
    """The bins that have rows, ascending, and for every row the place of its bin among them."""
    first = int(bins.min())
    used = np.bincount(bins - first) > 0
    return np.flatnonzero(used) + first, (np.cumsum(used) - 1)[bins - first]


def _costs(
    rows: pd.DataFrame, cost: ColumnArgument | None, given: float | None
) -> tuple[float | None, tuple[IntArray, IntArray] | None]:
    if cost is None:
        return None, None
    amounts = _amounts(rows, cost, "cost")
    scale = scale_of(amounts, given, what="cost")
    relative = amounts / scale
    return scale, (fixed_point(relative, ONE), squares_up(relative, ONE))


def _counted(
    place: IntArray | None, bins: int, costs: tuple[IntArray, IntArray] | None, columns: Columns, rows: slice
) -> Lanes:
    cells = size(columns)
    lanes: Lanes = {
        "cells": np.zeros((cells, 1, 1), dtype=np.int64),
        "latency": np.zeros((cells, bins), dtype=np.int64),
        "cost": np.zeros(cells, dtype=np.int64),
        "cost_square": np.zeros(cells, dtype=np.int64),
    }
    for part in chunked(rows):
        cell = cell_codes(columns, part)
        ones = np.ones(len(cell), dtype=np.int64)
        add_at(lanes["cells"].reshape(-1), cell, ones)
        if place is not None:
            add_at(lanes["latency"].reshape(-1), cell * bins + place[part], ones)
        if costs is not None:
            add_at(lanes["cost"], cell, costs[0][part])
            add_at(lanes["cost_square"], cell, costs[1][part])
    return lanes
