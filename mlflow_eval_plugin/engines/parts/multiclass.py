"""Rows of three or more classes that come in parts, behind the contract."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from mlflow_eval_plugin.engines.arrow.columns.inputs import ROUNDING, power_of_two
from mlflow_eval_plugin.engines.arrow.columns.levels import CodedColumn
from mlflow_eval_plugin.engines.arrow.multiclass.errors import class_error_counts
from mlflow_eval_plugin.engines.arrow.multiclass.inputs import (
    ClassScored,
    checked_count,
    checked_probabilities,
    in_canonical_order,
    on_classes,
    positions,
    require_known,
)
from mlflow_eval_plugin.engines.arrow.multiclass.rows import ArrowMulticlassRows, ArrowPairedMulticlassRows
from mlflow_eval_plugin.engines.arrow.search import CodedErrors
from mlflow_eval_plugin.engines.contract import ErrorKind, Sought
from mlflow_eval_plugin.engines.parts.asking import Asking, Question
from mlflow_eval_plugin.engines.parts.binary import NO_ROWS, PROBABILITY, Levelled, require_some_weight, weights_of
from mlflow_eval_plugin.engines.parts.columns import Part
from mlflow_eval_plugin.engines.parts.errors import PartedErrors, searched
from mlflow_eval_plugin.engines.parts.rows import PartedRows
from mlflow_eval_plugin.engines.parts.shown import Shown
from mlflow_eval_plugin.engines.parts.slices import SlicePlan
from mlflow_eval_plugin.engines.parts.survey.checks import CheckLabels, CheckNumbers, CheckSums, require
from mlflow_eval_plugin.engines.slicing import UNSLICED, Slicing
from mlflow_eval_plugin.stats.binary.summary import ScoreSummary, SliceSummary
from mlflow_eval_plugin.stats.counts.slice import Slice, level_label
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.inference.costs import ClassCosts
from mlflow_eval_plugin.stats.multiclass.paired import PairedClassSummary
from mlflow_eval_plugin.stats.multiclass.summary import MulticlassSummary
from mlflow_eval_plugin.stats.slices.user_metrics import SliceRows


@dataclass(frozen=True)
class ClassReading:
    """What a part holds as rows of three or more classes.

    Attributes:
        probabilities: the columns of probabilities, each with its class; none where predictions are classes.
        prediction: the column of predicted classes; None where there are probabilities.
        classes: all that are known or occur, in canonical order; found, where none are given.
        weight: the column of weights; None when unweighted.
        weight_scale: that of all rows.
        rows: how many there are.
    """

    label: str
    probabilities: tuple[tuple[str, str], ...] = ()
    prediction: str | None = None
    classes: tuple[str, ...] = ()
    weight: str | None = None
    weight_scale: float | None = None
    rows: int = 0

    @property
    def columns(self) -> tuple[str, ...]:
        """All that is read."""
        said = (column for _, column in self.probabilities)
        return tuple(dict.fromkeys(one for one in (self.label, *said, self.prediction, self.weight) if one is not None))

    def of(self, part: Part) -> ArrowMulticlassRows:
        """The part as rows in memory."""
        return part.once(self, lambda: ArrowMulticlassRows(part.frame(()), self.scored(part), part_of=self.rows))

    def scored(self, part: Part) -> ClassScored:
        """The part in the form that is counted."""
        label = self._positions(part, self.label)
        weight = None
        if self.weight is not None:
            weight = part.column(self.weight).to_numpy(dtype=np.float64, na_value=np.nan)
        if self.prediction is not None:
            predicted = self._positions(part, self.prediction)
            return ClassScored(self.classes, label, predicted, None, weight, self.weight_scale, self.rows)
        own = tuple(one for one, _ in self.probabilities)
        given = np.column_stack([part.column(column).to_numpy(dtype=np.float64) for _, column in self.probabilities])
        probability = on_classes(checked_probabilities(given, own), own, self.classes)
        # Of equal probabilities the first in canonical order is predicted.
        predicted = probability.argmax(axis=1)
        return ClassScored(self.classes, label, predicted, probability, weight, self.weight_scale, self.rows)

    def _positions(self, part: Part, column: str) -> Any:
        codes, values = pd.factorize(part.column(column))
        return positions([level_label(one) for one in values], self.classes)[codes]


@dataclass(frozen=True)
class ClassesOf:
    """One of the questions of a handle, asked of each part.

    Attributes:
        ask: the question, by name and arguments; its slicing is that of the plan.
    """

    reading: ClassReading
    plan: SlicePlan | None
    ask: str
    given: tuple[tuple[str, Any], ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """All that is read."""
        return (*self.reading.columns, *(self.plan.shown.columns if self.plan else ()))

    def of(self, part: Part) -> Any:
        """Of a part."""
        rows = self.reading.of(part)
        sliced = () if self.plan is None else (self.plan.asked,)
        rows = rows if self.plan is None else self.plan.cut(rows, part)
        return getattr(rows, self.ask)(*sliced, **dict(self.given))


@dataclass(frozen=True)
class PairedClassesOf:
    """What two models say of the rows."""

    reading: ClassReading
    champion: ClassReading
    plan: SlicePlan
    costs: ClassCosts | None

    @property
    def columns(self) -> tuple[str, ...]:
        """All that is read."""
        return (*self.reading.columns, *self.champion.columns, *self.plan.shown.columns)

    def of(self, part: Part) -> PairedClassSummary:
        """Of a part."""
        rows = self.plan.cut(self.reading.of(part), part)
        pair = ArrowPairedMulticlassRows(rows, self.champion.of(part).scored)
        return pair.counted(self.plan.asked, self.costs)


@dataclass(frozen=True)
class ClassErrorsOf:
    """One error a row."""

    reading: ClassReading
    error: ErrorKind

    @property
    def columns(self) -> tuple[str, ...]:
        """All that is read."""
        return self.reading.columns

    def template(self, columns: Levelled) -> CodedErrors:
        """Errors of no row."""
        return CodedErrors(columns, (), np.zeros(0, dtype=np.int64))

    def of(self, part: Part, columns: Sequence[CodedColumn]) -> CodedErrors:
        """Of a part, by coded columns."""
        return class_error_counts(columns, self.reading.of(part).scored, self.error)


class PartedMulticlassRows(PartedRows):
    """See ``contract.MulticlassData``."""

    def __init__(self, asking: Asking, shown: Shown, reading: ClassReading) -> None:
        """Rows of a source.

        Args:
            shown: the columns that rows are sliced by.
            reading: what the rows hold; their number, the classes and the scale of weights are found.
        """
        super().__init__(asking, shown)
        self._given = reading
        asking.survey(*checks_of(reading))

    @property
    def reading(self) -> ClassReading:
        """What the rows hold, once it is found right.

        Raises:
            InputError: for labels, probabilities, classes or weights that cannot be evaluated.
        """
        return read_of(self._given, self.asking)

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes, in canonical order."""
        return self.reading.classes

    @property
    def has_probabilities(self) -> bool:
        """Whether there are probabilities of all classes."""
        return bool(self._given.probabilities)

    def sliced(self, slicing: Slicing = UNSLICED, *, ranked: bool = True) -> MulticlassSummary:
        """The rows by slice, label and predicted class."""
        found: MulticlassSummary = self._counted("sliced", slicing, ranked=ranked)
        return found

    def confidence(self) -> ScoreSummary:
        """The largest probability of each row as score, whether the prediction is right as label."""
        found: ScoreSummary = self._counted("confidence")
        return found

    def sliced_confidence(self, slicing: Slicing) -> SliceSummary:
        """The confidence, slice by slice."""
        found: SliceSummary = self._counted("sliced_confidence", slicing)
        return found

    def of_class(self, position: int) -> ScoreSummary:
        """One class against the rest; those of all classes are counted in one pass."""
        return self._of_each("of_class")[position]

    def top_label(self, position: int) -> ScoreSummary:
        """One class against the rest, of the rows that are predicted as that class; see ``of_class``."""
        return self._of_each("top_label")[position]

    def errors(self, sought: Sought, error: ErrorKind) -> PartedErrors:
        """One error a row, by coded columns."""
        return searched(self, sought, ClassErrorsOf(self.reading, error))

    def slice_rows(self, found: Sequence[Slice], slicing: Slicing) -> SliceRows:
        """Refused: rows do not leave a part."""
        raise InputError(NO_ROWS)

    def expect_question(self, ask: str, slicing: Slicing | None = None, **given: Any) -> None:
        """A question will be asked, by its name and arguments."""
        if slicing is not None:
            self.asking.survey(*self.surveyed(slicing))
        self.asking.expect(lambda: [self._question(ask, slicing, **given)])

    def _of_each(self, ask: str) -> list[ScoreSummary]:
        questions = [self._question(ask, None, position=one) for one in range(len(self.classes))]
        self.asking.expect(lambda: questions)
        self.asking.counted(questions[0])
        return self.asking.all(questions)

    def _counted(self, ask: str, slicing: Slicing | None = None, **given: Any) -> Any:
        return self.asking.counted(self._question(ask, slicing, **given))

    def _question(self, ask: str, slicing: Slicing | None, **given: Any) -> Question:
        plan = None if slicing is None else self.plan(slicing)
        return ClassesOf(self.reading, plan, ask, tuple(given.items()))


