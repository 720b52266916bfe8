"""Rows of two classes that come in parts, behind the contract."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mlflow_eval_plugin.engines.arrow.binary.errors import scored_errors
from mlflow_eval_plugin.engines.arrow.binary.paired import paired_summary, placement_summary
from mlflow_eval_plugin.engines.arrow.binary.rows import ArrowBinaryRows, ArrowPairedBinaryRows
from mlflow_eval_plugin.engines.arrow.columns.inputs import ROUNDING, coded_labels, power_of_two
from mlflow_eval_plugin.engines.arrow.columns.levels import CodedColumn
from mlflow_eval_plugin.engines.arrow.search import CodedErrors
from mlflow_eval_plugin.engines.contract import ErrorKind, Sought, Thresholds
from mlflow_eval_plugin.engines.parts.asking import Asking, Question
from mlflow_eval_plugin.engines.parts.columns import Part
from mlflow_eval_plugin.engines.parts.errors import PartedErrors, searched
from mlflow_eval_plugin.engines.parts.rows import PartedRows
from mlflow_eval_plugin.engines.parts.shown import Shown, ShownColumn
from mlflow_eval_plugin.engines.parts.slices import SlicePlan
from mlflow_eval_plugin.engines.parts.survey.checks import CheckLabels, CheckNumbers, require
from mlflow_eval_plugin.engines.slicing import Slicing
from mlflow_eval_plugin.stats.binary.paired import PairedSummary, PlacementSummary
from mlflow_eval_plugin.stats.binary.summary import ScoreSummary, SliceSummary
from mlflow_eval_plugin.stats.counts.slice import Slice
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.slices.user_metrics import SliceRows

Levelled = tuple[tuple[str, tuple[str, ...]], ...]
PROBABILITY = "a probability in [0, 1]"
NO_ROWS = (
    "row_metrics: these rows come in parts, and only counts leave a part; give 'metrics', functions of a Summary, or "
    "evaluate a sample in memory"
)


@dataclass(frozen=True)
class BinaryReading:
    """What a part holds as rows of two classes.

    Attributes:
        label: the column of labels; None where they are not known.
        positive: which label is positive; None where they are 0 and 1, or -1 and 1.
        said: the column of probabilities or of predicted classes; None where there is neither.
        weight: the column of weights; None when unweighted.
        weight_scale: that of all rows.
        rows: how many there are.
    """

    label: str | None
    positive: object | None
    said: ShownColumn | None
    weight: str | None = None
    weight_scale: float | None = None
    rows: int = 0

    @property
    def columns(self) -> tuple[str, ...]:
        """All that is read."""
        said = None if self.said is None else self.said.source
        return tuple(dict.fromkeys(one for one in (self.label, said, self.weight) if one is not None))

    def of(self, part: Part) -> ArrowBinaryRows:
        """The part as rows in memory."""
        return part.once(self, lambda: self._read(part))

    def _read(self, part: Part) -> ArrowBinaryRows:
        held = None if self.said is None else self.said.of(part).to_numpy()
        scores = self.said is not None and self.said.held == "score"
        return ArrowBinaryRows(
            part.frame(()),
            None if self.label is None else coded_labels(part.column(self.label), self.positive)[0],
            held if scores else None,
            None if scores else held,
            None if self.weight is None else part.column(self.weight),
            self.weight_scale,
            part_of=self.rows,
        )


@dataclass(frozen=True)
class ScoresOf:
    """Probabilities against labels."""

    reading: BinaryReading

    @property
    def columns(self) -> tuple[str, ...]:
        """All that is read."""
        return self.reading.columns

    def of(self, part: Part) -> ScoreSummary:
        """Of a part."""
        return self.reading.of(part).scores()


@dataclass(frozen=True)
class SlicedOf:
    """Probabilities against labels by slice."""

    reading: BinaryReading
    plan: SlicePlan
    threshold: float

    @property
    def columns(self) -> tuple[str, ...]:
        """All that is read."""
        return (*self.reading.columns, *self.plan.shown.columns)

    def of(self, part: Part) -> SliceSummary:
        """Of a part."""
        return self.plan.cut(self.reading.of(part), part).sliced(self.plan.asked, self.threshold)


@dataclass(frozen=True)
class PairedOf:
    """What two models say of the rows."""

    reading: BinaryReading
    champion: ShownColumn
    plan: SlicePlan
    thresholds: Thresholds

    @property
    def columns(self) -> tuple[str, ...]:
        """All that is read."""
        return (*self.reading.columns, self.champion.source, *self.plan.shown.columns)

    def of(self, part: Part) -> PairedSummary:
        """Of a part."""
        return paired_summary(self.pair(part).pairs(self.plan.asked, self.thresholds))

    def pair(self, part: Part) -> ArrowPairedBinaryRows:
        """The part as rows in memory."""
        rows = self.plan.cut(self.reading.of(part), part)
        held = self.champion.of(part).to_numpy()
        scores = self.champion.held == "score"
        return ArrowPairedBinaryRows(rows, held if scores else None, None if scores else held)


@dataclass(frozen=True, eq=False)
class PlacedOf:
    """How differently two models place the rows among all."""

    paired: PairedOf
    summary: PairedSummary

    @property
    def columns(self) -> tuple[str, ...]:
        """All that is read."""
        return self.paired.columns

    def of(self, part: Part) -> PlacementSummary:
        """Of a part."""
        pair = self.paired.pair(part)
        return placement_summary(pair.pairs(self.paired.plan.asked, self.paired.thresholds), self.summary)


@dataclass(frozen=True)
class BinaryErrorsOf:
    """One error a row."""

    reading: BinaryReading
    error: ErrorKind
    threshold: float

    @property
    def columns(self) -> tuple[str, ...]:
        """All that is read."""
        return self.reading.columns

    def template(self, columns: Levelled) -> CodedErrors:
        """Errors of no row."""
        return CodedErrors(columns, (), np.zeros(0, dtype=np.int64))

    def of(self, part: Part, columns: Sequence[CodedColumn]) -> CodedErrors:
        """Of a part, by coded columns."""
        return scored_errors(columns, self.reading.of(part).scored, self.error, self.threshold)


class PartedBinaryRows(PartedRows):
    """See ``contract.BinaryData``."""

    def __init__(self, asking: Asking, shown: Shown, reading: BinaryReading) -> None:
        """Rows of a source.

        Args:
            shown: the columns that rows are sliced by.
            reading: what the rows hold; their number and the scale of weights are found.
        """
        super().__init__(asking, shown)
        self._given = reading
        asking.survey(*self._checks)

    @property
    def has_labels(self) -> bool:
        """Whether labels are known."""
        return self._given.label is not None

    @property
    def has_scores(self) -> bool:
        """Whether there are probabilities of the positive class."""
        return self._given.said is not None and self._given.said.held == "score"

    @property
    def has_predictions(self) -> bool:
        """Whether there are probabilities or predicted classes."""
        return self._given.said is not None

    def scores(self) -> ScoreSummary:
        """Probabilities against labels."""
        if not self.has_scores:
            raise ValueError("there are no probabilities")
        found: ScoreSummary = self.asking.counted(ScoresOf(self.reading))
        return found

    def sliced(self, slicing: Slicing, threshold: float = 0.5) -> SliceSummary:
        """Probabilities against labels by slice; classes stand in for probabilities where there are none."""
        found: SliceSummary = self.asking.counted(self._sliced(slicing, threshold))
        return found

    def expect_scores(self) -> None:
        """``scores`` will be asked."""
        if self.has_scores:
            self.asking.expect(lambda: [ScoresOf(self.reading)])

    def expect_sliced(self, slicing: Slicing, threshold: float = 0.5) -> None:
        """``sliced`` will be asked."""
        self.asking.survey(*self.surveyed(slicing))
        self.asking.expect(lambda: [self._sliced(slicing, threshold)])

    def errors(self, sought: Sought, error: ErrorKind, threshold: float) -> PartedErrors:
        """One error a row, by coded columns."""
        threshold = threshold if self.has_scores else 0.5
        return searched(self, sought, BinaryErrorsOf(self.reading, error, threshold))

    def slice_rows(self, found: Sequence[Slice], slicing: Slicing, threshold: float) -> SliceRows:
        """Refused: rows do not leave a part."""
        raise InputError(NO_ROWS)

    @property
    def reading(self) -> BinaryReading:
        """What the rows hold, once it is found right.

        Raises:
            InputError: for labels, scores or weights that cannot be evaluated.
        """
        given, found = self._given, dict(zip(self._checks, self.asking.all(self._checks), strict=True))
        reasons: list[str] = []
        scale = None
        for check, answer in found.items():
            if isinstance(check, CheckLabels):
                reasons += answer.reasons(given.positive)
            else:
                reasons += answer.reasons
        require(reasons)
        if given.weight is not None:
            scale = power_of_two(found[weights_of(given.weight)].ends[1])
            require_some_weight(found[weights_of(given.weight)].ends[1])
        return replace(given, weight_scale=scale, rows=self.asking.rows)

    @property
    def _checks(self) -> list[Question]:
        given = self._given
        checks: list[Question] = [] if given.label is None else [CheckLabels(given.label)]
        if given.said is not None and given.said.held == "score":
            checks.append(CheckNumbers(given.said.source, "score", PROBABILITY, -ROUNDING, 1 + ROUNDING))
        if given.weight is not None:
            checks.append(weights_of(given.weight))
        return checks

    def _sliced(self, slicing: Slicing, threshold: float) -> SlicedOf:
        return SlicedOf(self.reading, self.plan(slicing), threshold if self.has_scores else 0.5)


def weights_of(column: str) -> CheckNumbers:
    """The check of a column of weights."""
    return CheckNumbers(column, "weight", "a finite weight of 0 or more", 0.0, float(np.finfo(np.float64).max))


def require_some_weight(largest: float) -> None:
    """Refuse weights that are all 0.

    Raises:
        InputError: where the largest is.
    """
    if largest == 0:
        raise InputError("weight: every weight is 0, so that no row counts; expected at least one above 0")


class PartedPairedBinaryRows:
    """See ``contract.PairedBinaryData``."""

    def __init__(self, challenger: PartedBinaryRows, champion: ShownColumn) -> None:
        """Rows with what the champion says of them, in a column of the same source."""
        self._challenger, self._champion = challenger, champion
        if champion.held == "score":
            challenger.asking.survey(self._check)

    @property
    def champion_has_scores(self) -> bool:
        """Whether the champion gives probabilities."""
        return self._champion.held == "score"

    def counted(self, slicing: Slicing, thresholds: Thresholds) -> tuple[PairedSummary, PlacementSummary | None]:
        """The rows by slice, label and both predictions; in a further pass, how differently both place them."""
        own = self._challenger
        if self.champion_has_scores:
            require(own.asking.one(self._check).reasons)
        paired = PairedOf(own.reading, self._champion, own.plan(slicing), thresholds)
        summary: PairedSummary = own.asking.counted(paired)
        if not (self.champion_has_scores and own.has_scores):
            return summary, None
        placed: PlacementSummary = own.asking.one(PlacedOf(paired, summary))
        return summary, placed

    @property
    def _check(self) -> CheckNumbers:
        return CheckNumbers(self._champion.source, "champion's score", PROBABILITY, -ROUNDING, 1 + ROUNDING)
