"""Calibration of the mean and of quantiles, number by number from the rows: tables, bands, limits, weighted tests."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import special, stats

from mlflow_eval_plugin.engines.arrow import moment_summary, predicted_rows, prediction_summary
from mlflow_eval_plugin.stats.inference.estimate import Estimate
from mlflow_eval_plugin.stats.inference.intervals import clopper_pearson
from mlflow_eval_plugin.stats.inference.norms import NoisyNorm
from mlflow_eval_plugin.stats.regression.calibration.quantiles import calibrate_quantiles, coverage_bounds
from mlflow_eval_plugin.stats.regression.calibration.report import METRICS, calibrate_mean, mean_bounds


def _summaries(rows, weight=None, **given):
    predicted = predicted_rows(rows, target="y", prediction="p", weight=weight, **given)
    return moment_summary(rows, predicted), prediction_summary(predicted)


@pytest.fixture(scope="module")
def rows():
    """Ninety rows with predictions that are all different, in order."""
    rng = np.random.default_rng(4)
    p = np.sort(20 + rng.gamma(3, 4, 90))
    return pd.DataFrame({"y": p + rng.normal(size=90) * p / 10 + 1, "p": p, "w": rng.integers(1, 5, 90) / 2})


def _weights(rows, weight):
    w = np.ones(len(rows)) if weight is None else rows.w.to_numpy()
    return w, w.sum() ** 2 / (w**2).sum()


def _equal_mass(rows, w, bins):
    """The bin in which the middle of a row's weight lies."""
    return ((np.cumsum(w) - w / 2) / w.sum() * bins).astype(int)


@pytest.mark.parametrize("weight", [None, "w"])
def test_the_table_has_students_intervals_of_its_rows(rows, weight):
    w, _ = _weights(rows, weight)
    found = calibrate_mean(*_summaries(rows, weight), bins=6, replicates=2)
    assert len(found.bins_equal_mass) == 6
    for b, one in enumerate(found.bins_equal_mass):
        of = _equal_mass(rows, w, 6) == b
        mine, share = rows[of], w[of]
        effective = share.sum() ** 2 / (share**2).sum()
        mean = np.average(mine.y, weights=share)
        error = np.sqrt(np.average((mine.y - mean) ** 2, weights=share) / (effective - 1))
        assert one.interval == pytest.approx(stats.t.interval(0.95, effective - 1, mean, error), rel=1e-9)
        assert (one.lower, one.upper) == (pytest.approx(mine.p.min()), pytest.approx(mine.p.max()))
        assert (one.n, one.weight) == (len(mine), pytest.approx(share.sum()))
        assert one.mean_prediction == pytest.approx(np.average(mine.p, weights=share))
        assert one.mean_target == pytest.approx(mean)


@pytest.mark.parametrize("weight", [None, "w"])
def test_means_deviation_and_histogram_are_those_of_the_rows(rows, weight):
    w, _ = _weights(rows, weight)
    found = calibrate_mean(*_summaries(rows, weight), replicates=2)
    assert (found.n, found.weighted, found.exact, tuple(found.metrics)) == (90, weight is not None, True, METRICS)
    mean, error = np.average(rows.y, weights=w), np.average(rows.p - rows.y, weights=w)
    assert found.mean_target == pytest.approx(mean)
    assert found.mean_prediction == pytest.approx(np.average(rows.p, weights=w))
    deviation = np.sqrt(np.average((rows.y - mean) ** 2, weights=w))
    assert found.target_deviation == pytest.approx(deviation)
    assert found.metrics["bias_sigma"].value == pytest.approx(error / deviation)
    counted, edges = np.histogram(rows.p, 50, weights=w)
    assert found.histogram.edges == pytest.approx(edges) and found.histogram.weight == pytest.approx(counted)
    for name in ("mse_mcb", "mse_dsc", "mse_unc"):
        assert found.metrics[name].interval is None and found.metrics[name].bound == 0
    bounds = mean_bounds(*_summaries(rows, weight), "mse_mcb")
    assert (bounds.lower(0.05), bounds.upper(0.05), bounds.n) == (-np.inf, np.inf, 90)


