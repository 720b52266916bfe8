"""Latency percentiles against numpy, published ranks and simulation; costs by hand; merging to the byte."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mlflow_eval_plugin.engines.arrow import system_summary
from mlflow_eval_plugin.engines.slicing import Slicing
from mlflow_eval_plugin.stats.errors import InputError, MergeError
from mlflow_eval_plugin.stats.slices.system import (
    LATENCIES,
    Percentile,
    latency_bins,
    rank_below,
    system_bounds,
    system_reports,
)


def _rows(n=3000, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame({"ms": rng.lognormal(4, 1, n), "usd": rng.gamma(2, 0.001, n), "g": rng.integers(0, 4, n)})


def _summary(rows, **options):
    return system_summary(rows, slicing=Slicing(["g"]), **{"latency": "ms", "cost": "usd", **options})


def test_percentiles_are_those_of_numpy_within_a_thousandth():
    rows = _rows()
    for one in system_reports(_summary(rows)):
        mine = rows if one.label == "overall" else rows[rows.g == int(one.label[2:])]
        assert one.n == len(mine)
        for name, share in (("latency_p50", 0.5), ("latency_p95", 0.95), ("latency_p99", 0.99)):
            exact = np.quantile(mine.ms, share, method="inverted_cdf")
            found = one.metrics[name]
            assert abs(found.value - exact) <= found.bound <= exact * 2**-10 * 1.001
            assert found.interval[0] <= exact <= found.interval[1]
            assert found.reason is None


def test_costs_by_hand():
    rows = pd.DataFrame({"usd": [0.001, 0.002, 0.006], "ms": 1.0, "g": 0})
    found = system_reports(_summary(rows))[1].metrics["cost_per_1000"]
    half = stats.t.ppf(0.975, 2) * np.std([1, 2, 6], ddof=1) / math.sqrt(3)
    assert found.value == pytest.approx(3.0, rel=1e-9)
    assert found.interval == (pytest.approx(max(3 - half, 0)), pytest.approx(3 + half, rel=1e-7))


@pytest.mark.parametrize(
    ("n", "share", "ranks"),
    [
        (10, 0.5, (2, 9)),  # Campbell & Gardner (1988), BMJ 296: ranks of the 95 % interval of a median
        (20, 0.5, (6, 15)),
        (40, 0.5, (14, 27)),
        (5, 0.5, (0, 6)),  # too few
    ],
)
def test_ranks_are_the_published_ones(n, share, ranks):
    low = rank_below(0.025, np.array([n]), share)[0]
    high = n + 1 - rank_below(0.025, np.array([n]), 1 - share)[0]
    assert (low, high) == ranks


@pytest.mark.parametrize(("n", "ranks"), [(6, (1, 6)), (10, (2, 9)), (40, (14, 27)), (5, None)])
def test_limits_of_a_median_are_the_rows_of_the_published_ranks(n, ranks):
    rows = pd.DataFrame({"ms": np.random.default_rng(n).permutation(n) + 1.0, "g": 0})
    summary = _summary(rows, cost=None)
    found = system_reports(summary)[1].metrics["latency_p50"]
    assert found.value == pytest.approx((n + 1) // 2, rel=2**-10)
    bounds = system_bounds(summary, "latency_p50", "g=0")
    assert (bounds.value, bounds.n) == (found.value, n)
    if ranks is None:
        assert found.interval is None and (bounds.lower(0.025), bounds.upper(0.025)) == (-math.inf, math.inf)
        return
    # The outer edges of the bins of those rows, which are no more than a 512th wide.
    assert ranks[0] * (1 - 2**-9) <= found.interval[0] <= ranks[0] and ranks[1] <= found.interval[1]
    assert found.interval[1] <= ranks[1] * (1 + 2**-9)
    for mine, theirs in zip((bounds.lower(0.025), bounds.upper(0.025)), found.interval, strict=True):
        assert mine == pytest.approx(theirs, rel=2**-9)  # for a Check, less what binning can have added


def test_a_percentile_of_no_row_is_undefined_and_that_of_one_is_the_row():
    edges = np.array([1.0, 2.0, 4.0])
    made = Percentile(np.array([[0, 0], [0, 1]]), edges[:2], edges[1:], 0.5)
    assert np.isnan(made.value[0]) and made.value[1] == 3.0
    assert made.bound[1] == 1.0


def test_cheap_rows_beside_a_dear_one_are_not_certain():
    cheap = np.array([0.001, 0.003] * 10)
    rows = pd.DataFrame({"ms": 1.0, "usd": [*cheap, 1000.0], "g": [0] * 20 + [1]})
    found = system_reports(_summary(rows))[1].metrics["cost_per_1000"]
    half = 1000 * stats.t.ppf(0.975, 19) * cheap.std(ddof=1) / math.sqrt(20)
    assert found.value == pytest.approx(2.0, rel=1e-3)
    assert found.interval[0] <= 2 - half and found.interval[1] >= 2 + half


def test_one_price_for_every_row_is_a_price():
    found = system_reports(_summary(pd.DataFrame({"ms": 1.0, "usd": [2.0**-10] * 20, "g": 0})))[1].metrics
    assert found["cost_per_1000"].interval == (1000 * 2.0**-10, 1000 * 2.0**-10)


def test_a_summary_holds_as_many_rows_as_any():
    one = _summary(_rows(50), cost_scale=1.0)
    many = replace(one, n=one.n * (2**31 // 50))
    for first, second in ((one, many), (many, one)):
        with pytest.raises(MergeError, match=f"found {2**31 // 50 * 50 + 50:,}"):
            first + second


@pytest.mark.parametrize(("share", "fewest"), [(0.95, 59), (0.99, 299)])
def test_the_largest_row_becomes_an_upper_limit_where_wilks_says(share, fewest):
    # Wilks (1941): 59 rows for 95 % confidence of 95 % coverage, 299 for 99 %.
    assert rank_below(0.05, np.array([fewest - 1, fewest]), 1 - share).tolist() == [0, 1]


@pytest.mark.parametrize("alpha", [1e-12, 1e-6, 0.01, 0.3, 0.999])
def test_ranks_are_the_largest_that_keep_their_error(alpha):
    n = np.arange(1, 400)
    for share in (0.01, 0.5, 0.95, 0.99):
        rank = rank_below(alpha, n, share)
        assert (stats.binom.cdf(rank - 1, n, share) <= alpha)[rank > 0].all()
        assert (stats.binom.cdf(rank, n, share) > alpha)[rank < n].all()


@pytest.mark.parametrize("name", ["latency_p50", "latency_p95"])
@pytest.mark.parametrize("n", [30, 100, 1000])
def test_limits_hold_at_any_number_of_rows(name, n):
    rng = np.random.default_rng(n)
    truth = math.exp(4 + stats.norm.ppf(LATENCIES[name]))
    trials, below, above = 400, 0, 0
    for _ in range(trials):
        rows = pd.DataFrame({"ms": rng.lognormal(4, 1, n), "g": 0})
        bounds = system_bounds(_summary(rows, cost=None), name, "g=0")
        below += bounds.lower(0.05) > truth
        above += bounds.upper(0.05) < truth
    slack = 3 * math.sqrt(trials * 0.05 * 0.95)
    assert max(below, above) <= trials * 0.05 + slack


def test_too_few_rows_have_a_value_and_a_reason_for_no_interval():
    found = system_reports(_summary(pd.DataFrame({"ms": [1.0, 2.0, 3.0], "usd": [1, 1, 1], "g": [0, 0, 1]})))
    p99 = found[0].metrics["latency_p99"]
    assert (p99.value, p99.interval) == (pytest.approx(3.0, rel=1e-3), None)
    assert "too few rows" in p99.reason
    assert found[2].metrics["cost_per_1000"].interval is None
    assert found[2].metrics["cost_per_1000"].reason.startswith("one row, or rows that all cost nothing")
    free = system_reports(_summary(pd.DataFrame({"ms": [1.0] * 30, "usd": [0.0] * 29 + [2.0], "g": [0] * 29 + [1]})))
    assert free[1].metrics["cost_per_1000"].interval is None


def test_shards_and_order_change_no_byte():
    rows = _rows()
    whole, scale = _summary(rows, cost_scale=1.0), {"cost_scale": 1.0}
    shards = [_summary(part.reset_index(drop=True), **scale) for part in (rows[:500], rows[500:501], rows[501:])]
    merged = shards[2] + shards[0] + shards[1]
    shuffled = _summary(rows.sample(frac=1, random_state=1).reset_index(drop=True), **scale)
    for other in (merged, shuffled):
        assert other.slices == whole.slices
        for lane in ("n", "bins", "latency", "cost", "cost_square"):
            assert (getattr(other, lane) == getattr(whole, lane)).all()
    assert system_reports(merged) == system_reports(whole)
    with pytest.raises(MergeError, match=r"cost scales are 1\.0 and 2\.0"):
        _ = whole + _summary(rows, cost_scale=2.0)


def test_bins_are_a_thousandth_wide_from_nought_to_the_largest():
    values = np.concatenate([[0.0, -0.0], np.logspace(-300, 300, 2001)])
    bins = latency_bins(values)
    assert bins[0] == bins[1] == 0 and (np.diff(bins[1:]) > 0).all()
    report = system_reports(_summary(pd.DataFrame({"ms": [0.0, -0.0], "usd": 0.0, "g": 0})))[0].metrics
    assert (report["latency_p50"].value, report["latency_p50"].bound, report["cost_per_1000"].value) == (0.0, 0.0, 0.0)


def test_only_what_there_is_a_column_for():
    summary = _summary(_rows(50), latency=None)
    assert summary.metrics == ("cost_per_1000",)
    for metric, label in (("latency_p95", "g=0"), ("cost_per_1000", "g=9")):
        with pytest.raises(InputError, match=f"there is no '{metric}' of '{label}'; metrics are cost_per_1000"):
            system_bounds(summary, metric, label)
    with pytest.raises(InputError, match="cost_scale: expected a power of two at or above the largest cost"):
        _summary(_rows(50), cost_scale=3.0)
