"""A column of times gives the same windows whatever holds it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from mlflow_eval_plugin.engines.arrow.windows import times_of
from mlflow_eval_plugin.stats.drift.windows import LENGTHS, Windowing, instant
from mlflow_eval_plugin.stats.errors import InputError

TIMES = pd.Series(pd.date_range("2026-11-01", periods=6, freq="12h"))
DATES = [time.date() for time in TIMES]
HELD: dict[str, Any] = {
    "nanoseconds": TIMES,
    "seconds": TIMES.astype("M8[s]"),
    "Arrow": TIMES.astype(pd.ArrowDtype(pa.timestamp("ms"))),
    "Arrow dates": pd.Series(pd.array(DATES, dtype=pd.ArrowDtype(pa.date32()))),
    "dates": pd.Series(DATES, dtype=object),
    "objects": pd.Series(TIMES.dt.to_pydatetime(), dtype=object),
    "periods": TIMES.dt.to_period("D"),
    "categories": TIMES.astype("category"),
    "zoned": TIMES.dt.tz_localize("UTC").dt.tz_convert("America/New_York"),
    "Arrow, zoned": TIMES.dt.tz_localize("UTC").astype(pd.ArrowDtype(pa.timestamp("us", "UTC"))),
}


@pytest.mark.parametrize("held", HELD)
def test_times_are_those_of_any_holder(held: str) -> None:
    times = times_of(pd.DataFrame({"t": HELD[held]}), "t")
    assert times.known.all()
    assert times.zones == {"zoned": {"America/New_York"}, "Arrow, zoned": {"UTC"}}.get(held, set())
    starts = np.unique(Windowing("t", "day").plan(times.present).place(times.present)).tolist()
    assert [instant(start) for start in starts] == ["2026-11-01", "2026-11-02", "2026-11-03"]


def test_times_before_1970_are_in_the_microsecond_before_them() -> None:
    times = times_of(pd.DataFrame({"t": pd.Series([pd.Timestamp("1969-12-31 23:59:59.999999999")])}), "t")
    assert times.present.tolist() == [-1]
    days = Windowing("t", "day").plan(np.array([-1, 0])).place(times.present)
    assert days.tolist() == [-LENGTHS["day"]]


@pytest.mark.parametrize("values", [[True, False], pd.to_timedelta(["1h", "2h"]), [[1], [2]], ["2026-11-01"] * 2])
def test_what_is_no_time_is_refused_with_a_value(values: Any) -> None:
    with pytest.raises(InputError, match=r"time_column: expected times in 't', found .*, such as .*; (make|name)"):
        times_of(pd.DataFrame({"t": pd.Series(values)}), "t")
