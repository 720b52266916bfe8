"""Rows into a ``SliceSummary``: by slice, score bin and label, from the joint tables of ``joint``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlflow_eval_plugin.engines.inputs import ColumnArgument, Scored, coded_labels, column_of, scored_rows
from mlflow_eval_plugin.engines.joint import Columns, Lanes, cell_codes, size, tabulated
from mlflow_eval_plugin.engines.levels import coded_columns
from mlflow_eval_plugin.engines.scores import Chunk, chunks
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.summaries import (
    COARSE_BINS,
    FINE_BINS,
    LOSS_ONE,
    LOSS_SQUARE_ONE,
    ONE,
    SCORE_BINS,
    SliceSummary,
)

IntArray = NDArray[np.int64]


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
    return counted_slices(scored, predicted, columns, depth, None if prediction is not None else threshold)


def counted_slices(
    scored: Scored, predicted: NDArray[np.uint8], columns: Columns, depth: int, threshold: float | None
) -> SliceSummary:
    """The Summary of rows that are scored, predicted and coded.

    Raises:
        TooManyLevels: for more than ``MAX_SLICES`` slices.
    """

    def count(some: Columns) -> Lanes:
        return _counted(scored, predicted, some)

    found, counted = tabulated(count, columns, depth)
    lanes: dict[str, Any] = {"weight": None, **counted}
    return SliceSummary(
        slices=found,
        **lanes,
        weight_scale=scored.weight_scale,
        weighted=scored.weight is not None,
        threshold=threshold,
        pos_label=scored.pos_label,
    )


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


def _counted(scored: Scored, predicted: NDArray[np.uint8], columns: Columns) -> Lanes:
    lanes = _empty_lanes(size(columns), weighted=scored.weight is not None)
    for chunk in chunks(scored):
        _count(lanes, cell_codes(columns, chunk.rows), chunk, predicted[chunk.rows])
    return lanes


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
    np.add.at(lanes["cell_weight_square"].reshape(-1), confusion, chunk.weight_square)
    np.add.at(lanes["score"].reshape(-1), coarse, chunk.fixed(chunk.score, ONE))
    np.add.at(lanes["square_error"].reshape(-1), by_label, chunk.fixed(chunk.error**2, ONE))
    np.add.at(lanes["loss"].reshape(-1), by_label, chunk.fixed(loss, LOSS_ONE))
    np.add.at(lanes["loss_square"].reshape(-1), by_label, chunk.fixed(loss**2, LOSS_SQUARE_ONE))
    if "weight" in lanes:
        np.add.at(lanes["weight"].reshape(-1), fine, one)
