"""The rows of every slice, for what cannot be counted: in an order that depends on their values alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlflow_eval_plugin.engines.joint import Columns, cell_codes
from mlflow_eval_plugin.engines.queries import sliced_columns
from mlflow_eval_plugin.query import NamedQuery
from mlflow_eval_plugin.stats.summaries import Slice
from mlflow_eval_plugin.stats.user_metrics import SliceRows

Array = NDArray[Any]


def slice_rows(  # noqa: PLR0913 - the options of a report
    rows: pd.DataFrame,
    found: Sequence[Slice],
    *,
    label: Array,
    score: Array | None,
    prediction: Array,
    weight: Array | None,
    slices: Sequence[str],
    depth: int = 2,
    edges: Mapping[str, Sequence[float]] | None = None,
    quantiles: Mapping[str, int] | None = None,
    max_levels: int = 100,
    queries: Sequence[NamedQuery] = (),
) -> SliceRows:
    """The rows of the slices of a Summary of the same rows.

    Rows that differ in nothing that a metric is told are interchangeable, so sorting by all of it makes the order of
    the data count for nothing. That costs one sort of all rows, and one more for every set of slice columns.

    Args:
        found: the slices, "overall" first.
        label, prediction: 0 or 1.
        slices, depth, edges, quantiles, max_levels, queries: those that the Summary was counted with.
    """
    # Adding nought makes -0.0 into 0.0: as equals, the two would keep the order of the data.
    weight = np.ones(len(label)) if weight is None else weight + 0.0
    score = None if score is None else score + 0.0
    order = np.lexsort((weight, prediction if score is None else score, label))
    columns = sliced_columns(
        rows, slices, depth=depth, edges=edges, quantiles=quantiles, max_levels=max_levels, queries=queries
    )
    known = {(column.named is not None, column.name): column for column in columns}
    families: dict[tuple[tuple[bool, str], ...], list[Slice]] = {}
    for one in found:
        named = one.query is not None
        families.setdefault(tuple((named, name) for name in ([one.label] if named else one.columns)), []).append(one)
    members: dict[Slice, NDArray[np.intp]] = {}
    for names, family in families.items():
        members.update(_members(family, tuple(known[name] for name in names), order))
    arrays = (label[order], None if score is None else score[order], prediction[order], weight[order])
    return SliceRows(arrays, tuple(members[one] for one in found))


def _members(family: Sequence[Slice], columns: Columns, order: NDArray[np.intp]) -> dict[Slice, NDArray[np.intp]]:
    """The places in the order of the rows of slices of the same columns."""
    cell = cell_codes(columns, slice(0, len(order)))[order]
    by_cell = np.argsort(cell, kind="stable")
    ascending = cell[by_cell]
    found = {}
    for one in family:
        code, levels = 0, [one.label] if one.query is not None else [level for _, level in one.levels]
        for column, level in zip(columns, levels, strict=True):
            code = code * len(column.levels) + column.levels.index(level)
        first, last = np.searchsorted(ascending, [code, code + 1])
        found[one] = by_cell[first:last]
    return found
