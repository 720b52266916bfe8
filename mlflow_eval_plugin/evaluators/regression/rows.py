"""What the evaluators are given where the model is a regression."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mlflow_eval_plugin.engines.contract import RegressionData, RowData
from mlflow_eval_plugin.evaluators.document import LabelsReceived
from mlflow_eval_plugin.evidence import Data
from mlflow_eval_plugin.stats.drift.summary import Role


@dataclass(frozen=True, eq=False)
class RegressionRows:
    """One data set, predicted.

    Attributes:
        predicted: features and further slice columns, with targets, predictions, quantiles, intervals and weights; None
            for drift, which takes columns as they are, and for a reference without targets or predictions.
        features: the columns of the data that hold no prediction.
        label_name, score_name: under which names target and prediction are columns of ``everything``.
        forecasts: the columns of ``everything`` that hold predicted quantiles and ends of intervals.
        everything: features and further columns with target, prediction and forecasts, for drift.
        apart, expected, optional, labels: as in ``Rows``.
    """

    data: Data
    predicted: RegressionData | None
    features: tuple[str, ...]
    label_name: str
    score_name: str
    forecasts: tuple[str, ...]
    everything: RowData
    apart: frozenset[str] = frozenset()
    expected: tuple[str, ...] = ()
    optional: frozenset[str] = frozenset()
    labels: LabelsReceived | None = None

    @property
    def roles(self) -> Mapping[str, Role]:
        """What the columns of ``everything`` are that are no features."""
        forecasts: dict[str, Role] = dict.fromkeys(self.forecasts, "prediction")
        return {**forecasts, self.score_name: "prediction", self.label_name: "label"}

    @property
    def classes(self) -> frozenset[str]:
        """The columns of ``everything`` whose numbers are classes: none."""
        return frozenset()

    @property
    def known(self) -> RegressionData:
        """What is predicted, of rows that have it."""
        if self.predicted is None:
            raise ValueError(f"{self.data.name} has no targets, or no predictions")
        return self.predicted
