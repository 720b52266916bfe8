"""How the rows of a classifier of two classes are read."""

from __future__ import annotations

from dataclasses import dataclass

from mlflow_eval_plugin.evaluators.binary.comparison import ChampionRows
from mlflow_eval_plugin.evaluators.binary.rows import Rows
from mlflow_eval_plugin.evaluators.config.base import Config
from mlflow_eval_plugin.evaluators.config.comparison import ComparisonConfig
from mlflow_eval_plugin.plugin.binary.champion import champion_rows
from mlflow_eval_plugin.plugin.binary.rows import reference_rows, rows_of, score_first
from mlflow_eval_plugin.plugin.data.tables import GivenTable, Scorer


@dataclass(frozen=True, eq=False)
class BinaryReader:
    """See ``plugin.reading.Reader``."""

    scorer: Scorer

    def ask(self, table: GivenTable, reference: GivenTable | None, config: Config) -> None:
        """Ask the model about all rows."""
        score_first(table, reference, config, self.scorer)

    def rows(self, table: GivenTable, config: Config) -> Rows:
        """The evaluated rows."""
        return rows_of(table, config, self.scorer)

    def reference(self, table: GivenTable, like: Rows, config: Config) -> Rows:
        """The rows of the reference."""
        return reference_rows(table, like, config, self.scorer)

    def champion(self, table: GivenTable, rows: Rows, config: ComparisonConfig) -> ChampionRows:
        """What the champion says of the evaluated rows."""
        return champion_rows(config, table, rows)