def checks_of(given: ClassReading) -> list[Question]:
    """What has to be found right before a reading is used."""
    checks: list[Question] = [CheckLabels(given.label)]
    for one, column in given.probabilities:
        checks.append(CheckNumbers(column, f"probability of {one!r}", PROBABILITY, -ROUNDING, 1 + ROUNDING))
    if given.probabilities:
        checks.append(CheckSums(tuple(column for _, column in given.probabilities)))
    if given.prediction is not None:
        checks.append(CheckLabels(given.prediction))
    if given.weight is not None:
        checks.append(weights_of(given.weight))
    return checks


def read_of(given: ClassReading, asking: Asking) -> ClassReading:
    """A reading with what it needs to know of all rows.

    Raises:
        InputError: for labels, probabilities, classes or weights that cannot be evaluated.
    """
    checks = checks_of(given)
    found = dict(zip(checks, asking.all(checks), strict=True))
    reasons = []
    for check, answer in found.items():
        if isinstance(check, CheckLabels):
            reasons += answer.of_many("label" if check.column == given.label else "predictions")
        else:
            reasons += answer.reasons
    require(reasons)
    labels = _named(found[CheckLabels(given.label)].values)
    if given.prediction is not None:
        known = in_canonical_order((*labels, *_named(found[CheckLabels(given.prediction)].values), *given.classes))
    else:
        own = tuple(one for one, _ in given.probabilities)
        known = in_canonical_order(dict.fromkeys((*own, *given.classes)))
        require_known(labels, known, argument="label", knows="the probabilities are of")
    checked_count(known)
    scale = None
    if given.weight is not None:
        largest = found[weights_of(given.weight)].ends[1]
        require_some_weight(largest)
        scale = power_of_two(largest)
    return replace(given, classes=known, weight_scale=scale, rows=asking.rows)


