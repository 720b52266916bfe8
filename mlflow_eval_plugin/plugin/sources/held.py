"""Data in memory, with the names that the evaluators of MLflow know: features, labels and predictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
from mlflow.data.evaluation_dataset import EvaluationDataset
from mlflow.exceptions import MlflowException

from mlflow_eval_plugin.nearest import nearest
from mlflow_eval_plugin.plugin.data.tables import HEAD_ROWS, beside
from mlflow_eval_plugin.plugin.sources.opening import Opened
from mlflow_eval_plugin.plugin.sources.reading import read_all
from mlflow_eval_plugin.stats.errors import InputError


@dataclass(frozen=True, eq=False)
class Held:
    """What MLflow calls an evaluation data set; see ``mlflow.data.evaluation_dataset.EvaluationDataset``.

    Attributes:
        digest: where it was given as an MLflow data set, the digest that it has there; else that of the Evidence is
            taken.
        head: the first rows, with all columns.
        whole: all rows, with the labels among the columns, as a reference is given.
        origin: the URI where the rows come from, if they have one.
    """

    name: str
    digest: str | None
    features_data: Any
    feature_names: list[str]
    labels_data: Any
    targets_name: str | None
    predictions_data: Any
    predictions_name: str | None
    head: pd.DataFrame
    whole: pd.DataFrame
    origin: str | None


def held(found: Opened, targets: Any, predictions: str | None, *, with_model: bool) -> Held:
    """Rows in memory, by the names of their columns of labels and predictions.

    Args:
        predictions: a column of the data; of the model's output, where there is a model.

    Raises:
        InputError: when a column is not there, or is named by the data set and by an argument.
    """
    if found.is_mlflow:
        reasons = [
            f"{key}: an MLflow data set names its own; leave it out"
            for key, given in (("targets", targets), ("predictions", None if with_model else predictions))
            if given is not None
        ]
        if reasons:
            raise InputError("; ".join(reasons))
        targets, predictions = found.targets, None if with_model else found.predictions
    rows = found.held if found.source is None else read_all(found.source)
    of_data = None if with_model else predictions
    if isinstance(rows, pd.DataFrame):
        _require_columns(rows, targets, of_data)
    elif of_data is not None:
        raise InputError(f"predictions: an array has no column {of_data!r}; give a data frame")
    try:
        made = EvaluationDataset(rows, targets=targets, name=found.name, predictions=of_data, digest=found.digest)
    except MlflowException as error:
        raise InputError(f"data: {error.message}") from error
    names = ("features_data", "feature_names", "labels_data", "targets_name", "predictions_data", "predictions_name")
    whole = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(made.features_data, columns=made.feature_names)
    head = whole.head(HEAD_ROWS)
    if not isinstance(targets, str):
        whole = beside(whole, {str(made.targets_name or "label"): made.labels_data})
    said: dict[str, Any] = {"head": head, "whole": whole, "origin": found.origin}
    return Held(found.name, found.digest, **said, **{name: getattr(made, name) for name in names})


def _require_columns(rows: pd.DataFrame, targets: Any, predictions: str | None) -> None:
    names, reasons = list(map(str, rows.columns)), []
    if targets is None:
        reasons.append("targets: expected the column of labels, found nothing")
    elif not isinstance(targets, str):
        reasons.append(f"targets: expected the name of a column, found {type(targets).__name__}")
    for key, name in (("targets", targets), ("predictions", predictions)):
        if isinstance(name, str) and name not in rows.columns:
            reasons.append(f"{key}: no column {name!r}{nearest(name, names)}")
    if isinstance(targets, str) and targets == predictions:
        reasons.append(f"predictions: {targets!r} holds the labels; name the column of what is predicted")
    if reasons:
        raise InputError("; ".join(reasons))