def test_rows_without_weight_change_nothing(rows):
    extra = pd.DataFrame({"y": [30.0, 25.0], "p": [29.5, 1.0], "w": 0.0})
    alone, both = (
        calibrate_mean(*_summaries(one, "w"), bins=6, replicates=2)
        for one in (rows, pd.concat([extra, rows], ignore_index=True))
    )
    assert np.array(both.corp) == pytest.approx(np.array(alone.corp))
    assert both.histogram.weight == pytest.approx(alone.histogram.weight)
    for first, second in zip(both.bins_equal_mass, alone.bins_equal_mass, strict=True):
        assert (first.n, first.mean_target, first.lower) == (
            second.n,
            *map(pytest.approx, (second.mean_target, second.lower)),
        )
    for name in METRICS:
        assert both.metrics[name].value == pytest.approx(alone.metrics[name].value), name


def test_one_prediction_has_a_histogram_of_width_1():
    rows = pd.DataFrame({"y": [1.0, 2.0, 4.0], "p": 2.0})
    found = calibrate_mean(*_summaries(rows), replicates=2)
    assert found.histogram.edges == pytest.approx(np.linspace(2, 3, 51))
    assert found.histogram.weight == (3.0, *[0.0] * 49)
    assert [one[0] for one in found.corp_band] == [2.0]
    for name in ("slope", "intercept"):
        assert found.metrics[name] == Estimate(None, None, 0.0, "all predictions are the same")


@pytest.mark.parametrize("weight", [None, "w"])
def test_limits_of_the_mean_error_are_those_of_noisy_gaps(rows, weight):
    w, _ = _weights(rows, weight)
    bounds = mean_bounds(*_summaries(rows, weight), "mean_error", bins=6)
    gap, deviation = np.empty(6), np.empty(6)
    for b in range(6):
        of = _equal_mass(rows, w, 6) == b
        error, share = (rows.p - rows.y)[of], w[of]
        effective = share.sum() ** 2 / (share**2).sum()
        mean, square = np.average(error, weights=share), np.average(error**2, weights=share)
        gap[b] = (share * error).sum() / w.sum()
        # About the mean as of a sample, or about 0 where that is larger; the larger for how few there are.
        variance = max((square - mean**2) * effective / (effective - 1), square)
        variance *= (stats.t.ppf(0.05, effective - 1) / stats.norm.ppf(0.05)) ** 2
        deviation[b] = np.sqrt(variance * (share**2).sum()) / w.sum()
    assert bounds.value == pytest.approx(np.abs(gap).sum())
    lower, upper = NoisyNorm(gap[None] / 128, deviation[None] / 128, np.array([90]), "").limits(0.05, exact=True)
    assert (bounds.lower(0.05), bounds.upper(0.05)) == (pytest.approx(lower[0] * 128), pytest.approx(upper[0] * 128))


def test_the_mean_error_of_rows_that_are_all_alone_by_hand():
    # Bins of one row: a variance about 0 is all there is, with Student's quantile of one degree of freedom.
    rows = pd.DataFrame({"y": [1.0, 5.0, 9.0], "p": [2.0, 4.0, 9.5]})
    bounds = mean_bounds(*_summaries(rows), "mean_error", bins=3)
    assert bounds.value == pytest.approx(2.5 / 3)
    ratio = special.stdtrit(1, 0.05) / special.ndtri(0.05)
    deviation = np.array([1.0, 1.0, 0.5]) / 3 * ratio
    made = NoisyNorm(np.array([[1.0, -1.0, 0.5]]) / 3 / 64, deviation[None] / 64, np.array([3]), "")
    limit = made.limits(0.001, exact=True)[1][0] * 64
    # No error of these rows is above 1 and no target further than 4 from the median: the truth may be further away.
    assert limit > 6 and bounds.upper(0.001) == pytest.approx(limit)


