"""Rows of a regression into the Summary of its slices: each number split into the limbs of exact sums."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mlflow_eval_plugin.engines.arrow.counting import Lanes
from mlflow_eval_plugin.engines.arrow.joint import Columns, cell_codes, size, tabulated
from mlflow_eval_plugin.engines.arrow.queries import sliced_columns
from mlflow_eval_plugin.engines.arrow.regression.inputs import (
    Predicted,
    add_terms,
    chunks_of,
)
from mlflow_eval_plugin.engines.slicing import UNSLICED, Slicing
from mlflow_eval_plugin.stats.counts.exact_sums import carried
from mlflow_eval_plugin.stats.regression.summary import (
    Band,
    MomentSummary,
)

SUM_CELLS = 4096  # of a joint table: 6 MB; more costs more than the passes that it saves


def moment_summary(
    rows: pd.DataFrame,
    predicted: Predicted,
    *,
    slicing: Slicing = UNSLICED,
) -> MomentSummary:
    """Sum errors and targets by slice.

    Where predicted quantiles cross, ``pit`` counts those below the target in any order, as if the row's quantiles were
    sorted (Chernozhukov, Fernandez-Val & Galichon 2010); each quantile's own coverage and loss take it as it is.

    Args:
        rows: the data with the slice columns; neither changed nor copied.
        predicted: see ``predicted_rows``.
        slicing: what the rows are sliced by.

    Raises:
        InputError: for a slice column that is missing or cannot be cut.
        TooManyLevels: for a column with more than ``max_levels`` levels, or too many slices.
    """
    columns = sliced_columns(rows, slicing)
    return counted_moments(predicted, columns, slicing.depth)


def counted_moments(predicted: Predicted, columns: Columns, depth: int) -> MomentSummary:
    """``moment_summary`` of slice columns that are coded.

    Raises:
        TooManyLevels: for too many slices.
    """

    def count(some: Columns, rows: slice) -> Lanes:
        lanes: Lanes = {"cells": np.zeros(size(some), dtype=np.int64)}
        for part in chunks_of(predicted, rows):
            add_terms(part.moments(), lanes, cell_codes(some, part.rows))
        return lanes

    found, lanes = tabulated(count, len(predicted.target), columns, depth, cells=SUM_CELLS)
    return MomentSummary(
        slices=found,
        rows=lanes.pop("cells"),
        lanes={name: carried(lane) for name, lane in lanes.items()},
        scale=predicted.scale,
        weighted=predicted.weight is not None,
        levels=tuple(predicted.quantiles),
        bands=tuple(Band(one.name, one.level) for one in predicted.intervals),
    )
