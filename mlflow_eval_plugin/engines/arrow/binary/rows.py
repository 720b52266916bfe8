"""Rows of two classes in memory, behind the contract."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlflow_eval_plugin.engines.arrow.binary.errors import scored_errors
from mlflow_eval_plugin.engines.arrow.binary.paired import PairedRows, paired_summary, placement_summary
from mlflow_eval_plugin.engines.arrow.binary.scores import summary_of
from mlflow_eval_plugin.engines.arrow.binary.slices import counted_slices
from mlflow_eval_plugin.engines.arrow.columns.inputs import Scored, scored_rows
from mlflow_eval_plugin.engines.arrow.rows import ArrowRows
from mlflow_eval_plugin.engines.arrow.search import sought_columns
from mlflow_eval_plugin.engines.arrow.slice_rows import rows_of_slices
from mlflow_eval_plugin.engines.contract import ErrorCounts, ErrorKind, Sought, Thresholds
from mlflow_eval_plugin.engines.slicing import Slicing
from mlflow_eval_plugin.stats.binary.paired import PairedSummary, PlacementSummary
from mlflow_eval_plugin.stats.binary.summary import ScoreSummary, SliceSummary
from mlflow_eval_plugin.stats.counts.slice import Slice
from mlflow_eval_plugin.stats.slices.user_metrics import SliceRows


@dataclass(frozen=True, eq=False)
class ArrowBinaryRows(ArrowRows):
    """See ``contract.BinaryData``.

    Attributes:
        label: 0 or 1 a row; None where they are not known.
        score: probability of the positive class; None where only predicted classes are known.
        prediction: predicted class, 0 or 1; None where there are scores.
        weight: None when unweighted.
        weight_scale: of parts of the rows, the scale of all; that of these rows by default.
    """

    label: Any = None
    score: Any = None
    prediction: Any = None
    weight: Any = None
    weight_scale: float | None = None

    @property
    def has_labels(self) -> bool:
        """Whether labels are known."""
        return self.label is not None

    @property
    def has_scores(self) -> bool:
        """Whether there are probabilities of the positive class."""
        return self.score is not None

    @property
    def has_predictions(self) -> bool:
        """Whether there are probabilities or predicted classes."""
        return self.has_scores or self.prediction is not None

    def scores(self) -> ScoreSummary:
        """Probabilities against labels."""
        if not self.has_scores:
            raise ValueError("there are no probabilities")
        return summary_of(self.scored)

    def sliced(self, slicing: Slicing, threshold: float = 0.5) -> SliceSummary:
        """Probabilities against labels by slice; classes stand in for probabilities where there are none."""
        scored, threshold = self.scored, self._threshold(threshold)
        cut = self.cut(slicing)
        predicted = (scored.score >= threshold).view(np.uint8)
        return counted_slices(scored, predicted, cut.columns, cut.depth, threshold)

    def errors(self, sought: Sought, error: ErrorKind, threshold: float) -> ErrorCounts:
        """One error a row, by coded columns."""
        columns, passed_over = sought_columns(self.frame, sought, self.sample)
        counts = scored_errors(columns, self.scored, error, self._threshold(threshold))
        return replace(counts, passed_over=passed_over)

    def slice_rows(self, found: Sequence[Slice], slicing: Slicing, threshold: float) -> SliceRows:
        """What a user's metric is told of the rows of every slice."""
        decided = self.prediction if self.score is None else np.asarray(self.score) >= threshold
        return rows_of_slices(
            self.cut(slicing).columns,
            found,
            label=np.asarray(self.label),
            score=None if self.score is None else np.asarray(self.score),
            prediction=np.asarray(decided).astype(np.uint8),
            weight=None if self.weight is None else np.asarray(self.weight),
        )

    def scored_as(self, score: Any) -> Scored:
        """These rows with other scores.

        Raises:
            InputError: when labels, scores or weights cannot be evaluated.
        """
        scored = scored_rows(
            self.frame,
            label=self.label,
            score=score,
            pos_label=None,
            weight=self.weight,
            weight_scale=self.weight_scale,
        )
        return replace(scored, part_of=self.part_of)

    @cached_property
    def scored(self) -> Scored:
        """The rows in the form that is counted; classes stand in for probabilities where there are none."""
        # Whoever asks must know that what would be measured of scores means nothing of classes.
        return self.scored_as(self.prediction if self.score is None else self.score)

    def _threshold(self, threshold: float) -> float:
        return threshold if self.has_scores else 0.5


@dataclass(frozen=True, eq=False)
class ArrowPairedBinaryRows:
    """See ``contract.PairedBinaryData``.

    Attributes:
        challenger: the rows, with what the challenger says of them.
        score, prediction: what the champion says of them, as in ``ArrowBinaryRows``.
    """

    challenger: ArrowBinaryRows
    score: Any
    prediction: Any

    @property
    def champion_has_scores(self) -> bool:
        """Whether the champion gives probabilities."""
        return self.score is not None

    def counted(self, slicing: Slicing, thresholds: Thresholds) -> tuple[PairedSummary, PlacementSummary | None]:
        """The rows by slice, label and both predictions, and how differently both place them."""
        pairs = self.pairs(slicing, thresholds)
        summary = paired_summary(pairs)
        return summary, placement_summary(pairs, summary) if self.are_placed else None

    @property
    def are_placed(self) -> bool:
        """Whether both models give probabilities, by which rows are placed."""
        return self.champion_has_scores and self.challenger.has_scores

    def pairs(self, slicing: Slicing, thresholds: Thresholds) -> PairedRows:
        """The rows in the form that is counted."""
        own = self.challenger
        scores: tuple[Any, Any] = self.score, own.score
        if not self.are_placed:
            # Classes stand in for scores, to be counted; what would be measured of scores is left out.
            scores = (
                _classes(self.score, self.prediction, thresholds[0]),
                _classes(own.score, own.prediction, thresholds[1]),
            )
            thresholds = (0.5, 0.5)
        champion, challenger = map(own.scored_as, scores)
        cut = own.cut(slicing)
        return PairedRows(champion, challenger, cut.columns, cut.depth, thresholds)


def _classes(score: Any, prediction: Any, threshold: float) -> NDArray[np.float64]:
    decided = prediction if score is None else np.asarray(score) >= threshold
    return np.asarray(decided, dtype=np.float64)
