"""What evaluators may ask of rows, whoever holds them: names of columns, and Summaries of all rows.

An evaluator holds one of these handles, and never the rows themselves. Every method is one question, and its answer is
made of counts and sums (a Summary), so that it does not matter where rows lie, in what order they come, or in how many
parts they are read: each part is counted, and the Summaries are added. What no part knows by itself (levels, edges,
classes and scales of all rows) is found in a pass before. Three questions are of another kind:

- ``errors`` is asked again and again as the search of weak slices goes on, each time for counts of cells, which add up.
- ``examples`` are for a person to read: a few values, of whichever rows come first.
- ``slice_rows``, for a user's own metrics, are rows. An engine that cannot give them refuses by name.

Every method raises InputError for columns that are missing or cannot be evaluated, and TooManyLevels for too many
levels or slices. But for ``examples``, an answer depends on the rows and not on their order.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from mlflow_eval_plugin.engines.sampled import SampledRows
from mlflow_eval_plugin.engines.slicing import UNSLICED, Edge, Slicing
from mlflow_eval_plugin.stats.binary.paired import PairedSummary, PlacementSummary
from mlflow_eval_plugin.stats.binary.summary import ScoreSummary, SliceSummary
from mlflow_eval_plugin.stats.counts.slice import Slice
from mlflow_eval_plugin.stats.drift.schema import ColumnType
from mlflow_eval_plugin.stats.drift.strata.sliced import SlicedDrift
from mlflow_eval_plugin.stats.drift.summary import Column, DriftSummary, Role
from mlflow_eval_plugin.stats.drift.windows import Windowing, WindowSummary
from mlflow_eval_plugin.stats.errors import InputError, TooManyLevels
from mlflow_eval_plugin.stats.inference.costs import ClassCosts
from mlflow_eval_plugin.stats.multiclass.paired import PairedClassSummary
from mlflow_eval_plugin.stats.multiclass.summary import MulticlassSummary
from mlflow_eval_plugin.stats.regression.folds import FoldSummary
from mlflow_eval_plugin.stats.regression.paired import PairedMomentSummary
from mlflow_eval_plugin.stats.regression.summary import MomentSummary, PredictionSummary
from mlflow_eval_plugin.stats.slices.lattice import ErrorCounter
from mlflow_eval_plugin.stats.slices.system import SystemSummary
from mlflow_eval_plugin.stats.slices.user_metrics import SliceRows

ErrorKind = Literal["log_loss", "brier", "wrong"]
RegressionErrorKind = Literal["squared_error", "absolute_error"]
Thresholds = tuple[float, float]  # of the champion, of the challenger


@dataclass(frozen=True)
class Sought:
    """Where weak slices are sought.

    Attributes:
        columns: the columns that are searched, in any order.
        depth: of how many of them a slice is at most.
        edges, quantiles: how to cut some of the columns, as in ``Slicing``.
        bands: into how many full intervals other numbers and times are cut, where they have more values than that.
        as_given: the columns were asked for by name, so that too many levels are an error; else they are passed over.
    """

    columns: tuple[str, ...]
    depth: int
    edges: Mapping[str, Sequence[Edge]]
    quantiles: Mapping[str, int]
    bands: int
    max_levels: int
    as_given: bool


@dataclass(frozen=True)
class AskedColumns:
    """Which columns drift is counted of.

    Attributes:
        roles: "score", "prediction" or "label" for the columns that are no feature.
        categorical: numeric columns whose values are codes.
        as_given: the columns were asked for by name, so that one that cannot be compared is an error; else it is
            passed over.
    """

    names: tuple[str, ...]
    roles: Mapping[str, Role] = field(default_factory=dict)
    categorical: frozenset[str] = frozenset()
    as_given: bool = False

    def role(self, name: str) -> Role:
        """What one of them is."""
        return self.roles.get(name, "feature")


@dataclass(frozen=True)
class PassedOver:
    """A column that is not searched, and why."""

    column: str
    reason: str


class ErrorCounts(ErrorCounter, Protocol):
    """Errors by coded columns, counted as the search goes on: rows, sums and the largest of cells, and never a row."""

    @property
    def rows(self) -> int:
        """How many rows there are."""

    @property
    def columns(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """The columns that are searched, by name, with their levels."""

    @property
    def passed_over(self) -> tuple[PassedOver, ...]:
        """The columns that cannot be."""


@dataclass(frozen=True, eq=False)
class DriftCounts:
    """Both sides of the columns that can be compared, and the others by name, each with the reason.

    Attributes:
        repeated: by numeric column, the value that most of the rows in its newest bin have, if they have one; which bin
            that is, the counts of both sides say, so that rows in parts are read once more.
    """

    reference: DriftSummary
    current: DriftSummary
    passed_over: Mapping[str, str]
    repeated: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class WindowCounts:
    """What ``DriftCounts`` has of all rows, and the current rows by window of time."""

    counts: DriftCounts
    windows: WindowSummary


@dataclass(frozen=True)
class NotCounted:
    """Why a column of a reference is not counted."""

    reason: str
    too_many_levels: bool = False

    @property
    def error(self) -> InputError:
        """What is raised where the column was asked for."""
        return TooManyLevels(self.reason) if self.too_many_levels else InputError(self.reason)


@dataclass(frozen=True, eq=False)
class ReferenceColumn:
    """One column of a reference, with all that decides whether rows can be compared with it.

    Attributes:
        kind: what it holds, as ``schema`` says it.
        counted: the column on bins of its own.
        declared: whoever made it says that its values, even numbers, are codes.
        bits: of how many bits its floats are; 64 of anything else.
        key: every value is another one, as of keys and counters.
    """

    kind: str
    counted: Column | NotCounted
    declared: bool = False
    bits: int = 64
    key: bool = False

    @property
    def known(self) -> Column:
        """The counts.

        Raises:
            InputError: where there are none; TooManyLevels where there are too many levels.
        """
        if isinstance(self.counted, NotCounted):
            raise self.counted.error
        return self.counted


class ReferenceData(Protocol):
    """What rows are compared with: other rows, of whichever engine, or what was once counted of some."""

    @property
    def rows(self) -> int:
        """How many rows there are."""

    def binned(
        self,
        columns: Sequence[str],
        *,
        roles: Mapping[str, Role],
        categorical: Collection[str],
        bits: Mapping[str, int],
    ) -> Mapping[str, ReferenceColumn]:
        """Some columns, each counted on bins of its own.

        Args:
            roles: as in ``AskedColumns``.
            categorical: columns whose values are codes; those that are declared as such are so too.
            bits: the columns that the rows to be compared hold in floats of so many bits, fewer than 64: the numbers of
                the reference are rounded to as many.
        """


class RowData(ReferenceData, SampledRows, Protocol):
    """Rows of any task."""

    @property
    def names(self) -> tuple[str, ...]:
        """What the columns are called, in their order."""

    def schema(self) -> tuple[ColumnType, ...]:
        """The columns by name, sorted, each with its kind, whatever holds their values."""

    def present(self, column: str) -> int | None:
        """How many rows have a value of a column; None where there is no such column."""

    def examples(self, column: str) -> tuple[str, ...]:
        """A few values of a column, as Python writes them; none where there is no such column.

        They are for a person to read, and of whichever rows come first.
        """

    def drift(self, reference: ReferenceData, columns: AskedColumns) -> DriftCounts:
        """Both sides of some columns, counted on the bins of the reference.

        Args:
            reference: is asked for its columns by ``binned``, and for nothing else.
        """

    def windows(self, reference: ReferenceData, windowing: Windowing, columns: AskedColumns) -> WindowCounts:
        """What ``drift`` answers, and in the same pass the rows by window of time, on the same bins.

        All rows are those of all windows, and those without a time. Where windows begin is found in a pass before: the
        times of all rows, for windows of n rows, or one time of each window.

        Raises:
            InputError: for a column that holds no times, or times that are all in one window or in too many.
        """

    def sliced_drift(self, slicing: Slicing, *, like: DriftSummary) -> SlicedDrift | None:
        """The rows by slice, each slice counted on these bins; None of what is no longer rows.

        Args:
            slicing: with edges, and no quantiles, so that both sides have the same slices.
            like: columns of which these rows, too, have values.
        """

    def system(self, slicing: Slicing, *, latency: str | None, cost: str | None) -> SystemSummary:
        """Latencies and costs by slice, of columns of non-negative numbers."""


class PairedBinaryData(Protocol):
    """Rows with what two models say of them: the champion, and the challenger."""

    @property
    def champion_has_scores(self) -> bool:
        """Whether the champion gives probabilities, and not classes alone."""

    def counted(self, slicing: Slicing, thresholds: Thresholds) -> tuple[PairedSummary, PlacementSummary | None]:
        """The rows by slice, label and both predictions, and how differently both place them among all rows.

        Where one of the two has classes alone, classes stand in for the scores of both, and there are no placements.
        These are counted when the Summary of all rows is known, and add up then.

        Args:
            thresholds: of the champion and of the challenger; scores at or above it are predicted positive.
        """


class BinaryData(RowData, Protocol):
    """Rows of a classifier of two classes; a reference, and what drift compares, may lack labels and predictions."""

    @property
    def has_labels(self) -> bool:
        """Whether labels are known."""

    @property
    def has_scores(self) -> bool:
        """Whether there are probabilities of the positive class."""

    @property
    def has_predictions(self) -> bool:
        """Whether there are probabilities or predicted classes."""

    def scores(self) -> ScoreSummary:
        """Probabilities against labels."""

    def sliced(self, slicing: Slicing, threshold: float = 0.5) -> SliceSummary:
        """Probabilities against labels by slice; classes stand in for probabilities where there are none.

        Args:
            threshold: scores at or above it are predicted positive.
        """

    def errors(self, sought: Sought, error: ErrorKind, threshold: float) -> ErrorCounts:
        """One error a row, by coded columns.

        Args:
            error: ``log_loss`` in nats, ``brier`` (the squared error), or ``wrong`` (1 where a row is decided wrongly).
            threshold: scores at or above it are decided as positive.
        """

    def slice_rows(self, found: Sequence[Slice], slicing: Slicing, threshold: float) -> SliceRows:
        """What a user's metric is told of the rows of every slice, in an order that depends on them alone.

        Args:
            found: the slices of a Summary that was counted by the same, "overall" first.
            threshold: scores at or above it are predicted positive.
        """


class PairedMulticlassData(Protocol):
    """Rows with what two classifiers of three or more classes say of them; each may know other classes."""

    @property
    def champion_classes(self) -> tuple[str, ...]:
        """The classes that the champion knows."""

    @property
    def have_probabilities(self) -> bool:
        """Whether both give probabilities."""

    def counted(self, slicing: Slicing, costs: ClassCosts | None) -> PairedClassSummary:
        """The rows by slice, and by class against the rest; ``costs`` are for the difference in cost."""


class MulticlassData(RowData, Protocol):
    """Rows of a classifier of three or more classes, with labels and predictions."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes, in canonical order."""

    @property
    def has_probabilities(self) -> bool:
        """Whether there are probabilities of all classes, and not predicted classes alone."""

    def sliced(self, slicing: Slicing = UNSLICED, *, ranked: bool = True) -> MulticlassSummary:
        """The rows by slice, label and predicted class; ``ranked`` with probabilities class by class, for AUC."""

    def confidence(self) -> ScoreSummary:
        """The largest probability of each row as score, whether the prediction is right as label."""

    def sliced_confidence(self, slicing: Slicing) -> SliceSummary:
        """The confidence, slice by slice."""

    def of_class(self, position: int) -> ScoreSummary:
        """One class against the rest: its probability as score, whether the row is of the class as label."""

    def top_label(self, position: int) -> ScoreSummary:
        """One class against the rest, of the rows that are predicted as that class."""

    def errors(self, sought: Sought, error: ErrorKind) -> ErrorCounts:
        """One error a row, by coded columns; the Brier score is the sum over classes, in [0, 2]."""

    def slice_rows(self, found: Sequence[Slice], slicing: Slicing) -> SliceRows:
        """What ``BinaryData.slice_rows`` gives; labels and predictions are text, and there is a score for each class.

        Args:
            found: the slices of a Summary that was counted by the same, "overall" first.
        """


class PairedRegressionData(Protocol):
    """Rows with what two regressions predict of them."""

    def counted(self, slicing: Slicing) -> PairedMomentSummary:
        """The errors of both by slice, and how they differ."""


class RegressionData(RowData, Protocol):
    """Rows of a regression, with targets and predictions."""

    def moments(self, slicing: Slicing = UNSLICED) -> MomentSummary:
        """Errors and targets by slice."""

    def folds(self, folds: int) -> FoldSummary:
        """Targets and errors by bin of the prediction, in folds of disjoint rows, which add up to all.

        The fold of a row is drawn by what the row holds, so that parts of the rows have folds that add up, too.
        """

    def predictions(self) -> PredictionSummary:
        """Targets and errors of all rows, by bin of the prediction."""

    def errors(self, sought: Sought, error: RegressionErrorKind) -> ErrorCounts:
        """One error a row, by coded columns."""

    def slice_rows(self, found: Sequence[Slice], slicing: Slicing) -> SliceRows:
        """What ``BinaryData.slice_rows`` gives; the label is the target, and there is no score.

        Args:
            found: the slices of a Summary that was counted by the same, "overall" first.
        """
