"""What the champion says of the evaluated rows, of two classes."""

from __future__ import annotations

from typing import Any, cast

from mlflow_eval_plugin.engines.arrow.binary.rows import ArrowBinaryRows, ArrowPairedBinaryRows
from mlflow_eval_plugin.engines.arrow.columns.inputs import checked_scores
from mlflow_eval_plugin.evaluators.binary.comparison import ChampionRows
from mlflow_eval_plugin.evaluators.binary.rows import Rows
from mlflow_eval_plugin.evaluators.config.comparison import ComparisonConfig
from mlflow_eval_plugin.plugin.binary.scores import Scores, classes_of, column_scores, model_scores
from mlflow_eval_plugin.plugin.champion_source import ChampionReader, Evaluated, of_champion, said_by
from mlflow_eval_plugin.plugin.data.tables import GivenTable
from mlflow_eval_plugin.plugin.data.values import as_column


def champion_rows(config: ComparisonConfig, table: GivenTable, rows: Rows) -> ChampionRows:
    """Two classes: the champion's scores, or its classes.

    Raises:
        InputError: when the model or the table cannot be read, lacks a column, or has other rows than the data; what is
            wrong with its predictions is said to be the champion's.
    """

    labels, held = classes_of(table.labels), cast(ArrowBinaryRows, rows.scored)

    def asked(model: Any, inputs: Any, column: str | None) -> Scores:
        return model_scores(model, inputs, rows.pos_label, column or config.probability_column, labels)

    def read() -> ChampionRows:
        reader = ChampionReader(lambda values, name: column_scores(values, rows.pos_label, name, labels), asked)
        own = table.predictions_name if table.predictions is not None else None
        if config.probability_column is not None:
            own = config.column(config.probability_column)
        said, source = said_by(config.champion, config, Evaluated(table, held.frame, rows.features, own), reader)
        known = None if said.probability is None else checked_scores(as_column(said.probability))
        return ChampionRows(ArrowPairedBinaryRows(held, known, said.prediction), source)

    return of_champion(read)
