"""The errors of rows of two classes, for the search of weak slices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from mlflow_eval_plugin.engines.arrow.binary.scores import chunks
from mlflow_eval_plugin.engines.arrow.columns.inputs import ColumnArgument, Scored, scored_rows
from mlflow_eval_plugin.engines.arrow.columns.levels import CodedColumn
from mlflow_eval_plugin.engines.arrow.search import CodedErrors, counts_of
from mlflow_eval_plugin.engines.contract import ErrorKind
from mlflow_eval_plugin.stats.arrays import IntArray
from mlflow_eval_plugin.stats.counts.slice import LOSS_ONE


def error_counts(
    rows: pd.DataFrame,
    columns: Sequence[CodedColumn],
    *,
    label: ColumnArgument,
    score: ColumnArgument,
    error: ErrorKind,
    threshold: float,
) -> CodedErrors:
    """What ``weak_slices`` asks of rows.

    Args:
        label, score: as in ``score_summary``.
        error: ``log_loss`` in nats, ``brier`` (the squared error), or ``wrong`` (1 where a row is decided wrongly).
        threshold: rows with ``score >= threshold`` are decided as positive.

    Raises:
        InputError: when labels or scores cannot be evaluated.
    """
    scored = scored_rows(rows, label=label, score=score, pos_label=None, weight=None, weight_scale=None)
    return scored_errors(columns, scored, error, threshold)


def scored_errors(columns: Sequence[CodedColumn], scored: Scored, error: ErrorKind, threshold: float) -> CodedErrors:
    """``error_counts`` of rows that are checked; weights do not matter."""
    return counts_of(columns, _errors(replace(scored, weight=None, weight_scale=1.0), error, threshold))


def _errors(scored: Scored, error: ErrorKind, threshold: float) -> IntArray:
    errors = np.empty(len(scored.score), dtype=np.int64)
    for part, chunk in chunks(scored, slice(0, len(errors))):
        if error == "wrong":
            value = ((chunk.score >= threshold) != chunk.label).astype(np.float64)
        else:
            value = chunk.loss if error == "log_loss" else chunk.error**2
        errors[part] = chunk.fixed(value, LOSS_ONE)
    return errors
