"""Calibration errors are biased upwards by noise; their limits may not be."""

import numpy as np
import pytest
from scipy import optimize, stats

from mlflow_eval_plugin.stats.binary.calibration.report import calibration_bounds
from mlflow_eval_plugin.stats.binary.summary import SCORE_BINS, ScoreSummary
from mlflow_eval_plugin.stats.inference.norms import EMPTY, NoisyNorm, binned_norm

TRIALS = 400


def _summary(score, label) -> ScoreSummary:
    """What the engine would count, without its data frame."""
    bins = np.minimum((score * SCORE_BINS).astype(int), SCORE_BINS - 1)
    key = 2 * bins + label

    def count(amount):
        return np.rint(np.bincount(key, amount, 2 * SCORE_BINS)).astype(np.int64).reshape(-1, 2)

    ones, offset = np.ones(len(score)), score * SCORE_BINS - bins
    lanes = [ones, ones * 2**32, ones * 2**32, np.rint(offset * 2**32), np.rint(offset**2 * 2**32), 0 * ones, 0 * ones]
    return ScoreSummary(*(count(lane) for lane in lanes), weight_scale=1.0, weighted=False)


@pytest.mark.parametrize("metric", ["ece_equal_width", "ece_equal_mass", "ece_debiased", "max_calibration_error"])
@pytest.mark.parametrize("n", [300, 5000])
def test_a_calibrated_model_is_not_failed_more_often_than_alpha(metric, n):
    # The hardest tolerance is just above 0.
    rng = np.random.default_rng(n)
    trials = TRIALS // 4
    failed = 0
    for _ in range(trials):
        score = rng.beta(0.7, 1.5, n)
        label = (rng.random(n) < score).astype(int)
        failed += calibration_bounds(_summary(score, label), metric).lower(0.05) > 1e-9
    assert failed <= trials * 0.05 + 3 * np.sqrt(trials * 0.05 * 0.95)


@pytest.mark.parametrize("spread", ["one bin", "all bins", "noise only"])
@pytest.mark.parametrize("kind", ["sum", "maximum", "root_mean_square"])
def test_both_limits_hold_wherever_the_true_gaps_lie(kind, spread):
    rng = np.random.default_rng(7)
    deviation = np.linspace(0.2, 3.0, 15) * 0.002
    gaps = {"one bin": np.eye(15)[3] * 0.02, "all bins": np.full(15, 0.004), "noise only": np.zeros(15)}[spread]
    norm = {"sum": np.abs(gaps).sum(), "maximum": gaps.max(), "root_mean_square": np.sqrt((gaps**2).sum())}[kind]
    trials = 4000
    observed = gaps + rng.normal(size=(trials, 15)) * deviation
    tau = np.broadcast_to(deviation, (trials, 15))
    correction = np.full(trials, (deviation**2).sum())
    made = NoisyNorm(observed, tau, np.full(trials, 100), "", kind, correction)
    lower, upper = made.limits(0.05, exact=True)
    tolerance = 0.05 + 3 * np.sqrt(0.05 * 0.95 / trials)
    assert np.mean(lower > norm) <= tolerance
    assert np.mean(upper < norm) <= tolerance
    assert ((lower <= made.value) & (made.value <= upper)).all()


def test_a_badly_calibrated_model_is_failed():
    rng = np.random.default_rng(1)
    score = rng.random(5000)
    label = (rng.random(5000) < score**2).astype(int)
    assert calibration_bounds(_summary(score, label), "ece_equal_width").lower(0.001) > 0.05


def test_a_calibrated_model_passes_a_reasonable_tolerance():
    rng = np.random.default_rng(2)
    score = rng.random(20_000)
    label = (rng.random(20_000) < score).astype(int)
    assert calibration_bounds(_summary(score, label), "ece_equal_width").upper(0.05) < 0.02


def test_an_empty_norm_is_undefined():
    made = NoisyNorm(np.full((1, 3), np.nan), np.full((1, 3), np.nan), np.zeros(1, dtype=np.int64), "no rows")
    assert np.isnan(made.value).all()


# Three bins, one of them empty, in the first of two slices.
GAPS = np.array([[0.06, -0.03, np.nan], [0.02, 0.05, -0.04]])
NOISE = np.array([[0.02, 0.01, np.nan], [0.01, 0.03, 0.02]])
ROWS = np.array([90, 120])