def test_the_mean_error_of_pairs_by_hand():
    # Errors of 1 and -1, 3 and 1, 0 and -2: means 0, 2, -1, variances about them 2, 2, 2 and about 0 1, 5, 2.
    rows = pd.DataFrame({"p": [1.0, 2.0, 11.0, 12.0, 21.0, 22.0]})
    rows["y"] = rows.p - np.array([1, -1, 3, 1, 0, -2])
    bounds = mean_bounds(*_summaries(rows), "mean_error", bins=3)
    assert bounds.value == pytest.approx((0 + 4 + 2) / 6)
    ratio = special.stdtrit(1, 0.05) / special.ndtri(0.05)
    deviation = np.sqrt(np.array([2, 5, 2]) * 2) / 6 * ratio
    made = NoisyNorm(np.array([[0.0, 4, -2]]) / 6, deviation[None], np.array([6]), "", highest=np.inf)
    assert bounds.upper(0.001) == pytest.approx(made.limits(0.001, exact=True)[1][0])


@pytest.mark.parametrize("weight", [None, "w"])
@pytest.mark.parametrize("at", [0.0, 1000.0])
def test_the_line_has_students_limits_with_the_errors_of_statsmodels(rows, weight, at):
    rows = rows.assign(y=rows.y + at, p=rows.p + at)
    w, effective = _weights(rows, weight)
    fitted = sm.WLS(rows.y, sm.add_constant(rows.p), weights=w).fit(cov_type="HC1")
    # Theirs corrects for two coefficients of 90 rows, ours of as many as the weights are worth.
    error = fitted.bse.to_numpy() * np.sqrt(effective / (effective - 2) * 88 / 90)
    found = calibrate_mean(*_summaries(rows, weight), replicates=2).metrics
    for name, value, one in zip(("intercept", "slope"), fitted.params, error, strict=True):
        expected = stats.t.interval(0.95, effective - 2, value, one)
        assert found[name].interval == pytest.approx(expected, rel=1e-6), name
        bounds = mean_bounds(*_summaries(rows, weight), name)
        assert bounds.lower(0.05) == pytest.approx(value + stats.t.ppf(0.05, effective - 2) * one, rel=1e-6)
        assert bounds.n == 90


def test_two_predictions_make_a_line_and_none_that_differ_by_rounding():
    rows = pd.DataFrame({"y": [1.0, 3.0, 5.0, 7.0], "p": [0.0, 0.0, 1.0, 1.0]})
    found = calibrate_mean(*_summaries(rows), replicates=2).metrics
    assert (found["slope"].value, found["intercept"].value) == (pytest.approx(4), pytest.approx(2))
    for spread, same in ((1e-9, True), (1e-5, False)):
        near = rows.assign(p=2 + spread * np.arange(4))
        one = calibrate_mean(*_summaries(near), replicates=2).metrics["slope"]
        assert (one.reason == "all predictions are the same") == same
        assert same or one.value * spread == pytest.approx(2, rel=1e-3)  # 2 more of the target with each step


@pytest.mark.parametrize("weight", [None, "w"])
def test_the_band_without_violators_is_that_of_normal_errors(weight):
    # Three predictions so far apart that no draw is out of order.
    rows = pd.DataFrame({"p": np.repeat([0.0, 100.0, 300.0], 4), "w": np.tile([1.0, 2.0, 2.0, 4.0], 3)})
    rows["y"] = rows.p + np.tile([1.0, -1.0, 2.0, 0.5], 3) * np.repeat([1, 2, 3], 4)
    w, _ = _weights(rows, weight)
    place, lower, upper = np.array(calibrate_mean(*_summaries(rows, weight), replicates=50, seed=5).corp_band).T
    error = pd.DataFrame({"w": w, "ww": w**2, "ee": w * (rows.y - rows.p) ** 2}).groupby(rows.p).sum()
    deviation = np.sqrt(error.ee / error.w * error.ww / error.w**2).to_numpy()
    drawn = place + deviation * np.random.default_rng(5).normal(size=(50, 3))
    assert place == pytest.approx([0, 100, 300], abs=1e-9)
    assert lower == pytest.approx(np.quantile(drawn, 0.025, axis=0)) and upper == pytest.approx(
        np.quantile(drawn, 0.975, axis=0)
    )


