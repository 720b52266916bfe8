import numpy as np
import pandas as pd
import polars
import pytest
from model_diagnostics.scoring import LogLoss, SquaredError, decompose
from scipy import stats
from sklearn.metrics import brier_score_loss, log_loss
from statsmodels.stats.proportion import proportion_confint

from mlflow_eval_plugin.engines.arrow import score_summary
from mlflow_eval_plugin.stats.binary.calibration import corp
from mlflow_eval_plugin.stats.binary.calibration.bin_free import Gaps
from mlflow_eval_plugin.stats.binary.calibration.bins import calibration_norm, reliability
from mlflow_eval_plugin.stats.binary.calibration.hypotheses import ecce_test, hosmer_lemeshow, spiegelhalter
from mlflow_eval_plugin.stats.binary.calibration.report import CALIBRATION_METRICS, calibrate, calibration_bounds
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.inference.isotonic import equal_mass_member


def _rows(n=3000, digits=3, seed=0):
    rng = np.random.default_rng(seed)
    score = np.round(rng.beta(1, 1.4, n), digits)
    return pd.DataFrame({"s": score, "y": (rng.random(n) < score**1.2).astype(int), "w": rng.integers(1, 6, n)})


@pytest.mark.parametrize("weight", [None, "w"])
def test_scores_are_those_of_scikit_learn(weight):
    rows = _rows(digits=15)
    found = calibrate(score_summary(rows, label="y", score="s", weight=weight), replicates=0).metrics
    w = None if weight is None else rows.w
    assert found.brier.value == pytest.approx(brier_score_loss(rows.y, rows.s, sample_weight=w), abs=1e-12)
    assert found.log_loss.value == pytest.approx(log_loss(rows.y, rows.s, sample_weight=w), abs=1e-12)


@pytest.mark.parametrize("weight", [None, "w"])
@pytest.mark.parametrize(("prefix", "scoring"), [("brier", SquaredError()), ("log_loss", LogLoss())])
def test_corp_components_are_those_of_model_diagnostics(weight, prefix, scoring):
    rows = _rows()
    rows["s"] = rows.s.clip(0.001, 0.999)
    found = calibrate(score_summary(rows, label="y", score="s", weight=weight), replicates=0).metrics
    frame = decompose(rows.y, rows.s, weights=None if weight is None else rows.w, scoring_function=scoring)
    expected = polars.DataFrame(frame).row(0, named=True)
    for part, name in (("mcb", "miscalibration"), ("dsc", "discrimination"), ("unc", "uncertainty")):
        assert getattr(found, f"{prefix}_{part}").value == pytest.approx(expected[name], abs=1e-9)


def test_a_score_of_one_belongs_to_the_last_bin_and_empty_bins_are_listed():
    rows = pd.DataFrame({"s": [0.0, 1.0, 1.0, 0.95], "y": [0, 1, 0, 1]})
    bins = calibrate(score_summary(rows, label="y", score="s"), bins=10, replicates=0).bins
    assert [one.n for one in bins] == [1, 0, 0, 0, 0, 0, 0, 0, 0, 3]
    assert (bins[1].mean_score, bins[1].event_rate, bins[1].interval) == (None, None, None)
    assert bins[9].mean_score == pytest.approx(2.95 / 3)


def test_edges_that_are_scores_belong_to_the_bin_above():
    rows = pd.DataFrame({"s": np.arange(11) / 10, "y": np.arange(11) % 2})
    bins = calibrate(score_summary(rows, label="y", score="s"), bins=10, replicates=0).bins
    assert [one.n for one in bins] == [1] * 9 + [2]


@pytest.mark.parametrize("weight", [None, "w"])
def test_bins_are_those_of_their_rows(weight):
    rows = _rows()
    found = calibrate(score_summary(rows, label="y", score="s", weight=weight), bins=10, replicates=0).bins
    for i, one in enumerate(found):
        part = rows[np.minimum((rows.s * 10 + 1e-9).astype(int), 9) == i]
        w = np.ones(len(part)) if weight is None else part.w
        assert (one.lower, one.upper, one.n) == (i / 10, (i + 1) / 10, len(part))
        assert one.weight == pytest.approx(w.sum(), abs=1e-6)
        rate, trials = np.average(part.y, weights=w), w.sum() ** 2 / (w**2).sum()
        assert one.mean_score == pytest.approx(np.average(part.s, weights=w), abs=1e-9)
        assert one.event_rate == pytest.approx(rate, abs=1e-9)
        limits = proportion_confint(rate * trials, trials, 0.05, "wilson")
        assert one.interval == pytest.approx(limits, abs=1e-8)


