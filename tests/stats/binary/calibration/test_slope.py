"""Calibration slope and intercept against statsmodels, their bound against other scores, intervals by simulation."""

import math

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from mlflow_eval_plugin.engines.arrow import score_summary
from mlflow_eval_plugin.stats.binary.calibration.report import calibrate, calibration_bounds
from mlflow_eval_plugin.stats.binary.calibration.slope import (
    NO_SLOPE,
    LogitCells,
    cells_of,
    cox_test,
    intercept,
    logit,
    slope,
)
from mlflow_eval_plugin.stats.inference.estimate import estimates

N = np.array([1])


def _rows(n=4000, a=1.0, b=1.4, seed=0):
    rng = np.random.default_rng(seed)
    score = rng.beta(a, b, n)
    return pd.DataFrame({"s": score, "y": (rng.random(n) < score**1.3).astype(int), "w": rng.integers(1, 6, n)})


def _cells(score, label):
    ones = np.ones(len(score))
    return LogitCells(score, np.asarray(label, dtype=float), ones, ones, score, score, 0 * ones)


def _statsmodels(rows, weight):
    options = {"family": sm.families.Binomial(), "freq_weights": None if weight is None else rows[weight]}
    x = logit(rows.s.to_numpy())
    joint = sm.GLM(rows.y, sm.add_constant(x), **options).fit(tol=1e-13, maxiter=100)
    shift = sm.GLM(rows.y, np.ones(len(rows)), offset=x, **options).fit(tol=1e-13, maxiter=100)
    return joint, shift


@pytest.mark.parametrize("weight", [None, "w"])
@pytest.mark.parametrize(("a", "b"), [(1.0, 1.4), (0.3, 0.5)])  # the latter with scores that near 0 and 1
def test_slope_and_intercept_are_those_of_statsmodels_within_their_bounds(weight, a, b):
    rows = _rows(a=a, b=b)
    found = calibrate(score_summary(rows, label="y", score="s", weight=weight), replicates=0)
    joint, shift = _statsmodels(rows, weight)
    for mine, theirs in (
        (found.metrics.calibration_slope, joint.params.iloc[1]),
        (found.metrics.calibration_intercept, shift.params.iloc[0]),
    ):
        assert mine.bound < 1e-4
        assert mine.value == pytest.approx(theirs, abs=mine.bound + 1e-9)
    assert found.cox_test.intercept == pytest.approx(joint.params.iloc[0], abs=1e-4)
    assert found.cox_test.slope == found.metrics.calibration_slope.value


def test_standard_errors_are_those_of_statsmodels():
    rows = _rows()
    cells = cells_of(score_summary(rows, label="y", score="s"))
    design = sm.add_constant(logit(rows.s.to_numpy()))
    plain = sm.Logit(rows.y, design).fit(disp=0, tol=1e-12)
    robust = sm.Logit(rows.y, design).fit(disp=0, tol=1e-12, cov_type="HC0")
    larger = max(plain.bse.iloc[1], robust.bse.iloc[1])
    assert slope([cells], N).standard_error[0] == pytest.approx(larger, rel=1e-6)
    weighted = cells_of(score_summary(rows, label="y", score="s", weight="w"))
    # The weights of a survey: the sandwich with every row's own weight squared in its middle.
    fit = sm.GLM(rows.y, design, family=sm.families.Binomial(), freq_weights=rows.w).fit(tol=1e-12)
    p = fit.fittedvalues
    bread = np.linalg.inv((design * (rows.w * p * (1 - p)).to_numpy()[:, None]).T @ design)
    seen, expected = (
        math.sqrt((bread @ ((design * (rows.w**2 * v).to_numpy()[:, None]).T @ design) @ bread)[1, 1])
        for v in ((rows.y - p) ** 2, p * (1 - p))
    )
    assert slope([weighted], N).standard_error[0] == pytest.approx(max(seen, expected), rel=1e-6)


