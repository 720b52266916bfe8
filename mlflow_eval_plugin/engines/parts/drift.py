"""Drift of rows that come in parts: bins from the reference's sample, counts of both sides on them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlflow_eval_plugin.engines.arrow.columns.plain import plain
from mlflow_eval_plugin.engines.arrow.comparing import (
    DOUBLE,
    comparable,
    is_key,
    most_repeated,
    newest_bin,
    not_countable,
    other_values,
    rounded_to,
    values_between,
    why_not,
)
from mlflow_eval_plugin.engines.arrow.drift import (
    MAX_CATEGORIES,
    NUMERIC_KINDS,
    counted_on,
    on_all_rows,
    planned_column,
)
from mlflow_eval_plugin.engines.contract import AskedColumns, DriftCounts, NotCounted, ReferenceColumn, ReferenceData
from mlflow_eval_plugin.engines.parts.asking import Asking
from mlflow_eval_plugin.engines.parts.columns import Part, bits_of, holds_categories
from mlflow_eval_plugin.engines.parts.shown import Shown, ShownColumn
from mlflow_eval_plugin.engines.parts.survey.facts import FactsOfColumns, require_names
from mlflow_eval_plugin.stats.arrays import IntArray
from mlflow_eval_plugin.stats.drift.summary import CategoricalColumn, Column, DriftSummary, NumericColumn, Role
from mlflow_eval_plugin.stats.errors import InputError, TooManyLevels


class Side(Protocol):
    """One of the two data sets."""

    asking: Asking
    shown: Shown

    @property
    def facts(self) -> FactsOfColumns:
        """What is known of each column."""


@dataclass(frozen=True, eq=False)
class CountedColumn:
    """A column counted on bins, or by its levels; None where it has too many of these."""

    column: Column | None

    def __add__(self, other: CountedColumn) -> CountedColumn:
        """Those of both sets of rows."""
        if self.column is None or other.column is None:
            return CountedColumn(None)
        both: Any = self.column + other.column  # type: ignore[operator]
        if isinstance(both, CategoricalColumn) and len(both.levels) > MAX_CATEGORIES:
            return CountedColumn(None)
        return CountedColumn(both)


@dataclass(frozen=True, eq=False)
class CountedOn:
    """Counts a column on the bins of a reference, or by its levels.

    Attributes:
        bits: of how many bits the floats of the other side are.
    """

    shown: ShownColumn
    like: Column
    bits: int | None

    @property
    def columns(self) -> tuple[str, ...]:
        """All that is read."""
        return (self.shown.source,)

    def of(self, part: Part) -> CountedColumn:
        """Of a part."""
        given = rounded_to(plain(_of(self.shown, part)), self.bits)
        try:
            return CountedColumn(counted_on(self.like, given))
        except TooManyLevels:
            return CountedColumn(None)


@dataclass(frozen=True, eq=False)
class ValuesBetween:
    """The different values between two ends, and how often each comes."""

    shown: ShownColumn
    bits: int | None
    ends: tuple[float, float]

    @property
    def columns(self) -> tuple[str, ...]:
        """All that is read."""
        return (self.shown.source,)

    def of(self, part: Part) -> Times:
        """Of a part."""
        return Times(*values_between(rounded_to(plain(_of(self.shown, part)), self.bits), *self.ends))


@dataclass(frozen=True, eq=False)
class Times:
    """Different values, increasing, and how often each comes."""

    values: NDArray[Any]
    times: IntArray

    def __add__(self, other: Times) -> Times:
        """Those of both sets of rows."""
        values, place = np.unique(np.concatenate([self.values, other.values]), return_inverse=True)
        times = np.zeros(len(values), dtype=np.int64)
        np.add.at(times, place, np.concatenate([self.times, other.times]))
        return Times(values, times)


def _of(shown: ShownColumn, part: Part) -> Any:
    return Shown((shown,)).of(part)[shown.name]


def binned(
    side: Side,
    columns: Sequence[str],
    *,
    roles: Mapping[str, Role],
    categorical: Collection[str],
    bits: Mapping[str, int],
) -> Mapping[str, ReferenceColumn]:
    """See ``contract.ReferenceData.binned``."""
    require_names(side.shown, list(columns), "columns")
    sample = side.asking.digested.sample.part
    values = {name: rounded_to(plain(_of(side.shown.column(name), sample)), bits.get(name)) for name in columns}
    planned: dict[str, CountedOn | NotCounted] = {}
    for name in columns:
        codes = name in categorical or _is_declared(side, name)
        kind = side.facts.each[name].kind
        # What the column holds is known of all rows; those of the sample may have no value.
        like = not_countable(kind) or _planned(values[name], name, roles, codes or kind not in NUMERIC_KINDS)
        if isinstance(like, NotCounted):
            planned[name] = like
        else:
            planned[name] = CountedOn(side.shown.column(name), like, bits.get(name))
    asked = {name: one for name, one in planned.items() if isinstance(one, CountedOn)}
    counts = dict(zip(asked, _counted(side.asking, list(asked.values())), strict=True))
    found = {}
    for name, one in planned.items():
        counted: Column | NotCounted = one if isinstance(one, NotCounted) else _known(counts[name], name)
        key = not isinstance(counted, NotCounted) and is_key(values[name], counted)
        kind, declared = side.facts.each[name].kind, _is_declared(side, name)
        found[name] = ReferenceColumn(kind, counted, declared=declared, bits=_bits(side, name), key=key)
    return found


def _planned(sample: pd.Series[Any], name: str, roles: Mapping[str, Role], codes: bool) -> Column | NotCounted:
    role = roles.get(name, "feature")
    if codes:
        return CategoricalColumn(name, role, (), np.zeros(0, dtype=np.int64), 0)
    try:
        return planned_column(sample, name, role)
    except InputError as error:
        return NotCounted(str(error))


def _known(found: CountedColumn, name: str) -> Column | NotCounted:
    return _too_many(name) if found.column is None else on_all_rows(found.column)


def _too_many(name: str) -> NotCounted:
    return NotCounted(
        f"columns: {name!r} has more than {MAX_CATEGORIES:,} levels; it looks like an identifier, leave it out or "
        "group its levels",
        too_many_levels=True,
    )


def _counted(asking: Asking, questions: list[CountedOn]) -> list[CountedColumn]:
    if not questions:
        return []
    asking.expect(lambda: questions[1:])
    asking.counted(questions[0])
    return asking.all(questions)


def counted_against(
    reference: ReferenceData,
    current: Side,
    columns: AskedColumns,
) -> DriftCounts:
    """Both sides; see ``contract.RowData.drift``.

    Raises:
        InputError: for missing columns, or with ``as_given`` columns that cannot be compared.
    """
    return compared(reference, current, columns)[0]


def compared(
    reference: ReferenceData,
    current: Side,
    columns: AskedColumns,
) -> tuple[DriftCounts, dict[str, CountedOn]]:
    """``counted_against``, and how each column of the current rows was counted."""
    names = columns.names
    require_names(current.shown, list(names), "columns")
    codes = {name for name in names if name in columns.categorical or _is_declared(current, name)}
    bits = {name: own for name in names if (own := _bits(current, name)) < DOUBLE}
    known = reference.binned(names, roles=columns.roles, categorical=codes, bits=bits)
    kinds = {name: current.facts.each[name].kind for name in names}
    passed_over: dict[str, str] = {}
    asked: dict[str, CountedOn] = {}
    for name in names:
        try:
            like = comparable(known[name], kinds[name], columns.role(name), as_given=columns.as_given)
            asked[name] = CountedOn(current.shown.column(name), like, known[name].bits)
        except InputError as error:
            passed_over[name] = why_not(error, name, as_given=columns.as_given)
    counts = dict(zip(asked, _counted(current.asking, list(asked.values())), strict=True))
    after: dict[str, Column] = {}
    for name, one in counts.items():
        if one.column is None:
            passed_over[name] = why_not(_too_many(name).error, name, as_given=columns.as_given)
        elif _holds_no_number(known[name], kinds[name], one.column):
            passed_over[name] = other_values(known[name], kinds[name])
        else:
            after[name] = one.column
    both = DriftCounts(
        DriftSummary(reference.rows, tuple(asked[name].like for name in after)),
        DriftSummary(current.asking.rows, tuple(after.values())),
        {name: passed_over[name] for name in names if name in passed_over},
        _repeated(current.asking, asked, after),
    )
    return both, asked


def _holds_no_number(before: ReferenceColumn, kind: str, after: Column) -> bool:
    """Whether what was counted on bins of numbers holds other values, none of which is one."""
    other = kind not in (*NUMERIC_KINDS, "nothing")
    return isinstance(before.known, NumericColumn) and other and after.present + after.infinite == 0


def _is_declared(side: Side, name: str) -> bool:
    """Whether whoever made a column, which is as it was given, says that its values are codes."""
    column = side.shown.column(name)
    return column.held == "given" and holds_categories(side.asking.passes.schema.field(column.source).type)


def _bits(side: Side, name: str) -> int:
    """Of how many bits the floats of a column are; scores are made, and of 64."""
    column = side.shown.column(name)
    return bits_of(side.asking.passes.schema.field(column.source).type) if column.held == "given" else DOUBLE


def _repeated(asking: Asking, asked: Mapping[str, CountedOn], after: Mapping[str, Column]) -> dict[str, float]:
    """In one further pass, the value that most rows of the newest bin of a column have."""
    sought: dict[str, ValuesBetween] = {}
    for name, one in after.items():
        ends = newest_bin(asked[name].like, one)
        if ends is not None:
            sought[name] = ValuesBetween(asked[name].shown, asked[name].bits, ends)
    answers = asking.all(list(sought.values())) if sought else []
    found = {name: most_repeated(one.values, one.times) for name, one in zip(sought, answers, strict=True)}
    return {name: value for name, value in found.items() if value is not None}
