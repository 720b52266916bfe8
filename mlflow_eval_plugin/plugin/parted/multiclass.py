"""From columns of a source to ``MulticlassRows``, as ``plugin.multiclass.rows`` makes them of a frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mlflow_eval_plugin.engines.arrow.multiclass.inputs import in_canonical_order, require_known
from mlflow_eval_plugin.engines.parts.asking import Question
from mlflow_eval_plugin.engines.parts.multiclass import (
    ClassReading,
    PartedMulticlassRows,
    PartedPairedMulticlassRows,
    read_of,
)
from mlflow_eval_plugin.engines.parts.survey.checks import CheckedLabels, CheckLabels, require
from mlflow_eval_plugin.engines.parts.survey.facts import require_names
from mlflow_eval_plugin.evaluators.config.base import Config
from mlflow_eval_plugin.evaluators.multiclass.comparison import ClassChampion
from mlflow_eval_plugin.evaluators.multiclass.rows import MulticlassRows
from mlflow_eval_plugin.plugin.multiclass.rows import (
    classes_of_columns,
    mapped,
    require_alike,
    require_labelled,
)
from mlflow_eval_plugin.plugin.multiclass.scores import ClassScores, are_classes, require_classes
from mlflow_eval_plugin.plugin.parted.side import Side
from mlflow_eval_plugin.plugin.parted.whether import InMemory
from mlflow_eval_plugin.stats.counts.slice import level_label
from mlflow_eval_plugin.stats.errors import InputError


def is_of(side: Side, config: Config) -> bool:
    """Whether the config or the labels have three or more classes, and no positive one makes them binary."""
    if config.positive is not None:
        return False
    if config.names_many_classes:
        return True
    if config.takes_columns:
        return False  # columns are compared whatever the labels are
    labels = _found(side, str(side.label))
    if len(labels.values) == 1 and config.probability_column is None and side.prediction is not None:
        # A window of one class: what is predicted says how many there are.
        said = list(_found(side, side.prediction).values)
        return len(said) > 2 and are_classes(np.array(said))
    return labels.more or len(labels.values) > 2


def surveyed(side: Side, config: Config) -> Sequence[Question]:
    """What the first pass finds of labels and predictions."""
    said = side.prediction if config.probability_columns is None else None
    return [CheckLabels(one) for one in (side.label, said) if one is not None]


def rows(side: Side, config: Config) -> MulticlassRows:
    """The evaluated rows.

    Raises:
        InputError: for labels, probabilities, classes or weights that cannot be evaluated.
        InMemory: for drift, which compares the class of the largest probability.
    """
    if config.probability_column is not None:
        raise InputError(
            "probability_column: one column cannot hold the probabilities of three or more classes; give "
            "'probability_columns', a mapping of class to column"
        )
    if config.takes_columns:
        raise InMemory(f"{config.kind}: predicted classes are compared in memory; give a sample")
    labels = _classes(side, str(side.label), "label")
    if config.probability_columns is not None:
        reading = _of_columns(side, config, labels)
    elif side.prediction is None:
        raise InputError(
            f"{config.kind}: there is neither a model nor a column of predictions; give mlflow 'predictions', or "
            "'probability_columns'"
        )
    else:
        predicted = _predicted(side, side.prediction)
        require_alike(predicted, labels, config, of_another=False)
        require_labelled(predicted, labels, config)
        reading = _reading(side, config, prediction=side.prediction, classes=_listed(config))
    read_of(reading, side.asking)
    held = PartedMulticlassRows(side.asking, side.sliced, reading)
    return MulticlassRows(side.data(reading.weight), side.features, held)


def reference(side: Side, like: MulticlassRows, config: Config) -> MulticlassRows:
    """The rows of the reference, which may lack labels and probabilities.

    Raises:
        InputError: when its values cannot be evaluated.
    """
    data, columns = side.data(None), config.probability_columns
    if side.label is None or columns is None or not set(_names(mapped(columns, config))) <= set(side.features):
        return MulticlassRows(data, like.features, None)
    known = like.known.classes
    labels = _classes(side, side.label, "reference: label")
    require_known(labels, known, argument="reference: label", knows="the classes are")
    reading = _of_columns(side, config, known)
    try:
        read_of(reading, side.asking)
    except InputError as error:
        raise InputError(f"reference: {error}") from error
    return MulticlassRows(data, like.features, PartedMulticlassRows(side.asking, side.sliced, reading))


def champion(side: Side, own: MulticlassRows, config: Any) -> ClassChampion:
    """What the champion says of the evaluated rows, in a column of theirs.

    Raises:
        InputError: when there is no such column, or it holds no classes.
    """
    name, source = side.champion(config, side.prediction if config.probability_columns is None else None)
    held: Any = own.known
    found = _found(side, name)
    if found.more or not are_classes(np.array(list(found.values))):
        raise InputError(
            f"champion: column {name!r}: expected a class a row, found numbers that are not whole, or too many; "
            "probabilities of three or more classes come from a model"
        )
    require([f"champion: {one}" for one in found.of_many(f"column {name!r}")])
    try:
        require_alike(in_canonical_order(found.values), held.classes, config, of_another=True)
    except InputError as error:
        raise InputError(f"champion: {error}") from error
    classes = in_canonical_order((*held.classes, *_listed(config)))
    both = PartedPairedMulticlassRows(held, _reading(side, config, prediction=name, classes=classes))
    return ClassChampion(both, source)


def _found(side: Side, column: str) -> CheckedLabels:
    found: CheckedLabels = side.asking.one(CheckLabels(column))
    return found


def _classes(side: Side, column: str, argument: str) -> tuple[str, ...]:
    found = _found(side, column)
    require(found.of_many(argument))
    return in_canonical_order(found.values)


def _predicted(side: Side, column: str) -> tuple[str, ...]:
    found = _found(side, column)
    if not found.more:
        require_classes(np.array(list(found.values)))
    return _classes(side, column, "predictions")


def _listed(config: Config) -> tuple[str, ...]:
    return in_canonical_order(config.label_list or ())


def _of_columns(side: Side, config: Config, labels: tuple[str, ...]) -> ClassReading:
    """Columns of probabilities, each with its class."""
    columns = mapped(config.probability_columns or (), config)
    names = _names(columns)
    require_names(side.sliced, names, "probability_columns")
    named = tuple(map(level_label, columns)) if isinstance(columns, Mapping) else None
    own = classes_of_columns(ClassScores(np.empty((0, len(names))), classes=named), config, labels)
    require_alike(own, labels, config, of_another=False)
    return _reading(side, config, probabilities=tuple(zip(own, names, strict=True)))


def _names(columns: Any) -> list[str]:
    return [str(one) for one in (columns.values() if isinstance(columns, Mapping) else columns)]


def _reading(side: Side, config: Config, **said: Any) -> ClassReading:
    return ClassReading(str(side.label), weight=side.weight(config), **said)