def test_the_band_has_as_many_points_as_it_may(rows):
    rng = np.random.default_rng(7)
    p = np.sort(rng.normal(size=1500))
    found = calibrate_mean(*_summaries(pd.DataFrame({"y": p + rng.normal(size=1500), "p": p})), replicates=2)
    assert len(found.corp_band) == 512
    # Of 1,024 groups the first and the last hold one or two rows.
    assert found.corp_band[0][0] < p[2] and found.corp_band[-1][0] > p[-3]
    assert [one[0] for one in calibrate_mean(*_summaries(rows), replicates=2).corp_band] == pytest.approx(rows.p)


def test_the_defaults_are_fifteen_bins_two_hundred_replicates_and_seed_0(rows):
    given = _summaries(rows)
    assert calibrate_mean(*given) == calibrate_mean(*given, bins=15, replicates=200, seed=0)
    assert mean_bounds(*given, "mean_error").value == mean_bounds(*given, "mean_error", bins=15).value
    assert len(calibrate_mean(*given, replicates=2).bins_equal_mass) == 15


@pytest.mark.parametrize("weight", [None, "w"])
def test_quantiles_and_intervals_are_told_from_their_rows(rows, weight):
    low, middle, high = rows.p - rows.p / 8, rows.p + 1, rows.p + rows.p / 6
    w, effective = _weights(rows, weight)
    moments, _ = _summaries(rows, weight, quantiles={0.1: low, 0.5: middle, 0.9: high},
                            intervals=[("wide", 0.8, low, high), ("upper", 0.4, middle, high)])  # fmt: skip
    found = calibrate_quantiles(moments)
    for one, level, ends in zip(found.quantiles, (0.1, 0.5, 0.9), (low, middle, high), strict=True):
        assert one.level == level
        assert one.coverage.value == pytest.approx(np.average(rows.y <= ends, weights=w))
        loss = np.where(rows.y >= ends, level * (rows.y - ends), (1 - level) * (ends - rows.y))
        assert one.pinball.value == pytest.approx(np.average(loss, weights=w))
    for one, name, level, lower in zip(found.intervals, ("wide", "upper"), (0.8, 0.4), (low, middle), strict=True):
        assert (one.name, one.level) == (name, level)
        assert one.coverage.value == pytest.approx(np.average((lower <= rows.y) & (rows.y <= high), weights=w))
        assert one.width.value == pytest.approx(np.average(high - lower, weights=w))
        outside = np.maximum(lower - rows.y, 0) + np.maximum(rows.y - high, 0)
        score = np.average(high - lower + 2 / (1 - level) * outside, weights=w)
        assert one.score.value == pytest.approx(score)
    above = sum((rows.y > ends).astype(int) for ends in (low, middle, high))
    share, expected = np.bincount(above, w, 4) / w.sum(), np.array([0.1, 0.4, 0.4, 0.1])
    chi_squared = effective * ((share - expected) ** 2 / expected).sum()
    assert (found.pit.levels, found.pit.degrees_of_freedom) == ((0, 0.1, 0.5, 0.9, 1), 3)
    assert found.pit.share == pytest.approx(share) and found.pit.expected == pytest.approx(expected)
    assert found.pit.chi_squared == pytest.approx(chi_squared)
    assert found.pit.p_value == pytest.approx(stats.chi2.sf(chi_squared, 3))
    assert found.crossing.value == 0
    inside = np.average((low <= rows.y) & (rows.y <= high), weights=w)
    bounds = coverage_bounds(moments, "wide", 0.8)
    assert bounds.value == pytest.approx(inside - 0.8)
    exact = [limit[0] - 0.8 for limit in clopper_pearson(np.array([inside]), np.array([effective]), 0.05)]
    assert [bounds.lower(0.05), bounds.upper(0.05)] == pytest.approx(exact)


def test_intervals_without_quantiles_have_no_pit():
    rows = pd.DataFrame({"y": [1.0, 2.0, 5.0], "p": [1.0, 2.0, 3.0]})
    moments, _ = _summaries(rows, intervals=[("i", 0.5, rows.p - 1, rows.p + 1)])
    found = calibrate_quantiles(moments)
    assert (found.pit, found.crossing, found.quantiles) == (None, None, ())
    assert found.intervals[0].coverage.value == pytest.approx(2 / 3)
