"""What the evaluators are given of two classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mlflow_eval_plugin.engines.contract import BinaryData, RowData
from mlflow_eval_plugin.evaluators.document import LabelsReceived
from mlflow_eval_plugin.evidence import Data
from mlflow_eval_plugin.stats.drift.summary import Role


@dataclass(frozen=True, eq=False)
class Rows:
    """One data set, scored.

    Attributes:
        scored: features and further slice columns, with labels, scores or predicted classes, and weights.
        pos_label: the positive class, as text.
        features: the columns of the data that hold no score.
        label_name, score_name: under which names label and score are columns of ``everything``.
        everything: features and further columns with label and score, for drift.
        apart: the columns that some config of the call names as a score, a weight, a cost or the like.
        expected: of a reference, the columns that the evaluated data are to have too.
        optional: of a reference, the columns of the evaluated data that it may lack.
        labels: how many labels have arrived, where these are the rows that have one.
        forecasts: further columns of ``everything`` that hold what is predicted.
    """

    data: Data
    scored: BinaryData
    pos_label: str
    features: tuple[str, ...]
    label_name: str
    score_name: str
    everything: RowData
    apart: frozenset[str] = frozenset()
    expected: tuple[str, ...] = ()
    optional: frozenset[str] = frozenset()
    labels: LabelsReceived | None = None
    forecasts: tuple[str, ...] = ()

    @property
    def roles(self) -> Mapping[str, Role]:
        """What the columns of ``everything`` are that are no features."""
        return {self.score_name: "score" if self.scored.has_scores else "prediction", self.label_name: "label"}

    @property
    def classes(self) -> frozenset[str]:
        """The columns of ``everything`` whose numbers are classes."""
        return frozenset(name for name, role in self.roles.items() if role != "score")
