"""What the champion says of the evaluated rows, of a regression."""

from __future__ import annotations

from typing import Any, cast

from mlflow_eval_plugin.engines.arrow import predicted_rows
from mlflow_eval_plugin.engines.arrow.columns.inputs import finite_numbers
from mlflow_eval_plugin.engines.arrow.regression.inputs import LARGEST
from mlflow_eval_plugin.engines.arrow.regression.rows import ArrowPairedRegressionRows, ArrowRegressionRows
from mlflow_eval_plugin.evaluators.config.regression import RegressionComparisonConfig
from mlflow_eval_plugin.evaluators.regression.comparison import PredictedChampion
from mlflow_eval_plugin.evaluators.regression.rows import RegressionRows
from mlflow_eval_plugin.plugin.asking import ask
from mlflow_eval_plugin.plugin.champion_source import ChampionReader, Evaluated, of_champion, said_by
from mlflow_eval_plugin.plugin.data.tables import GivenTable
from mlflow_eval_plugin.plugin.data.values import as_column
from mlflow_eval_plugin.plugin.regression.rows import chosen_column, output_columns


def predicted_champion(
    config: RegressionComparisonConfig, table: GivenTable, rows: RegressionRows
) -> PredictedChampion:
    """A regression: the champion's predictions of the mean.

    Raises:
        InputError: as ``champion_rows``.
    """

    held = cast(ArrowRegressionRows, rows.known)

    def asked(model: Any, inputs: Any, column: str | None) -> Any:
        output = output_columns(ask(model, inputs))
        if column is None and config.prediction_column in output.columns:
            column = config.prediction_column
        return output[chosen_column(output, column, None, "column")].to_numpy()

    def numbers(values: Any, name: str) -> Any:
        return finite_numbers(as_column(values), argument=name, largest=LARGEST)

    def read() -> PredictedChampion:
        reader: ChampionReader[Any] = ChampionReader(numbers, asked)
        evaluated = Evaluated(table, held.frame, rows.features, rows.score_name)
        said, source = said_by(config.champion, config, evaluated, reader)
        known = held.predicted
        predicted = predicted_rows(
            held.frame, target=known.target, prediction=said, weight=known.weight, sample=known.sample
        )
        return PredictedChampion(ArrowPairedRegressionRows(held, predicted), source)

    return of_champion(read)
