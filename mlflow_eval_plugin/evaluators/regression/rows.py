"""What the evaluators are given where the model is a regression."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mlflow_eval_plugin.engines.arrow.regression.summaries import Predicted
from mlflow_eval_plugin.evaluators.document import Frame, LabelsReceived
from mlflow_eval_plugin.evidence import Data
from mlflow_eval_plugin.stats.drift.summary import Role


@dataclass(frozen=True, eq=False)
class RegressionRows:
    """One data set, predicted.

    Attributes:
        frame: features and further slice columns; never changed and never copied.
        predicted: targets, predictions, quantiles, intervals and weights; None for drift, which takes columns as they
            are, and for a reference without targets or predictions.
        features: the columns of the data that hold no prediction.
        label_name, score_name: under which names target and prediction are columns of ``everything``.
        forecasts: the columns of ``everything`` that hold predicted quantiles and ends of intervals.
        everything: the frame with target, prediction and forecasts, for drift.
        apart, expected, optional, labels: as in ``Rows``.
    """

    frame: Frame
    data: Data
    predicted: Predicted | None
    features: tuple[str, ...]
    label_name: str
    score_name: str
    forecasts: tuple[str, ...]
    everything: Frame
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
    def known(self) -> Predicted:
        """What is predicted, of rows that have it."""
        if self.predicted is None:
            raise ValueError(f"{self.data.name} has no targets, or no predictions")
        return self.predicted