def test_the_bound_holds_whatever_the_scores_in_a_bin_are():
    rng = np.random.default_rng(4)
    for seed in range(20):
        rows = _rows(300, 0.2, 0.4, seed)
        rows["s"] = np.clip(rows.s + rng.normal(0, 1e-5, len(rows)), 0, 1)
        found = calibrate(score_summary(rows, label="y", score="s"), replicates=0).metrics
        joint, shift = _statsmodels(rows, None)
        assert abs(found.calibration_slope.value - joint.params.iloc[1]) <= found.calibration_slope.bound + 1e-9
        assert abs(found.calibration_intercept.value - shift.params.iloc[0]) <= found.calibration_intercept.bound + 1e-9


def test_coxs_test_row_by_row():
    rows = _rows()
    s, y = rows.s.to_numpy(), rows.y.to_numpy()
    design = np.stack([np.ones(len(s)), logit(s)], axis=1)
    pull = design.T @ (y - s)
    spread = (design * (s * (1 - s))[:, None]).T @ design
    statistic = pull @ np.linalg.inv(spread) @ pull
    found = calibrate(score_summary(rows, label="y", score="s"), replicates=0).cox_test
    assert found.chi_squared == pytest.approx(statistic, rel=1e-6)
    assert found.p_value == pytest.approx(stats.chi2.sf(statistic, 2), rel=1e-4)


def test_by_hand_with_two_scores():
    # Four rows in ten at .5 and nine in ten at .9 are events: logit(.4) = a, logit(.9) = a + b logit(.9).
    score = np.repeat([0.5, 0.9], 10)
    label = np.concatenate([np.arange(10) < 4, np.arange(10) < 9])
    a = math.log(0.4 / 0.6)
    assert cox_test(_cells(score, label)).intercept == pytest.approx(a)
    assert slope([_cells(score, label)], N).value[0] == pytest.approx((math.log(9) - a) / math.log(9))


@pytest.mark.parametrize(
    ("score", "label"),
    [
        ([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1]),
        ([0.1, 0.2, 0.8, 0.9], [1, 1, 0, 0]),
        ([0.1, 0.5, 0.5, 0.9], [0, 0, 1, 1]),  # apart but for a tie
        ([0.3, 0.3, 0.3, 0.3], [0, 1, 0, 1]),
        ([0.2, 0.4, 0.6, 0.8], [1, 1, 1, 1]),
    ],
)
def test_without_a_likeliest_slope_there_is_a_reason(score, label):
    cells = _cells(np.array(score), label)
    (found,) = estimates(slope([cells], N))
    assert (found.value, found.interval, found.reason) == (None, None, NO_SLOPE)
    assert (estimates(intercept([cells], N))[0].value is None) == (len(set(label)) == 1)


def test_scores_of_nought_and_one_are_taken_for_a_millionth():
    rng = np.random.default_rng(5)
    rows = pd.DataFrame({"s": rng.choice([0.0, 0.3, 0.6, 1.0], 400), "y": rng.integers(0, 2, 400)})
    found = calibrate(score_summary(rows, label="y", score="s"), replicates=0).metrics.calibration_slope
    assert found.bound == 0
    assert found.value == pytest.approx(_statsmodels(rows, None)[0].params.iloc[1], rel=1e-9)


@pytest.mark.parametrize("n", [40, 100, 400])
def test_intervals_cover(n):
    rng = np.random.default_rng(n)
    trials, covered, below, above = 400, np.zeros(2), np.zeros(2), np.zeros(2)
    for _ in range(trials):
        score = rng.beta(1, 2, n)
        cells = _cells(score, rng.random(n) < score)
        for place, (made, truth) in enumerate(((slope, 1.0), (intercept, 0.0))):
            quantity = made([cells], N)
            low, high = (one[0] for one in quantity.limits(0.025, exact=False))
            covered[place] += low <= truth <= high
            low, high = (one[0] for one in quantity.limits(0.05, exact=True))
            below[place] += low > truth
            above[place] += high < truth
    slack = 3 * math.sqrt(trials * 0.05 * 0.95)
    assert covered.min() >= trials * 0.94 - slack
    assert max(below.max(), above.max()) <= trials * 0.05 + slack


def test_a_check_has_room_for_the_bound():
    summary = score_summary(_rows(), label="y", score="s")
    bounds = calibration_bounds(summary, "calibration_slope")
    quantity = slope([cells_of(summary)], N)
    assert bounds.upper(0.05) == quantity.limits(0.05, exact=True)[1][0] + quantity.bound[0]
