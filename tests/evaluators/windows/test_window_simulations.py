"""False alarms and dates of change over windows of time: benchmarks/soak_drift_windows.py, small."""

from __future__ import annotations

import pytest
from scipy import stats
from support.simulating_drift import CHANGES
from support.simulations.windows import simulated


@pytest.mark.parametrize(("rows", "draws"), [(200, 8), (2000, 6)])
def test_twelve_windows_of_twenty_columns_have_no_false_alarm_and_changes_are_dated(rows: int, draws: int) -> None:
    found = simulated(6, 20_000, rows, range(draws))
    assert found.failed <= stats.binom.ppf(0.99, draws, 0.05)
    assert found.dated <= stats.binom.ppf(0.99, draws, 0.05)
    assert found.held == found.near
    if rows >= 2000:
        # A change before the last window, or after the first one, is one of 2,000 rows.
        assert {name for name in CHANGES if found.near[name] < draws} <= {"mean by 0.15 σ", "-999 in 2 %"}
        assert found.near["mean by 0.3 σ"] == draws
    else:
        assert found.near["mean by 0.5 σ"] >= draws - 1
