"""What the champion says of the evaluated rows, of three or more classes."""

from __future__ import annotations

from typing import Any, cast

from mlflow_eval_plugin.engines.arrow.columns.inputs import how_many
from mlflow_eval_plugin.engines.arrow.multiclass.rows import ArrowMulticlassRows, ArrowPairedMulticlassRows
from mlflow_eval_plugin.evaluators.config.comparison import ComparisonConfig
from mlflow_eval_plugin.evaluators.multiclass.comparison import ClassChampion
from mlflow_eval_plugin.evaluators.multiclass.rows import MulticlassRows
from mlflow_eval_plugin.plugin.champion_source import ChampionReader, Evaluated, of_champion, said_by
from mlflow_eval_plugin.plugin.data.tables import GivenTable
from mlflow_eval_plugin.plugin.data.values import missing_values
from mlflow_eval_plugin.plugin.multiclass.rows import scored_classes
from mlflow_eval_plugin.plugin.multiclass.scores import ClassScores, are_classes, model_class_scores
from mlflow_eval_plugin.stats.errors import InputError


def class_champion(config: ComparisonConfig, table: GivenTable, rows: MulticlassRows) -> ClassChampion:
    """Three or more classes: the champion's probabilities, or its classes; it may know other classes than the rows.

    Raises:
        InputError: as ``champion_rows``.
    """

    held = cast(ArrowMulticlassRows, rows.known)

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
        if (missing := missing_values(values)).any():
            raise InputError(f"{name}: {how_many(missing)} missing")
        return ClassScores(prediction=values)

    def read() -> ClassChampion:
        reader = ChampionReader(column_of_classes, asked)
        # Where probabilities are, 'predictions' are no part of the call.
        given = table.predictions is not None and config.probability_columns is None
        own = table.predictions_name if given else None
        said, source = said_by(config.champion, config, Evaluated(table, held.frame, rows.features, own), reader)
        known = held.scored
        scored = scored_classes(known.label, known.classes, said, config, known.weight, of_another=True)
        return ClassChampion(ArrowPairedMulticlassRows(held, scored), source)

    return of_champion(read)
