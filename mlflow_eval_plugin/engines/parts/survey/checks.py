"""What the rows must be before anything is counted by a plan: found in the first pass, and refused all at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from mlflow_eval_plugin.engines.arrow.columns.factorizing import factorized
from mlflow_eval_plugin.engines.arrow.columns.inputs import coded_labels, numbers_of
from mlflow_eval_plugin.engines.arrow.columns.plain import kind_of, plain
from mlflow_eval_plugin.engines.arrow.multiclass.inputs import uneven_beyond
from mlflow_eval_plugin.engines.parts.columns import Part
from mlflow_eval_plugin.stats.errors import InputError

MOST_VALUES = 60  # of labels; more are no classes


@dataclass(frozen=True)
class Wrong:
    """Rows that hold what they must not.

    Attributes:
        ends: the smallest and the largest of the values, where they have any.
        place: where one of the rows is, of those that come first; None where the source does not say.
    """

    rows: int = 0
    ends: tuple[Any, Any] | None = None
    place: str | None = None

    def __add__(self, other: Wrong) -> Wrong:
        """Those of both sets of rows."""
        known = [one.ends for one in (self, other) if one.ends is not None]
        ends = (min(low for low, _ in known), max(high for _, high in known)) if known else None
        return Wrong(self.rows + other.rows, ends, self.place or other.place)

    def said(self, what: str) -> str:
        """``3 rows are missing, the first at row 7 of b.parquet``."""
        rows = "1 row is" if self.rows == 1 else f"{self.rows:,} rows are"
        values = "" if self.ends is None else f", from {self.ends[0]!r} to {self.ends[1]!r}"
        return f"{rows} {what}{values}" + (f", the first at {self.place}" if self.place else "")


def wrong_rows(flags: np.ndarray[Any, np.dtype[np.bool_]], part: Part, values: Any = None) -> Wrong:
    """The rows of a part that are flagged, of which ``values`` are what they hold."""
    count = int(np.count_nonzero(flags))
    if not count:
        return Wrong()
    ends = None if values is None else (values[flags].min().item(), values[flags].max().item())
    return Wrong(count, ends, part.place(int(np.argmax(flags))))


@dataclass(frozen=True)
class CheckedNumbers:
    """Numbers that are missing, and that are out of bounds; the smallest and the largest of all that are there."""

    column: str
    argument: str
    expected: str
    missing: Wrong
    outside: Wrong
    ends: tuple[float, float] | None

    def __add__(self, other: CheckedNumbers) -> CheckedNumbers:
        """Those of both sets of rows."""
        known = [one.ends for one in (self, other) if one.ends is not None]
        ends = (min(low for low, _ in known), max(high for _, high in known)) if known else None
        return replace(self, missing=self.missing + other.missing, outside=self.outside + other.outside, ends=ends)

    @property
    def reasons(self) -> list[str]:
        """What is wrong with them."""
        found = []
        if self.missing.rows:
            found.append(f"{self.argument}: {self.missing.said('missing')}; expected {self.expected} in every row")
        if self.outside.rows:
            found.append(f"{self.argument}: {self.outside.said('out of bounds')}; expected {self.expected}")
        return found


@dataclass(frozen=True)
class CheckNumbers:
    """Checks a column of numbers.

    Attributes:
        argument: what they are for, for messages.
        expected: what each must be, in words.
        low, high: between which they must be, both included.
    """

    column: str
    argument: str
    expected: str
    low: float
    high: float

    @property
    def columns(self) -> tuple[str, ...]:
        """All that is read."""
        return (self.column,)

    def of(self, part: Part) -> CheckedNumbers:
        """Of a part."""
        given = plain(part.column(self.column))
        if kind_of(given) not in ("number", "nothing"):
            raise InputError(f"{self.argument}: expected numbers, found {kind_of(given)} in column {self.column!r}")
        values = numbers_of(given, argument=self.argument)
        # NaN makes an end NaN; comparisons with it are false.
        low, high = values.min(), values.max()
        if low >= self.low and high <= self.high:
            return self._found(Wrong(), Wrong(), (float(low), float(high)))
        missing = np.isnan(values)
        outside = (values < self.low) | (values > self.high)
        known = values[~missing & ~outside]
        ends = (float(known.min()), float(known.max())) if len(known) else None
        return self._found(wrong_rows(missing, part), wrong_rows(outside, part, values), ends)

    def _found(self, missing: Wrong, outside: Wrong, ends: tuple[float, float] | None) -> CheckedNumbers:
        return CheckedNumbers(self.column, self.argument, self.expected, missing, outside, ends)


@dataclass(frozen=True)
class CheckedLabels:
    """The different labels that there are, each with how often it comes and where first, and those that are missing.

    Attributes:
        more: whether there are more than ``MOST_VALUES``.
    """

    column: str
    missing: Wrong
    values: dict[Any, Wrong] = field(default_factory=dict)
    more: bool = False

    def __add__(self, other: CheckedLabels) -> CheckedLabels:
        """Those of both sets of rows."""
        both = dict(self.values)
        for value, one in other.values.items():
            both[value] = both[value] + one if value in both else one
        more = self.more or other.more or len(both) > MOST_VALUES
        return CheckedLabels(self.column, self.missing + other.missing, {} if more else both, more)

    @property
    def classes(self) -> tuple[Any, ...]:
        """The labels, those that come most often first."""
        return tuple(sorted(self.values, key=lambda one: (-self.values[one].rows, str(one))))

    def of_many(self, argument: str) -> list[str]:
        """What is wrong with them as classes, of any number."""
        found = []
        if self.missing.rows:
            found.append(f"{argument}: {self.missing.said('missing')}; drop those rows or wait for them")
        if self.more:
            found.append(
                f"{argument}: expected classes, found more than {MOST_VALUES} different values; group the rare ones, "
                "or check that it is a class and not a number"
            )
        return found

    def reasons(self, positive: object | None) -> list[str]:
        """What is wrong with them as labels of two classes."""
        found = []
        if self.missing.rows:
            found.append(
                f"label: {self.missing.said('missing')}; labels decide every metric, so drop those rows or wait for "
                "them"
            )
        if self.more:
            found.append(f"label: expected two classes, found more than {MOST_VALUES} different values")
        elif len(self.values) > 2:
            others = [self.values[one] for one in self.classes[2:]]
            wrong = sum(others[1:], others[0])
            listed = ", ".join(map(repr, sorted(self.values, key=str)[:6]))
            found.append(
                f"label: expected two classes, found {len(self.values)} ({listed}): "
                f"{replace(wrong, ends=_ends(self.classes[2:])).said('of another')}; make the label one class against "
                "the rest, or leave out 'pos_label' and 'label_list' where all are to be evaluated"
            )
        elif self.values:
            try:
                coded_labels(pd.Series(list(self.values)), positive)
            except InputError as error:
                found.append(str(error))
        return found


def _ends(values: Sequence[Any]) -> tuple[Any, Any]:
    ordered = sorted(values, key=lambda one: (isinstance(one, str), one))
    return ordered[0], ordered[-1]


@dataclass(frozen=True)
class CheckLabels:
    """Finds the different labels of a column."""

    column: str

    @property
    def columns(self) -> tuple[str, ...]:
        """All that is read."""
        return (self.column,)

    def of(self, part: Part) -> CheckedLabels:
        """Of a part."""
        given = part.column(self.column)
        codes, values = factorized(given)
        missing = wrong_rows(np.asarray(codes < 0), part)
        if len(values) > MOST_VALUES:
            return CheckedLabels(self.column, missing, {}, more=True)
        counts = np.bincount(codes[codes >= 0], minlength=len(values)).tolist()
        told = {}
        for place, (value, count) in enumerate(zip(values, counts, strict=True)):
            if count:
                told[_value(value)] = Wrong(count, None, part.place(int(np.argmax(codes == place))))
        return CheckedLabels(self.column, missing, told)


def _value(value: Any) -> Any:
    """A label, the same whatever held it: whole numbers as such."""
    known = value.item() if isinstance(value, np.generic) else value
    return int(known) if isinstance(known, float) and known.is_integer() else known


@dataclass(frozen=True)
class CheckedSums:
    """Rows whose probabilities do not add up to 1."""

    wrong: Wrong

    def __add__(self, other: CheckedSums) -> CheckedSums:
        """Those of both sets of rows."""
        return CheckedSums(self.wrong + other.wrong)

    @property
    def reasons(self) -> list[str]:
        """What is wrong with them."""
        if not self.wrong.rows:
            return []
        return [
            f"probabilities: {self.wrong.said('not summing to 1')}; expected the probabilities of all classes, with "
            "four decimals at least. Where they are all there, divide each row by its sum"
        ]


@dataclass(frozen=True)
class CheckSums:
    """Checks that columns of probabilities add up to 1, row by row."""

    columns: tuple[str, ...]

    def of(self, part: Part) -> CheckedSums:
        """Of a part; numbers that are missing are found elsewhere."""
        values = [numbers_of(part.column(name), argument="probabilities") for name in self.columns]
        total = np.column_stack(values).sum(axis=1)
        wrong = np.abs(total - 1) > uneven_beyond(len(self.columns))
        return CheckedSums(wrong_rows(wrong, part, total))


def require(reasons: Sequence[str]) -> None:
    """Refuse with all reasons at once.

    Raises:
        InputError: where there is any.
    """
    if reasons:
        raise InputError("; ".join(reasons))
