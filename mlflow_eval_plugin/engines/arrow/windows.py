"""Rows of a frame by window of time, all columns counted in the same pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlflow_eval_plugin.engines.arrow.columns.plain import examples, kind_of, plain
from mlflow_eval_plugin.engines.arrow.comparing import Part, counted_in_parts, summaries_of
from mlflow_eval_plugin.engines.contract import AskedColumns, ReferenceData, WindowCounts
from mlflow_eval_plugin.nearest import nearest
from mlflow_eval_plugin.stats.arrays import IntArray
from mlflow_eval_plugin.stats.drift.summary import DriftSummary
from mlflow_eval_plugin.stats.drift.windows import Windowing, WindowPlan, WindowSummary
from mlflow_eval_plugin.stats.errors import InputError

_TO_MEND = {
    "number": "make times of them, as with pandas.to_datetime(…, unit='s')",
    "text": "make times of them, as with pandas.to_datetime(…)",
}


@dataclass(frozen=True, eq=False)
class Times:
    """A column of times.

    Attributes:
        values: microseconds since 1970 in UTC; 0 where there is none.
        known: which rows have one.
        zone: the zone that the column has.
    """

    values: IntArray
    known: NDArray[np.bool_]
    zone: str | None

    @property
    def present(self) -> IntArray:
        """Those that there are."""
        return self.values if self.known.all() else self.values[self.known]

    @property
    def zones(self) -> frozenset[str]:
        """None or one."""
        return frozenset([self.zone] if self.zone else [])


def times_of(rows: pd.DataFrame, name: str) -> Times:
    """The times of a column, whatever zone they are of.

    Raises:
        InputError: for a column that is missing, or holds something else.
    """
    if name not in rows.columns:
        raise InputError(f"time_column: there is no column {name!r}{nearest(name, [str(one) for one in rows.columns])}")
    column = plain(rows[name])
    kind = kind_of(column)
    if kind == "nothing":
        return Times(np.zeros(len(rows), dtype=np.int64), np.zeros(len(rows), dtype=np.bool_), None)
    if kind != "datetime":
        mend = _TO_MEND.get(kind, "name a column of times")
        found = ", ".join(examples(column))
        raise InputError(f"time_column: expected times in {name!r}, found {kind}, such as {found}; {mend}")
    index = pd.DatetimeIndex(column if column.dtype != object else _of_several_zones(column, name))
    known = np.asarray(index.notna())
    zone = None if index.tz is None else ("several zones" if column.dtype == object else str(index.tz))
    # Down to the microsecond before it, also before 1970.
    return Times(np.where(known, _microseconds(index), 0), known, zone)


def windows_against(
    reference: ReferenceData,
    current: pd.DataFrame,
    windowing: Windowing,
    columns: AskedColumns,
) -> WindowCounts:
    """What ``counted_against`` counts, with the current rows by window.

    Raises:
        InputError: as it, and for a column that holds no times, or times that are all in one window or in too many.
    """
    times = times_of(current, windowing.column)
    starts, parts = _parts(windowing.plan(times.present), times)
    counts, counted = counted_in_parts(reference, current, parts, columns)
    return WindowCounts(counts, _summary(windowing, times, starts, counted))


def window_summary(rows: pd.DataFrame, plan: WindowPlan, *, like: DriftSummary) -> WindowSummary:
    """Some rows by window, on the bins of a reference; those of all parts of a data set add up to those of all rows.

    Raises:
        InputError: for a column that holds no times, or a column of the reference that is missing.
    """
    times = times_of(rows, plan.windowing.column)
    starts, parts = _parts(plan, times)
    return _summary(plan.windowing, times, starts, summaries_of(rows, parts, like=like))


def _summary(windowing: Windowing, times: Times, starts: IntArray, counted: Sequence[DriftSummary]) -> WindowSummary:
    untimed = counted[len(starts)] if len(counted) > len(starts) else None
    last = int(times.present.max()) if len(starts) else np.iinfo(np.int64).min
    return WindowSummary(windowing, starts, tuple(counted[: len(starts)]), untimed, last, times.zones)


def _parts(plan: WindowPlan, times: Times) -> tuple[IntArray, list[Part]]:
    """The starts of the windows, and which rows are in each; last those without a time, where there are any."""
    # A row without a time comes after all that have one.
    place = np.where(times.known, plan.place(times.values), np.iinfo(np.int64).max)
    ordered = bool((place[1:] >= place[:-1]).all())
    order = None if ordered else np.argsort(place, kind="stable")
    starts, first = np.unique(place if order is None else place[order], return_index=True)
    ends = np.append(first[1:], len(place))
    rows = [slice(int(start), int(end)) for start, end in zip(first, ends, strict=True)]
    parts: list[Part] = list(rows) if order is None else [order[one] for one in rows]
    return starts if times.known.all() else starts[:-1], parts


def _microseconds(index: pd.DatetimeIndex) -> IntArray:
    if index.unit == "ns":
        return np.asarray(index.asi8 // 1000)
    return np.asarray(index.as_unit("us").asi8)


def _of_several_zones(column: pd.Series[Any], name: str) -> pd.Series[Any]:
    known = column.dropna()
    aware = sum(getattr(time, "tzinfo", None) is not None for time in known)
    if aware < len(known):
        raise InputError(
            f"time_column: of the times in {name!r} {aware:,} have a zone and {len(known) - aware:,} have none; give "
            "all of them one"
        )
    return pd.to_datetime(column, utc=True)
