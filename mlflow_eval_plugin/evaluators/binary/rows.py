"""What the evaluators are given of two classes, and the Summary of its slices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlflow_eval_plugin.engines import slice_summary
from mlflow_eval_plugin.evaluators.config.base import SlicedConfig
from mlflow_eval_plugin.evaluators.document import Frame, LabelsReceived
from mlflow_eval_plugin.evaluators.slicing import slicing_of
from mlflow_eval_plugin.evidence import Data
from mlflow_eval_plugin.stats.binary.summary import SliceSummary
from mlflow_eval_plugin.stats.drift.summary import Role


@dataclass(frozen=True, eq=False)
class Rows:
    """One data set, scored.

    Attributes:
        frame: features and further slice columns; never changed and never copied.
        label: 0 or 1 a row; None where a reference has no labels.
        score: probability of the positive class; None where only hard predictions are known.
        prediction: predicted class, 0 or 1; None where there are scores.
        weight: None when unweighted.
        pos_label: the positive class, as text.
        features: the columns of the data that hold no score.
        label_name, score_name: under which names label and score are columns of ``everything``.
        everything: the frame with label and score, for drift.
        apart: the columns that some config of the call names as a score, a weight, a cost or the like.
        expected: of a reference, the columns that the evaluated data are to have too.
        optional: of a reference, the columns of the evaluated data that it may lack.
        labels: how many labels have arrived, where these are the rows that have one.
        forecasts: further columns of ``everything`` that hold what is predicted.
    """

    frame: Frame
    data: Data
    label: Any
    score: Any
    prediction: Any
    weight: Any
    pos_label: str
    features: tuple[str, ...]
    label_name: str
    score_name: str
    everything: Frame
    apart: frozenset[str] = frozenset()
    expected: tuple[str, ...] = ()
    optional: frozenset[str] = frozenset()
    labels: LabelsReceived | None = None
    forecasts: tuple[str, ...] = ()

    @property
    def roles(self) -> Mapping[str, Role]:
        """What the columns of ``everything`` are that are no features."""
        return {self.score_name: "prediction" if self.score is None else "score", self.label_name: "label"}

    @property
    def classes(self) -> frozenset[str]:
        """The columns of ``everything`` whose numbers are classes."""
        return frozenset(name for name, role in self.roles.items() if role != "score")


def slices_of(config: SlicedConfig, rows: Rows, threshold: float = 0.5) -> SliceSummary:
    """Count the rows of every slice; classes stand in for scores where there are none.

    Args:
        threshold: scores at or above it are predicted positive.

    Raises:
        InputError: for a slice column that is missing or has too many levels, or labels, scores or weights that
            cannot be evaluated.
    """
    hard = rows.score is None
    return slice_summary(
        rows.frame,
        label=rows.label,
        # Whoever asks must know that what would be measured of scores means nothing then.
        score=rows.prediction if hard else rows.score,
        threshold=0.5 if hard else threshold,
        weight=rows.weight,
        slicing=slicing_of(config),
    )
