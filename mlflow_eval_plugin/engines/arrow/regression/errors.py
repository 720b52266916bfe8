"""The errors of rows of a regression, for the search of weak slices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mlflow_eval_plugin.engines.arrow.columns.inputs import scale_of
from mlflow_eval_plugin.engines.arrow.columns.levels import CodedColumn
from mlflow_eval_plugin.engines.arrow.counting import chunked
from mlflow_eval_plugin.engines.arrow.regression.inputs import Predicted
from mlflow_eval_plugin.engines.arrow.search import CodedErrors, counts_of
from mlflow_eval_plugin.engines.contract import RegressionErrorKind
from mlflow_eval_plugin.stats.arrays import FloatArray
from mlflow_eval_plugin.stats.counts.slice import LOSS_ONE

SHARE_SQUARE_ONE = float(2**35)  # squares of errors that are at most 1, of ``COUNTED_ROWS`` of them


def regression_error_counts(
    columns: Sequence[CodedColumn], rows: Predicted, error: RegressionErrorKind, *, unit: float | None = None
) -> CodedErrors:
    """One error a row, by coded columns, counted as shares of a power of two at or above the largest.

    Args:
        unit: of parts of the rows, that power of all; that of these rows by default.
    """

    def sizes(part: slice) -> FloatArray:
        size = np.abs(rows.prediction[part] - rows.target[part])
        return size**2 if error == "squared_error" else size

    parts = list(chunked(slice(0, len(rows.target))))
    unit = scale_of(np.array([sizes(part).max() for part in parts]), unit, what="error")
    errors = np.concatenate([np.rint(sizes(part) / unit * LOSS_ONE).astype(np.int64) for part in parts])
    return replace(counts_of(columns, errors), unit=unit, square_one=SHARE_SQUARE_ONE)
