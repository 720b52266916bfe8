"""What every task says of how its rows are read."""

from __future__ import annotations

from typing import Any, Protocol

from mlflow_eval_plugin.evaluators.config.base import Config
from mlflow_eval_plugin.plugin.data.tables import GivenTable


class Reader(Protocol):
    """Reads the rows of one evaluate call, for all evaluators that share them; which rows, is the task's own affair.

    Its rows have ``data``, ``apart`` and ``labels`` as ``evaluators.document.Rows`` has, and can be replaced. All
    methods raise InputError for what cannot be evaluated.
    """

    def ask(self, table: GivenTable, reference: GivenTable | None, config: Any) -> None:
        """Ask the model about all rows, once for all evaluators, before anything else is held."""

    def rows(self, table: GivenTable, config: Any) -> Any:
        """Everything that an evaluator needs of the evaluated data set."""

    def reference(self, table: GivenTable, like: Any, config: Any) -> Any:
        """Everything that an evaluator needs of a reference; ``like`` are the evaluated rows."""

    def champion(self, table: GivenTable, rows: Any, config: Any) -> Any:
        """What the champion says of the evaluated rows."""


def columns_apart(configs: dict[str, Config]) -> frozenset[str]:
    """The columns that some config of the call names as a score, a weight, a cost or the like."""
    return frozenset().union(*(one.columns_apart for one in configs.values()))