@pytest.mark.parametrize("alpha", [0.3, 0.05, 0.001])
def test_limits_of_a_sum_are_those_of_its_definition(alpha):
    made = NoisyNorm(GAPS, NOISE, ROWS, "")
    lower, upper = made.limits(alpha, exact=True)
    assert made.value == pytest.approx([0.09, 0.11])
    mean, variance, skewness = (float(one) for one in stats.halfnorm.stats(moments="mvs"))
    for i, tau in enumerate((NOISE[0, :2], NOISE[1])):
        # The noise by its three moments, as Pearson's type III.
        spread = np.sqrt(variance * (tau**2).sum())
        skew = skewness * variance**1.5 * (tau**3).sum() / spread**3
        noise = stats.pearson3.isf(alpha, skew, loc=mean * tau.sum(), scale=spread)
        assert lower[i] == pytest.approx(max(made.value[i] - noise, 0), abs=1e-9)
        z, root = stats.norm.isf(alpha), np.sqrt((tau**2).sum())

        def short(location, tau=tau, z=z, root=root, raw=made.value[i]):
            folded, spread = stats.foldnorm.stats(location, moments="mv")
            return folded * tau.sum() - z * np.sqrt(spread) * root - raw

        found = optimize.brentq(short, 0.1, 50) * tau.sum()
        assert upper[i] == pytest.approx(min(found, made.value[i] + z * root), abs=1e-9)


def test_gaps_far_above_their_noise_have_normal_limits():
    # A thousand pairs, so that rounding goes either way at the end of the search.
    rng = np.random.default_rng(0)
    gaps, noise = rng.uniform(0.1, 0.4, (1000, 2)), rng.uniform(0.0005, 0.002, (1000, 2))
    upper = NoisyNorm(gaps, noise, np.full(1000, 9), "").limits(0.05, exact=True)[1]
    assert upper == pytest.approx(gaps.sum(axis=1) + 1.6448536 * np.sqrt((noise**2).sum(axis=1)), abs=1e-8)


def test_a_sum_below_that_of_its_noise_is_its_own_upper_limit():
    # Fifteen gaps of noise alone would make .8 * 15 * .05 = .6, and next to never so little as .015.
    for count in (15, 16):
        made = NoisyNorm(np.full((1, count), 0.001), np.full((1, count), 0.05), ROWS[:1], "")
        for alpha in (0.05, 0.01, 1e-6):
            assert made.limits(alpha, exact=True)[1][0] == made.value[0]


@pytest.mark.parametrize("alpha", [0.3, 0.05, 0.001])
def test_limits_of_a_root_mean_square_are_those_of_its_definition(alpha):
    correction = np.array([0.0004, 0.0005])
    made = NoisyNorm(GAPS * 2, NOISE, ROWS, "", "root_mean_square", correction)
    lower, upper = made.limits(alpha, exact=True)
    # .12**2 + .06**2 = .018 and .04**2 + .1**2 + .08**2 = .018, less what noise adds.
    assert made.value == pytest.approx(np.sqrt([0.0176, 0.0175]))
    z = stats.norm.isf(alpha)
    for i, variance in enumerate((NOISE[0, :2] ** 2, NOISE[1] ** 2)):
        nearest = np.sqrt(0.018) - np.sqrt(variance.sum()) - z * np.sqrt(variance.max())
        assert lower[i] == pytest.approx(max(nearest, 0), abs=1e-9)

        def short(theta, variance=variance):
            deviation = np.sqrt(2 * (variance**2).sum() + 4 * theta**2 * variance.max())
            return theta**2 + variance.sum() - z * deviation - 0.018

        assert upper[i] == pytest.approx(optimize.brentq(short, 0.1, 1), abs=1e-9)
    assert NoisyNorm(GAPS, NOISE, ROWS, "", "root_mean_square", correction * 100).value == pytest.approx([0, 0])
    assert NoisyNorm(GAPS * 2, NOISE, ROWS, "", "root_mean_square").value == pytest.approx(np.sqrt([0.018, 0.018]))


def test_limits_of_a_maximum_by_hand():
    # At .05: normal quantiles of .05 / 4 and .05 / 6 below, 2.241403 and 2.393980, and of .05 above, 1.644854.
    made = NoisyNorm(GAPS, NOISE, ROWS, "", "maximum")
    lower, upper = made.limits(0.05, exact=True)
    assert made.value == pytest.approx([0.06, 0.05])
    assert lower == pytest.approx([0.06 - 0.02 * 2.241403, 0], abs=1e-7)
    assert upper == pytest.approx([0.06 + 0.02 * 1.644854, 0.05 + 0.03 * 1.644854], abs=1e-7)
    lower, _ = NoisyNorm(GAPS, NOISE / 10, ROWS, "", "maximum").limits(0.05, exact=True)
    assert lower == pytest.approx([0.06 - 0.002 * 2.241403, 0.05 - 0.003 * 2.393980], abs=1e-7)


