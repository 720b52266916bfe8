"""Calibration of the mean and of quantiles: model-diagnostics' and statsmodels' numbers, and limits by simulation."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from model_diagnostics.scoring import SquaredError, decompose
from scipy import stats
from sklearn.isotonic import IsotonicRegression

from mlflow_eval_plugin.engines.arrow import moment_summary, predicted_rows, prediction_summary
from mlflow_eval_plugin.engines.arrow.regression import scores
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.inference.checks import Claim, judge
from mlflow_eval_plugin.stats.regression.calibration.quantiles import calibrate_quantiles, coverage_bounds
from mlflow_eval_plugin.stats.regression.calibration.report import calibrate_mean, mean_bounds


def summaries(y, p, w=None, **given):
    rows = pd.DataFrame({"y": y, "p": p})
    predicted = predicted_rows(rows, target="y", prediction="p", weight=w, **given)
    return moment_summary(rows, predicted), prediction_summary(predicted)


def drawn(n=2000, seed=0, slope=1.0, at=50.0):
    rng = np.random.default_rng(seed)
    mean = rng.gamma(3, 4, n)
    return at + mean + rng.normal(size=n) * (1 + mean / 4), at + slope * (mean - 12) + 12, rng.integers(1, 5, n)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("digits", [0, 8])
@pytest.mark.parametrize("at", [0.0, 1e6])
def test_the_decomposition_is_that_of_model_diagnostics(weighted, digits, at):
    y, p, w = drawn(at=at)
    p = np.round(p, digits)
    w = w if weighted else None
    expected = decompose(y, p, weights=w, scoring_function=SquaredError())
    found = calibrate_mean(*summaries(y, p, w))
    assert found.exact
    for name, column in {"mse": "score", "mse_mcb": "miscalibration", "mse_dsc": "discrimination",
                         "mse_unc": "uncertainty"}.items():  # fmt: skip
        # Theirs is computed in float64 from numbers near 1e6, whose squares are good to 1e-4.
        assert found.metrics[name].value == pytest.approx(expected[column][0], rel=1e-9, abs=1e-9 if at == 0 else 1e-4)
    curve = dict(found.corp)
    isotonic = IsotonicRegression(out_of_bounds="clip").fit(p, y, sample_weight=w).predict(list(curve))
    assert list(curve.values()) == pytest.approx(isotonic, rel=1e-9)


def test_more_predictions_than_bins_change_little_and_are_told(monkeypatch):
    y, p, _ = drawn()
    exact = calibrate_mean(*summaries(y, p))
    monkeypatch.setattr(scores, "MOST_BINS", 400)
    coarse = calibrate_mean(*summaries(y, p))
    assert exact.exact and not coarse.exact
    # Rows of one bin share their value, so the coarse fit can only follow less noise.
    gap = exact.metrics["mse_mcb"].value - coarse.metrics["mse_mcb"].value
    assert 0 <= gap < 0.01 * exact.metrics["mse"].value
    assert coarse.metrics["mae"] == exact.metrics["mae"]


@pytest.mark.parametrize("weighted", [False, True])
def test_slope_and_intercept_are_those_of_statsmodels(weighted):
    y, p, w = drawn(slope=0.8)
    w = w if weighted else None
    fitted = sm.WLS(y, sm.add_constant(p), weights=1.0 if w is None else w).fit(cov_type="HC1")
    found = calibrate_mean(*summaries(y, p, w)).metrics
    for i, name in enumerate(("intercept", "slope")):
        assert found[name].value == pytest.approx(fitted.params[i], rel=1e-9)
        low, high = found[name].interval
        # Theirs is normal with the number of rows, ours Student's with Kish's; both are near here.
        assert (high - low) / 2 / 1.96 == pytest.approx(fitted.bse[i], rel=0.005 if w is None else 0.12)


def test_a_case_worked_by_hand():
    # Predictions 1, 2, 3; targets 2, 1, 6. Isotonic: 1.5, 1.5, 6.
    # Squares: (1 + 1 + 9) / 3; about the isotonic fit .5 / 3; about the mean 14 / 3.
    found = calibrate_mean(*summaries([2.0, 1.0, 6.0], [1.0, 2.0, 3.0]), bins=3)
    values = {
        name: found.metrics[name].value for name in ("mse", "mse_mcb", "mse_dsc", "mse_unc", "bias", "mean_error")
    }
    assert values == pytest.approx(
        {"mse": 11 / 3, "mse_mcb": 3.5, "mse_dsc": 4.5, "mse_unc": 14 / 3, "bias": -1.0, "mean_error": 5 / 3}
    )
    assert found.corp == ((1.0, 1.5), (2.0, 1.5), (3.0, 6.0))
    assert found.metrics["slope"].value == pytest.approx(2.0) and found.metrics["intercept"].value == pytest.approx(
        -1.0
    )
    first = found.bins_equal_mass[0]
    assert (first.lower, first.upper, first.n, first.mean_target, first.interval) == (1.0, 1.0, 1, 2.0, None)


def test_one_prediction_for_all_has_no_slope():
    found = calibrate_mean(*summaries([1.0, 2.0, 4.0], [2.0, 2.0, 2.0]))
    assert found.metrics["slope"].value is None and found.metrics["slope"].reason == "all predictions are the same"
    assert found.metrics["mse_dsc"].value == pytest.approx(0.0)
    assert len(found.bins_equal_mass) == 1 and found.bins_equal_mass[0].n == 3


def test_a_metric_there_is_none_of():
    with pytest.raises(InputError, match="there is no 'mape'"):
        mean_bounds(*summaries([1.0, 2.0], [1.0, 2.0]), "mape")


@pytest.mark.parametrize("rows", [100, 1000])
def test_calibrated_models_are_not_failed_nor_bounded_below_the_truth(rows):
    """Bias and mean error, where errors are skewed and grow with the prediction, at a tolerance next to nothing."""
    runs, rng, missed = 300, np.random.default_rng(rows), np.zeros(3)
    for _ in range(runs):
        p = rng.gamma(2, 2, rows)
        y = p * rng.gamma(2, 0.5, rows)
        found = summaries(y, p)
        bias = mean_bounds(*found, "bias_sigma")
        missed[0] += mean_bounds(*found, "mean_error").lower(0.05) > 0
        missed[1] += bias.lower(0.025) > 0 or bias.upper(0.025) < 0
        # Another model, too high by 1: its mean error is at least 1.
        missed[2] += mean_bounds(*summaries(y, p + 1), "mean_error").upper(0.05) < 1
    assert (missed / runs <= 0.05 + 2.5 * np.sqrt(0.05 * 0.95 / runs)).all()


def test_the_band_holds_the_curve_of_a_calibrated_model():
    outside = []
    for seed in range(20):
        y, p, _ = drawn(500, seed)
        found = calibrate_mean(*summaries(y, p))
        z, low, high = np.array(found.corp_band).T
        curve = np.interp(z, *np.array(found.corp).T)
        outside.append(((curve < low - 1e-9) | (curve > high + 1e-9)).mean())
    assert np.mean(outside) <= 0.08


def quantiles(n=4000, seed=0, shift=0.0):
    rng = np.random.default_rng(seed)
    mean = rng.normal(size=n)
    levels = (0.1, 0.5, 0.9)
    return mean + rng.normal(size=n), mean, {q: mean + stats.norm.ppf(q) + shift for q in levels}


def test_coverage_and_pit_are_what_scipy_says():
    y, mean, given = quantiles()
    moments, _ = summaries(y, mean, quantiles=given, intervals=[("80 %", 0.8, given[0.1], given[0.9])])
    found = calibrate_quantiles(moments)
    assert [one.coverage.value for one in found.quantiles] == [(y <= given[q]).mean() for q in (0.1, 0.5, 0.9)]
    inside = int(((y >= given[0.1]) & (y <= given[0.9])).sum())
    low, high = stats.binomtest(inside, len(y)).proportion_ci(method="wilson")
    assert found.intervals[0].coverage.interval == pytest.approx((low, high))
    counted = np.histogram(np.array([y > given[q] for q in given]).sum(axis=0), bins=np.arange(5))[0]
    expected = stats.chisquare(counted, np.array([0.1, 0.4, 0.4, 0.1]) * len(y))
    assert (found.pit.chi_squared, found.pit.p_value) == pytest.approx((expected.statistic, expected.pvalue))
    assert found.pit.share == pytest.approx(counted / len(y)) and found.crossing.value == 0


def test_crossing_quantiles_are_counted_and_their_intervals_keep_a_width():
    y = np.arange(10.0)
    low, high = y - 1, y + 1
    low[:3], high[:3] = high[:3].copy(), low[:3].copy()
    moments, _ = summaries(y, y, quantiles={0.1: low, 0.9: high})
    found = calibrate_quantiles(moments)
    assert found.crossing.value == pytest.approx(0.3)
    assert found.pit.share == pytest.approx((0.0, 1.0, 0.0))
    assert found.quantiles[0].coverage.value == pytest.approx(0.3)


def test_coverage_checks_find_a_shift_and_spare_what_is_right():
    verdicts = {}
    for shift in (0.0, 0.5):
        y, mean, given = quantiles(shift=shift)
        moments, _ = summaries(y, mean, quantiles=given)
        claims = [
            Claim(
                str(q), "", "coverage_error", str(q), coverage_bounds(moments, f"{q:g}", q), minimum=-0.05, maximum=0.05
            )
            for q in given
        ]
        verdicts[shift] = {check.verdict for check in judge(claims).checks}
    assert verdicts[0.0] == {"pass"} and "fail" in verdicts[0.5]


def test_no_quantiles_have_no_report():
    found = calibrate_quantiles(summaries([1.0, 2.0], [1.0, 2.0])[0])
    assert found.quantiles == () and found.intervals == () and found.pit is None and found.crossing is None
