"""Bands of times, by dates and by quantiles, as exact as those of numbers."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlflow_eval_plugin.engines.arrow.columns.bands import by_edges, by_quantiles, quantile_edges
from mlflow_eval_plugin.engines.arrow.columns.levels import coded_columns
from mlflow_eval_plugin.engines.arrow.columns.plain import plain
from mlflow_eval_plugin.stats.errors import InputError

EDGES = (datetime(2024, 1, 1), datetime(2024, 4, 1), datetime(2024, 7, 1))
TIMES = ["2023-12-31 23:59:59.999999", "2024-01-01", "2024-03-31 23:59:59.999999", "2024-04-01", "2024-07-01", None,
         "2024-07-01 00:00:00.000001"]  # fmt: skip
BANDS = ["(-inf, 2024-01-01)", "[2024-01-01, 2024-04-01)", "[2024-01-01, 2024-04-01)", "[2024-04-01, 2024-07-01]",
         "[2024-04-01, 2024-07-01]", "(missing)", "(2024-07-01, inf)"]  # fmt: skip


def levels(column: Any, **cut: Any) -> tuple[list[str], tuple[str, ...]]:
    """The band of each row, and the bands in canonical order."""
    rows = pd.DataFrame({"t": column})
    (coded,) = coded_columns(rows, ["t"], **{"edges": {}, "quantiles": {}, "max_levels": 100, **cut})
    return [coded.levels[code] for code in coded.codes], coded.levels


@pytest.mark.parametrize("dtype", ["datetime64[us]", "datetime64[ns]", object, "arrow", "UTC", "America/New_York"])
def test_edges_of_times_belong_to_the_band_that_they_begin(dtype: Any) -> None:
    times = pd.Series(pd.to_datetime(TIMES, format="ISO8601").as_unit("us"))
    if dtype is object:
        times = pd.Series([None if pd.isna(one) else one.to_pydatetime() for one in times], dtype=object)
    elif dtype == "arrow":
        times = times.astype("timestamp[us][pyarrow]")
    elif "/" in dtype or dtype == "UTC":
        times = times.dt.tz_localize(dtype)  # edges without a zone are in that of the column
    else:
        times = times.astype(dtype)
    found, order = levels(times, edges={"t": EDGES})
    assert found == BANDS
    assert order == (BANDS[0], BANDS[1], BANDS[3], BANDS[6], "(missing)")


def test_dates_are_times() -> None:
    days = [date(2023, 12, 31), date(2024, 1, 1), date(2024, 3, 31), date(2024, 7, 1), None]
    assert levels(pd.Series(days, dtype=object), edges={"t": EDGES})[0] == [
        BANDS[0], BANDS[1], BANDS[1], BANDS[3], "(missing)",
    ]  # fmt: skip


def test_edges_with_a_zone_are_that_moment() -> None:
    east = timezone(timedelta(hours=2))
    times = pd.Series(pd.to_datetime(["2024-01-01 09:59", "2024-01-01 10:00", "2024-01-01 11:00"])).dt.tz_localize(
        "UTC"
    )
    edges = (datetime(2024, 1, 1, 12, tzinfo=east), datetime(2024, 1, 1, 13, tzinfo=east))
    found, _ = levels(times, edges={"t": edges})
    assert found == [
        "(-inf, 2024-01-01 10:00:00+00:00)",
        *["[2024-01-01 10:00:00+00:00, 2024-01-01 11:00:00+00:00]"] * 2,
    ]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_quantiles_of_times_are_those_of_their_counts(unit: str) -> None:
    """Whole counts of nanoseconds are beyond 2**53, so that floats would put rows into the band beside theirs."""
    rng = np.random.default_rng(0)
    counts = 1_700_000_000_000_000_000 + rng.integers(0, 10**15, 1000)
    times = pd.Series(counts.astype("M8[ns]")).astype(f"M8[{unit}]")
    numbers = times.astype(np.int64).astype(object)
    codes, labels = by_quantiles(times, 4, "t")
    assert (np.bincount(codes, minlength=6)[1:5] >= 249).all()
    # numpy's "higher": the least value at or above the place.
    places = [int(np.ceil(q * 999)) for q in (0.25, 0.5, 0.75)]
    cuts = [sorted(numbers)[place] for place in places]
    exact = np.array([sum(int(number >= cut) for cut in cuts) for number in numbers]) + 1
    assert (codes == exact).all()
    assert all(label.startswith("[2023-11-") or label.startswith("[2023-12-") or label.startswith("[2024-") or
               "inf" in label or label == "(missing)" for label in labels)  # fmt: skip


def test_quantiles_of_numbers_are_those_of_numpy() -> None:
    values = np.random.default_rng(1).normal(size=997)
    codes, _ = by_quantiles(pd.Series(values), 7, "x")
    cuts = np.quantile(values, np.linspace(0, 1, 8), method="higher")
    assert (codes == np.searchsorted(cuts[1:-1], values, side="right") + 1).all()


def test_one_time_only_is_one_band() -> None:
    found, order = levels(pd.Series(pd.to_datetime(["2024-03-01"] * 3)), quantiles={"t": 4})
    assert order == ("[2024-03-01, 2024-03-02]",) and found == [order[0]] * 3
    assert levels(pd.Series([None, None], dtype=object), edges={"t": EDGES})[1] == ("(missing)",)


@pytest.mark.parametrize(
    ("column", "edges", "message"),
    [
        (pd.to_datetime(["2024-01-01"]), (1.0, 2.0), "holds times, and its edges are numbers: .* give them as dates"),
        ([1.0, 2.0], EDGES, "holds numbers, and its edges are times"),
        (["2024-01-01"], EDGES, "only numbers and times can be cut; make texts .* with pandas.to_datetime"),
        (pd.to_datetime(["2024-01-01"]), EDGES[::-1], "at least two increasing edges"),
        (pd.to_datetime(["2024-01-01"]), EDGES[:1], "at least two increasing edges"),
        (pd.to_datetime(["2024-01-01"]), tuple(one.replace(tzinfo=timezone.utc) for one in EDGES), "has no time zone"),
        (pd.to_timedelta([1, 2], "s"), (1.0, 2.0), "holds duration"),
    ],
)
def test_what_cannot_be_cut_is_named(column: Any, edges: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        by_edges(plain(pd.Series(column)), edges, "t")


@pytest.mark.parametrize("held", ["numbers", "one number", "s", "us", "zone"])
def test_edges_of_quantiles_cut_any_part_of_the_rows_as_quantiles_cut_all(held: str) -> None:
    rng = np.random.default_rng(2)
    hours = pd.Series(pd.Timestamp("2024-03-30") + pd.to_timedelta(rng.integers(0, 99, 200), "h"))
    column = {
        "numbers": pd.Series(rng.choice([0.1, np.nan, 2.5, -3.0, 7.0], 200)), "one number": pd.Series([4.0] * 200),
        "s": hours.dt.as_unit("s"), "us": hours.dt.as_unit("us"),
        "zone": hours.dt.tz_localize("UTC").dt.tz_convert("Europe/Zurich"),
    }[held]  # fmt: skip
    codes, labels = by_quantiles(column, 3, "x")
    edges = quantile_edges(column.sample(frac=1, random_state=0), 3, "x")
    for part in (slice(0, 200), slice(20, 60)):
        found, said = by_edges(column.iloc[part], edges, "x")
        assert [said[code] for code in found] == [labels[code] for code in codes[part]]
    with pytest.raises(InputError, match="needs 2 or more intervals"):
        quantile_edges(column, 1, "x")


def test_edges_that_no_time_can_be_are_refused() -> None:
    times = pd.Series(np.arange(1_700_000_000_000_000_001, 1_700_000_000_000_000_099).astype("M8[ns]"))
    with pytest.raises(InputError, match="between microseconds"):
        quantile_edges(times, 3, "x")
