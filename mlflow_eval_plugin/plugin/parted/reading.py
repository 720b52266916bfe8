"""What every task says of how rows are read that come in parts: the module of its name in this folder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from mlflow_eval_plugin.engines.parts.asking import Question
from mlflow_eval_plugin.plugin.parted.side import Side


class PartedReader(Protocol):
    """See ``plugin.reading.Reader``, of whose questions these are those about rows in memory, asked of a source.

    All raise InputError for what cannot be evaluated, and InMemory for what needs its rows in memory.
    """

    def is_of(self, side: Side, config: Any) -> bool:
        """Whether rows and config are of this task, among those of its type of model; the first that is."""

    def surveyed(self, side: Side, config: Any) -> Sequence[Question]:
        """What the first pass finds of labels and predictions."""

    def rows(self, side: Side, config: Any) -> Any:
        """Everything that an evaluator needs of the evaluated rows."""

    def reference(self, side: Side, like: Any, config: Any) -> Any:
        """Everything that an evaluator needs of a reference; ``like`` are the evaluated rows."""

    def champion(self, side: Side, own: Any, config: Any) -> Any:
        """What the champion says of the evaluated rows, in a column of theirs."""
