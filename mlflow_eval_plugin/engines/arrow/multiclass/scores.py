"""Rows of three or more classes into Summaries of scores: of each class against the rest, and of the confidence."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mlflow_eval_plugin.engines.arrow.binary.scores import summary_of
from mlflow_eval_plugin.engines.arrow.columns.inputs import Scored
from mlflow_eval_plugin.engines.arrow.multiclass.inputs import ClassScored
from mlflow_eval_plugin.stats.arrays import Float64Array
from mlflow_eval_plugin.stats.binary.summary import (
    ScoreSummary,
)


def class_summary(rows: ClassScored, position: int) -> ScoreSummary:
    """One class against the rest: its probability as score, whether the row is of the class as label."""
    return _binary(rows, probabilities_of(rows)[:, position], rows.label == position)


def confidence_summary(rows: ClassScored) -> ScoreSummary:
    """The largest probability of each row as score, whether the prediction is right as label."""
    return _binary(rows, confidence_of(rows), rows.label == rows.prediction)


def top_label_summary(rows: ClassScored, position: int) -> ScoreSummary:
    """One class against the rest, of the rows that are predicted as that class (Gupta & Ramdas 2022)."""
    chosen = rows.prediction == position
    return _binary(rows, probabilities_of(rows)[chosen, position], rows.label[chosen] == position, chosen)


def confidence_of(rows: ClassScored) -> Float64Array:
    """The probability of the predicted class of each row."""
    found: Float64Array = np.take_along_axis(probabilities_of(rows), rows.prediction[:, None], axis=1)[:, 0]
    return found


def probabilities_of(rows: ClassScored) -> Float64Array:
    """The probabilities, of rows that have them."""
    if rows.probability is None:
        raise ValueError("there are no probabilities")
    return rows.probability


def _binary(
    rows: ClassScored, score: Float64Array, label: NDArray[np.bool_], chosen: NDArray[np.bool_] | None = None
) -> ScoreSummary:
    weight = rows.weight if rows.weight is None or chosen is None else rows.weight[chosen]
    return summary_of(Scored(label.astype(np.uint8), score, weight, rows.weight_scale, "1"))
