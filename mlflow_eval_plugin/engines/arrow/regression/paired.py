"""Rows with the predictions of two regressions into a ``PairedMomentSummary``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from mlflow_eval_plugin.engines.arrow.counting import Lanes
from mlflow_eval_plugin.engines.arrow.joint import Columns, cell_codes, size, tabulated
from mlflow_eval_plugin.engines.arrow.queries import Sliced
from mlflow_eval_plugin.engines.arrow.regression.inputs import Predicted, PredictedChunk, Terms, add_terms, chunks_of
from mlflow_eval_plugin.engines.arrow.regression.slices import SUM_CELLS, counted_moments
from mlflow_eval_plugin.stats.counts.exact_sums import carried
from mlflow_eval_plugin.stats.counts.fixed_point import add_at
from mlflow_eval_plugin.stats.regression.paired import PAIRED_LANES, PairedMomentSummary

_UNSLICED = Sliced()


def paired_moment_summary(
    champion: Predicted, challenger: Predicted, sliced: Sliced = _UNSLICED
) -> PairedMomentSummary:
    """Sum the errors of both by slice, and how they differ.

    Args:
        champion, challenger: of the same rows, with the same targets and weights; see ``predicted_rows``. Predicted
            quantiles and intervals are left out. They are summed on the larger of their scales: shards that are to be
            merged need the same one.

    Raises:
        TooManyLevels: for too many slices.
    """
    scale = max(champion.scale, challenger.scale, key=lambda one: one.unit)
    both = [replace(one, quantiles={}, intervals=(), scale=scale) for one in (champion, challenger)]

    def count(some: Columns, rows: slice) -> Lanes:
        lanes: Lanes = {"cells": np.zeros(size(some), dtype=np.int64), "closer": np.zeros((size(some), 3), np.int64)}
        for first, second in zip(*(chunks_of(one, rows) for one in both), strict=True):
            cell = cell_codes(some, first.rows)
            add_terms(_terms(first, second), lanes, cell)
            closer = 1 + np.sign(np.abs(first.error) - np.abs(second.error)).astype(np.int64)
            add_at(lanes["closer"].reshape(-1), cell * 3 + closer, np.ones(len(cell), dtype=np.int64))
        return lanes

    _, lanes = tabulated(count, len(champion.target), sliced.columns, sliced.depth, cells=SUM_CELLS)
    return PairedMomentSummary(
        counted_moments(both[0], sliced.columns, sliced.depth),
        counted_moments(both[1], sliced.columns, sliced.depth),
        {name: carried(lanes[name]) for name in PAIRED_LANES},
        lanes["closer"],
    )


def _terms(first: PredictedChunk, second: PredictedChunk) -> Iterator[Terms]:
    w, e, f = first.weight, first.error, second.error
    size_change, change = np.abs(f) - np.abs(e), f - e
    for name, one in (("a", size_change), ("b", change)):
        term = w
        for order in (1, 2, 3):
            term = term * one
            yield name * order, (term,)
    yield "d", (w * np.abs(change),)
    ee, ff = e * e, f * f
    wee, wff = w * ee, w * ff
    yield "eeff", (wee * ff,)
    yield "e6", (wee * ee * ee,)
    yield "e4ff", (wee * ee * ff,)
    yield "eef4", (wee * ff * ff,)
    yield "f6", (wff * ff * ff,)
