"""From MLflow's data set and model to ``Rows``: without copying the features, scoring each data set once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mlflow_eval_plugin.engines.arrow.binary.rows import ArrowBinaryRows
from mlflow_eval_plugin.engines.arrow.columns.inputs import (
    checked_scores,
    coded_labels,
)
from mlflow_eval_plugin.engines.arrow.rows import ArrowRows
from mlflow_eval_plugin.evaluators.binary.rows import Rows
from mlflow_eval_plugin.evaluators.config.base import Config
from mlflow_eval_plugin.evidence import Data
from mlflow_eval_plugin.plugin.binary.scores import Scores, class_text, scores_of
from mlflow_eval_plugin.plugin.data.frames import Frame
from mlflow_eval_plugin.plugin.data.tables import (
    GivenTable,
    Scorer,
    beside,
    check_tables,
    free_name,
    given_rows,
    reference_data,
)
from mlflow_eval_plugin.plugin.data.values import as_column, distinct_values, known_values
from mlflow_eval_plugin.stats.errors import InputError


def score_first(table: GivenTable, reference: GivenTable | None, config: Config, scorer: Scorer) -> None:
    """Ask the model about all rows before anything else is held: the copy that it makes of them is the peak of memory.

    Raises:
        InputError: when there are no rows or labels, or the model's output cannot be used.
    """
    check_tables(table, reference)
    _, positive = _coded(table, config)
    for one in (table, reference):
        if scorer.model is not None and one is not None and one.inputs is not None:
            scores_of(one, positive, config.probability_column, scorer)


def rows_of(table: GivenTable, config: Config, scorer: Scorer) -> Rows:
    """Everything an evaluator needs of the evaluated data set.

    Raises:
        InputError: for labels, scores, weights or further columns that cannot be evaluated.
    """
    label, positive = _coded(table, config)
    frame, weight, data = given_rows(table, config, scorer)
    column = probability_column(config, scorer)
    scores = scores_of(table, positive, column, scorer)
    if scores.probability is not None:
        known = scores.probability
        # Drift compares what is missing too.
        late = np.isnan(known) if config.takes_columns else np.zeros(len(known), dtype=bool)
        checked = checked_scores(as_column(known[~late] if late.any() else known))
        scores = Scores(known if late.any() else checked, None)
    # A column of the data that holds the score is the score, and no feature besides.
    of_data = column if scorer.model is None else None
    name = of_data or free_name(table.predictions_name or "score", frame)
    by_row = scorer.by_row(table, data)
    return as_rows(table, frame, data, Labelled(label, positive), scores, name, weight, by_row=by_row)


@dataclass(frozen=True, eq=False)
class Labelled:
    """Labels as 0 and 1, or None, and the positive class as text."""

    label: Any
    positive: str


def as_rows(
    table: GivenTable,
    frame: Frame,
    data: Data,
    labelled: Labelled,
    scores: Scores,
    score_name: str,
    weight: Any = None,
    *,
    by_row: Any = None,
) -> Rows:
    """A table's rows with their labels and scores.

    Args:
        by_row: the digest of each row; see ``Scorer.by_row``.
    """
    values = scores.prediction if scores.probability is None else scores.probability
    return Rows(
        data=data,
        scored=ArrowBinaryRows(frame, labelled.label, scores.probability, scores.prediction, weight, digests=by_row),
        pos_label=labelled.positive,
        features=tuple(name for name in map(str, table.features.columns) if name != score_name),
        label_name=table.labels_name,
        score_name=score_name,
        everything=ArrowRows(beside(frame, {table.labels_name: table.labels, score_name: values}), digests=by_row),
        expected=table.expected,
        optional=table.optional,
    )


def _coded(table: GivenTable, config: Config) -> tuple[Any, str]:
    try:
        label, positive = table.coded(config.positive)
    except InputError:
        # Drift does not need labels: late ones, or a window of one class, are compared like any column.
        if not config.takes_columns:
            raise
        return None, class_text(1 if config.positive is None else config.positive)
    _require_listed(table.labels, config)
    return label, class_text(positive)


def _require_listed(labels: Any, config: Config) -> None:
    # Beside the positive class any other is the negative one, also where it is the only one.
    listed = set(map(class_text, config.label_list or ()))
    unknown = sorted(set(map(class_text, distinct_values(labels))) - listed) if listed else []
    if unknown:
        raise InputError(f"label_list: it lacks {', '.join(map(repr, unknown))}, which the labels have; add it")


def probability_column(config: Config, scorer: Scorer) -> str | None:
    """The column that the config names for the probability: of the model's output, or without a model of the data."""
    if config.probability_column is None:
        return None
    return config.column(config.probability_column) if scorer.model is None else config.probability_column


def reference_rows(table: GivenTable, like: Rows, config: Config, scorer: Scorer) -> Rows:
    """Everything an evaluator needs of a reference, which may lack labels and, where no model is given, scores.

    Raises:
        InputError: when it lacks a feature that the model needs, or its values cannot be evaluated.
    """
    # Drift compares labels as they are; whoever counts them needs them whole.
    uncounted = table.labels is None or config.takes_columns
    label = None if uncounted else _reference_label(table, like.pos_label)
    scores = _reference_scores(table, like, config, scorer)
    data = reference_data(table, scorer)
    labelled, by_row = Labelled(label, like.pos_label), scorer.by_row(table, data)
    return as_rows(table, table.features, data, labelled, scores, like.score_name, by_row=by_row)


def _reference_label(table: GivenTable, positive: str) -> Any:
    labels = as_column(table.labels)
    known = next((one for one in known_values(labels) if class_text(one) == positive), positive)
    try:
        return coded_labels(labels, known)[0]
    except InputError as error:
        raise InputError(f"reference: {error}") from error


def _reference_scores(table: GivenTable, like: Rows, config: Config, scorer: Scorer) -> Scores:
    column = probability_column(config, scorer)
    if scorer.model is None:
        known = column in table.features.columns if column else table.predictions is not None
        return scores_of(table, like.pos_label, column, scorer) if known else Scores(None, None)
    table.require_inputs(scorer.model, config)
    return Scores(None, None) if table.inputs is None else scores_of(table, like.pos_label, column, scorer)
