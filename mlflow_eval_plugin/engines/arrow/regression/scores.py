"""Rows of a regression into the Summary of its predictions, whole and by fold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mlflow_eval_plugin.engines.arrow.counting import Lanes, counted
from mlflow_eval_plugin.engines.arrow.regression.inputs import Predicted, add_terms, chunks_of
from mlflow_eval_plugin.engines.arrow.sampling import of_sample
from mlflow_eval_plugin.stats.arrays import FloatArray, IntArray
from mlflow_eval_plugin.stats.counts.exact_sums import carried
from mlflow_eval_plugin.stats.regression.folds import MOST_DISTINCT, Distinct, FoldSummary, fold_of
from mlflow_eval_plugin.stats.regression.summary import (
    MOST_BINS,
    PredictionSummary,
)


def prediction_summary(predicted: Predicted, *, edges: FloatArray | None = None) -> PredictionSummary:
    """Sum targets and errors by bin of the prediction; arguments as in ``fold_summary``."""
    chosen = prediction_bins(_sampled(predicted)) if edges is None else np.asarray(edges, dtype=np.float64)
    return _by_fold(predicted, 1, chosen, _places(predicted, chosen))[0]


def fold_summary(predicted: Predicted, folds: int, *, edges: FloatArray | None = None) -> FoldSummary:
    """Sum targets and errors by bin of the prediction, in folds of disjoint rows, which add up to all.

    Args:
        edges: increasing lower ends of the bins, for shards that are to be merged. By default each different prediction
            has a bin of its own, or where there are more than ``MOST_BINS`` the bins are equally full.
    """
    chosen = prediction_bins(_sampled(predicted)) if edges is None else np.asarray(edges, dtype=np.float64)
    places = _places(predicted, chosen)
    return FoldSummary(_by_fold(predicted, folds, chosen, places), _distinct(predicted, places))


def _by_fold(predicted: Predicted, folds: int, edges: FloatArray, places: IntArray) -> tuple[PredictionSummary, ...]:
    bins = len(edges)
    cells = places if folds == 1 else places + bins * fold_of(predicted.digests, folds)

    def count(rows: slice) -> Lanes:
        lanes: Lanes = {"cells": np.zeros(folds * bins, dtype=np.int64)}
        for part in chunks_of(predicted, rows):
            add_terms(part.by_prediction(), lanes, cells[part.rows])
        return lanes

    lanes = counted(len(predicted.target), count)
    n, weighted = lanes.pop("cells"), predicted.weight is not None
    sums = {name: carried(lane) for name, lane in lanes.items()}
    # Where every prediction is the edge of its bin, no bin of all shards holds two different ones.
    exact = bool((edges[places] == predicted.prediction).all())
    return tuple(
        PredictionSummary(
            edges, n[at : at + bins], {name: lane[at : at + bins] for name, lane in sums.items()}, predicted.scale,
            weighted, exact,
        )
        for at in range(0, folds * bins, bins)
    )  # fmt: skip


def _places(predicted: Predicted, edges: FloatArray) -> IntArray:
    """The bin of every row."""
    return np.maximum(np.searchsorted(edges, predicted.prediction, side="right") - 1, 0).astype(np.int64)


def _sampled(predicted: Predicted) -> FloatArray:
    return np.asarray(of_sample(predicted.prediction, predicted.sample))


def prediction_bins(prediction: FloatArray) -> FloatArray:
    """Each different prediction, or where there are too many edges that make bins equally full."""
    distinct = np.unique(prediction)
    if len(distinct) <= MOST_BINS:
        return distinct
    ordered = np.sort(prediction)
    return np.unique(ordered[(np.arange(MOST_BINS) * len(ordered)) // MOST_BINS])


def _distinct(predicted: Predicted, places: IntArray) -> Distinct | None:
    """The distinct rows, each with the place of its bin; None where they are more than ``MOST_DISTINCT``."""
    digests = predicted.digests
    if len(np.unique(digests[: 2 * MOST_DISTINCT])) > MOST_DISTINCT:  # as of most data
        return None
    key, first, rows = np.unique(digests, return_index=True, return_counts=True)
    if len(key) > MOST_DISTINCT:
        return None
    lanes: Lanes = {"cells": np.zeros(len(key), dtype=np.int64)}
    weight = None if predicted.weight is None else predicted.weight[first]
    once = replace(predicted, target=predicted.target[first], prediction=predicted.prediction[first], weight=weight)
    for part in chunks_of(once, slice(0, len(key))):
        add_terms(part.by_prediction(), lanes, np.arange(len(key))[part.rows])
    del lanes["cells"]
    return Distinct(key, rows.astype(np.int64), places[first], {name: carried(lane) for name, lane in lanes.items()})
