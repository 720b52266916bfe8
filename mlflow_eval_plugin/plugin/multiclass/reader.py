"""How the rows of a classifier of three or more classes are read."""

from __future__ import annotations

from dataclasses import dataclass

from mlflow_eval_plugin.evaluators.binary.rows import Rows
from mlflow_eval_plugin.evaluators.config.base import Config
from mlflow_eval_plugin.evaluators.config.comparison import ComparisonConfig
from mlflow_eval_plugin.evaluators.multiclass.comparison import ClassChampion
from mlflow_eval_plugin.evaluators.multiclass.rows import MulticlassRows
from mlflow_eval_plugin.plugin.data.tables import GivenTable, Scorer
from mlflow_eval_plugin.plugin.multiclass.champion import class_champion
from mlflow_eval_plugin.plugin.multiclass.rows import (
    multiclass_reference_rows,
    multiclass_rows_of,
    score_classes_first,
)


@dataclass(frozen=True, eq=False)
class MulticlassReader:
    """See ``plugin.reading.Reader``; drift is read as columns, of which the predicted class is one."""

    scorer: Scorer

    def ask(self, table: GivenTable, reference: GivenTable | None, config: Config) -> None:
        """Ask the model about all rows."""
        score_classes_first(table, reference, config, self.scorer)

    def rows(self, table: GivenTable, config: Config) -> MulticlassRows | Rows:
        """The evaluated rows."""
        return multiclass_rows_of(table, config, self.scorer)

    def reference(self, table: GivenTable, like: MulticlassRows | Rows, config: Config) -> MulticlassRows | Rows:
        """The rows of the reference."""
        return multiclass_reference_rows(table, like, config, self.scorer)

    def champion(self, table: GivenTable, rows: MulticlassRows, config: ComparisonConfig) -> ClassChampion:
        """What the champion says of the evaluated rows."""
        return class_champion(config, table, rows)