def _named(values: Any) -> tuple[str, ...]:
    return in_canonical_order(values)


class PartedPairedMulticlassRows:
    """See ``contract.PairedMulticlassData``."""

    def __init__(self, challenger: PartedMulticlassRows, champion: ClassReading) -> None:
        """Rows with what the champion says of them, in columns of the same source.

        Args:
            champion: its labels and weights are those of the rows. Classes of labels that it does not know are added.
        """
        self._challenger, self._given = challenger, champion
        challenger.asking.survey(*checks_of(champion))

    @property
    def champion_classes(self) -> tuple[str, ...]:
        """The classes that the champion knows."""
        return self._champion.classes

    @property
    def have_probabilities(self) -> bool:
        """Whether both give probabilities."""
        return self._challenger.has_probabilities and bool(self._given.probabilities)

    def counted(self, slicing: Slicing, costs: ClassCosts | None) -> PairedClassSummary:
        """The rows by slice, and by class against the rest."""
        own = self._challenger
        found: PairedClassSummary = own.asking.counted(
            PairedClassesOf(own.reading, self._champion, own.plan(slicing), costs)
        )
        return found

    @property
    def _champion(self) -> ClassReading:
        labels = self._challenger.asking.one(CheckLabels(self._given.label))
        classes = in_canonical_order((*self._given.classes, *_named(labels.values)))
        return read_of(replace(self._given, classes=classes), self._challenger.asking)
