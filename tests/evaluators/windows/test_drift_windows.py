"""Drift over windows of time, as a reader of the Evidence meets it: bad days, dates of change, seasons, bad times."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from evaluators.test_drift_calls import drift, failed, scored
from mlflow.exceptions import MlflowException
from support.evaluating import World

DAYS, ROWS = 14, 500


def over_days(days: int = DAYS, rows: int = ROWS, seed: int = 1, start: str = "2026-11-01") -> pd.DataFrame:
    """So many rows a day, in no order."""
    rng = np.random.default_rng([seed, days])
    at = pd.Timestamp(start) + pd.to_timedelta(rng.uniform(0, days, days * rows), unit="D")
    return scored(seed, days * rows, g=rng.choice(list("abc"), days * rows), t=at)


def reference() -> pd.DataFrame:
    return scored(0, 10_000, g=np.random.default_rng([0]).choice(list("abc"), 10_000))


def since(data: pd.DataFrame, day: str) -> pd.Series:
    return data.t >= pd.Timestamp(day)


def windows(data: pd.DataFrame, before: pd.DataFrame | None = None, **config: Any) -> tuple[dict[str, Any], Any]:
    config = {"time_column": "t", "window": "day", **config}
    found, _ = drift(data, reference() if before is None else before, **config)
    return found, found["measurements"]["windows"]


def column(told: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in told["columns"] if one["name"] == name)


def dates(told: dict[str, Any]) -> dict[str, list[str]]:
    found = {one["name"]: [change["first"] for change in one["changes"]] for one in told["columns"]}
    return {name: firsts for name, firsts in found.items() if firsts}


def test_windows_without_drift_pass_and_have_no_date(world: World) -> None:
    found, told = windows(over_days())
    assert (failed(found), dates(told)) == (set(), {})
    assert [one["start"] for one in told["windows"]] == [f"2026-11-{day:02}" for day in range(1, DAYS + 1)]
    assert sum(one["rows"] for one in told["windows"]) == DAYS * ROWS == found["measurements"]["n_current"]
    assert {"t"}.isdisjoint(one["name"] for one in found["measurements"]["columns"])
    checks = {check["id"]: check for check in found["checks"]}
    assert checks["worst_wasserstein:x"]["claim"].startswith("in every window the Wasserstein distance")
    assert checks["worst_wasserstein:x"]["maximum"] == checks["wasserstein:x"]["maximum"] == 0.05
    assert {check["id"].removeprefix("worst_") for check in found["checks"]} == {
        check["id"] for check in found["checks"] if not check["metric"].startswith("worst_")
    } - {"schema_changes:overall"} | {"schema_changes:overall"}
    for series in column(told, "x")["metrics"].values():
        assert len(series["value"]) == len(series["lower"]) == len(series["upper"]) == DAYS
        for value, low, high in zip(series["value"], series["lower"], series["upper"], strict=True):
            assert low <= value <= high


def test_all_windows_together_are_the_rows_without_windows(world: World) -> None:
    data = over_days()
    found, _ = windows(data.assign(t=data.t.where(data.index % 50 > 0)))
    plain, _ = drift(data.drop(columns="t"), reference())
    measured = dict(found["measurements"])
    assert measured.pop("windows")["without_time"] == DAYS * ROWS / 50
    assert measured == plain["measurements"]
    own = {check["id"]: check for check in found["checks"]}
    for check in plain["checks"]:
        assert (own[check["id"]]["value"], own[check["id"]]["n"]) == (check["value"], check["n"])


def test_the_day_of_a_change_is_named_with_what_changed(world: World) -> None:
    data = over_days()
    data.loc[since(data, "2026-11-09"), "x"] += 0.6
    data.loc[since(data, "2026-11-11") & (data.index % 20 == 0), "g"] = "new"
    found, told = windows(data)
    assert dates(told) == {"x": ["2026-11-09"], "g": ["2026-11-11"]}
    (change,) = column(told, "x")["changes"]
    assert (change["earliest"], change["latest"], change["metric"]) == ("2026-11-09", "2026-11-09", "wasserstein")
    assert change["metrics"]["wasserstein"]["value"] == pytest.approx(0.6, abs=0.1)
    assert (change["windows_before"], change["windows_after"]) == (8, 6)
    assert change["n_before"] == (~since(data, "2026-11-09")).sum()
    assert change["p_value"] < 1e-9
    assert change["histogram"]["reference"][0] > 2 * change["histogram"]["current"][0]
    (other,) = column(told, "g")["changes"]
    assert other["metric"] == "new_share"
    assert {"worst_wasserstein:x", "wasserstein:x", "worst_new_share:g"} <= failed(found)
    checks = {check["id"]: check for check in found["checks"]}
    assert checks["worst_wasserstein:x"]["value"] > checks["wasserstein:x"]["value"]
    assert 300 < checks["worst_wasserstein:x"]["n"] < 700


def test_one_bad_day_fails_though_all_days_together_pass(world: World) -> None:
    data = over_days(days=28, rows=1000)
    bad = since(data, "2026-11-20") & ~since(data, "2026-11-21")
    data.loc[bad & (data.index % 5 == 0), "x"] = np.nan
    found, told = windows(data)
    assert failed(found) == {"worst_missing_change:x"}
    assert dates(told) == {"x": ["2026-11-20", "2026-11-21"]}
    assert {change["metric"] for change in column(told, "x")["changes"]} == {"missing_change"}
    check = next(one for one in found["checks"] if one["id"] == "worst_missing_change:x")
    assert (check["minimum"], check["maximum"]) == (None, 0.01)
    assert check["value"] == pytest.approx(0.2, abs=0.05)


def test_values_that_went_missing_or_came_back_are_both_worst(world: World) -> None:
    before = reference()
    before.loc[before.index % 4 == 0, "x"] = np.nan
    data = over_days()
    data.loc[~since(data, "2026-11-08") & (data.index % 4 == 0), "x"] = np.nan
    found, told = windows(data, before)
    assert "worst_missing_change:x" in failed(found)
    assert dates(told) == {"x": ["2026-11-08"]}


def test_a_weekly_rhythm_is_compared_with_the_week_before(world: World) -> None:
    data, before = over_days(28), reference()
    weekend = data.t.dt.dayofweek >= 5
    data.loc[weekend, "x"] += 1.0
    found, told = windows(data, before)
    assert "worst_wasserstein:x" in failed(found)
    assert dates(told)
    found, told = windows(data, before, season="week")
    assert "worst_wasserstein:x" not in failed(found)
    assert dates(told) == {}
    assert [one["against"] for one in told["windows"]][:8] == [None] * 7 + ["2026-11-01"]
    assert column(told, "x")["metrics"]["js"]["value"][:7] == [None] * 7
    data.loc[since(data, "2026-11-18"), "x"] += 0.6
    found, told = windows(data, before, season=True)
    assert "worst_wasserstein:x" in failed(found)
    assert dates(told) == {"x": ["2026-11-18"]}


def test_labels_that_are_late_in_the_last_windows_are_no_change(world: World) -> None:
    data = over_days()
    data["y"] = data.y.where(~since(data, "2026-11-10"))
    found, told = windows(data)
    assert (failed(found), dates(told)) == (set(), {})
    assert "worst_missing_change:y" not in {check["id"] for check in found["checks"]}


def test_windows_of_rows_hours_and_weeks(world: World) -> None:
    data = over_days()
    data.loc[since(data, "2026-11-09"), "x"] += 0.6
    _, told = windows(data, window="1,000 rows")
    assert told["window"] == "1000 rows"
    assert [one["rows"] for one in told["windows"]] == [1000] * 7
    assert dates(told)["x"][0].startswith("2026-11-0")
    _, told = windows(data, window="week")
    assert [one["start"] for one in told["windows"]] == ["2026-10-26", "2026-11-02", "2026-11-09"]
    assert dates(told) == {"x": ["2026-11-09"]}
    found, told = windows(data, window="hour")
    assert len(told["windows"]) == 24 * DAYS
    # Some twenty rows an hour are too few to pass, and enough together to date the change.
    worst = {check["scope"]: check["verdict"] for check in found["checks"] if check["metric"] == "worst_js"}
    assert worst == dict.fromkeys("xgyp", "insufficient")
    assert dates(told)["x"][0].startswith("2026-11-0")


def test_times_of_another_zone_are_divided_by_utc_and_said_to_be(world: World) -> None:
    data = over_days()
    plain = windows(data)[1]
    assert plain["time_zones"] == []
    zoned = windows(data.assign(t=data.t.dt.tz_localize("UTC").dt.tz_convert("America/New_York")))[1]
    assert zoned.pop("time_zones") == ["America/New_York"]
    plain.pop("time_zones")
    assert zoned == plain
    mixed = data.assign(t=[
        one.tz_localize("UTC").tz_convert("Asia/Tokyo" if place % 2 else "Europe/Rome")
        for place, one in enumerate(data.t)
    ])  # fmt: skip
    several = windows(mixed)[1]
    assert several.pop("time_zones") == ["several zones"]
    assert several == plain


def test_gaps_and_rows_of_next_year_are_counted_and_said(world: World) -> None:
    data = over_days()
    data = data[~(since(data, "2026-11-04") & ~since(data, "2026-11-06"))].reset_index(drop=True)
    data.loc[:2, "t"] = pd.Timestamp("2099-01-01 10:00")
    found, told = windows(data)
    assert told["gaps"][0] == {"start": "2026-11-04", "end": "2026-11-06", "windows": 2}
    assert (told["gaps"][1]["start"], told["gaps"][1]["end"]) == ("2026-11-15", "2099-01-01")
    assert told["windows"][-1] == {"start": "2099-01-01", "end": "2099-01-02", "rows": 3}
    assert told["later_than_now"] >= 1
    # Three rows are no window that is judged.
    assert (failed(found), dates(told)) == (set(), {})


@pytest.mark.parametrize(
    ("change", "config", "message"),
    [
        ({"t": "2026-11-03"}, {}, "time_column: expected times in 't', found text, such as '2026-11-03'; make times"),
        ({"t": 1.7e9}, {}, r"found number, such as 1.7e\+09; make times of them, as with pandas.to_datetime\(…, unit"),
        ({"t": pd.NaT}, {}, "time_column: 't' has no value in any row"),
        ({"t": pd.Timestamp("2026-11-03")}, {}, "window: all rows are in one window, that of 2026-11-03; take"),
        ({}, {"time_column": "T"}, "time_column: there is no column 'T'; the data has: x, g, t, y, p"),
        ({}, {"window": "fortnight"}, "window.*expected 'hour', 'day', 'week', or a number of rows.*'fortnight'"),
        ({}, {"window": "0 rows"}, "expected 'hour', 'day', 'week'"),
        ({}, {"window": None}, "'time_column' has no effect without 'window'"),
        ({}, {"time_column": None}, "'window' has no effect without 'time_column'"),
        ({}, {"window": "week", "season": "week"}, "'season' compares hours or days with those of the week before"),
        ({}, {"window": "1 rows"}, "window: there are 7,000, more than 400; take a longer one"),
    ],
)
def test_times_that_cannot_be_used_are_refused(
    world: World, change: dict[str, Any], config: dict[str, Any], message: str
) -> None:
    with pytest.raises(MlflowException, match=message):
        windows(over_days().assign(**change), **config)


def test_times_with_and_without_a_zone_are_refused_with_how_many(world: World) -> None:
    data = over_days()
    mixed = data.assign(t=[one.tz_localize("UTC") if place % 7 == 0 else one for place, one in enumerate(data.t)])
    with pytest.raises(MlflowException, match="1,000 have a zone and 6,000 have none; give all of them one"):
        windows(mixed)
