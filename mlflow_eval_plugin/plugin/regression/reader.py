"""How the rows of a regression are read."""

from __future__ import annotations

from mlflow_eval_plugin.evaluators.config.regression import MeanConfig, RegressionComparisonConfig
from mlflow_eval_plugin.evaluators.regression.comparison import PredictedChampion
from mlflow_eval_plugin.evaluators.regression.rows import RegressionRows
from mlflow_eval_plugin.plugin.data.tables import GivenTable, Scorer, check_tables
from mlflow_eval_plugin.plugin.regression.champion import predicted_champion
from mlflow_eval_plugin.plugin.regression.rows import Predictor, regression_reference_rows, regression_rows_of


class RegressionReader:
    """See ``plugin.reading.Reader``."""

    def __init__(self, scorer: Scorer) -> None:
        self._predictor = Predictor(scorer)

    def ask(self, table: GivenTable, reference: GivenTable | None, config: MeanConfig) -> None:
        """Ask the model about all rows: the copy that it makes of them is the peak of memory."""
        check_tables(table, reference)
        for one in (table, reference):
            if one is not None:
                self._predictor.output(one.given)

    def rows(self, table: GivenTable, config: MeanConfig) -> RegressionRows:
        """The evaluated rows."""
        return regression_rows_of(table, config, self._predictor)

    def reference(self, table: GivenTable, like: RegressionRows, config: MeanConfig) -> RegressionRows:
        """The rows of the reference."""
        return regression_reference_rows(table, like, config, self._predictor)

    def champion(
        self, table: GivenTable, rows: RegressionRows, config: RegressionComparisonConfig
    ) -> PredictedChampion:
        """What the champion predicts of the evaluated rows."""
        return predicted_champion(config, table, rows)
