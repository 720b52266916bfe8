"""Simulations of drift over windows of time: false alarms, dates of change and what their intervals hold.

Small in tests/evaluators/windows/test_window_simulations.py, at full size in benchmarks/soak_drift_windows.py. A draw
is twelve windows: of twenty columns of many shapes that do not change (``simulating_drift.STILL``), and of twenty of
which fourteen change before a window that is drawn, each in its own way (``simulating_drift.CHANGES``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from support.simulating_drift import CHANGES, CONFIG, STILL, reference, still

from mlflow_eval_plugin.engines.arrow.rows import ArrowRows
from mlflow_eval_plugin.engines.contract import AskedColumns, WindowCounts
from mlflow_eval_plugin.evaluators.drift import drift_claims
from mlflow_eval_plugin.evaluators.drift_windows import tolerances_of, window_claims
from mlflow_eval_plugin.stats.drift.over_time import ColumnChange, DriftOverTime
from mlflow_eval_plugin.stats.drift.report import DriftTable
from mlflow_eval_plugin.stats.drift.windows import LENGTHS, Windowing
from mlflow_eval_plugin.stats.inference.checks import Judgement, judge

WINDOWS = 12
CHANGED = (*CHANGES, *STILL[: 20 - len(CHANGES)])
_WINDOWING = Windowing("at", "day")


@dataclass
class FoundOverTime:
    """How often something was found, over draws.

    Attributes:
        failed, dated: draws in which any of the twenty still columns failed, or was said to have changed.
        near: by kind of change, draws in which a date is at most one window off.
        held: draws in which the interval of such a date holds the window of the change.
        others: draws with further dates of that column.
    """

    draws: int = 0
    failed: int = 0
    dated: int = 0
    near: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CHANGES, 0))
    held: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CHANGES, 0))
    others: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CHANGES, 0))

    def __add__(self, other: FoundOverTime) -> FoundOverTime:
        """Both sets of draws."""
        added = FoundOverTime(self.draws + other.draws, self.failed + other.failed, self.dated + other.dated)
        for mine, first, second in zip(
            (added.near, added.held, added.others),
            (self.near, self.held, self.others),
            (other.near, other.held, other.others),
            strict=True,
        ):
            mine.update({name: first[name] + second[name] for name in CHANGES})
        return added


def over_days(seed: int, rows: int, draw: int, first: int) -> pd.DataFrame:
    """Twelve windows of so many rows, with their times; what changes does so before window ``first``."""
    rng = np.random.default_rng([seed, rows, draw, first])
    before, after = first * rows, (WINDOWS - first) * rows
    changed = {
        name: np.concatenate([old(rng, before), new(rng, after)]) for name, (old, new) in CHANGES.items()
    }  # fmt: skip
    at = np.repeat(np.arange(WINDOWS), rows) * LENGTHS["day"]
    return pd.DataFrame({"at": at.astype("M8[us]"), **still(rng, before + after), **changed})


def counted(before: ArrowRows, rows: pd.DataFrame, columns: Sequence[str]) -> WindowCounts:
    """Some columns by window."""
    return ArrowRows(rows).windows(before, _WINDOWING, AskedColumns(tuple(columns), as_given=True))


def judged(found: WindowCounts) -> tuple[Judgement, dict[str, tuple[ColumnChange, ...]]]:
    """All Checks, of all rows and of the worst window, and the dates of each column."""
    over = DriftOverTime(found.counts.reference, found.counts.current, found.windows)
    claims = list(drift_claims(CONFIG, DriftTable(found.counts.reference, found.counts.current)))
    told = over.columns(CONFIG.alpha, CONFIG.min_count, tolerances_of(claims))
    checks = judge([*claims, *window_claims(CONFIG, over, claims)], alpha=CONFIG.alpha)
    return checks, {one.name: one.changes for one in told}


def simulated(seed: int, reference_rows: int, rows: int, draws: range) -> FoundOverTime:
    """What our defaults find."""
    found, before = FoundOverTime(draws=len(draws)), ArrowRows(reference(seed, reference_rows))
    for draw in draws:
        first = 1 + draw % (WINDOWS - 1)
        data = over_days(seed, rows, draw, first)
        checks, dates = judged(counted(before, data, STILL))
        found.failed += any(check.verdict == "fail" for check in checks.checks)
        found.dated += any(dates.values())
        _, dates = judged(counted(before, data, CHANGED))
        for name in CHANGES:
            _add(found, name, dates[name], first)
    return found


def _add(found: FoundOverTime, name: str, changes: Sequence[ColumnChange], first: int) -> None:
    days = [
        tuple(one // LENGTHS["day"] for one in (change.earliest, change.first, change.latest)) for change in changes
    ]
    near = [one for one in days if abs(one[1] - first) <= 1]
    found.near[name] += bool(near)
    found.held[name] += any(low <= first <= high for low, _, high in near)
    found.others[name] += len(days) > len(near[:1])
