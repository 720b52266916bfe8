"""Rows of three or more classes in memory, behind the contract."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mlflow_eval_plugin.engines.arrow.multiclass.errors import class_error_counts
from mlflow_eval_plugin.engines.arrow.multiclass.inputs import ClassScored
from mlflow_eval_plugin.engines.arrow.multiclass.paired import paired_class_summary
from mlflow_eval_plugin.engines.arrow.multiclass.scores import class_summary, confidence_summary, top_label_summary
from mlflow_eval_plugin.engines.arrow.multiclass.slices import confidence_slices, counted_classes
from mlflow_eval_plugin.engines.arrow.rows import ArrowRows
from mlflow_eval_plugin.engines.arrow.search import sought_columns
from mlflow_eval_plugin.engines.arrow.slice_rows import rows_of_slices
from mlflow_eval_plugin.engines.contract import ErrorCounts, ErrorKind, Sought
from mlflow_eval_plugin.engines.slicing import UNSLICED, Slicing
from mlflow_eval_plugin.stats.binary.summary import ScoreSummary, SliceSummary
from mlflow_eval_plugin.stats.counts.slice import Slice
from mlflow_eval_plugin.stats.inference.costs import ClassCosts
from mlflow_eval_plugin.stats.multiclass.paired import PairedClassSummary
from mlflow_eval_plugin.stats.multiclass.summary import MulticlassSummary
from mlflow_eval_plugin.stats.slices.user_metrics import SliceRows


@dataclass(frozen=True, eq=False)
class ArrowMulticlassRows(ArrowRows):
    """See ``contract.MulticlassData``.

    Attributes:
        scored: labels, predictions, probabilities and weights by class.
    """

    scored: ClassScored

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes, in canonical order."""
        return self.scored.classes

    @property
    def has_probabilities(self) -> bool:
        """Whether there are probabilities of all classes."""
        return self.scored.probability is not None

    def sliced(self, slicing: Slicing = UNSLICED, *, ranked: bool = True) -> MulticlassSummary:
        """The rows by slice, label and predicted class."""
        cut = self.cut(slicing)
        return counted_classes(self.scored, cut.columns, cut.depth, ranked=ranked)

    def confidence(self) -> ScoreSummary:
        """The largest probability of each row as score, whether the prediction is right as label."""
        return confidence_summary(self.scored)

    def sliced_confidence(self, slicing: Slicing) -> SliceSummary:
        """The confidence, slice by slice."""
        return confidence_slices(self.scored, self.cut(slicing))

    def of_class(self, position: int) -> ScoreSummary:
        """One class against the rest."""
        return class_summary(self.scored, position)

    def top_label(self, position: int) -> ScoreSummary:
        """One class against the rest, of the rows that are predicted as that class."""
        return top_label_summary(self.scored, position)

    def errors(self, sought: Sought, error: ErrorKind) -> ErrorCounts:
        """One error a row, by coded columns."""
        columns, passed_over = sought_columns(self.frame, sought, self.sample)
        return replace(class_error_counts(columns, self.scored, error), passed_over=passed_over)

    def slice_rows(self, found: Sequence[Slice], slicing: Slicing) -> SliceRows:
        """What a user's metric is told of the rows of every slice."""
        scored = self.scored
        rows = rows_of_slices(
            self.cut(slicing).columns,
            found,
            label=scored.label,
            score=scored.probability,
            prediction=scored.prediction,
            weight=scored.weight,
        )
        label, score, prediction, weight = rows.arrays
        names = np.array(scored.classes, dtype=object)
        return replace(rows, arrays=(names[label], score, names[prediction], weight))


@dataclass(frozen=True, eq=False)
class ArrowPairedMulticlassRows:
    """See ``contract.PairedMulticlassData``.

    Attributes:
        challenger: the rows, with what the challenger says of them.
        champion: what the champion says of them.
    """

    challenger: ArrowMulticlassRows
    champion: ClassScored

    @property
    def champion_classes(self) -> tuple[str, ...]:
        """The classes that the champion knows."""
        return self.champion.classes

    @property
    def have_probabilities(self) -> bool:
        """Whether both give probabilities."""
        return self.challenger.has_probabilities and self.champion.probability is not None

    def counted(self, slicing: Slicing, costs: ClassCosts | None) -> PairedClassSummary:
        """The rows by slice, and by class against the rest."""
        return paired_class_summary(self.champion, self.challenger.scored, self.challenger.cut(slicing), costs=costs)
