"""Means of row values where few rows, or no event among them, say little: the limits must not say more."""

import numpy as np
import pandas as pd
import pytest

from mlflow_eval_plugin.engines.arrow import score_summary, slice_summary
from mlflow_eval_plugin.engines.slicing import Slicing
from mlflow_eval_plugin.stats.binary.calibration.report import calibration_bounds
from mlflow_eval_plugin.stats.binary.disaggregated import metric_bounds
from mlflow_eval_plugin.stats.binary.table import SliceTable
from mlflow_eval_plugin.stats.inference.checks import Claim, judge
from mlflow_eval_plugin.stats.inference.means import Sums, brier, calibrated_loss, in_the_large, log_loss

SLICES = 300
NOISE = 2.5 * np.sqrt(0.05 * 0.95 / SLICES)
# What a row with a score expects, by the rate of the positive label among such rows.
TRUTH = {
    "brier": lambda s, rate: rate * (1 - s) ** 2 + (1 - rate) * s**2,
    "log_loss": lambda s, rate: -(rate * np.log(s) + (1 - rate) * np.log(1 - s)),
    "calibration_in_the_large": lambda s, rate: s - rate,
}
SHAPES = {
    "rare": lambda rng, n: np.full(n, 0.05),
    "skewed": lambda rng, n: rng.beta(1, 19, n),
    "wide": lambda rng, n: rng.beta(2, 3, n),
    "both ends": lambda rng, n: rng.beta(0.7, 0.7, n),
    "below a fifth": lambda rng, n: 0.2 * rng.random(n),
}


def _drawn(shape, rows, rate=lambda s: s):
    rng = np.random.default_rng(0)
    score = np.clip(SHAPES[shape](rng, rows * SLICES), 1e-4, 1 - 1e-4)
    label = (rng.random(len(score)) < rate(score)).astype(int)
    label[0] = 1  # both classes have to occur
    return score, label


def _sliced(score, label, rows):
    groups = pd.DataFrame({"g": np.repeat(np.arange(SLICES), rows).astype(str)})
    return SliceTable(
        slice_summary(groups, label=label, score=score, slicing=Slicing(["g"], depth=1, max_levels=SLICES))
    )


@pytest.mark.parametrize("rows", [10, 30, 100])
@pytest.mark.parametrize("shape", ["rare", "skewed", "wide"])
def test_limits_of_means_hold_in_small_slices(shape, rows):
    score, label = _drawn(shape, rows)
    table = _sliced(score, label, rows)
    for metric, expected in TRUTH.items():
        lower, upper = (side[1:] for side in table.metric(metric).limits(0.05, exact=True))
        truth = expected(score, score).mean()
        assert (lower > truth).mean() <= 0.05 + NOISE, metric
        assert (upper < truth).mean() <= 0.05 + NOISE, metric


@pytest.mark.parametrize("rows", [10, 30, 100])
@pytest.mark.parametrize(
    ("shape", "rate"),
    [
        ("wide", lambda s: 0.5),
        ("wide", lambda s: 0.05),
        ("both ends", lambda s: 1 - s),
        ("both ends", lambda s: 0.3 + 0.4 * s),
        ("below a fifth", lambda s: 0 * s),
    ],
    ids=["of no use", "far too high", "reversed", "overconfident", "no event"],
)
def test_limits_of_means_hold_where_scores_are_not_calibrated(shape, rate, rows):
    # The scores then add to the variance of the labels, rather than account for some of it.
    score, label = _drawn(shape, rows, rate)
    table = _sliced(score, label, rows)
    for metric in ("brier", "calibration_in_the_large"):
        lower, upper = (side[2:] for side in table.metric(metric).limits(0.05, exact=True))
        truth = TRUTH[metric](score, rate(score)).mean()
        assert (lower > truth).mean() <= 0.05 + NOISE, metric
        assert (upper < truth).mean() <= 0.05 + NOISE, metric


