"""Rows of a regression in memory, behind the contract."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mlflow_eval_plugin.engines.arrow.regression.errors import regression_error_counts
from mlflow_eval_plugin.engines.arrow.regression.inputs import Predicted
from mlflow_eval_plugin.engines.arrow.regression.paired import paired_moment_summary
from mlflow_eval_plugin.engines.arrow.regression.scores import fold_summary, prediction_summary
from mlflow_eval_plugin.engines.arrow.regression.slices import counted_moments
from mlflow_eval_plugin.engines.arrow.rows import ArrowRows
from mlflow_eval_plugin.engines.arrow.search import sought_columns
from mlflow_eval_plugin.engines.arrow.slice_rows import rows_of_slices
from mlflow_eval_plugin.engines.contract import ErrorCounts, RegressionErrorKind, Sought
from mlflow_eval_plugin.engines.slicing import UNSLICED, Slicing
from mlflow_eval_plugin.stats.counts.slice import Slice
from mlflow_eval_plugin.stats.regression.folds import FoldSummary
from mlflow_eval_plugin.stats.regression.paired import PairedMomentSummary
from mlflow_eval_plugin.stats.regression.summary import MomentSummary, PredictionSummary
from mlflow_eval_plugin.stats.slices.user_metrics import SliceRows


@dataclass(frozen=True, eq=False)
class ArrowRegressionRows(ArrowRows):
    """See ``contract.RegressionData``.

    Attributes:
        predicted: targets, predictions, quantiles, intervals and weights.
    """

    predicted: Predicted

    def moments(self, slicing: Slicing = UNSLICED) -> MomentSummary:
        """Errors and targets by slice."""
        cut = self.cut(slicing)
        return counted_moments(self.predicted, cut.columns, cut.depth)

    def folds(self, folds: int) -> FoldSummary:
        """Targets and errors by bin of the prediction, in folds of disjoint rows."""
        return fold_summary(self.predicted, folds)

    def predictions(self) -> PredictionSummary:
        """Targets and errors of all rows, by bin of the prediction."""
        return prediction_summary(self.predicted)

    def errors(self, sought: Sought, error: RegressionErrorKind) -> ErrorCounts:
        """One error a row, by coded columns."""
        columns, passed_over = sought_columns(self.frame, sought, self.sample)
        return replace(regression_error_counts(columns, self.predicted, error), passed_over=passed_over)

    def slice_rows(self, found: Sequence[Slice], slicing: Slicing) -> SliceRows:
        """What a user's metric is told of the rows of every slice."""
        known = self.predicted
        return rows_of_slices(
            self.cut(slicing).columns,
            found,
            label=known.target,
            score=None,
            prediction=known.prediction,
            weight=known.weight,
        )


@dataclass(frozen=True, eq=False)
class ArrowPairedRegressionRows:
    """See ``contract.PairedRegressionData``.

    Attributes:
        challenger: the rows, with what the challenger predicts of them.
        champion: what the champion predicts of them.
    """

    challenger: ArrowRegressionRows
    champion: Predicted

    def counted(self, slicing: Slicing) -> PairedMomentSummary:
        """The errors of both by slice, and how they differ."""
        return paired_moment_summary(self.champion, self.challenger.predicted, self.challenger.cut(slicing))