@pytest.mark.parametrize("weight", [None, "w"])
def test_noise_of_calibration_errors_is_that_of_their_rows(weight):
    rows = _rows(digits=15)
    table = reliability(score_summary(rows, label="y", score="s", weight=weight))
    w = (np.ones(len(rows)) if weight is None else rows.w).astype(float)
    lanes = {"w": w, "ww": w**2, "y": w * rows.y, "gap": w * (rows.s - rows.y), "spread": w * rows.s * (1 - rows.s)}
    bins = pd.DataFrame(lanes).groupby(np.minimum((rows.s * 15).astype(int), 14)).sum()
    rate, share, effective = bins.y / bins.w, bins.w / w.sum(), bins.w**2 / bins.ww
    # The variance of a bin's sum of labels: that of calibrated scores, or that of its event rate where larger.
    variance = np.maximum(bins.spread, bins.w * rate * (1 - rate)) * bins.ww / bins.w
    made = calibration_norm(table, "sum")
    assert made.deviation[0] == pytest.approx(np.sqrt(variance) / w.sum(), rel=1e-6)
    assert made.value[0] == pytest.approx((share * (bins.gap / bins.w).abs()).sum(), abs=1e-9)
    bias = (share * rate * (1 - rate) / (effective - 1)).sum()
    squared = (share * (bins.gap / bins.w) ** 2).sum() - bias
    assert calibration_norm(table, "root_mean_square").value[0] == pytest.approx(np.sqrt(squared), abs=1e-9)


def test_small_weights_say_what_large_ones_say():
    rows = _rows(n=200)
    large, small = (
        calibrate(score_summary(rows.assign(w=rows.w * scale), label="y", score="s", weight="w"), replicates=2)
        for scale in (1.0, 2.0**-20)
    )
    assert (large.metrics, large.corp, large.corp_band) == (small.metrics, small.corp, small.corp_band)
    rates = [[(one.event_rate, one.interval) for one in report.bins] for report in (large, small)]
    assert rates[0] == rates[1]
    for name in ("spiegelhalter", "hosmer_lemeshow", "ecce_test", "cox_test"):
        assert getattr(large, name) == getattr(small, name), name


def test_equal_mass_bins_have_equal_mass():
    bins = calibrate(score_summary(_rows(digits=12), label="y", score="s"), replicates=0).bins_equal_mass
    assert sum(one.n for one in bins) == 3000
    assert max(abs(one.n - 200) for one in bins) <= 2
    assert (bins[0].lower, bins[-1].upper) == (0.0, 1.0)
    score = _rows(digits=12).s
    for one in bins:
        assert one.n == ((score >= one.lower) & (score < one.upper)).sum()


def test_equal_mass_by_hand():
    # Of 8 in all the middles lie at .5, 2.5, 4.5 and 6.5, and the thirds end at 2.67 and 5.33.
    assert equal_mass_member(np.array([1.0, 3.0, 1.0, 3.0]), 3).tolist() == [0, 0, 1, 2]


def test_one_bin_holds_everything_and_none_is_refused():
    rows = _rows(n=50)
    summary = score_summary(rows, label="y", score="s")
    for binning in ("width", "mass"):
        (one,) = reliability(summary, 1, binning).bins()
        assert (one.lower, one.upper, one.n, one.event_rate) == (0, 1, 50, pytest.approx(rows.y.mean()))
        with pytest.raises(InputError, match="bins"):
            reliability(summary, 0, binning)


def test_the_report_is_deterministic_and_consistent():
    summary = score_summary(_rows(), label="y", score="s")
    first, second = calibrate(summary, seed=3), calibrate(summary, seed=3)
    assert first == second
    for name in CALIBRATION_METRICS:
        one = getattr(first.metrics, name)
        assert one.interval[0] <= one.value <= one.interval[1], name
        assert calibration_bounds(summary, name, seed=3).value == one.value
    assert first.corp == tuple(sorted(first.corp))
    assert all(low <= high for _, low, high in first.corp_band)
    assert sum(first.histogram.negative) + sum(first.histogram.positive) == 3000


def test_the_consistency_band_holds_a_calibrated_curve():
    rng = np.random.default_rng(8)
    score = rng.random(20_000)
    rows = pd.DataFrame({"s": score, "y": (rng.random(20_000) < score).astype(int)})
    report = calibrate(score_summary(rows, label="y", score="s"))
    curve = np.array(report.corp)
    place, lower, upper = np.array(report.corp_band).T
    fitted = np.interp(place, curve[:, 0], curve[:, 1])
    assert np.mean((lower - 1e-9 <= fitted) & (fitted <= upper + 1e-9)) > 0.85


