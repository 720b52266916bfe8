"""Rows that come in parts by window of time: one pass finds where windows begin, another one counts them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mlflow_eval_plugin.engines.arrow.columns.plain import plain
from mlflow_eval_plugin.engines.arrow.comparing import rounded_to
from mlflow_eval_plugin.engines.arrow.windows import times_of, window_summary
from mlflow_eval_plugin.engines.contract import AskedColumns, ReferenceData, WindowCounts
from mlflow_eval_plugin.engines.parts.columns import Part
from mlflow_eval_plugin.engines.parts.drift import Side, Times, compared
from mlflow_eval_plugin.engines.parts.shown import Shown
from mlflow_eval_plugin.nearest import nearest
from mlflow_eval_plugin.stats.drift.summary import DriftSummary
from mlflow_eval_plugin.stats.drift.windows import Windowing, WindowPlan, WindowSummary
from mlflow_eval_plugin.stats.errors import InputError


@dataclass(frozen=True)
class TimesOf:
    """Finds the times of rows, or where windows are of time one of each window."""

    shown: Shown
    windowing: Windowing

    @property
    def columns(self) -> tuple[str, ...]:
        """All that is read."""
        return self.shown.columns

    def of(self, part: Part) -> Times:
        """Of a part."""
        present = times_of(self.shown.of(part), self.windowing.column).present
        if self.windowing.length is not None:
            present = WindowPlan(self.windowing, None).place(present)
        values, times = np.unique(present, return_counts=True)
        return Times(values, times.astype(np.int64))


@dataclass(frozen=True, eq=False)
class WindowsOf:
    """Counts columns by window, on the bins of a reference.

    Attributes:
        bits: by column, of how many bits the floats of the reference are.
    """

    shown: Shown
    plan: WindowPlan
    like: DriftSummary
    bits: Mapping[str, int | None]

    @property
    def columns(self) -> tuple[str, ...]:
        """All that is read."""
        return self.shown.columns

    def of(self, part: Part) -> WindowSummary:
        """Of a part."""
        frame = self.shown.of(part)
        found: dict[str, Any] = {one.name: frame[one.name] for one in self.shown.each}
        for one in self.like.columns:
            found[one.name] = rounded_to(plain(frame[one.name]), self.bits.get(one.name))
        time = self.plan.windowing.column
        found[time] = frame[time]
        return window_summary(pd.DataFrame(found, copy=False), self.plan, like=self.like)


def windows_against(
    reference: ReferenceData,
    current: Side,
    windowing: Windowing,
    columns: AskedColumns,
) -> WindowCounts:
    """Both sides, and the current rows by window; see ``contract.RowData.windows``.

    Raises:
        InputError: as ``contract.RowData.windows``.
    """
    names = current.shown.names
    if windowing.column not in names:
        name = windowing.column
        raise InputError(f"time_column: there is no column {name!r}{nearest(name, list(names))}")
    times: Times = current.asking.one(TimesOf(current.shown.some((windowing.column,)), windowing))
    plan = windowing.plan(times.values if windowing.length is not None else np.repeat(times.values, times.times))
    counts, asked = compared(reference, current, columns)
    kept = tuple(one.name for one in counts.current.columns)
    shown = current.shown.some((*kept, windowing.column))
    bits = {name: asked[name].bits for name in kept}
    windows: WindowSummary = current.asking.one(WindowsOf(shown, plan, counts.reference, bits))
    return WindowCounts(counts, windows)
