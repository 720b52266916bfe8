"""What the champion says of the evaluated rows, as each kind of model says it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import pandas as pd

from mlflow_eval_plugin.engines import predicted_rows
from mlflow_eval_plugin.engines.arrow.columns.inputs import checked_scores, finite_numbers, how_many
from mlflow_eval_plugin.engines.arrow.regression.summaries import LARGEST
from mlflow_eval_plugin.evaluators.binary.comparison import ChampionRows
from mlflow_eval_plugin.evaluators.binary.rows import Rows
from mlflow_eval_plugin.evaluators.config.keys import ComparisonConfig
from mlflow_eval_plugin.evaluators.config.regression import RegressionComparisonConfig
from mlflow_eval_plugin.evaluators.multiclass.comparison import ClassChampion
from mlflow_eval_plugin.evaluators.multiclass.rows import MulticlassRows
from mlflow_eval_plugin.evaluators.regression.comparison import PredictedChampion
from mlflow_eval_plugin.evaluators.regression.rows import RegressionRows
from mlflow_eval_plugin.plugin.asking import ask
from mlflow_eval_plugin.plugin.binary.scores import Scores, classes_of, column_scores, model_scores
from mlflow_eval_plugin.plugin.champion_source import Evaluated, Reader, said_by
from mlflow_eval_plugin.plugin.multiclass.rows import scored_classes
from mlflow_eval_plugin.plugin.multiclass.scores import ClassScores, are_classes, model_class_scores
from mlflow_eval_plugin.plugin.regression.rows import chosen_column, output_columns
from mlflow_eval_plugin.plugin.tables import Table
from mlflow_eval_plugin.stats.errors import InputError

Found = TypeVar("Found")


def champion_rows(config: ComparisonConfig, table: Table, rows: Rows) -> ChampionRows:
    """Two classes: the champion's scores, or its classes.

    Raises:
        InputError: when the model or the table cannot be read, lacks a column, or has other rows than the data; what is
            wrong with its predictions is said to be the champion's.
    """

    labels = classes_of(table.labels)

    def asked(model: Any, inputs: Any, column: str | None) -> Scores:
        return model_scores(model, inputs, rows.pos_label, column or config.probability_column, labels)

    def read() -> ChampionRows:
        reader = Reader(lambda values, name: column_scores(values, rows.pos_label, name, labels), asked)
        own = table.predictions_name if table.predictions is not None else None
        if config.probability_column is not None:
            own = config.column(config.probability_column)
        said, source = said_by(config.champion, config, Evaluated(table, rows.frame, rows.features, own), reader)
        known = None if said.probability is None else checked_scores(pd.Series(said.probability, copy=False))
        return ChampionRows(known, said.prediction, source)

    return _named(read)


def class_champion(config: ComparisonConfig, table: Table, rows: MulticlassRows) -> ClassChampion:
    """Three or more classes: the champion's probabilities, or its classes; it may know other classes than the rows.

    Raises:
        InputError: as ``champion_rows``.
    """

    def asked(model: Any, inputs: Any, column: str | None) -> ClassScores:
        if column is not None:
            raise InputError(
                "its probabilities of three or more classes are not in one column; leave out 'column', and give "
                "'probability_columns' where they have names of their own"
            )
        return model_class_scores(model, inputs, config.probability_columns, must_have=False)

    def column_of_classes(values: Any, name: str) -> ClassScores:
        if not are_classes(values):
            raise InputError(
                f"{name}: expected a class a row, found numbers that are not whole; probabilities of three or more "
                "classes come from a model"
            )
        if (missing := pd.isna(values)).any():
            raise InputError(f"{name}: {how_many(missing)} missing")
        return ClassScores(prediction=values)

    def read() -> ClassChampion:
        reader = Reader(column_of_classes, asked)
        # Where probabilities are, 'predictions' are no part of the call.
        given = table.predictions is not None and config.probability_columns is None
        own = table.predictions_name if given else None
        said, source = said_by(config.champion, config, Evaluated(table, rows.frame, rows.features, own), reader)
        known = rows.known
        scored = scored_classes(known.label, known.classes, said, config, known.weight, of_another=True)
        return ClassChampion(scored, source)

    return _named(read)


def predicted_champion(config: RegressionComparisonConfig, table: Table, rows: RegressionRows) -> PredictedChampion:
    """A regression: the champion's predictions of the mean.

    Raises:
        InputError: as ``champion_rows``.
    """

    def asked(model: Any, inputs: Any, column: str | None) -> Any:
        output = output_columns(ask(model, inputs))
        if column is None and config.prediction_column in output.columns:
            column = config.prediction_column
        return output[chosen_column(output, column, None, "column")].to_numpy()

    def numbers(values: Any, name: str) -> Any:
        return finite_numbers(pd.Series(values), argument=name, largest=LARGEST)

    def read() -> PredictedChampion:
        reader: Reader[Any] = Reader(numbers, asked)
        evaluated = Evaluated(table, rows.frame, rows.features, rows.score_name)
        said, source = said_by(config.champion, config, evaluated, reader)
        known = rows.known
        predicted = predicted_rows(rows.frame, target=known.target, prediction=said, weight=known.weight)
        return PredictedChampion(predicted, source)

    return _named(read)


def _named(read: Callable[[], Found]) -> Found:
    try:
        return read()
    except InputError as error:
        raise InputError(f"champion: {str(error).removeprefix('champion: ')}") from error