def test_thirty_rows_without_an_event_are_no_proof():
    # The rate can be 1 - .05 ** (1 / 30) = .095, so neither "too high by .05" nor "a Brier score below .04" is shown.
    rows = pd.DataFrame({"g": ["a"] * 30 + ["b"] * 30})
    summary = slice_summary(
        rows, label=np.repeat([0, 1], 30), score=np.repeat([0.1, 0.9], 30), slicing=Slicing(["g"], depth=1)
    )  # fmt: skip
    claims = [
        Claim("large", "", "calibration_in_the_large", "g=a", metric_bounds(summary, "calibration_in_the_large", "g=a"),
              minimum=-0.05, maximum=0.05),
        Claim("brier", "", "brier", "g=a", metric_bounds(summary, "brier", "g=a"), maximum=0.04),
        Claim("log loss", "", "log_loss", "g=a", metric_bounds(summary, "log_loss", "g=a"), maximum=0.2),
    ]  # fmt: skip
    assert [check.verdict for check in judge(claims).checks] == ["insufficient"] * 3


@pytest.mark.parametrize("rate", [None, 0.2, 0.8])
@pytest.mark.parametrize("metric", TRUTH)
def test_many_rows_have_the_limits_of_the_central_limit_theorem(metric, rate):
    rng = np.random.default_rng(3)
    score = rng.beta(2, 3, 40_000)
    label = (rng.random(40_000) < (rate or score)).astype(int)
    weight = rng.integers(1, 4, 40_000).astype(float)
    values = {
        "brier": (score - label) ** 2,
        "log_loss": -np.log(np.where(label == 1, score, 1 - score)),
        "calibration_in_the_large": score - label,
    }[metric]
    mean = np.average(values, weights=weight)
    error = np.sqrt(np.average((values - mean) ** 2, weights=weight) * (weight**2).sum()) / weight.sum()
    rows = pd.DataFrame({"g": ["a"] * 40_000})
    overall = calibration_bounds(score_summary(rows, label=label, score=score, weight=weight), metric)
    sliced = slice_summary(rows, label=label, score=score, weight=weight, slicing=Slicing(["g"], depth=1))
    for bounds in (overall, metric_bounds(sliced, metric, "g=a")):
        assert bounds.value == pytest.approx(mean, abs=1e-7)
        assert bounds.lower(0.025) == pytest.approx(mean - 1.96 * error, abs=0.03 * error)
        assert bounds.upper(0.025) == pytest.approx(mean + 1.96 * error, abs=0.03 * error)


def test_scores_of_zero_and_one_without_an_error_have_the_limits_of_a_proportion():
    label = np.repeat([0, 1], 15)
    summary = score_summary(pd.DataFrame(index=range(30)), label=label, score=label.astype(float))
    assert calibration_bounds(summary, "brier").upper(0.05) == pytest.approx(1 - 0.05 ** (1 / 30), abs=1e-9)
    assert calibration_bounds(summary, "calibration_in_the_large").upper(0.05) > 0.05


def _sums(rows):
    return Sums(np.array([rows]), np.array([float(rows)]), np.array([float(rows)]))


def _each(*sums):
    return [np.array([float(one)]) for one in sums]


def test_a_brier_score_by_hand():
    # Mean .1 of four, variance (.02 - .01) * 4 / 3, of which .1 * .9 is 6.75 times as much.
    made = brier(_sums(4), *_each(0.4, 0.08, 0.8, 0.2))
    assert (made.value[0], made.trials[0]) == (pytest.approx(0.1), pytest.approx(4 * 6.75))
    # Without variance among the rows, that of calibrated scores: .2 - 3 * .05 - .04 = .01.
    assert brier(_sums(4), *_each(0.4, 0.04, 0.8, 0.2)).trials == pytest.approx([4 * 9])


