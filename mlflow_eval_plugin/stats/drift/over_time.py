"""Drift over windows of time: every distance window by window, the worst of them for a Check, and dates of change.

A window is compared with the reference, or with the window of the same phase of the week before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, reduce
from operator import add
from typing import Literal

import numpy as np

from mlflow_eval_plugin.stats.arrays import IntArray
from mlflow_eval_plugin.stats.counts.threads import side_by_side
from mlflow_eval_plugin.stats.drift.change_cells import change_cells
from mlflow_eval_plugin.stats.drift.change_date import Change, ChangeSearch, windows_of_one_phase
from mlflow_eval_plugin.stats.drift.report import DriftTable, ShareHistogram, metrics_of
from mlflow_eval_plugin.stats.drift.summary import Column, DriftSummary, NumericColumn, Role
from mlflow_eval_plugin.stats.drift.windows import WindowSummary
from mlflow_eval_plugin.stats.inference.estimate import Bounds, Estimate, estimates

NO_WINDOW = "no window has been compared"


@dataclass(frozen=True)
class Series:
    """One distance, window by window; None where it is undefined, or the window is compared with nothing."""

    value: tuple[float | None, ...]
    lower: tuple[float | None, ...]
    upper: tuple[float | None, ...]


@dataclass(frozen=True)
class ColumnChange:
    """A date of change of a column.

    Attributes:
        first, earliest, latest: the starts of windows, as ``Change`` has them by place.
        windows_before, windows_after: how many windows are on either side, up to the dates next to this one.
        p_value: adjusted for the number of columns.
        metric: of the tolerated distances between both sides, the one furthest above its tolerance; None without any.
        metrics: the distances between the rows on both sides, by name.
        missing_before, missing_after: shares of the rows that have no value.
        histogram: of the rows before and after that have one.
    """

    first: int
    earliest: int
    latest: int
    windows_before: int
    windows_after: int
    n_before: int
    n_after: int
    p_value: float
    metric: str | None
    metrics: dict[str, Estimate]
    missing_before: float
    missing_after: float
    histogram: ShareHistogram


@dataclass(frozen=True)
class ColumnOverTime:
    """One column: its distances window by window, and when it changed."""

    name: str
    role: Role
    kind: Literal["numeric", "categorical"]
    metrics: dict[str, Series]
    changes: tuple[ColumnChange, ...]


@dataclass(frozen=True, eq=False)
class WorstWindow:
    """The largest of one distance over windows, as ``Bounds``; of a change with a sign its size.

    It is above some value with confidence where one window is, each at its share of the error (Bonferroni). It is below
    where every window is: whichever is the largest, its own limit fails with the error at most.

    Attributes:
        each: the windows that are judged; where there is none, nothing is.
        signed: whether values have a sign.
    """

    each: tuple[Bounds, ...]
    signed: bool = False
    reason: str | None = NO_WINDOW

    @property
    def value(self) -> float | None:
        """The largest."""
        return None if self._worst is None else abs(self._worst.value or 0.0)

    @property
    def n(self) -> int:
        """Rows of that window."""
        return 0 if self._worst is None else self._worst.n

    @property
    def bound(self) -> float:
        """The error of binning there."""
        return 0.0 if self._worst is None else self._worst.bound

    @cached_property
    def _worst(self) -> Bounds | None:
        return max(self.each, key=lambda one: abs(one.value or 0.0), default=None)

    def lower(self, alpha: float) -> float:
        """One-sided limit."""
        share = alpha / max(len(self.each), 1)
        if self.signed:
            return max(max(one.lower(share / 2), -one.upper(share / 2), 0.0) for one in self.each)
        return max(one.lower(share) for one in self.each)

    def upper(self, alpha: float) -> float:
        """One-sided limit."""
        if self.signed:
            return max(max(one.upper(alpha), -one.lower(alpha)) for one in self.each)
        return max(one.upper(alpha) for one in self.each)


@dataclass(frozen=True, eq=False)
class DriftOverTime:
    """Windows against the reference, or each against that of the week before.

    Attributes:
        current: all rows, in a window or in none.
        season: whether a window is compared with the same phase of the week before, and dates with windows of the same
            phase alone.
    """

    reference: DriftSummary
    current: DriftSummary
    windows: WindowSummary
    season: bool = False
    _tables: list[DriftTable | None] = field(default_factory=list, repr=False)

    @property
    def tables(self) -> list[DriftTable | None]:
        """By window, what it is compared with; None where that has no rows."""
        if not self._tables:
            against = [None if at is None else self.windows.windows[at] for at in self.windows.week_before()]
            before = against if self.season else [self.reference] * len(self.windows.windows)
            for one, window in zip(before, self.windows.windows, strict=True):
                self._tables.append(None if one is None else DriftTable(one, window))
        return self._tables

    def metrics(self, column: str) -> tuple[str, ...]:
        """The distances of a column that have limits and say something of all windows together."""
        names = metrics_of(self.reference.column(column), self.current.column(column))
        return tuple(name for name in names if name != "chi2")

    def series(self, column: str, metric: str) -> Series:
        """A distance window by window, with pointwise 95 % intervals."""
        nothing = Estimate(None, None)
        found = [
            nothing if table is None else estimates(table.quantity(column, metric))[0] for table in self.tables
        ]  # fmt: skip
        lower, upper = zip(*(one.interval or (None, None) for one in found), strict=True)
        return Series(tuple(one.value for one in found), lower, upper)

    def worst(self, column: str, metric: str, least: int, *, signed: bool) -> WorstWindow:
        """The largest of a distance over the windows that have enough rows.

        Args:
            least: how many rows that is.
        """
        found = [table.bounds(column, metric) for table in self.tables if table is not None]
        enough = tuple(one for one in found if one.n >= least and one.value is not None)
        reason = f"no window has {least:,} rows to compare" if found else NO_WINDOW
        return WorstWindow(enough, signed, reason)

    def columns(self, alpha: float, least: int, tolerances: Mapping[str, Mapping[str, float]]) -> list[ColumnOverTime]:
        """Every column over time.

        Args:
            alpha: the chance that any column has a date of change where none changed.
            least: rows that either side of a date must have.
            tolerances: by column and metric, the distance beyond which a change is told of; of a column without any
                every one is.
        """

        def made(column: Column) -> ColumnOverTime:
            series = {metric: self.series(column.name, metric) for metric in self.metrics(column.name)}
            search = _Dates(self, column.name, alpha, least, tolerances.get(column.name, {}))
            kind: Literal["numeric", "categorical"] = "numeric" if isinstance(column, NumericColumn) else "categorical"
            return ColumnOverTime(column.name, column.role, kind, series, tuple(search.changes()))

        assert self.tables
        return side_by_side(made, self.reference.columns)


@dataclass(frozen=True, eq=False)
class _Dates:
    """The dates of one column."""

    over: DriftOverTime
    name: str
    alpha: float
    least: int
    tolerances: Mapping[str, float]

    def changes(self) -> list[ColumnChange]:
        before, found = self.over.reference.column(self.name), self._columns
        phases = self.over.windows.phases() if self.over.season else windows_of_one_phase(len(found))
        cells: IntArray = change_cells(before, found)
        search = ChangeSearch(cells, phases, self.alpha / self._family, self.least, self._is_notable)
        return [self._told(one) for one in search.dates()]

    @property
    def _columns(self) -> list[Column]:
        return [window.column(self.name) for window in self.over.windows.windows]

    @property
    def _family(self) -> int:
        return len(self.over.reference.columns)

    def _sides(self, start: int, at: int, stop: int) -> DriftTable:
        return DriftTable(self._sum(start, at), self._sum(at, stop))

    def _sum(self, start: int, stop: int) -> DriftSummary:
        windows = self.over.windows.windows[start:stop]
        return reduce(add, (DriftSummary(one.rows, (one.column(self.name),)) for one in windows))

    def _ratios(self, table: DriftTable) -> dict[str, float]:
        """By how much the tolerated distances are above their tolerances with confidence, whichever date was chosen."""
        known = [one for one in metrics_of(*table.pair(self.name)) if one in self.tolerances]
        level = self.alpha / (self._family * len(self.over.windows.windows) * max(len(known), 1))
        found = {}
        for metric in known:
            bounds = table.bounds(self.name, metric)
            if bounds.value is not None:
                least = WorstWindow((bounds,), signed=metric.endswith("_change")).lower(level)
                found[metric] = float(least / self.tolerances[metric]) if self.tolerances[metric] else np.inf
        return found

    def _is_notable(self, start: int, at: int, stop: int) -> bool:
        return not self.tolerances or any(one > 1 for one in self._ratios(self._sides(start, at, stop)).values())

    def _told(self, change: Change) -> ColumnChange:
        table = self._sides(change.start, change.first, change.stop)
        starts, ratios = self.over.windows.starts.tolist(), self._ratios(table)
        drift = table.report({}).columns[0]
        metrics = {name: one for name in metrics_of(*table.pair(self.name)) if (one := getattr(drift.metrics, name))}
        return ColumnChange(
            first=starts[change.first],
            earliest=starts[change.earliest],
            latest=starts[change.latest],
            windows_before=change.first - change.start,
            windows_after=change.stop - change.first,
            n_before=table.reference.rows,
            n_after=table.current.rows,
            p_value=min(change.p_value * self._family, 1.0),
            metric=max(ratios, key=lambda one: ratios[one]) if ratios else None,
            metrics=metrics,
            missing_before=drift.missing_reference,
            missing_after=drift.missing_current,
            histogram=drift.histogram,
        )
