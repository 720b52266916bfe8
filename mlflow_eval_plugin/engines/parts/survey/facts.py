"""The first pass by column: kinds, values that are there, ends; and which queries any row answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mlflow_eval_plugin.engines.arrow.columns.bands import can_be_cut
from mlflow_eval_plugin.engines.arrow.columns.inputs import require_columns
from mlflow_eval_plugin.engines.arrow.columns.lists import lists_of
from mlflow_eval_plugin.engines.arrow.columns.plain import examples, kind_of, plain
from mlflow_eval_plugin.engines.arrow.queries import sliced_columns
from mlflow_eval_plugin.engines.parts.columns import Part
from mlflow_eval_plugin.engines.parts.shown import Shown
from mlflow_eval_plugin.engines.slicing import Slicing
from mlflow_eval_plugin.query import NamedQuery
from mlflow_eval_plugin.stats.drift.schema import Lists
from mlflow_eval_plugin.stats.errors import InputError, MergeError

_FIRST = 1000  # rows that are looked at for examples


@dataclass(frozen=True)
class Facts:
    """What is known of a column.

    Attributes:
        kind: as ``kind_of`` has it.
        present: rows with a value.
        ends: of numbers and times the smallest and the largest.
        examples: a few values, of the rows that come first.
        lists: what its lists are, where it holds such.
    """

    kind: str
    present: int
    ends: tuple[Any, Any] | None
    examples: tuple[str, ...]
    lists: Lists | None = None

    def __add__(self, other: Facts) -> Facts:
        """What is known of both sets of rows."""
        if "nothing" not in (self.kind, other.kind) and self.kind != other.kind:
            raise MergeError(f"a column holds {self.kind} and {other.kind}; give all parts one type")
        known = [one.ends for one in (self, other) if one.ends is not None]
        ends = (min(low for low, _ in known), max(high for _, high in known)) if known else None
        kind = other.kind if self.kind == "nothing" else self.kind
        lists = self.lists + other.lists if self.lists and other.lists else self.lists or other.lists
        return Facts(kind, self.present + other.present, ends, self.examples or other.examples, lists)


@dataclass(frozen=True)
class FactsOfColumns:
    """By name what is known of columns, of so many rows."""

    rows: int
    each: dict[str, Facts]

    def __add__(self, other: FactsOfColumns) -> FactsOfColumns:
        """Those of both sets of rows."""
        both = {}
        for name, one in self.each.items():
            try:
                both[name] = one + other.each[name]
            except MergeError as error:
                raise MergeError(f"column {name!r}: {error}") from error
        return FactsOfColumns(self.rows + other.rows, both)


@dataclass(frozen=True)
class FactsOf:
    """Finds the facts of some columns."""

    shown: Shown

    @property
    def columns(self) -> tuple[str, ...]:
        """All that is read."""
        return self.shown.columns

    def of(self, part: Part) -> FactsOfColumns:
        """Of a part."""
        frame = self.shown.of(part)
        return FactsOfColumns(part.rows, {name: _facts(frame[name]) for name in self.shown.names})


def _facts(given: pd.Series[Any]) -> Facts:
    column = plain(given)
    present = int(given.notna().sum())
    ends = (column.min(), column.max()) if present and can_be_cut(column) else None
    return Facts(kind_of(column), present, ends, _examples(given), lists_of(column))


def _examples(given: pd.Series[Any]) -> tuple[str, ...]:
    # Whoever drops what is missing copies the column.
    return examples(given.iloc[:_FIRST]) or examples(given)


@dataclass(frozen=True)
class Answered:
    """How many rows answer each query."""

    rows: tuple[int, ...]

    def __add__(self, other: Answered) -> Answered:
        """Those of both sets of rows."""
        return Answered(tuple(a + b for a, b in zip(self.rows, other.rows, strict=True)))


@dataclass(frozen=True)
class AnsweredBy:
    """Counts the rows that answer each of some queries."""

    shown: Shown
    queries: tuple[NamedQuery, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """All that is read."""
        return self.shown.columns

    def of(self, part: Part) -> Answered:
        """Of a part."""
        coded = sliced_columns(self.shown.of(part), Slicing(queries=self.queries), part=True)
        return Answered(tuple(int(one.codes.sum()) for one in coded))


def require_names(shown: Shown, names: Sequence[str], argument: str) -> None:
    """Refuse columns that there are not, all of them at once, with the nearest names there are.

    Raises:
        InputError: when a column is missing.
    """
    require_columns(pd.DataFrame(columns=list(shown.names)), list(names), argument=argument)
    if len(set(shown.names)) < len(shown.names):
        raise InputError(f"{argument}: there are several columns of one name; rename all but one")
