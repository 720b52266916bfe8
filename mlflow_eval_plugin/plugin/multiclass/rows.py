"""From MLflow's data set and model to ``MulticlassRows``, where there are three or more classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from mlflow_eval_plugin.engines.arrow.multiclass.inputs import (
    ClassScored,
    checked_count,
    checked_probabilities,
    class_codes,
    in_canonical_order,
    listed,
    on_classes,
    positions,
    require_known,
)
from mlflow_eval_plugin.engines.arrow.multiclass.rows import ArrowMulticlassRows
from mlflow_eval_plugin.evaluators.binary.rows import Rows
from mlflow_eval_plugin.evaluators.config.base import Config
from mlflow_eval_plugin.evaluators.config.classes import ClassColumns
from mlflow_eval_plugin.evaluators.multiclass.rows import MulticlassRows
from mlflow_eval_plugin.plugin.binary.rows import Labelled, as_rows
from mlflow_eval_plugin.plugin.binary.scores import Scores
from mlflow_eval_plugin.plugin.data.tables import (
    GivenTable,
    Scorer,
    check_tables,
    free_name,
    given_rows,
    reference_data,
)
from mlflow_eval_plugin.plugin.data.values import categories, distinct_values, known_values, missing_values
from mlflow_eval_plugin.plugin.multiclass.scores import (
    ClassScores,
    are_classes,
    classes_of_model,
    column_class_scores,
    model_class_scores,
    require_classes,
)
from mlflow_eval_plugin.stats.counts.slice import level_label
from mlflow_eval_plugin.stats.errors import InputError


def is_multiclass(table: GivenTable, config: Config, scorer: Scorer) -> bool:
    """Whether the config, the model or the labels have three or more classes, and no positive one makes them binary."""
    if config.positive is not None:
        return False
    if config.names_many_classes or len(classes_of_model(scorer.model)) > 2:
        return True
    if config.takes_columns and scorer.model is None:
        # Drift compares columns of any kind: predicted classes are categories, whichever of them is positive.
        return are_classes(table.predictions) and config.probability_column is None
    if table.classes == 1 and scorer.model is None and config.probability_column is None:
        # A window of one class: what is predicted says how many there are.
        return are_classes(table.predictions) and len(known_values(table.predictions)) > 2
    return table.classes > 2


def score_classes_first(table: GivenTable, reference: GivenTable | None, config: Config, scorer: Scorer) -> None:
    """``score_first`` for three or more classes.

    Raises:
        InputError: when there are no rows or labels, or the model's output cannot be used.
    """
    check_tables(table, reference)
    for one in (table, reference):
        if scorer.model is not None and one is not None and one.inputs is not None:
            _scores(one, config, scorer)


def multiclass_rows_of(table: GivenTable, config: Config, scorer: Scorer) -> MulticlassRows | Rows:
    """Everything an evaluator needs of the evaluated data set; ``drift`` gets the predicted class as a column.

    Raises:
        InputError: for labels, probabilities, weights or further columns that cannot be evaluated.
    """
    if config.probability_column is not None:
        raise InputError(
            "probability_column: one column cannot hold the probabilities of three or more classes; give "
            "'probability_columns', a mapping of class to column"
        )
    frame, weight, data = given_rows(table, config, scorer)
    scores = _scores(table, config, scorer)
    if config.takes_columns:
        predicted = _predicted(scores, config, in_canonical_order(known_values(table.labels)))
        name = free_name(table.predictions_name or "prediction", frame)
        by_row = scorer.by_row(table, data)
        return as_rows(table, frame, data, Labelled(None, ""), predicted, name, weight, by_row=by_row)
    if table.classes > 1000:  # the names of a million numbers would take seconds
        checked_count(list(map(str, distinct_values(table.labels))))
    label, classes = class_codes(table.labels, argument="label")
    scored = scored_classes(label, classes, scores, config, weight)
    return MulticlassRows(
        data,
        tuple(map(str, table.features.columns)),
        ArrowMulticlassRows(frame, scored, digests=scorer.by_row(table, data)),
    )


def multiclass_reference_rows(
    table: GivenTable, like: MulticlassRows | Rows, config: Config, scorer: Scorer
) -> MulticlassRows | Rows:
    """Everything an evaluator needs of a reference, which may lack labels and, where no model is given, scores.

    Raises:
        InputError: when its values cannot be evaluated.
    """
    data = reference_data(table, scorer)
    table.require_inputs(scorer.model, config)
    scores = _scores(table, config, scorer) if _can_be_scored(table, config, scorer) else ClassScores()
    if isinstance(like, Rows):
        order = in_canonical_order(known_values(table.labels)) if table.labels is not None else ()
        predicted = _predicted(scores, config, order)
        by_row = scorer.by_row(table, data)
        return as_rows(table, table.features, data, Labelled(None, ""), predicted, like.score_name, by_row=by_row)
    if table.labels is None or scores.probability is None:
        return MulticlassRows(data, like.features, None)
    label, classes = class_codes(table.labels, argument="reference: label")
    require_known(classes, like.known.classes, argument="reference: label", knows="the classes are")
    placed = positions(classes, like.known.classes)[label]
    scored = scored_classes(placed, like.known.classes, scores, config, None)
    return MulticlassRows(
        data, like.features, ArrowMulticlassRows(table.features, scored, digests=scorer.by_row(table, data))
    )


def _can_be_scored(table: GivenTable, config: Config, scorer: Scorer) -> bool:
    if scorer.model is not None:
        return table.inputs is not None
    if config.probability_columns is None:
        return table.predictions is not None
    columns = mapped(config.probability_columns, config)
    names = columns.values() if isinstance(columns, Mapping) else columns
    return set(names) <= set(table.features.columns)


def _scores(table: GivenTable, config: Config, scorer: Scorer) -> ClassScores:
    """What is predicted of a table, asked for once."""
    key = ("multiclass", id(table), repr(config.probability_columns))
    return scorer.once(key, lambda: _asked(table, config, scorer))


def _asked(table: GivenTable, config: Config, scorer: Scorer) -> ClassScores:
    if table.whole is not None:
        found = _scores(table.whole, config, scorer)
        return replace(found, probability=table.taken(found.probability), prediction=table.taken(found.prediction))
    if scorer.model is not None:
        with table.named():
            return model_class_scores(scorer.model, table.inputs, config.probability_columns)
    if config.probability_columns is not None:
        return column_class_scores(table.features, mapped(config.probability_columns, config))
    return ClassScores(prediction=table.predictions)


def mapped(columns: ClassColumns, config: Config) -> ClassColumns:
    """Columns of probabilities under their names in the data."""
    if isinstance(columns, Mapping):
        return {one: config.column(name) for one, name in columns.items()}
    return tuple(config.column(name) for name in columns)


def scored_classes(
    label: Any,
    label_classes: tuple[str, ...],
    scores: ClassScores,
    config: Config,
    weight: Any,
    *,
    of_another: bool = False,
) -> ClassScored:
    """Labels and predictions as positions among all classes that are known or occur.

    Args:
        of_another: of a model that need not know all classes of the rows; some it must.

    Raises:
        InputError: for predictions that cannot be used, or classes that do not go together.
    """
    if scores.probability is None and scores.prediction is None:
        raise InputError(
            f"{config.kind}: there is neither a model nor a column of predictions; give mlflow 'predictions', or "
            "'probability_columns'"
        )
    if scores.probability is None:
        return _predicted_classes(label, label_classes, scores.prediction, config, weight, of_another=of_another)
    columns = classes_of_columns(scores, config, label_classes)
    require_alike(columns, label_classes, config, of_another=of_another)
    further = label_classes if of_another else ()
    classes = in_canonical_order(dict.fromkeys((*columns, *further)))
    checked_count(classes)
    probability = on_classes(checked_probabilities(scores.probability, columns), columns, classes)
    require_known(label_classes, classes, argument="label", knows="the probabilities are of")
    # Of equal probabilities the first in canonical order is predicted.
    return ClassScored(
        classes, positions(label_classes, classes)[label], probability.argmax(axis=1), probability, weight
    )


def _predicted_classes(
    label: Any, label_classes: tuple[str, ...], given: Any, config: Config, weight: Any, *, of_another: bool
) -> ClassScored:
    require_classes(given)
    prediction, predicted = class_codes(given, argument="predictions")
    require_alike(predicted, label_classes, config, of_another=of_another)
    if not of_another:
        require_labelled(predicted, label_classes, config)
    classes = in_canonical_order((*label_classes, *predicted, *(config.label_list or ())))
    checked_count(classes)
    return ClassScored(
        classes, positions(label_classes, classes)[label], positions(predicted, classes)[prediction], None, weight
    )


def require_alike(own: tuple[str, ...], label_classes: tuple[str, ...], config: Config, *, of_another: bool) -> None:
    """Refuse classes that are not in the config's list, and another model that knows none of those of the labels.

    Raises:
        InputError: with the classes of both.
    """
    if config.label_list:
        named = in_canonical_order(config.label_list)
        require_known(tuple(dict.fromkeys((*label_classes, *own))), named, argument="label_list", knows="it has")
    if of_another and not set(own) & set(label_classes):
        raise InputError(
            f"it knows the classes {listed(own)}, the data {listed(label_classes)}, and none is the same; give a "
            "champion that predicts the classes of the data, by their names"
        )


def require_labelled(predicted: tuple[str, ...], label_classes: tuple[str, ...], config: Config) -> None:
    """Refuse predicted classes that no label has, unless the config lists the classes.

    Raises:
        InputError: with the classes of both.
    """
    # Labels of one class say nothing of the others, and what is in a label_list has been required above.
    unknown = [one for one in predicted if one not in set(label_classes)]
    if unknown and len(label_classes) > 1 and not config.label_list:
        raise InputError(
            f"predictions: expected classes that the labels have ({listed(label_classes)}), found {listed(unknown)}, "
            "which no label is; give 'label_list' with all classes where these rows happen to lack one"
        )


def classes_of_columns(scores: ClassScores, config: Config, label_classes: tuple[str, ...]) -> tuple[str, ...]:
    """The class of each column of probabilities; an InputError where unnamed columns are not as many as classes."""
    if scores.classes is not None:
        return scores.classes
    order = tuple(map(level_label, config.label_list)) if config.label_list else label_classes
    columns = np.shape(scores.probability)[-1]
    if columns != len(order):
        raise InputError(
            f"label_list: there are {columns} columns of probabilities without names, and {len(order)} classes "
            f"({listed(order)}); give 'label_list', the classes in the order of the columns"
        )
    return order


def _predicted(scores: ClassScores, config: Config, label_classes: tuple[str, ...]) -> Scores:
    """The predicted class of each row as a category, for ``drift``."""
    if scores.probability is not None:
        columns = classes_of_columns(scores, config, label_classes)
        classes = in_canonical_order(columns)
        probability = checked_probabilities(scores.probability, columns)[:, positions(classes, columns)]
        codes = probability.argmax(axis=1)
    elif scores.prediction is None:
        return Scores(None, None)
    elif not are_classes(scores.prediction):
        return Scores(np.asarray(scores.prediction, dtype=np.float64), None)
    else:
        # What is missing is compared as missing, and has no code.
        known = ~missing_values(scores.prediction)
        codes = np.full(len(known), -1, dtype=np.intp)
        codes[known], classes = class_codes(np.asarray(scores.prediction)[known], argument="predictions")
    return Scores(None, categories(codes, classes))
