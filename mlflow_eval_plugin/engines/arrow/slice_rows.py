"""The rows of every slice, for what cannot be counted: in an order that depends on their values alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlflow_eval_plugin.engines.arrow.families import Family, families
from mlflow_eval_plugin.engines.arrow.joint import Columns
from mlflow_eval_plugin.engines.arrow.queries import sliced_columns
from mlflow_eval_plugin.engines.slicing import Slicing
from mlflow_eval_plugin.stats.counts.slice import Slice
from mlflow_eval_plugin.stats.slices.user_metrics import SliceRows

Array = NDArray[Any]


def slice_rows(
    rows: pd.DataFrame,
    found: Sequence[Slice],
    *,
    label: Array,
    score: Array | None,
    prediction: Array,
    weight: Array | None,
    slicing: Slicing,
) -> SliceRows:
    """The rows of the slices of a Summary of the same rows.

    Rows that differ in nothing that a metric is told are interchangeable, so sorting by all of it makes the order of
    the data count for nothing. That costs one sort of all rows, and one more for every set of slice columns.

    Args:
        found: the slices, "overall" first.
        label, prediction: one number a row: 0 or 1, the position of a class, or a target.
        score: one number a row, or one a row and class, ``(N, K)``; None where there are only predictions.
        slicing: what the Summary was counted with.
    """
    return rows_of_slices(
        sliced_columns(rows, slicing), found, label=label, score=score, prediction=prediction, weight=weight
    )


def rows_of_slices(
    columns: Columns,
    found: Sequence[Slice],
    *,
    label: Array,
    score: Array | None,
    prediction: Array,
    weight: Array | None,
) -> SliceRows:
    """``slice_rows`` of slice columns that are coded."""
    weight = np.ones(len(label)) if weight is None else _one_zero(weight)
    score = None if score is None else _one_zero(score)
    label, prediction = _one_zero(label), _one_zero(prediction)
    said = (prediction,) if score is None else (score,) if score.ndim == 1 else tuple(score.T)
    order = np.lexsort((weight, *said, label))
    members: dict[int, NDArray[np.intp]] = {}
    for family in families(found, columns):
        members.update(_members(family, order))
    arrays = (label[order], None if score is None else score[order], prediction[order], weight[order])
    return SliceRows(arrays, tuple(members[position] for position in range(len(found))))


def _one_zero(values: Array) -> Array:
    # Adding nought makes -0.0 into 0.0: as equals, the two would keep the order of the data.
    return values + 0.0 if values.dtype.kind == "f" else values


def _members(family: Family, order: NDArray[np.intp]) -> dict[int, NDArray[np.intp]]:
    """For each slice of a family, the places of its rows in that order."""
    place = family.place(slice(0, len(order)))[order]
    by_place = np.argsort(place, kind="stable")
    ends = np.searchsorted(place[by_place], np.arange(len(family.members) + 1))
    return {int(one): by_place[ends[i] : ends[i + 1]] for i, one in enumerate(family.members)}