@pytest.mark.parametrize("shape", [(1.0, 1.3), (0.3, 8.0), (0.5, 60.0)])
def test_the_band_is_that_of_ungrouped_score_bins(shape, monkeypatch):
    rng = np.random.default_rng(8)
    score = rng.beta(*shape, 1_000_000)
    rows = pd.DataFrame({"s": score, "y": (rng.random(len(score)) < score).astype(int)})
    summary = score_summary(rows, label="y", score="s")
    bands = {}
    for grouped in (True, False):
        if not grouped:
            monkeypatch.setattr(corp, "band_groups", lambda weight: np.arange(len(weight)))
            monkeypatch.setattr(corp, "MAX_POINTS", 10**6)
        bands[grouped] = np.array(corp.consistency_band(summary, replicates=400, seed=grouped)).T
    place, lower, upper = bands[False]
    # At quantiles of the scores; a band of 200 replicates is off by 0.03 of its width in the median, 0.1 at the 95th.
    at = np.quantile(score, np.linspace(0.005, 0.999, 200))
    fine = np.interp(at, place, lower), np.interp(at, place, upper)
    coarse = (np.interp(at, bands[True][0], one) for one in bands[True][1:])
    off = np.abs(np.array(fine) - np.array([*coarse])) / (fine[1] - fine[0])
    assert np.median(off) < 0.05
    assert np.quantile(off, 0.95) < 0.15


def test_spiegelhalter_is_the_row_by_row_statistic():
    rows = _rows(digits=15)
    s, y = rows.s, rows.y
    z = ((y - s) * (1 - 2 * s)).sum() / np.sqrt(((1 - 2 * s) ** 2 * s * (1 - s)).sum())
    found = calibrate(score_summary(rows, label="y", score="s"), replicates=0).spiegelhalter
    assert found.z == pytest.approx(z, rel=1e-6)


def test_hosmer_lemeshow_by_hand():
    # Ten groups of a hundred rows, with the scores .05, .15 ... .95.
    score = np.repeat((np.arange(10) + 0.5) / 10, 100)
    observed = np.array([8, 15, 22, 33, 44, 55, 66, 77, 88, 97])
    label = np.concatenate([np.arange(100) < events for events in observed]).astype(int)
    expected = 100 * (np.arange(10) + 0.5) / 10
    by_hand = ((observed - expected) ** 2 / (expected * (1 - expected / 100))).sum()
    rows = pd.DataFrame({"s": score, "y": label, "w": 3})
    for weight in (None, "w"):  # three times the weight is no more rows
        found = calibrate(score_summary(rows, label="y", score="s", weight=weight), replicates=0).hosmer_lemeshow
        assert found.p_value == pytest.approx(stats.chi2.sf(by_hand, 10), rel=1e-9)
        assert found.chi_squared == pytest.approx(by_hand, rel=1e-9)
        assert found.degrees_of_freedom == 10


def test_hosmer_lemeshow_is_undefined_where_no_event_is_expected():
    rows = pd.DataFrame({"s": [0.0] * 10 + [0.5] * 90, "y": [0] * 55 + [1] * 45})
    found = calibrate(score_summary(rows, label="y", score="s"), replicates=0).hosmer_lemeshow
    assert (found.chi_squared, found.p_value) == (None, None)


def test_p_values_are_uniform_where_the_model_is_calibrated():
    rng = np.random.default_rng(11)
    found = []
    for _ in range(300):
        s = rng.beta(0.8, 1.2, 1500)
        rows = pd.DataFrame({"s": s, "y": (rng.random(1500) < s).astype(int)})
        summary = score_summary(rows, label="y", score="s")
        tests = (hosmer_lemeshow(summary), ecce_test(Gaps(summary)), spiegelhalter(summary))
        found.append([one.p_value for one in tests])
    for p_values in np.array(found).T:
        assert stats.kstest(p_values, "uniform").pvalue > 0.001


def test_brier_interval_covers():
    rng = np.random.default_rng(9)
    covered = 0
    for _ in range(300):
        s = rng.beta(1, 1, 100)
        rows = pd.DataFrame({"s": s, "y": (rng.random(100) < s).astype(int)})
        bounds = calibration_bounds(score_summary(rows, label="y", score="s"), "brier")
        covered += bounds.lower(0.025) <= 1 / 6 <= bounds.upper(0.025)
    assert covered / 300 >= 0.92


def test_bins_that_do_not_divide_the_grid_are_refused():
    with pytest.raises(InputError, match="divisor of 3840"):
        calibrate(score_summary(_rows(), label="y", score="s"), bins=7)
