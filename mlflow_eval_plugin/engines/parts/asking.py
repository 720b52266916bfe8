"""Questions to rows that come in parts: each is answered once, and what is asked together is answered in one pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import pyarrow as pa

from mlflow_eval_plugin.engines.parts.columns import Part
from mlflow_eval_plugin.engines.parts.passes import Passes
from mlflow_eval_plugin.engines.parts.shown import Shown
from mlflow_eval_plugin.engines.parts.survey.hashing import Digest, DigestAnswer
from mlflow_eval_plugin.engines.parts.survey.sums import Readings, Sums
from mlflow_eval_plugin.stats.errors import InputError

_UNKNOWN: Final = object()


class Question(Protocol):
    """What is counted of each part; equal questions have equal answers."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The only columns that it reads."""

    def of(self, part: Part) -> Any:
        """What is counted of a part; two answers are added."""


@dataclass(frozen=True)
class Together:
    """Several questions as one kernel, which reads each column of a part once."""

    questions: tuple[Question, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """All that any of them reads."""
        return tuple(dict.fromkeys(name for one in self.questions for name in one.columns))

    def __call__(self, table: pa.Table) -> Answers:
        """What all of them count of a part."""
        if table.num_rows == 0:
            raise InputError(
                "there are no rows to evaluate; expected at least one, check the filter that made the data"
            )
        part = Part(table)
        return Answers(tuple(one.of(part) for one in self.questions))


@dataclass(frozen=True)
class Answers:
    """The answers to questions that were asked together, in their order."""

    each: tuple[Any, ...]

    def __add__(self, other: Answers) -> Answers:
        """Those of both sets of rows."""
        return Answers(tuple(a + b for a, b in zip(self.each, other.each, strict=True)))


class Asking:
    """Asks the rows of one source, and holds every pass against the first that read a column.

    Attributes:
        passes: the source.
        digest: what the rows' digest is of; it and the sample are found in the first pass.
    """

    def __init__(self, passes: Passes, stored: Shown) -> None:
        self.passes = passes
        self.digest = Digest(stored, tuple(name for name in stored.columns if not _is_nested(passes, name)))
        self._known: list[tuple[Question, Any]] = []
        self._survey: list[Question] = [self.digest]
        self._expected: list[Callable[[], Iterable[Question]]] = []
        self._readings = Readings()

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return self.digested.summary.rows

    @property
    def digested(self) -> DigestAnswer:
        """The digest of all rows, and the sample."""
        found: DigestAnswer = self.one(self.digest)
        return found

    def survey(self, *questions: Question) -> None:
        """Answer these questions in the first pass: they will be asked, and need no plan."""
        self._survey.extend(questions)

    def expect(self, questions: Callable[[], Iterable[Question]]) -> None:
        """Answer these questions in the first pass that counts by a plan: they will be asked.

        Args:
            questions: is called once; what it asks for is then found in passes before.
        """
        self._expected.append(questions)

    def counted(self, question: Question) -> Any:
        """The answer to a question that is asked by a plan, in one pass with all that are expected."""
        if self._answer(question) is _UNKNOWN:
            expected, self._expected = self._expected, []
            self.all([question, *(one for each in expected for one in each())])
        return self._answer(question)

    def one(self, question: Question) -> Any:
        """The answer to one question."""
        return self.all([question])[0]

    def all(self, questions: Sequence[Question]) -> list[Any]:
        """The answers to some questions, in one pass at most.

        Raises:
            InputError: what is found wrong with the rows, or where they are others than in an earlier pass.
        """
        survey, self._survey = self._survey, []
        new: list[Question] = []
        for one in (*survey, *questions):
            if self._answer(one) is _UNKNOWN and one not in new:
                new.append(one)
        if new:
            self._read(new)
        return [self._answer(one) for one in questions]

    def _read(self, questions: Sequence[Question]) -> None:
        needed = {name for one in questions for name in one.columns}
        told = {name for one in questions if isinstance(one, Digest) for name in one.stored.columns}
        sums = Sums(tuple(sorted(needed - told)))
        try:
            (found,) = self.passes.count([Together((*questions, sums))])
        except InputError:
            # Of rows that are not what they were anything may seem to be wrong.
            if not self._readings.are_new:
                self._readings.hold(*self.passes.count([Together((Sums(tuple(sorted(needed))),))])[0].each)
            raise
        *answers, own = found.each
        self._readings.hold(own, *(one.sums for one in answers if isinstance(one, DigestAnswer)))
        self._known.extend(zip(questions, answers, strict=True))

    def _answer(self, question: Question) -> Any:
        for known, answer in self._known:
            if type(known) is type(question) and known == question:
                return answer
        return _UNKNOWN


def _is_nested(passes: Passes, name: str) -> bool:
    return bool(pa.types.is_nested(passes.schema.field(name).type))
