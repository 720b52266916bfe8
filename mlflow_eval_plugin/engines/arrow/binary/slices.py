"""Rows into a ``SliceSummary``: by slice, score bin and label, from the joint tables of ``joint``."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlflow_eval_plugin.engines.arrow.binary.ranking import SUM_CELLS, ranked_alone, ranks_of
from mlflow_eval_plugin.engines.arrow.binary.scores import Chunk, chunks
from mlflow_eval_plugin.engines.arrow.columns.inputs import ColumnArgument, Scored, coded_labels, column_of, scored_rows
from mlflow_eval_plugin.engines.arrow.counting import Lanes, chunked
from mlflow_eval_plugin.engines.arrow.joint import Columns, cell_codes, size, tabulated
from mlflow_eval_plugin.engines.arrow.queries import sliced_columns
from mlflow_eval_plugin.engines.slicing import Slicing
from mlflow_eval_plugin.stats.arrays import IntArray
from mlflow_eval_plugin.stats.binary.summary import COARSE_BINS, FINE_BINS, SliceSummary
from mlflow_eval_plugin.stats.counts.fixed_point import add_at, fixed_point
from mlflow_eval_plugin.stats.counts.ranks import Ranks
from mlflow_eval_plugin.stats.counts.slice import ONE, Slice
from mlflow_eval_plugin.stats.errors import InputError

HISTOGRAM_CELLS = 256  # of 8 MB, as those of sums


def slice_summary(  # noqa: PLR0913 - the options of a report
    rows: pd.DataFrame,
    *,
    label: ColumnArgument,
    score: ColumnArgument,
    slicing: Slicing,
    threshold: float = 0.5,
    prediction: ColumnArgument | None = None,
    pos_label: object | None = None,
    weight: ColumnArgument | None = None,
    weight_scale: float | None = None,
    ranked: bool = True,
) -> SliceSummary:
    """Count rows by slice, fine score bin and label.

    Args:
        rows, label, score, pos_label, weight, weight_scale: as in ``score_summary``.
        slicing: what the rows are sliced by.
        threshold: rows with ``score >= threshold`` are predicted positive, exactly, wherever the bins are.
        prediction: predicted labels; takes the place of ``threshold``.
        ranked: whether to count the order of scores, too, for areas, losses and calibration: half of the time and of
            the memory.

    Raises:
        InputError: when labels, scores, weights, columns or edges cannot be evaluated.
        TooManyLevels: for a column with more than ``max_levels`` levels, or more than ``MAX_SLICES`` slices.
    """
    scored = scored_rows(rows, label=label, score=score, pos_label=pos_label, weight=weight, weight_scale=weight_scale)
    columns = sliced_columns(rows, slicing)
    predicted = _predicted(rows, prediction, scored, threshold)
    used = None if prediction is not None else threshold
    return counted_slices(scored, predicted, columns, slicing.depth, used, ranked=ranked)


def ranked_slices(
    rows: pd.DataFrame,
    *,
    label: ColumnArgument,
    score: ColumnArgument,
    slicing: Slicing,
    pos_label: object | None = None,
    weight: ColumnArgument | None = None,
) -> tuple[tuple[Slice, ...], Ranks]:
    """The slices and their table of ranks alone, for who asks for nothing but areas: a third of ``slice_summary``.

    Args and Raises: as in ``slice_summary``.
    """
    scored = scored_rows(rows, label=label, score=score, pos_label=pos_label, weight=weight, weight_scale=None)
    columns = sliced_columns(rows, slicing)
    return ranked_alone(scored, columns, slicing.depth)


def counted_slices(
    scored: Scored,
    predicted: NDArray[np.uint8],
    columns: Columns,
    depth: int,
    threshold: float | None,
    *,
    ranked: bool = True,
) -> SliceSummary:
    """The Summary of rows that are scored, predicted and coded.

    Raises:
        TooManyLevels: for more than ``MAX_SLICES`` slices.
    """
    weighted, rows = scored.weight is not None, len(scored.score)
    bins = np.empty(rows, dtype=np.int16)
    # Histograms are large, so that their joint tables hold fewer cells than those of the sums. These come first: they
    # find the bins in passing, which would be found anew for every table of histograms.
    found, lanes = tabulated(partial(_sums, scored, predicted, bins), rows, columns, depth, cells=SUM_CELLS)
    ranks = ranks_of(scored, columns, depth, found, lanes["cells"].sum(axis=(1, 2))) if ranked else None
    lanes.update(tabulated(partial(_histograms, scored, bins), rows, columns, depth, cells=HISTOGRAM_CELLS)[1])
    if not weighted:
        # Unweighted rows weigh one each, which need not be counted again.
        lanes["cell_weight"] = lanes["cell_weight_square"] = lanes["cells"] * int(ONE)
    return SliceSummary(
        slices=found,
        weight=lanes.pop("weight", None),
        ranks=ranks,
        **lanes,
        weight_scale=scored.weight_scale,
        weighted=weighted,
        threshold=threshold,
        pos_label=scored.pos_label,
    )


def _predicted(
    rows: pd.DataFrame, prediction: ColumnArgument | None, scored: Scored, threshold: float
) -> NDArray[np.uint8]:
    if prediction is None:
        return (scored.score >= threshold).view(np.uint8)
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


def _histograms(scored: Scored, bins: NDArray[np.int16], columns: Columns, some: slice) -> Lanes:
    lanes: Lanes = {"n": np.zeros((size(columns), FINE_BINS, 2), dtype=np.int32)}
    if scored.weight is not None:
        lanes["weight"] = np.zeros(lanes["n"].shape, dtype=np.int64)
    for rows in chunked(some):
        at = cell_codes(columns, rows)
        at *= 2 * FINE_BINS
        at += bins[rows]
        add_at(lanes["n"].reshape(-1), at, np.ones(len(at), dtype=np.int32))
        if scored.weight is not None:
            weight = fixed_point(scored.weight[rows] / scored.weight_scale, ONE)
            add_at(lanes["weight"].reshape(-1), at, weight)
    return lanes


def _sums(
    scored: Scored, predicted: NDArray[np.uint8], bins: NDArray[np.int16], columns: Columns, some: slice
) -> Lanes:
    """The sums; into ``bins`` is written ``2 * fine bin + label`` of every row, for the histograms."""
    cells, weighted = size(columns), scored.weight is not None
    lanes: Lanes = {"score": np.zeros((cells, COARSE_BINS, 2), dtype=np.int64)}
    for name in ("cells", "cell_weight", "cell_weight_square") if weighted else ("cells",):
        lanes[name] = np.zeros((cells, 2, 2), dtype=np.int64)
    for name in ("square_error", "loss", "loss_square"):
        lanes[name] = np.zeros((cells, 2), dtype=np.int64)
    for rows, chunk in chunks(scored, some):
        bins[rows] = chunk.bins(FINE_BINS)
        cell = cell_codes(columns, rows)
        at = {"score": cell * (2 * COARSE_BINS) + chunk.bins(COARSE_BINS), "label": 2 * cell + chunk.label}
        at["cell"] = 2 * at["label"] + predicted[rows]
        for name, places, amount in _amounts(chunk, weighted=weighted):
            add_at(lanes[name].reshape(-1), at[places], amount)
    return lanes


def _amounts(chunk: Chunk, *, weighted: bool) -> Iterator[tuple[str, str, IntArray]]:
    """What each row adds to the lanes, and by what they are counted."""
    yield "cells", "cell", np.ones(len(chunk.key), dtype=np.int64)
    yield "score", "score", chunk.fixed(chunk.score, ONE)
    amount = chunk.error
    yield "square_error", "label", chunk.fixed(np.square(amount, out=amount), ONE)
    for name, loss in zip(("loss", "loss_square"), chunk.losses(), strict=True):
        yield name, "label", loss
    if weighted:
        yield "cell_weight", "cell", chunk.weight_once
        yield "cell_weight_square", "cell", chunk.weight_square
