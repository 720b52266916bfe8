"""The quality of a column by hand and by simulation: sentinels, ranges, categories, constants, units."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from operator import add

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mlflow_eval_plugin.engines.arrow import drift_binning, drift_summary
from mlflow_eval_plugin.stats.drift.quality.metrics import quality, quality_of
from mlflow_eval_plugin.stats.drift.quality.units import unit_change
from mlflow_eval_plugin.stats.drift.report import compare
from mlflow_eval_plugin.stats.drift.summary import DriftSummary
from mlflow_eval_plugin.stats.drift.watched import SENTINELS, UNITS


def sides(before, after, **more):
    known = drift_binning(pd.DataFrame({"x": before}), **more)
    return known.columns[0], drift_summary(pd.DataFrame({"x": after}), like=known).columns[0]


def value(before, after, metric):
    return float(quality(*sides(before, after), metric).value[0])


def limits(before, after, metric, alpha=0.01):
    return [float(one[0]) for one in quality(*sides(before, after), metric).limits(alpha, exact=True)]


NORMAL = np.random.default_rng(0).normal(50, 10, 20_000)
LATER = np.random.default_rng(1).normal(50, 10, 5000)


def some(values, share, other):
    return np.where(np.arange(len(values)) < share * len(values), other, values)


def test_times_that_stand_for_none_are_the_seconds_of_their_dates():
    for date, seconds in SENTINELS["datetime"].items():
        assert np.datetime64(date, "s").astype(int) == seconds


def test_sentinels_are_counted_by_their_values():
    before, after = sides(some(NORMAL, 0.01, -999.0), some(some(LATER, 0.03, -999.0), 0.01, 9999.0))
    found = compare(DriftSummary(20_000, (before,)), DriftSummary(5000, (after,))).columns[0]
    assert (found.sentinels_reference, found.sentinels_current) == ({"-999": 200}, {"-999": 100, "9999": 50})
    assert found.metrics.sentinel_change.value == pytest.approx(150 / 5000 - 200 / 20_000)
    # A price of 999 among prices up to 2,000 stands for itself.
    prices = np.random.default_rng(2).integers(0, 2000, 5000).astype(float)
    assert "sentinel_change" not in quality_of(*sides(prices, prices))
    # The epoch among dates, and words among categories.
    days = pd.Series(pd.date_range("2024-01-01", periods=3000, freq="h"))
    before, after = sides(days, days.mask(days.index < 60, pd.Timestamp("1970-01-01")))
    assert quality(before, after, "sentinel_change").value[0] == pytest.approx(60 / 3000)
    codes = pd.Series(["a", "b"] * 500)
    before, after = sides(codes, codes.mask(codes.index < 40, "").mask(codes.index > 989, " N/A"))
    assert quality(before, after, "sentinel_change").value[0] == pytest.approx(50 / 1000)


def test_what_is_out_of_range_is_less_what_a_sample_must_lack():
    assert value(NORMAL, some(LATER, 0.02, 500.0), "out_of_range") == pytest.approx(
        0.02 + np.mean(LATER[100:] > NORMAL.max()) * 0.98 + np.mean(LATER[100:] < NORMAL.min()) * 0.98 - 2 / 20_001
    )
    # Beyond the extremes of n values lies a share of Beta(2, n - 1).
    rng = np.random.default_rng(3)
    wrong = 0
    for _ in range(400):
        wrong += limits(rng.random(200), rng.random(2000), "out_of_range", 0.05)[0] > 0
    assert wrong <= stats.binom.ppf(0.99, 400, 0.05)


def test_new_and_vanished_categories_by_hand():
    before, after = ["a"] * 60 + ["b"] * 39 + ["c"], ["a"] * 40 + ["d"] * 9 + ["e"]
    # 10 of 50 in d and e, less the 1 of 100 that the reference has once; b and c, less the 1 of 50 in e.
    assert value(before, after, "new_categories") == pytest.approx(10 / 50 - 1 / 100)
    assert value(before, after, "vanished_categories") == pytest.approx(40 / 100 - 1 / 50)
    assert "new_categories" not in quality_of(*sides(before, [*before[:99], "c"]))


def test_rare_categories_come_and_go_without_an_alarm():
    rng = np.random.default_rng(5)
    shares = 1 / np.arange(1, 1001) / (1 / np.arange(1, 1001)).sum()
    wrong = {"new_categories": 0, "vanished_categories": 0}
    for _ in range(300):
        before, after = (rng.choice(1000, n, p=shares).astype(str) for n in (2000, 300))
        for metric in wrong:
            wrong[metric] += limits(before, after, metric, 0.05)[0] > 0
    assert max(wrong.values()) <= stats.binom.ppf(0.99, 300, 0.05)


def test_a_constant_has_lost_its_variety():
    assert value(NORMAL, np.full(500, 50.0), "lost_variety") == 1
    least, most = limits(["a", "b"] * 500, ["a"] * 300, "lost_variety")
    assert (least > 0.9, most) == (True, 1.0)
    # Of a flag of one in a hundred, 200 rows may have none.
    assert limits(["a"] * 990 + ["b"] * 10, ["a"] * 200, "lost_variety")[0] == 0
    assert "lost_variety" not in quality_of(*sides(NORMAL, LATER))
    assert "lost_variety" not in quality_of(*sides([7.0] * 40, [7.0] * 40))


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("shape", ["normal", "hollow", "count"])
def test_every_unit_is_told(unit, shape):
    rng = np.random.default_rng(7)
    drawn = {
        "normal": lambda n: rng.normal(50, 4, n),
        "hollow": lambda n: np.where(rng.random(n) < 0.6, 0.0, rng.lognormal(2, 0.3, n)),
        "count": lambda n: rng.poisson(40, n).astype(float),
    }[shape]
    factor, further = UNITS[unit]
    before, after = sides(drawn(5000), drawn(2000) * factor + further)
    found = unit_change(before, after)
    assert found.unit == unit
    least, most = found.limits(1e-4, exact=True)
    assert 0.1 < least[0] <= found.value[0] <= most[0]
    assert "unit_change" in quality_of(before, after)


@pytest.mark.parametrize("shift", [0.0, 3.0, 10.0, -25.0])
def test_a_shift_is_no_other_unit(shift):
    found = unit_change(*sides(NORMAL, LATER + shift))
    assert (found.value[0], found.limits(0.05, exact=True)[0][0]) == (0, 0)


def test_parts_add_up_to_what_all_rows_have_and_are_read_as_they_were_written():
    after = some(some(LATER * 1000, 0.02, -999.0), 0.01, 1e9)
    known = drift_binning(pd.DataFrame({"x": NORMAL}))
    whole = drift_summary(pd.DataFrame({"x": after}), like=known)
    parts = [drift_summary(pd.DataFrame({"x": one}), like=known) for one in np.array_split(after, 7)]
    for one in (reduce(add, parts[::-1]), DriftSummary.from_document(whole.to_document())):
        assert one.to_document() == whole.to_document()
    # Documents of before have none of it, and are compared as they were.
    plain = [DriftSummary(side.rows, (replace(side.columns[0], watched=None),)) for side in (known, whole)]
    old = DriftSummary.from_document(plain[0].to_document())
    assert old.columns[0].watched is None
    found = compare(old, plain[1]).columns[0]
    assert (found.metrics.out_of_range, found.metrics.unit_change, found.sentinels_current) == (None, None, {})