def test_calibration_in_the_large_by_hand():
    # Rate 1/4, mean score 1/2: the largest of (.15 - .0625) * 4 / 3, .2 and 3 / 4 is more than 1/4 * 3/4.
    few = in_the_large(_sums(4), *_each(2, 1, 0.6, 0.8))
    assert (few.value[0], few.trials[0], few.beyond[0]) == (0.25, 4, 0)
    # Rate 1/2, mean score .4: the variance is the largest of (.15 - .01) * n / (n - 1), the scores' own, and 3 / n.
    made = in_the_large(_sums(400), *_each(160, 200, 60, 80))
    assert (made.value[0], made.trials[0]) == (pytest.approx(-0.1), pytest.approx(400 * 0.25 / 0.2))
    of_rows = in_the_large(_sums(400), *_each(160, 200, 60, 20))
    assert of_rows.trials == pytest.approx([400 * 0.25 / (0.14 * 400 / 399)])
    of_none = in_the_large(_sums(400), *_each(160, 200, 4, 0))
    assert of_none.trials == pytest.approx([400 * 0.25 / 0.0075])
    # Rows that vary by (.41 - .01) * 400 / 399 have that less 1/4 beyond the variance of 400 labels.
    wide = in_the_large(_sums(400), *_each(160, 200, 164, 80))
    assert (wide.trials[0], wide.beyond[0]) == (400, pytest.approx((0.4 * 400 / 399 - 0.25) / 400))


def test_calibration_in_the_large_varies_at_least_as_calibrated_scores_would():
    # Scores of .6 and .4 that are always right: s - y varies by .16, and would by .6 * .4 = .24.
    label = np.repeat([0, 1], 200)
    rows = pd.DataFrame({"g": ["a"] * 400})
    table = SliceTable(slice_summary(rows, label=label, score=0.4 + 0.2 * label, slicing=Slicing(["g"], depth=1)))
    assert table.metric("calibration_in_the_large").trials == pytest.approx([400 * 0.25 / 0.24] * 2, rel=1e-3)


def test_limits_of_calibration_in_the_large_are_those_of_a_difference_of_shares():
    # Two rows, as wrong as can be: nothing is known, and no score differs from a label by more than one.
    made = in_the_large(_sums(2), *_each(1, 1, 1.62, 0.18))
    for exact in (False, True):
        lower, upper = made.limits(0.025, exact=exact)
        assert (lower[0], upper[0]) == (-1.0, 1.0)


def test_a_log_loss_by_hand():
    # Mean .5 of four, variance (.35 - .25) * 4 / 3, or that of calibrated scores, .3 - .25 or .5 - .25.
    made = log_loss(_sums(4), *_each(2, 1.4, 2, 1.2))
    assert (made.value[0], made.standard_error[0]) == (0.5, pytest.approx(np.sqrt(0.1 / 3)))
    assert log_loss(_sums(4), *_each(2, 1.4, 2, 2)).standard_error == pytest.approx([0.25])


def test_the_loss_of_a_calibrated_score_by_hand():
    # .25 ln 4 + .75 ln(4 / 3) = .562335, .25 ln(4)**2 + .75 ln(4 / 3)**2 = .542523.
    expected, square = calibrated_loss(np.array([0.0, 0.25, 0.75, 1.0]))
    assert expected == pytest.approx([0, 0.562335, 0.562335, 0], abs=1e-6)
    assert square == pytest.approx([0, 0.542523, 0.542523, 0], abs=1e-6)


def test_means_of_nothing_and_of_one_row():
    assert np.isnan(brier(_sums(0), *_each(0, 0, 0, 0)).value).all()
    one = log_loss(_sums(1), *_each(0.5, 0.26, 0.1, 0.01))
    lower, upper = one.limits(0.025, exact=True)
    assert (one.value[0], lower[0], upper[0]) == (0.5, 0, np.inf)
    light = Sums(np.array([3]), np.array([0.5]), np.array([3.0]))
    assert light.mean(np.array([0.25])) == pytest.approx([0.5])
