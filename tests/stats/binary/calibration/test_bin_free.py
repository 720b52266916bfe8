"""Smooth ECE and ECCE against their definitions row by row, and their limits against simulation."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

from mlflow_eval_plugin.engines.arrow import score_summary
from mlflow_eval_plugin.stats.binary.calibration import bin_free
from mlflow_eval_plugin.stats.binary.calibration.bin_free import Gaps, ecce, range_exceeded, range_quantile, smooth_ece
from mlflow_eval_plugin.stats.binary.summary import SCORE_BINS
from mlflow_eval_plugin.stats.inference.estimate import bounds_at


def _gaps(score, label, weight=None) -> Gaps:
    rows = pd.DataFrame({"s": score, "y": label})
    return Gaps(score_summary(rows, label="y", score="s", weight=weight))


def _smoothed_row_by_row(score, label, weight, bandwidth):
    """The definition: the integral of |sum_i w_i K(t, s_i) (s_i - y_i)| / sum w, with the images of K written out."""
    t = np.linspace(0, 1, 40_001)
    total = np.zeros_like(t)
    for s, gap in zip(score, weight * (score - label) / weight.sum(), strict=True):
        for image in (s, -s, 2 - s, s - 2, s + 2):
            total += gap * np.exp(-(((t - image) / bandwidth) ** 2) / 2)
    return integrate.simpson(np.abs(total), x=t) / (bandwidth * math.sqrt(2 * math.pi))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("bandwidth", [0.01, 0.05, 0.3])
def test_smoothed_gaps_are_those_of_the_definition(bandwidth, weighted):
    rng = np.random.default_rng(3)
    score = np.concatenate([rng.beta(0.4, 0.6, 80), [0.0, 1.0, 1.0, 0.5]])
    label = (rng.random(84) < score**1.5).astype(int)
    weight = rng.integers(1, 9, 84).astype(float) if weighted else np.ones(84)
    found = _gaps(score, label, weight if weighted else None).smoothed(bandwidth)
    assert found == pytest.approx(_smoothed_row_by_row(score, label, weight, bandwidth), abs=2e-6)


@pytest.mark.parametrize("bandwidth", [1 / SCORE_BINS, 1e-4, 0.003, 0.1, 1.0])
def test_no_wave_that_a_kernel_leaves_anything_of_is_skipped(bandwidth):
    waves = np.ones(SCORE_BINS)
    expected = np.exp(-((np.arange(SCORE_BINS) * np.pi * bandwidth) ** 2) / 2)
    np.testing.assert_allclose(bin_free._damped(waves, bandwidth), expected, rtol=1e-11, atol=1e-300)


def test_smooth_ece_is_the_bandwidth_that_it_equals():
    rng = np.random.default_rng(4)
    score = rng.random(2000)
    gaps = _gaps(score, (rng.random(2000) < score**1.3).astype(int))
    value = smooth_ece(gaps).value[0]
    assert gaps.smoothed(value) == pytest.approx(value, abs=1e-9)


def test_smooth_ece_of_constant_gaps_is_their_size():
    # By hand: ninety of a hundred rows of each score are positive; smoothing a gap of one sign does not change its sum.
    score = np.repeat(np.linspace(0.2, 0.8, 7), 100)
    label = np.tile(np.arange(100) < 90, 7).astype(int)
    assert smooth_ece(_gaps(score, label)).value[0] == pytest.approx(0.4, abs=1e-6)


def test_perfect_scores_have_no_error():
    gaps = _gaps(np.array([0.0, 0.0, 1.0, 1.0]), np.array([0, 0, 1, 1]))
    for one in (smooth_ece(gaps), ecce(gaps)):
        assert one.value[0] == pytest.approx(0.0, abs=1e-12)
        assert one.limits(0.025, exact=True)[1][0] == pytest.approx(0.0, abs=1e-12)


def test_nothing_is_as_wrong_as_certainty_of_the_other_class():
    gaps = _gaps(np.array([1.0, 1.0, 0.0]), np.array([0, 0, 1]), np.array([1.0, 1.0, 0.0]))
    assert [one(gaps).value[0] for one in (smooth_ece, ecce)] == pytest.approx([1, 1], abs=1e-9)


@pytest.mark.parametrize("weighted", [False, True])
def test_ecce_is_the_range_of_the_cumulative_sum(weighted):
    rng = np.random.default_rng(5)
    score = np.round(rng.random(500), 2)
    label = (rng.random(500) < score**2).astype(int)
    weight = rng.integers(1, 9, 500).astype(float) if weighted else np.ones(500)
    sums = pd.Series(weight * (score - label) / weight.sum()).groupby(score).sum().cumsum()
    gaps = _gaps(score, label, weight if weighted else None)
    assert ecce(gaps).value[0] == pytest.approx(max(sums.max(), 0) - min(sums.min(), 0), abs=1e-9)
    # Rows of one score are taken together, so that nothing is lost in a bin of one score.
    assert ecce(gaps).bound[0] == 0.0


def test_ecce_is_within_its_bound_where_scores_share_a_bin():
    rng = np.random.default_rng(6)
    score = 0.3 + rng.random(400) / 61440 / 2
    label = (np.argsort(np.argsort(score)) < 120).astype(int)
    order = np.argsort(score)
    walk = np.cumsum((score - label)[order]) / 400
    exact = max(walk.max(), 0) - min(walk.min(), 0)
    found = ecce(_gaps(score, label))
    assert 0.1 < abs(found.value[0] - exact) <= found.bound[0]


def test_the_range_of_a_brownian_motion_has_the_moments_of_feller():
    # Feller (1951), "The asymptotic distribution of the range of sums": mean sqrt(8 / pi), mean square 4 log 2.
    size = np.linspace(0, 12, 40_001)
    exceeded = range_exceeded(size)
    assert integrate.simpson(exceeded, x=size) == pytest.approx(math.sqrt(8 / math.pi), abs=1e-6)
    assert integrate.simpson(2 * size * exceeded, x=size) == pytest.approx(4 * math.log(2), abs=1e-6)
    assert (np.diff(exceeded) <= 1e-12).all()
    assert range_exceeded(range_quantile([1e-9, 0.05, 0.5, 0.99])) == pytest.approx([1e-9, 0.05, 0.5, 0.99], rel=1e-6)
    assert range_quantile(0.0) == math.inf
    assert range_quantile(1.0) == 0.0


@pytest.mark.parametrize("statistic", [smooth_ece, ecce])
@pytest.mark.parametrize("n", [40, 400])
def test_both_limits_hold_for_calibrated_and_for_other_models(statistic, n):
    # The truth of each model: the statistic of its own gaps, without noise, on a fine grid of scores.
    trials, alpha = 150, 0.05
    for power in (1.0, 1.15, 2.0):
        rng = np.random.default_rng(int(n + 100 * power))
        grid = (np.arange(20_000) + 0.5) / 20_000
        both = np.concatenate([grid, grid]), np.repeat([1, 0], 20_000)
        truth = statistic(_gaps(*both, np.concatenate([grid**power, 1 - grid**power]))).value[0]
        missed = np.zeros(2)
        for _ in range(trials):
            score = rng.random(n)
            bounds = bounds_at(statistic(_gaps(score, (rng.random(n) < score**power).astype(int))), 0)
            missed += bounds.lower(alpha) > truth + 1e-9, bounds.upper(alpha) < truth - 1e-9
        assert (missed <= trials * alpha + 3 * math.sqrt(trials * alpha * (1 - alpha))).all(), power


def test_a_badly_calibrated_model_is_told_from_a_good_one():
    rng = np.random.default_rng(8)
    score = rng.random(5000)
    gaps = _gaps(score, (rng.random(5000) < score**2).astype(int))
    # The integral of s - s**2 is 1/6.
    for one in (smooth_ece(gaps), ecce(gaps)):
        assert bounds_at(one, 0).lower(0.001) > 0.1
        assert bounds_at(one, 0).upper(0.001) < 0.22


def test_limits_of_a_cumulative_sum_by_hand():
    # Two hundred rows of .5, of which 160 are positive: the sum goes to -.3, of a variance of .25 / 200 were the model
    # calibrated.
    gaps = _gaps(np.full(200, 0.5), np.arange(200) < 160)
    made, deviation = ecce(gaps), math.sqrt(0.25 / 200)
    assert (made.value[0], made.deviation) == (pytest.approx(0.3), pytest.approx(deviation))
    lower, upper = made.limits(0.025, exact=True)
    assert lower[0] == pytest.approx(0.3 - float(range_quantile(0.025)) * deviation, abs=1e-9)
    assert upper[0] == pytest.approx(0.3 + 1.959964 * deviation, abs=1e-7)
    # No upper limit is below the value, and none is above 1.
    assert made.limits(0.9, exact=True)[1][0] == made.value[0]
    wrong = ecce(_gaps(np.full(10, 0.95), np.arange(10) < 1))
    assert wrong.limits(1e-9, exact=True)[1][0] == 1


@pytest.mark.parametrize("weighted", [False, True])
def test_expected_smoothed_noise_is_that_of_the_definition(weighted):
    # E |sum w_i K(t, s_i) e_i| / sum w of independent normal e_i is sqrt(2 / pi) times the standard deviation.
    rng = np.random.default_rng(1)
    score = np.concatenate([rng.beta(0.4, 0.6, 80), [0.001, 0.999]])
    weight = rng.integers(1, 9, 82).astype(float) if weighted else np.ones(82)
    gaps = _gaps(score, rng.integers(0, 2, 82), weight if weighted else None)
    bandwidth, t = 0.05, np.linspace(0, 1, 20_001)
    variance = np.zeros_like(t)
    for s, w in zip(score, weight, strict=True):
        kernel = sum(np.exp(-(((t - image) / bandwidth) ** 2) / 2) for image in (s, -s, 2 - s))
        variance += w**2 * s * (1 - s) * (kernel / (bandwidth * math.sqrt(2 * math.pi)) / weight.sum()) ** 2
    expected = math.sqrt(2 / math.pi) * integrate.simpson(np.sqrt(variance), x=t)
    assert gaps.smoothed_noise(bandwidth) == pytest.approx(expected, rel=1e-4)
    assert gaps.deviation == pytest.approx(math.sqrt((weight**2 * score * (1 - score)).sum()) / weight.sum(), rel=1e-6)


def test_rows_on_the_grid_keep_their_sum_and_their_first_moment():
    rng = np.random.default_rng(2)
    score, weight = rng.uniform(0.1, 0.9, 300), rng.integers(1, 5, 300).astype(float)
    label = rng.integers(0, 2, 300)
    placed, gap = _gaps(score, label, weight)._placed, weight * (score - label) / weight.sum()
    middle = (np.arange(len(placed)) + 0.5) / len(placed)
    assert placed.sum() == pytest.approx(gap.sum(), abs=1e-12)
    assert placed @ middle == pytest.approx(gap @ score, abs=1e-12)


@pytest.mark.parametrize(("score", "wrong"), [(1 - 1e-6, 0), (1e-6, 1)])
def test_smoothing_at_either_end_loses_nothing(score, wrong):
    # Nine of ten rows have the label that the score all but excludes: gaps of one sign, which smoothing leaves.
    label = np.full(10, wrong)
    label[0] = 1 - wrong
    for bandwidth in (0.001, 0.3):
        assert _gaps(np.full(10, score), label).smoothed(bandwidth) == pytest.approx(0.9, abs=2e-6)


# The integral of the second derivative's size of a standard normal density, |x**2 - 1| phi(x).
CURVED = integrate.quad(lambda x: abs(x**2 - 1) * stats.norm.pdf(x), -9, 9, points=[-1, 1])[0]


@pytest.mark.parametrize("value", [0.4, 2.5e-5, 1e-6])
def test_limits_of_a_smooth_ece_by_hand(value):
    # A gap of one score, the middle of a bin at .5; the rest is right without a doubt.
    score, label = np.array([30720.5 / 61440, 30720.5 / 61440, 0.0]), np.array([1, 0, 0])
    weight = np.array([0.5 + value, 0.5 - value, 0.5]) if value > 0.1 else np.array([2 * value, 0.0, 1 - 2 * value])
    gaps = _gaps(score, label, weight * 1024)
    share = (weight * (score - label) / weight.sum()).sum()
    found = smooth_ece(gaps)
    # No bandwidth is narrower than a score bin, where the grid shows a kernel to half a percent.
    bandwidth = max(abs(share), 1 / 61440)
    near = abs(share) * (1e-4 if bandwidth > 1 / 61440 else 5e-3)
    assert found.value[0] == pytest.approx(abs(share), abs=near)
    assert found.bound[0] == pytest.approx(abs(share) * CURVED * (1 / 61440 / bandwidth) ** 2 / 2, rel=1e-4)
    assert found.n.tolist() == [3]
    for alpha, z in ((0.025, 1.959964), (0.5, 0.0), (0.9, 0.0)):
        lower, upper = found.limits(alpha, exact=True)
        noise = gaps.smoothed_noise(bandwidth) + z * gaps.deviation
        assert lower[0] == pytest.approx(max(abs(share) - noise, 0), abs=near)
        assert upper[0] == pytest.approx(min(abs(share) + z * gaps.deviation, 1), abs=near)


def test_the_bound_of_a_cumulative_sum_by_hand():
    # A bin of three rows without an event and two with one, whose scores differ: up by 3 * .3 and down by 2 * .7.
    score = 0.3 + np.array([1, 5, 9, 2, 6]) * 1e-6
    label = np.array([0, 0, 0, 1, 1])
    for weight in (1.0, 2.0**-10):
        made = ecce(_gaps(score, label, np.full(5, weight)))
        assert made.bound[0] == pytest.approx((3 * 0.3 + 2 * 0.7) / 5, abs=1e-5)
        assert made.n.tolist() == [5]


def test_a_cumulative_sum_begins_at_nothing():
    # Gaps of one sign from the first score bin on: the range is from 0 to their sum.
    above = ecce(_gaps(np.array([1.5e-5, 0.5, 1.0]), np.array([0, 0, 1])))
    assert above.value[0] == pytest.approx((1.5e-5 + 0.5) / 3, abs=1e-9)
    below = ecce(_gaps(np.array([0.0, 0.9, 0.0]), np.array([1, 1, 0])))
    assert below.value[0] == pytest.approx(1.1 / 3, abs=1e-9)
    # Noise as large as the value leaves nothing to be sure of.
    assert above.limits(0.05, exact=True)[0][0] == 0
