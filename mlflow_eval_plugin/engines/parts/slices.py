"""The plan by which parts are sliced: edges in the place of quantiles, and the levels of all rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from mlflow_eval_plugin.engines.arrow.columns.bands import MISSING, by_edges, quantile_edges
from mlflow_eval_plugin.engines.arrow.columns.levels import CodedColumn
from mlflow_eval_plugin.engines.arrow.columns.plain import plain
from mlflow_eval_plugin.engines.arrow.queries import Sliced, sliced_columns, unanswered
from mlflow_eval_plugin.engines.arrow.rows import ArrowRows
from mlflow_eval_plugin.engines.parts.asking import Asking, Question
from mlflow_eval_plugin.engines.parts.columns import Part
from mlflow_eval_plugin.engines.parts.shown import Shown
from mlflow_eval_plugin.engines.parts.survey.facts import AnsweredBy, Facts, FactsOf, require_names
from mlflow_eval_plugin.engines.parts.survey.levels import LevelsOf, LevelsOfAll, LevelsOfSlices
from mlflow_eval_plugin.engines.slicing import Edge, Slicing
from mlflow_eval_plugin.nearest import nearest
from mlflow_eval_plugin.query import columns_of
from mlflow_eval_plugin.stats.counts.slice import level_order
from mlflow_eval_plugin.stats.errors import InputError

Cut = TypeVar("Cut", bound=ArrowRows)


@dataclass(frozen=True)
class SlicePlan:
    """How every part is sliced.

    Attributes:
        shown: the columns that are needed for it.
        asked: the slicing that was asked for.
        slicing: the same with edges in the place of quantiles.
        levels: of each column of slices, those of all rows.
    """

    shown: Shown
    asked: Slicing
    slicing: Slicing
    levels: tuple[tuple[str, tuple[str, ...]], ...]

    def sliced(self, part: Part) -> Sliced:
        """The columns that a part is sliced by, with the levels of all rows."""
        return part.once(("sliced", id(self)), lambda: self._sliced(self.shown.of(part)))

    def cut(self, rows: Cut, part: Part) -> Cut:
        """Rows of a part in memory, which know now how they are sliced."""
        if all(known is not self.asked for known, _ in rows._cut):
            rows._cut.append((self.asked, self.sliced(part)))
        return rows

    def _sliced(self, frame: pd.DataFrame) -> Sliced:
        known = dict(self.levels)
        columns = sliced_columns(frame, self.slicing, part=True)
        return Sliced(tuple(one if one.named else onto(one, known[one.name]) for one in columns), self.slicing.depth)


def onto(column: CodedColumn, levels: tuple[str, ...]) -> CodedColumn:
    """A column coded by more levels.

    Raises:
        InputError: for one that is not among them.
    """
    if column.levels == levels:
        return column
    place = {level: position for position, level in enumerate(levels)}
    if new := [level for level in column.levels if level not in place]:
        raise InputError(f"column {column.name!r} has the level {new[0]!r}, which it had not when levels were found")
    table = np.array([place[level] for level in column.levels], dtype=np.int16)
    return replace(column, codes=table[column.codes], levels=levels)


def needed(slicing: Slicing, shown: Shown) -> Shown:
    """The columns that rows are sliced by, those of queries among them.

    Raises:
        InputError: for columns that there are not.
    """
    require_names(shown, list(slicing.columns), "slices")
    for query in slicing.queries:
        for name in sorted(columns_of(query.query) - set(shown.names)):
            known = nearest(name, list(shown.names))
            raise InputError(f"queries: {query.name!r}: there is no column {name!r}{known}")
    of_queries = frozenset().union(*(columns_of(one.query) for one in slicing.queries))
    return shown.some((*slicing.columns, *(name for name in shown.names if name in of_queries)))


def surveyed(slicing: Slicing, shown: Shown) -> tuple[Question, ...]:
    """What has to be known of all rows before they are sliced.

    Raises:
        InputError: for columns that there are not, or edges of other columns.
    """
    some, names = needed(slicing, shown), list(dict.fromkeys(slicing.columns))
    for name in (*slicing.edges, *slicing.quantiles):
        if name not in names:
            raise InputError(f"edges: {name!r} is not a slice column; the slice columns are {', '.join(names)}")
    questions: list[Question] = [FactsOf(some)] if some.each else []
    counted = [name for name in names if name not in slicing.quantiles]
    if counted:
        questions.append(
            LevelsOfAll(
                tuple(_levels_of(name, slicing, some) for name in counted),
                ("cut it with edges or quantiles, or group its rare levels",) * len(counted),
                tuple(slicing.quantiles.items()),
                slicing.depth,
            )
        )
    if slicing.queries:
        questions.append(AnsweredBy(some, tuple(slicing.queries)))
    return tuple(questions)


def _levels_of(name: str, slicing: Slicing, shown: Shown) -> LevelsOf:
    edges = slicing.edges.get(name)
    return LevelsOf(shown.column(name), slicing.max_levels, None if edges is None else tuple(edges))


def planned(slicing: Slicing, shown: Shown, asking: Asking) -> SlicePlan:
    """The plan by which all parts are sliced.

    Raises:
        InputError: for columns that are missing or cannot be cut, or a query that no row answers.
        TooManyLevels: for a column of too many levels, or too many slices.
    """
    some = needed(slicing, shown)
    found = dict(zip(map(type, questions := surveyed(slicing, shown)), asking.all(questions), strict=True))
    if slicing.queries:
        for one, rows in zip(slicing.queries, found[AnsweredBy].rows, strict=True):
            if not rows:
                raise unanswered(one)
    edges, levels = dict(slicing.edges), dict(_counted_levels(found.get(LevelsOfAll)))
    for name, parts in slicing.quantiles.items():
        edges[name] = edges_of(name, parts, some, asking)
        sample = sample_of(name, some, asking)
        levels[name] = bands_of(name, sample, edges[name], found[FactsOf].each[name], asking.rows)
    plan = replace(slicing, edges=edges, quantiles={})
    return SlicePlan(some, slicing, plan, tuple((name, levels[name]) for name in dict.fromkeys(slicing.columns)))


def _counted_levels(found: LevelsOfSlices | None) -> Iterable[tuple[str, tuple[str, ...]]]:
    if found is None:
        return
    for (name, _), one in zip(found.checked().asked, found.each, strict=True):
        yield name, in_order(one.counts or {})


def in_order(levels: Iterable[str]) -> tuple[str, ...]:
    """Levels in canonical order."""
    return tuple(sorted(levels, key=level_order))


def bands_of(name: str, sample: pd.Series[Any], edges: Sequence[Edge], facts: Facts, rows: int) -> tuple[str, ...]:
    """The bands that have rows, of edges that are values: all inner ones, and those that the ends are in."""
    low, high = facts.ends or (None, None)
    ends = pd.Series([low, high]).astype(sample.dtype) if facts.ends else sample
    codes, labels = by_edges(plain(ends), edges, name)
    inner = set(labels[1:-2])
    outer = {labels[code] for code in np.unique(codes)} - {MISSING}
    return in_order(inner | outer | ({MISSING} if facts.present < rows else set()))


def sample_of(name: str, shown: Shown, asking: Asking) -> pd.Series[Any]:
    """A column of the sample, held plainly."""
    return plain(shown.some((name,)).of(asking.digested.sample.part)[name])


def edges_of(name: str, parts: int, shown: Shown, asking: Asking) -> tuple[Edge, ...]:
    """The edges of bands that are equally full by the sample."""
    return quantile_edges(sample_of(name, shown, asking), parts, name)
