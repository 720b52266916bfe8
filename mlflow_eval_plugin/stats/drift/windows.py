"""Rows by window of time: which window a time is in, and a ``DriftSummary`` of each, all on the same bins.

Times are whole microseconds since 1970 in UTC; those without a zone are taken as they are. Hours, days and weeks are
those of UTC, and weeks begin on a Monday, so that the window of a row depends on its own time alone. Windows of n rows
are cut between the sorted times of all rows: rows of one instant stay together, whatever order they come in.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from itertools import pairwise
from operator import add
from typing import Literal

import numpy as np

from mlflow_eval_plugin.stats.arrays import IntArray
from mlflow_eval_plugin.stats.drift.summary import DriftSummary
from mlflow_eval_plugin.stats.errors import InputError, MergeError

Unit = Literal["hour", "day", "week"]
HOUR = 3_600_000_000
LENGTHS: dict[Unit, int] = {"hour": HOUR, "day": 24 * HOUR, "week": 7 * 24 * HOUR}
MOST_WINDOWS = 400  # each holds the counts of all columns
_MONDAY = 4 * 24 * HOUR  # the first one of 1970


@dataclass(frozen=True)
class Windowing:
    """How rows are divided by time.

    Attributes:
        column: whose values are times.
        unit: the length of a window: of time, or in rows.
    """

    column: str
    unit: Unit | int

    @property
    def length(self) -> int | None:
        """Of a window, in microseconds; None where windows have so many rows."""
        return None if isinstance(self.unit, int) else LENGTHS[self.unit]

    def plan(self, times: IntArray) -> WindowPlan:
        """Where windows begin.

        Args:
            times: of all rows that have one, in any order; of windows of time at least one row in each.

        Raises:
            InputError: where no row has a time, all are in one window, or there are more than ``MOST_WINDOWS``.
        """
        if len(times) == 0:
            raise InputError(f"time_column: {self.column!r} has no value in any row")
        starts = _row_starts(np.sort(times), self.unit) if isinstance(self.unit, int) else None
        plan = WindowPlan(self, starts)
        found = np.unique(plan.place(times))
        if len(found) == 1:
            said = f"all rows are in one window, that of {instant(int(found[0]))}"
            raise InputError(f"window: {said}; take a shorter one, or leave time_column and window out")
        if len(found) > MOST_WINDOWS:
            raise InputError(f"window: there are {len(found):,}, more than {MOST_WINDOWS}; take a longer one")
        return plan


@dataclass(frozen=True, eq=False)
class WindowPlan:
    """Where windows begin: ``starts`` of those of n rows, ``(W,)`` and increasing; None for windows of time."""

    windowing: Windowing
    starts: IntArray | None

    def place(self, times: IntArray) -> IntArray:
        """The start of each time's window."""
        if self.starts is not None:
            return self.starts[np.maximum(np.searchsorted(self.starts, times, side="right") - 1, 0)]
        length = LENGTHS[self.windowing.unit]  # type: ignore[index]
        since = _MONDAY if self.windowing.unit == "week" else 0
        return (times - since) // length * length + since


@dataclass(frozen=True, eq=False)
class WindowSummary:
    """Rows by window, counted on the same bins; it adds up, as the windows of two sets of rows do.

    Attributes:
        starts: of the windows that have rows, ``(W,)`` and increasing.
        windows: what was counted of each.
        untimed: what was counted of the rows that have no time; None where all have one.
        last: the latest time.
        zones: the time zones that the times came in; those without one are none of them.
    """

    windowing: Windowing
    starts: IntArray
    windows: tuple[DriftSummary, ...]
    untimed: DriftSummary | None
    last: int
    zones: frozenset[str] = frozenset()

    @property
    def total(self) -> DriftSummary:
        """All rows, in a window or in none."""
        return reduce(add, [*self.windows, *([] if self.untimed is None else [self.untimed])])

    @property
    def without_time(self) -> int:
        """The rows that have no time."""
        return 0 if self.untimed is None else self.untimed.rows

    def ends(self) -> IntArray:
        """Where each window ends; of windows of n rows where the next one begins, or with the last row."""
        length = self.windowing.length
        return np.append(self.starts[1:], self.last) if length is None else self.starts + length

    def gaps(self) -> Iterator[tuple[int, int, int]]:
        """Stretches without rows between two windows of time: from, until, and how many windows would fit in."""
        length = self.windowing.length
        if length is None:
            return
        for before, after in pairwise(self.starts.tolist()):
            if after - before > length:
                yield before + length, after, (after - before) // length - 1

    def week_before(self) -> tuple[int | None, ...]:
        """By window, which one has the same phase of the week before; None where it has no rows."""
        place = {start: at for at, start in enumerate(self.starts.tolist())}
        return tuple(place.get(start - LENGTHS["week"]) for start in self.starts.tolist())

    def phases(self) -> IntArray:
        """By window, its place in the week."""
        return np.asarray((self.starts - _MONDAY) % LENGTHS["week"])

    def __add__(self, other: WindowSummary) -> WindowSummary:
        """The windows of both.

        Raises:
            MergeError: when they are other windows, or bins differ.
        """
        if self.windowing != other.windowing:
            raise MergeError(f"windows of {self.windowing} and {other.windowing} are not the same windows")
        counted = dict(zip(self.starts.tolist(), self.windows, strict=True))
        for start, more in zip(other.starts.tolist(), other.windows, strict=True):
            counted[start] = counted[start] + more if start in counted else more
        untimed = [one for one in (self.untimed, other.untimed) if one is not None]
        starts = sorted(counted)
        return WindowSummary(
            self.windowing,
            np.array(starts, dtype=np.int64),
            tuple(counted[start] for start in starts),
            reduce(add, untimed) if untimed else None,
            max(self.last, other.last),
            self.zones | other.zones,
        )


def instant(microseconds: int) -> str:
    """A time as ISO 8601 writes it; the date alone at midnight."""
    try:
        time = datetime(1970, 1, 1) + timedelta(microseconds=microseconds)
    except OverflowError:  # before the year 1 or after 9999
        return f"{microseconds} µs since 1970"
    return time.date().isoformat() if microseconds % LENGTHS["day"] == 0 else time.isoformat()


def _row_starts(ordered: IntArray, rows: int) -> IntArray:
    """The first times of windows of so many rows; what is left over, if less than half of one, is in the last one."""
    count = max(int(len(ordered) / rows + 0.5), 1)
    return np.unique(ordered[np.arange(count) * rows])
