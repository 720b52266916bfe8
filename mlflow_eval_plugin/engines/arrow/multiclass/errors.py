"""The errors of rows of three or more classes, for the search of weak slices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mlflow_eval_plugin.engines.arrow.columns.levels import CodedColumn
from mlflow_eval_plugin.engines.arrow.counting import chunked
from mlflow_eval_plugin.engines.arrow.logarithm import logarithm
from mlflow_eval_plugin.engines.arrow.multiclass.inputs import ClassScored
from mlflow_eval_plugin.engines.arrow.search import CodedErrors, counts_of
from mlflow_eval_plugin.engines.contract import ErrorKind
from mlflow_eval_plugin.stats.arrays import FloatArray
from mlflow_eval_plugin.stats.binary.summary import SMALLEST_PROBABILITY
from mlflow_eval_plugin.stats.counts.slice import LOSS_ONE


def class_error_counts(columns: Sequence[CodedColumn], rows: ClassScored, error: ErrorKind) -> CodedErrors:
    """One error a row, by coded columns; the Brier score is the sum over classes, in [0, 2].

    Args:
        error: other than ``wrong`` only where there are probabilities.
    """
    errors = np.empty(len(rows.label), dtype=np.int64)
    for part in chunked(slice(0, len(errors))):
        errors[part] = np.rint(_class_errors(rows, part, error) * LOSS_ONE)
    return counts_of(columns, errors)


def _class_errors(rows: ClassScored, part: slice, error: ErrorKind) -> FloatArray:
    label = rows.label[part]
    if error == "wrong" or rows.probability is None:
        return np.asarray(rows.prediction[part] != label, dtype=np.float64)
    of_label = label[:, None]
    if error == "log_loss":
        found = np.take_along_axis(rows.probability[part], of_label, axis=1)[:, 0]
        return np.asarray(-logarithm(np.maximum(found, SMALLEST_PROBABILITY)))
    missed = rows.probability[part].copy()
    np.put_along_axis(missed, of_label, np.take_along_axis(missed, of_label, axis=1) - 1.0, axis=1)
    return np.asarray((missed**2).sum(axis=1))
