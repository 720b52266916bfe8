"""The simulations of ``benchmarks/soak_statistics.py``, small, and that they are what they say."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint
from support.simulating import (
    COLUMNS,
    any_fails,
    at_most,
    census,
    claims,
    coverage_of_equalized_odds,
    coverage_of_gaps,
    coverage_of_proportions,
    drawn,
    false_fails,
    power,
    truths,
)

from mlflow_eval_plugin.stats.inference.checks import judge


def test_true_claims_of_138_slices_are_seldom_failed():
    # At a true chance of 5 % more than 7 of 60 have the chance 1 %.
    assert false_fails(60, seed=0, rows=20_000) <= 7


def test_the_family_has_138_slices():
    table = drawn(census(), np.random.default_rng(0))
    assert (table.rows[1:] >= 30).sum() == 138


def test_the_fast_rule_is_that_of_judge():
    data, rng = census(4_000), np.random.default_rng(5)
    columns = COLUMNS[:2]
    known = truths(data, drawn(data, rng, columns))
    worse = data.assign(p=np.clip(data["predicted_probability"] + 0.04, 0, 1))
    found = []
    for one in (data, worse):
        table = drawn(one, rng, columns)
        failed = any(check.verdict == "fail" for check in judge(claims(table, known)).checks)
        found.append((any_fails(table, known), failed))
    assert found == [(False, False), (True, True)]


@pytest.mark.parametrize("n", [10, 30, 100])
def test_intervals_cover_on_average_over_the_grid(n):
    # The least coverages are those of Wilson's interval, which swing with p (Brown, Cai & DasGupta 2001).
    least = {10: (0.91, 0.90, 0.90), 30: (0.92, 0.92, 0.92), 100: (0.93, 0.93, 0.93)}[n]
    found = (coverage_of_proportions(n), coverage_of_gaps(n, n, "difference"), coverage_of_gaps(n, n, "ratio"))
    assert all(one.mean >= 0.94 for one in found)
    assert all(one.least >= floor for one, floor in zip(found, least, strict=True))


@pytest.mark.parametrize(("n", "groups"), [(10, 2), (10, 4), (30, 3), (100, 2)])
def test_equalized_odds_are_covered_on_average(n, groups):
    assert coverage_of_equalized_odds(n, groups, runs=500, seed=n).mean >= 0.94


def test_a_small_miscalibrated_slice_is_found_where_five_sigma_finds_less():
    found = power(runs=60, seed=1)
    assert 1_200 < found.rows < 1_500
    assert found.ours >= 0.8 > found.five_sigma


@pytest.mark.parametrize(("events", "runs"), [(0, 100), (5, 100), (100, 2000)])
def test_the_upper_limit_of_a_chance_is_that_of_statsmodels(events, runs):
    assert at_most(events, runs) == pytest.approx(proportion_confint(events, runs, 0.1, "beta")[1], abs=1e-12)
