"""Probabilities of three or more classes, or predicted classes, from a model or from columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlflow_eval_plugin.engines.arrow.columns.inputs import require_columns
from mlflow_eval_plugin.evaluators.config.classes import ClassColumns
from mlflow_eval_plugin.plugin.asking import ask, ask_probabilities, probabilistic
from mlflow_eval_plugin.plugin.data.frames import Frame
from mlflow_eval_plugin.plugin.data.values import all_whole
from mlflow_eval_plugin.stats.counts.slice import level_label
from mlflow_eval_plugin.stats.errors import InputError


@dataclass(frozen=True, eq=False)
class ClassScores:
    """What is predicted of each row; exactly one of ``probability`` and ``prediction`` is given, or neither.

    Attributes:
        probability: ``(n, K)``, not yet checked.
        prediction: one class a row, as given.
        classes: the class of each column of ``probability``, as text; None where the columns have no names.
    """

    probability: Any = None
    prediction: Any = None
    classes: tuple[str, ...] | None = None


def classes_of_model(model: Any) -> tuple[str, ...]:
    """The classes that the raw model knows, as text; empty where it has no ``predict_proba`` or does not say."""
    known = getattr(probabilistic(model), "classes_", ())
    # A model of several targets has a list of classes for each, and is none of ours.
    return tuple(level_label(one) for one in known) if all(np.ndim(one) == 0 for one in known) else ()


def model_class_scores(
    model: Any, features: Any, columns: ClassColumns | None, *, must_have: bool = True
) -> ClassScores:
    """Ask a model: the raw one's ``predict_proba`` where there is one, else ``predict``.

    The output of ``predict`` may be a data frame or an array with a column of probabilities for each class, or one
    class a row.

    Args:
        must_have: whether ``columns`` are meant for this model; else they are taken where its output has them.

    Raises:
        InputError: when ``columns`` are not in the output, and must be.
    """
    if probabilistic(model) is not None:
        return ClassScores(ask_probabilities(model, features), classes=classes_of_model(model) or None)
    output = ask(model, features)
    if isinstance(output, Frame) and columns is not None:
        names = columns.values() if isinstance(columns, Mapping) else columns
        if must_have or set(names) <= set(map(str, output.columns)):
            return column_class_scores(output, columns)
    if isinstance(output, Frame) and output.shape[1] > 1:
        return ClassScores(output.to_numpy(), classes=tuple(level_label(name) for name in output.columns))
    array = np.asarray(output)
    if array.ndim == 2 and array.shape[1] > 1:
        return ClassScores(array)
    return ClassScores(prediction=array.reshape(-1))


def column_class_scores(frame: Frame, columns: ClassColumns) -> ClassScores:
    """Probabilities from columns of a frame.

    Raises:
        InputError: when columns are missing.
    """
    names = list(columns.values()) if isinstance(columns, Mapping) else list(columns)
    if not all(isinstance(name, str) for name in frame.columns):
        frame = frame.set_axis(list(map(str, frame.columns)), axis=1)
    require_columns(frame, names, argument="probability_columns")
    classes = tuple(level_label(one) for one in columns) if isinstance(columns, Mapping) else None
    return ClassScores(frame[names].to_numpy(), classes=classes)


def are_classes(values: Any) -> bool:
    """Whether there are values, and they are text or whole numbers, and so classes, and not probabilities."""
    return values is not None and all_whole(values)


def require_classes(values: Any) -> None:
    """Refuse one column of probabilities.

    Raises:
        InputError: when values are neither text nor whole numbers.
    """
    if not are_classes(values):
        raise InputError(
            "predictions: expected a class a row, or a column of probabilities for each of three or more classes, "
            "found one column of numbers that are not whole; give a model with predict_proba, or 'probability_columns'"
        )
