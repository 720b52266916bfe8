"""What was counted of rows that are gone, task by task; see ``engines.contract`` for the questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlflow_eval_plugin.engines.contract import ErrorCounts, ErrorKind, RegressionErrorKind, Sought
from mlflow_eval_plugin.engines.frozen.columns import FrozenRows, only_counts
from mlflow_eval_plugin.engines.frozen.questions import question
from mlflow_eval_plugin.engines.slicing import UNSLICED, Slicing
from mlflow_eval_plugin.stats.binary.summary import ScoreSummary, SliceSummary
from mlflow_eval_plugin.stats.counts.slice import Slice
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.multiclass.summary import MulticlassSummary
from mlflow_eval_plugin.stats.regression.folds import FoldSummary
from mlflow_eval_plugin.stats.regression.summary import MomentSummary, PredictionSummary
from mlflow_eval_plugin.stats.slices.user_metrics import SliceRows


@dataclass(frozen=True, eq=False)
class Answered(FrozenRows):
    """Rows of a task, by the answers that they gave.

    Attributes:
        answers: by question.
    """

    answers: Mapping[str, Any] = field(default_factory=dict)

    def answer(self, name: str, /, **arguments: Any) -> Any:
        """What was answered to a question.

        Raises:
            InputError: when it was not asked; says what was.
        """
        asked = question(name, **arguments)
        if asked not in self.answers:
            known = sorted(one for one in self.answers if one.partition(" ")[0] == name)
            has = f"it has {'; '.join(known)}" if known else "it has nothing of the kind"
            raise InputError(
                f"baseline: it was not frozen with {asked}, and {has}; freeze it anew with this config, or give the "
                "rows as 'reference'"
            )
        return self.answers[asked]

    def slice_rows(self, *_: Sequence[Slice] | Slicing | float) -> SliceRows:
        """Refused: rows are gone."""
        raise only_counts("custom metrics of rows")


@dataclass(frozen=True, eq=False)
class FrozenBinaryRows(Answered):
    """See ``contract.BinaryData``."""

    has_labels: bool = False
    has_scores: bool = False
    has_predictions: bool = False

    def scores(self) -> ScoreSummary:
        """Probabilities against labels."""
        found: ScoreSummary = self.answer("scores")
        return found

    def sliced(self, slicing: Slicing, threshold: float = 0.5) -> SliceSummary:
        """Probabilities against labels by slice."""
        found: SliceSummary = self.answer("sliced", slicing=slicing, threshold=threshold)
        return found

    def errors(self, sought: Sought, error: ErrorKind, threshold: float) -> ErrorCounts:
        """Refused: a search asks anew as it goes on."""
        raise only_counts("search for weak slices")


@dataclass(frozen=True, eq=False)
class FrozenMulticlassRows(Answered):
    """See ``contract.MulticlassData``."""

    classes: tuple[str, ...] = ()
    has_probabilities: bool = False

    def sliced(self, slicing: Slicing = UNSLICED, *, ranked: bool = True) -> MulticlassSummary:
        """The rows by slice, label and predicted class."""
        found: MulticlassSummary = self.answer("sliced", slicing=slicing, ranked=ranked)
        return found

    def confidence(self) -> ScoreSummary:
        """The largest probability of each row as score, whether the prediction is right as label."""
        found: ScoreSummary = self.answer("confidence")
        return found

    def sliced_confidence(self, slicing: Slicing) -> SliceSummary:
        """The confidence, slice by slice."""
        found: SliceSummary = self.answer("sliced_confidence", slicing=slicing)
        return found

    def of_class(self, position: int) -> ScoreSummary:
        """One class against the rest."""
        found: ScoreSummary = self.answer("of_class", name=self.classes[position])
        return found

    def top_label(self, position: int) -> ScoreSummary:
        """One class against the rest, of the rows that are predicted as that class."""
        found: ScoreSummary = self.answer("top_label", name=self.classes[position])
        return found

    def errors(self, sought: Sought, error: ErrorKind) -> ErrorCounts:
        """Refused: a search asks anew as it goes on."""
        raise only_counts("search for weak slices")


@dataclass(frozen=True, eq=False)
class FrozenRegressionRows(Answered):
    """See ``contract.RegressionData``."""

    def moments(self, slicing: Slicing = UNSLICED) -> MomentSummary:
        """Errors and targets by slice."""
        found: MomentSummary = self.answer("moments", slicing=slicing)
        return found

    def folds(self, folds: int) -> FoldSummary:
        """Refused: who judges a recalibration has rows."""
        raise only_counts("folds")

    def predictions(self) -> PredictionSummary:
        """Targets and errors of all rows, by bin of the prediction."""
        found: PredictionSummary = self.answer("predictions")
        return found

    def errors(self, sought: Sought, error: RegressionErrorKind) -> ErrorCounts:
        """Refused: a search asks anew as it goes on."""
        raise only_counts("search for weak slices")
