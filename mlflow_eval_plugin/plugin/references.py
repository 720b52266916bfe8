"""A reference, as it was given, to the table that evaluators compare with."""

from __future__ import annotations

from typing import Any

from mlflow.utils.string_utils import generate_feature_name_if_not_string

from mlflow_eval_plugin.plugin.asking import further_columns, needed_columns
from mlflow_eval_plugin.plugin.data.frames import Frame, given_table
from mlflow_eval_plugin.plugin.data.tables import GivenTable, require_countable
from mlflow_eval_plugin.plugin.sources.reading import read_if_source
from mlflow_eval_plugin.stats.errors import InputError


def reference_table(given: Any, name: str, like: GivenTable, model: Any) -> GivenTable:
    """A reference given as a frame of any library, files, a mapping of columns, or an MLflow data set.

    Its inputs are what the model's signature names, without one the features of the evaluated data; None where it lacks
    some of them.

    Raises:
        InputError: when it is none of these, or has no rows, too many, or no columns.
    """
    found = given_table(
        read_if_source(given, argument="reference"),
        argument="reference",
        features=list(map(str, like.features.columns)),
        labels=like.labels_name,
    )
    frame = found.frame
    if len(frame) == 0:
        raise InputError("reference: there are no rows to compare with; check the filter that made it")
    require_countable(len(frame), "reference")
    if frame.shape[1] == 0:
        raise InputError("reference: there are no columns to compare with; give the rows with their features")
    own, frame = frame, _named(frame)
    needed = needed_columns(model)
    labels_name = str(found.labels or like.labels_name)
    predictions_name = found.predictions or like.predictions_name
    special = {found.labels, found.predictions}
    return GivenTable(
        name=str(found.name or name),
        features=frame,
        inputs=_inputs(frame, like) if needed is None else (own if set(needed) <= set(own.columns) else None),
        needed=tuple(map(str, like.features.columns)) if needed is None else needed,
        expected=() if model is not None else tuple(name for name in frame.columns if name not in special),
        optional=further_columns(model, map(str, like.features.columns)),
        labels=frame[labels_name].to_numpy() if labels_name in frame.columns else None,
        labels_name=like.labels_name,
        predictions=frame[predictions_name].to_numpy() if predictions_name in frame.columns else None,
        predictions_name=like.predictions_name,
        mlflow_digest=found.digest,
        is_reference=True,
    )


def _named(frame: Frame) -> Frame:
    """The frame under the column names that MLflow gives to evaluated data: those that are no text become text."""
    names = [generate_feature_name_if_not_string(name) for name in frame.columns]
    if list(frame.columns) == names:
        return frame
    named: Frame = frame.copy(deep=False)
    named.columns = names
    return named


def _inputs(frame: Frame, like: GivenTable) -> Any:
    """The features of the evaluated data in their order and form; None where some are missing."""
    names = list(map(str, like.features.columns))
    if not set(names) <= set(frame.columns):
        return None
    # drop gives a view where a selection by names would copy.
    inputs: Frame = frame.drop(columns=[name for name in frame.columns if name not in set(names)])
    inputs = inputs if list(inputs.columns) == names else inputs[names]
    if not isinstance(like.inputs, Frame):
        return inputs.to_numpy()
    return inputs if list(like.inputs.columns) == names else inputs.set_axis(like.inputs.columns, axis=1)
