"""The rows of every slice, for what cannot be counted: in an order that depends on their values alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlflow_eval_plugin.engines.joint import cell_codes
from mlflow_eval_plugin.engines.levels import coded_columns
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
    edges: Mapping[str, Sequence[float]],
    quantiles: Mapping[str, int],
    max_levels: int,
) -> SliceRows:
    """The rows of the slices of a Summary of the same rows.

    Rows that differ in nothing that a metric is told are interchangeable, so sorting by all of it makes the order of
    the data count for nothing. That costs one sort of all rows, and one more for every set of slice columns.

    Args:
        found: the slices, "overall" first.
        label, prediction: 0 or 1.
        slices, edges, quantiles, max_levels: those that the Summary was counted with.
    """
    weight = np.ones(len(label)) if weight is None else weight
    order = np.lexsort((weight, prediction if score is None else score, label))
    coded = {
        column.name: column
        for column in coded_columns(rows, list(slices), edges=edges, quantiles=quantiles, max_levels=max_levels)
    }
    members: dict[Slice, NDArray[np.intp]] = {}
    for names in dict.fromkeys(one.columns for one in found):
        columns = tuple(coded[name] for name in names)
        cell = cell_codes(columns, slice(0, len(label)))[order]
        by_cell = np.argsort(cell, kind="stable")
        sorted_cell = cell[by_cell]
        for one in (one for one in found if one.columns == names):
            code = 0
            for column, (_, level) in zip(columns, one.levels, strict=True):
                code = code * len(column.levels) + column.levels.index(level)
            first, last = np.searchsorted(sorted_cell, [code, code + 1])
            members[one] = by_cell[first:last]
    arrays = (label[order], None if score is None else score[order], prediction[order], weight[order])
    return SliceRows(arrays, tuple(members[one] for one in found))