def test_one_bin_has_the_limits_of_one_gap():
    # At .05, halved for the sign below: .1 - .02 * 1.959964, .1 + .02 * 1.644854.
    made = NoisyNorm(np.array([[0.1, np.nan]]), np.array([[0.02, np.nan]]), ROWS[:1], "", "maximum")
    lower, upper = made.limits(0.05, exact=True)
    assert (lower[0], upper[0]) == (pytest.approx(0.0608007, abs=1e-7), pytest.approx(0.1328971, abs=1e-7))


@pytest.mark.parametrize("kind", ["sum", "root_mean_square", "maximum"])
def test_gaps_of_the_other_sign_are_as_large(kind):
    up, down = (NoisyNorm(sign * GAPS, NOISE, ROWS, "", kind) for sign in (1, -1))
    assert np.array_equal(up.value, down.value)
    assert np.array_equal(up.limits(0.05, exact=True), down.limits(0.05, exact=True))


def test_beyond_a_half_a_root_mean_square_has_the_lower_limit_of_a_half():
    made = NoisyNorm(GAPS * 2, NOISE, ROWS, "", "root_mean_square")
    assert np.array_equal(made.limits(0.9, exact=True)[0], made.limits(0.5, exact=True)[0])


@pytest.mark.parametrize("kind", ["sum", "root_mean_square", "maximum"])
def test_limits_enclose_the_value_between_0_and_1(kind):
    gaps = np.array([[0.5, 0.4], [0.0, 0.0], [0.9, 0.02]])
    made = NoisyNorm(gaps, np.array([[0.5, 0.5], [0.1, 0.0], [0.0, 0.0]]), np.full(3, 9), "", kind)
    for alpha in (0.01, 0.5, 0.9):
        lower, upper = made.limits(alpha, exact=True)
        assert ((lower >= 0) & (lower <= made.value) & (made.value <= upper) & (upper <= 1)).all()
    lower, upper = made.limits(0.01, exact=True)
    assert (lower[0], upper[0]) == (0, 1)
    assert lower[2] == pytest.approx(made.value[2], abs=1e-9) and upper[2] == pytest.approx(made.value[2], abs=1e-9)


def test_norms_of_bins_by_hand():
    # Thirty rows of a mean gap of .3, ten of -.4, two of .3, one of .5, none: shares of 43.
    weight, events = np.array([[30.0, 10.0, 2.0, 1.0, 0.0]]), np.array([[12.0, 7.0, 1.0, 1.0, 0.0]])
    gap, variance = np.array([[9.0, -4.0, 0.6, 0.5, 0.0]]), np.array([[6.0, 2.0, 0.4, 0.2, 0.0]])
    made = {
        kind: binned_norm(weight, events, gap, variance, weight, np.array([43]), kind)
        for kind in ("sum", "root_mean_square", "maximum")
    }
    assert made["sum"].value == pytest.approx([14.1 / 43])
    assert made["sum"].deviation[0, :4] == pytest.approx(np.sqrt([6, 2, 0.4, 0.2]) / 43)
    assert made["maximum"].value == pytest.approx([0.5])
    each = np.sqrt([6, 2, 0.4, 0.2]) / [30, 10, 2, 1]
    assert made["maximum"].deviation[0, :4] == pytest.approx(each)
    # A bin of one row does not count; of the others r (1 - r) / (n - 1) is taken away.
    squared = (30 * (0.09 - 0.24 / 29) + 10 * (0.16 - 0.21 / 9) + 2 * (0.09 - 0.25)) / 43
    assert made["root_mean_square"].value == pytest.approx([np.sqrt(squared)])
    assert made["root_mean_square"].deviation[0, :3] == pytest.approx(np.sqrt([6 / 30, 2 / 10, 0.4 / 2]) / np.sqrt(43))
    assert np.isnan(made["root_mean_square"].gap[0, 3:]).all()


def test_a_norm_without_a_bin_of_two_rows_says_so():
    one, rows = np.ones((1, 1)), np.array([1])
    alone = binned_norm(one, one, one / 2, one / 4, one, rows, "root_mean_square")
    assert np.isnan(alone.value).all() and alone.reason == "no bin has two rows"
    assert binned_norm(one, one, one / 2, one / 4, one, rows, "sum").reason == EMPTY
    none = binned_norm(0 * one, 0 * one, 0 * one, 0 * one, 0 * one, 0 * rows, "root_mean_square")
    assert np.isnan(none.value).all() and none.reason == EMPTY
