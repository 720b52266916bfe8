"""Which window a time is in, what windows add up to, and drift over them."""

from __future__ import annotations

from datetime import datetime, timezone

import numpy as np
import pytest

from mlflow_eval_plugin.stats.drift.summary import DriftSummary
from mlflow_eval_plugin.stats.drift.windows import HOUR, LENGTHS, Windowing, WindowSummary, instant
from mlflow_eval_plugin.stats.errors import InputError, MergeError

DAY = LENGTHS["day"]


def at(text: str) -> int:
    """A time in UTC as microseconds since 1970."""
    return round(datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp()) * 1_000_000


def times(*given: str) -> np.ndarray:
    return np.array([at(one) for one in given])


@pytest.mark.parametrize(
    ("unit", "given", "start"),
    [
        ("hour", "2026-11-30T13:59:59", "2026-11-30T13:00:00"),
        ("day", "2026-11-30T23:59:59", "2026-11-30"),
        ("day", "1969-12-31T00:00:01", "1969-12-31"),
        ("week", "2026-11-29T23:59:59", "2026-11-23"),  # a Sunday
        ("week", "2026-11-30T00:00:00", "2026-11-30"),  # a Monday
        ("week", "1969-12-31T12:00:00", "1969-12-29"),
    ],
)
def test_hours_days_and_weeks_are_of_utc_and_weeks_begin_on_a_monday(unit: str, given: str, start: str) -> None:
    plan = Windowing("t", unit).plan(times(given, "2020-01-01T00:00:00"))
    assert instant(int(plan.place(times(given))[0])) == start


def test_windows_of_rows_are_cut_between_times_whatever_their_order() -> None:
    moments = np.arange(25) * HOUR
    plan = Windowing("t", 10).plan(np.random.default_rng(0).permutation(moments))
    assert plan.place(moments).tolist() == [0] * 10 + [10 * HOUR] * 10 + [20 * HOUR] * 5
    # Four rows are less than half of a window, and belong to the one before.
    assert len(np.unique(Windowing("t", 10).plan(moments[:24]).place(moments[:24]))) == 2
    # Rows of one instant stay together.
    tied = np.repeat(np.arange(4) * HOUR, 10)
    assert np.unique(Windowing("t", 7).plan(tied).place(tied), return_counts=True)[1].tolist() == [10] * 4


def test_one_window_and_too_many_are_refused() -> None:
    with pytest.raises(InputError, match="window: all rows are in one window, that of 2026-11-30; take a shorter"):
        Windowing("t", "day").plan(times("2026-11-30T01:00:00", "2026-11-30T02:00:00"))
    with pytest.raises(InputError, match="window: there are 401, more than 400; take a longer one"):
        Windowing("t", "hour").plan(np.arange(401) * HOUR)
    with pytest.raises(InputError, match="one window"):
        Windowing("t", 100).plan(np.arange(120))


def summary(*starts: int, untimed: int = 0, unit: str = "day", zone: str = "") -> WindowSummary:
    zones = frozenset([zone] if zone else [])
    counted = tuple(DriftSummary(10, ()) for _ in starts)
    none = DriftSummary(untimed, ()) if untimed else None
    return WindowSummary(Windowing("t", unit), np.array(starts), counted, none, max(starts) + 5, zones)


def test_windows_add_up_by_their_starts() -> None:
    first, second = summary(0, DAY, zone="UTC"), summary(DAY, 3 * DAY, untimed=4)
    for found in (first + second, second + first):
        assert found.starts.tolist() == [0, DAY, 3 * DAY]
        assert [one.rows for one in found.windows] == [10, 20, 10]
        assert (found.without_time, found.total.rows, found.last) == (4, 44, 3 * DAY + 5)
        assert found.zones == {"UTC"}
    with pytest.raises(MergeError, match="not the same windows"):
        _ = first + summary(0, HOUR, unit="hour")


def test_gaps_are_stretches_without_rows() -> None:
    assert list(summary(0, DAY, 4 * DAY, 370 * DAY).gaps()) == [(2 * DAY, 4 * DAY, 2), (5 * DAY, 370 * DAY, 365)]
    assert list(summary(0, DAY).gaps()) == []
    assert summary(0, 5 * DAY).ends().tolist() == [DAY, 6 * DAY]


def test_the_week_before_is_the_same_phase() -> None:
    days = summary(*(day * DAY for day in range(16) if day != 3))
    before = days.week_before()
    assert before[:6] == (None,) * 6
    assert [days.starts[place] // DAY for place in before if place is not None] == [0, 1, 2, 4, 5, 6, 7, 8]
    assert len(set(days.phases().tolist())) == 7


def test_an_instant_beyond_the_calendar_is_still_written() -> None:
    assert instant(at("2026-11-30T01:02:03")) == "2026-11-30T01:02:03"
    assert instant(-62135596800 * 10**6) == "0001-01-01"
    assert instant(2**62).endswith("µs since 1970")
