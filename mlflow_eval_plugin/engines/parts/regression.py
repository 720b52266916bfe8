"""Rows of a regression that come in parts, behind the contract."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mlflow_eval_plugin.engines.arrow.columns.inputs import numbers_of, power_of_two
from mlflow_eval_plugin.engines.arrow.columns.levels import CodedColumn
from mlflow_eval_plugin.engines.arrow.regression.errors import SHARE_SQUARE_ONE, regression_error_counts
from mlflow_eval_plugin.engines.arrow.regression.inputs import (
    LARGEST,
    Interval,
    Predicted,
    largest_distance,
    predicted_rows,
    scale_on,
)
from mlflow_eval_plugin.engines.arrow.regression.paired import paired_moment_summary
from mlflow_eval_plugin.engines.arrow.regression.rows import ArrowRegressionRows
from mlflow_eval_plugin.engines.arrow.regression.scores import fold_summary, prediction_bins, prediction_summary
from mlflow_eval_plugin.engines.arrow.search import CodedErrors
from mlflow_eval_plugin.engines.contract import RegressionErrorKind, Sought
from mlflow_eval_plugin.engines.parts.asking import Asking, Question
from mlflow_eval_plugin.engines.parts.binary import NO_ROWS, Levelled, require_some_weight, weights_of
from mlflow_eval_plugin.engines.parts.columns import Part
from mlflow_eval_plugin.engines.parts.errors import PartedErrors, searched
from mlflow_eval_plugin.engines.parts.rows import PartedRows
from mlflow_eval_plugin.engines.parts.shown import Shown
from mlflow_eval_plugin.engines.parts.slices import SlicePlan
from mlflow_eval_plugin.engines.parts.survey.checks import CheckedNumbers, CheckNumbers, Wrong, require, wrong_rows
from mlflow_eval_plugin.engines.slicing import UNSLICED, Slicing
from mlflow_eval_plugin.stats.arrays import FloatArray
from mlflow_eval_plugin.stats.counts.slice import Slice
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.regression.folds import FoldSummary
from mlflow_eval_plugin.stats.regression.paired import PairedMomentSummary
from mlflow_eval_plugin.stats.regression.summary import (
    MomentSummary,
    PredictionSummary,
    RegressionScale,
    checked_levels,
)
from mlflow_eval_plugin.stats.slices.user_metrics import SliceRows

NUMBER = "a finite number, at most 1e70 in size,"


@dataclass(frozen=True)
class GivenInterval:
    """A predicted interval: by its name, the share of rows that it claims to hold, and the columns of its ends.

    Attributes:
        crossing: where its ends cross their places are exchanged, as those of two quantiles; else that is wrong.
    """

    name: str
    level: float
    lower: str
    upper: str
    crossing: bool = False


@dataclass(frozen=True)
class RegressionReading:
    """What a part holds as rows of a regression.

    Attributes:
        frame: the columns by which rows that are predicted alike are told apart: all but targets and predictions.
        quantiles: the columns of predicted quantiles, each with its level.
        weight: the column of weights; None when unweighted.
        scale: that of all rows.
        rows: how many there are.
    """

    frame: Shown
    target: str
    prediction: str
    quantiles: tuple[tuple[float, str], ...] = ()
    intervals: tuple[GivenInterval, ...] = ()
    weight: str | None = None
    scale: RegressionScale | None = None
    rows: int = 0

    @property
    def numbers(self) -> tuple[tuple[str, str], ...]:
        """The columns of numbers, each with what it is for."""
        found = [(self.target, "target"), (self.prediction, "prediction")]
        found += [(column, f"quantile {level:g}") for level, column in self.quantiles]
        for one in self.intervals:
            found += [(one.lower, f"interval {one.name!r} lower"), (one.upper, f"interval {one.name!r} upper")]
        return tuple(dict(found).items())

    @property
    def columns(self) -> tuple[str, ...]:
        """All that is read to sum errors."""
        weight = () if self.weight is None else (self.weight,)
        return tuple(dict.fromkeys((*(column for column, _ in self.numbers), *weight)))

    def of(self, part: Part) -> ArrowRegressionRows:
        """The part as rows in memory."""
        return part.once(self, lambda: ArrowRegressionRows(part.frame(()), self.predicted(part), part_of=self.rows))

    def predicted(self, part: Part, *, told_apart: bool = False) -> Predicted:
        """The part in the form that is counted.

        Args:
            told_apart: with the columns by which rows that are predicted alike are told apart.
        """
        values = {column: part.column(column) for column, _ in self.numbers}
        return predicted_rows(
            self.frame.of(part) if told_apart else part.frame(()),
            target=values[self.target],
            prediction=values[self.prediction],
            quantiles={level: values[column] for level, column in self.quantiles},
            intervals=[(one.name, one.level, *self.ends(one, part)) for one in self.intervals],
            weight=None if self.weight is None else part.column(self.weight),
            scale=self.scale,
        )

    def ends(self, one: GivenInterval, part: Part) -> tuple[FloatArray, FloatArray]:
        """The lower and the upper end of an interval, row by row."""
        low, high = (numbers_of(part.column(name), argument="interval") for name in (one.lower, one.upper))
        return (np.minimum(low, high), np.maximum(low, high)) if one.crossing else (low, high)


@dataclass(frozen=True)
class Distances:
    """The largest distance of rows, of errors, and intervals whose ends are not in order."""

    largest: float
    error: float
    crossing: tuple[tuple[str, Wrong], ...]

    def __add__(self, other: Distances) -> Distances:
        """Those of both sets of rows."""
        crossing = zip(self.crossing, other.crossing, strict=True)
        return Distances(
            max(self.largest, other.largest),
            max(self.error, other.error),
            tuple((name, a + b) for (name, a), (_, b) in crossing),
        )

    @property
    def reasons(self) -> list[str]:
        """What is wrong with the intervals."""
        said = "with a lower end above the upper one"
        return [
            f"interval {name!r}: {one.said(said)}; are the columns swapped?" for name, one in self.crossing if one.rows
        ]


@dataclass(frozen=True)
class DistancesOf:
    """Finds the largest distances, as ``largest_distance`` has them, of numbers that are right."""

    reading: RegressionReading

    @property
    def columns(self) -> tuple[str, ...]:
        """All that is read."""
        return tuple(column for column, _ in self.reading.numbers)

    def of(self, part: Part) -> Distances:
        """Of a part."""
        given = self.reading
        values = {name: numbers_of(part.column(name), argument=what) for name, what in given.numbers}
        y, p = values[given.target], values[given.prediction]
        intervals = [Interval(one.name, one.level, *given.ends(one, part)) for one in given.intervals]
        quantiles = {level: values[column] for level, column in given.quantiles}
        with np.errstate(invalid="ignore", over="ignore"):
            largest, error = largest_distance(y, p, quantiles, intervals), float(np.abs(p - y).max())
        crossing = tuple((one.name, wrong_rows(one.lower > one.upper, part)) for one in intervals)
        return Distances(largest, error, crossing)


@dataclass(frozen=True)
class MomentsOf:
    """Errors and targets by slice."""

    reading: RegressionReading
    plan: SlicePlan

    @property
    def columns(self) -> tuple[str, ...]:
        """All that is read."""
        return (*self.reading.columns, *self.plan.shown.columns)

    def of(self, part: Part) -> MomentSummary:
        """Of a part."""
        return self.plan.cut(self.reading.of(part), part).moments(self.plan.asked)


@dataclass(frozen=True)
class PredictionsOf:
    """Targets and errors by bin of the prediction, in folds; whole with none.

    Attributes:
        bins: the lower ends of the bins.
    """

    reading: RegressionReading
    folds: int
    bins: tuple[float, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """All that is read."""
        return (*self.reading.columns, *(self.reading.frame.columns if self.folds else ()))

    def of(self, part: Part) -> FoldSummary | PredictionSummary:
        """Of a part."""
        known = self.reading.predicted(part, told_apart=bool(self.folds))
        edges = np.array(self.bins)
        return fold_summary(known, self.folds, edges=edges) if self.folds else prediction_summary(known, edges=edges)


@dataclass(frozen=True)
class PairedMomentsOf:
    """What two regressions predict of the rows."""

    reading: RegressionReading
    champion: RegressionReading
    plan: SlicePlan

    @property
    def columns(self) -> tuple[str, ...]:
        """All that is read."""
        return (*self.reading.columns, *self.champion.columns, *self.plan.shown.columns)

    def of(self, part: Part) -> PairedMomentSummary:
        """Of a part."""
        first, second = self.champion.of(part).predicted, self.reading.of(part).predicted
        return paired_moment_summary(first, second, self.plan.sliced(part))


@dataclass(frozen=True)
class RegressionErrorsOf:
    """One error a row, as a share of a power of two at or above the largest."""

    reading: RegressionReading
    error: RegressionErrorKind
    unit: float

    @property
    def columns(self) -> tuple[str, ...]:
        """All that is read."""
        return self.reading.columns

    def template(self, columns: Levelled) -> CodedErrors:
        """Errors of no row."""
        return CodedErrors(columns, (), np.zeros(0, dtype=np.int64), self.unit, SHARE_SQUARE_ONE)

    def of(self, part: Part, columns: Sequence[CodedColumn]) -> CodedErrors:
        """Of a part, by coded columns."""
        return regression_error_counts(columns, self.reading.of(part).predicted, self.error, unit=self.unit)


class PartedRegressionRows(PartedRows):
    """See ``contract.RegressionData``."""

    def __init__(self, asking: Asking, shown: Shown, reading: RegressionReading) -> None:
        """Rows of a source.

        Args:
            shown: the columns that rows are sliced by.
            reading: what the rows hold; their number and scale are found.
        """
        super().__init__(asking, shown)
        checked_levels(tuple(level for level, _ in reading.quantiles))
        self._given = reading
        asking.survey(*checks_of(reading))

    @property
    def reading(self) -> RegressionReading:
        """What the rows hold, once it is found right.

        Raises:
            InputError: for targets, predictions, intervals or weights that cannot be evaluated.
        """
        return read_of(self._given, self.asking)

    def moments(self, slicing: Slicing = UNSLICED) -> MomentSummary:
        """Errors and targets by slice."""
        found: MomentSummary = self.asking.counted(MomentsOf(self.reading, self.plan(slicing)))
        return found

    def folds(self, folds: int) -> FoldSummary:
        """Targets and errors by bin of the prediction, in folds of disjoint rows."""
        found: FoldSummary = self.asking.counted(self._predictions(folds))
        return found

    def predictions(self) -> PredictionSummary:
        """Targets and errors of all rows, by bin of the prediction."""
        found: PredictionSummary = self.asking.counted(self._predictions(0))
        return found

    def errors(self, sought: Sought, error: RegressionErrorKind) -> PartedErrors:
        """One error a row, by coded columns."""
        known = self.reading
        (found,) = self.asking.all([DistancesOf(self._given)])
        unit = power_of_two(found.error**2 if error == "squared_error" else found.error)
        return searched(self, sought, RegressionErrorsOf(known, error, unit))

    def slice_rows(self, found: Sequence[Slice], slicing: Slicing) -> SliceRows:
        """Refused: rows do not leave a part."""
        raise InputError(NO_ROWS)

    def expect_moments(self, slicing: Slicing = UNSLICED) -> None:
        """``moments`` will be asked."""
        self.asking.survey(*self.surveyed(slicing))
        self.asking.expect(lambda: [MomentsOf(self.reading, self.plan(slicing))])

    def expect_predictions(self, folds: int = 0) -> None:
        """``folds``, or with none ``predictions``, will be asked."""
        self.asking.expect(lambda: [self._predictions(folds)])

    def _predictions(self, folds: int) -> PredictionsOf:
        known = self.reading
        sample = numbers_of(self.asking.digested.sample.part.column(known.prediction), argument="prediction")
        return PredictionsOf(known, folds, tuple(prediction_bins(sample).tolist()))


def checks_of(given: RegressionReading) -> list[Question]:
    """What has to be found right before a reading is used."""
    checks: list[Question] = [
        CheckNumbers(column, what, f"{NUMBER} in every row", -LARGEST, LARGEST) for column, what in given.numbers
    ]
    if given.weight is not None:
        checks.append(weights_of(given.weight))
    return [*checks, DistancesOf(given)]


def read_of(given: RegressionReading, asking: Asking) -> RegressionReading:
    """A reading with what it needs to know of all rows.

    Raises:
        InputError: for targets, predictions, intervals or weights that cannot be evaluated.
    """
    checks = checks_of(given)
    found = asking.all(checks)
    require([reason for one in found for reason in one.reasons])
    by_column = {one.column: one for one in found if isinstance(one, CheckedNumbers)}
    weight = None
    if given.weight is not None:
        largest = found[-2].ends[1]
        require_some_weight(largest)
        weight = power_of_two(largest)
    sample = numbers_of(asking.digested.sample.part.column(given.target), argument="target")
    ends = np.array(by_column[given.target].ends)
    scale = scale_on(float(np.median(sample)), ends, found[-1].largest, weight)
    return replace(given, scale=scale, rows=asking.rows)


class PartedPairedRegressionRows:
    """See ``contract.PairedRegressionData``."""

    def __init__(self, challenger: PartedRegressionRows, champion: RegressionReading) -> None:
        """Rows with what the champion predicts of them, in a column of the same source."""
        self._challenger, self._champion = challenger, champion
        challenger.asking.survey(*checks_of(champion))

    def counted(self, slicing: Slicing) -> PairedMomentSummary:
        """The errors of both by slice, and how they differ."""
        own = self._challenger
        champion = read_of(self._champion, own.asking)
        found: PairedMomentSummary = own.asking.counted(PairedMomentsOf(own.reading, champion, own.plan(slicing)))
        return found
