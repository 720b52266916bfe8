"""Means of row values where few rows, or no event among them, say little: the limits must not say more."""

import numpy as np
import pandas as pd
import pytest

from mlflow_eval_plugin.engines import score_summary, slice_summary
from mlflow_eval_plugin.stats.calibration import calibration_bounds
from mlflow_eval_plugin.stats.checks import Claim, judge
from mlflow_eval_plugin.stats.disaggregated import metric_bounds
from mlflow_eval_plugin.stats.gaps import SliceTable
from mlflow_eval_plugin.stats.means import Sums, brier, calibrated_loss, in_the_large, log_loss

SLICES = 300
TRUTH = {
    "brier": lambda s: s * (1 - s),
    "log_loss": lambda s: -(s * np.log(s) + (1 - s) * np.log(1 - s)),
    "calibration_in_the_large": lambda s: s * 0,
}


def _drawn(shape, rows, seed=0):
    rng = np.random.default_rng(seed)
    draw = {
        "rare": lambda n: np.full(n, 0.05),
        "skewed": lambda n: rng.beta(1, 19, n),
        "wide": lambda n: rng.beta(2, 3, n),
    }
    score = np.clip(draw[shape](rows * SLICES), 1e-4, 1 - 1e-4)
    return score, (rng.random(len(score)) < score).astype(int)


@pytest.mark.parametrize("rows", [10, 30, 100])
@pytest.mark.parametrize("shape", ["rare", "skewed", "wide"])
def test_limits_of_means_hold_in_small_slices(shape, rows):
    score, label = _drawn(shape, rows)
    groups = pd.DataFrame({"g": np.repeat(np.arange(SLICES), rows).astype(str)})
    summary = slice_summary(groups, label=label, score=score, slices=["g"], depth=1, max_levels=SLICES)
    table, noise = SliceTable(summary), 2.5 * np.sqrt(0.05 * 0.95 / SLICES)
    for metric, expected in TRUTH.items():
        lower, upper = (side[1:] for side in table.metric(metric).limits(0.05, exact=True))
        truth = expected(score).mean()
        assert (lower > truth).mean() <= 0.05 + noise, metric
        assert (upper < truth).mean() <= 0.05 + noise, metric


def test_thirty_rows_without_an_event_are_no_proof():
    # The rate can be 1 - .05 ** (1 / 30) = .095, so neither "too high by .05" nor "a Brier score below .04" is shown.
    rows = pd.DataFrame({"g": ["a"] * 30 + ["b"] * 30})
    summary = slice_summary(
        rows, label=np.repeat([0, 1], 30), score=np.repeat([0.1, 0.9], 30), slices=["g"], depth=1
    )  # fmt: skip
    claims = [
        Claim("large", "", "calibration_in_the_large", "g=a", metric_bounds(summary, "calibration_in_the_large", "g=a"),
              minimum=-0.05, maximum=0.05),
        Claim("brier", "", "brier", "g=a", metric_bounds(summary, "brier", "g=a"), maximum=0.04),
        Claim("log loss", "", "log_loss", "g=a", metric_bounds(summary, "log_loss", "g=a"), maximum=0.2),
    ]  # fmt: skip
    assert [check.verdict for check in judge(claims).checks] == ["insufficient"] * 3


@pytest.mark.parametrize("metric", TRUTH)
def test_many_rows_have_the_limits_of_the_central_limit_theorem(metric):
    rng = np.random.default_rng(3)
    score = rng.beta(2, 3, 40_000)
    label = (rng.random(40_000) < score).astype(int)
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
    sliced = slice_summary(rows, label=label, score=score, weight=weight, slices=["g"], depth=1)
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
    # Mean .1 of four, variance (.02 - .01) * 4 / 3; expected .2, and .2 * .8 is more than .1 * .9, and 12 times it.
    made = brier(_sums(4), *_each(0.4, 0.08, 0.8, 0.2))
    assert (made.value[0], made.trials[0]) == (pytest.approx(0.1), pytest.approx(4 * 12))
    # Without variance among the rows, that of calibrated scores: .2 - 3 * .05 - .04 = .01.
    assert brier(_sums(4), *_each(0.4, 0.04, 0.8, 0.2)).trials == pytest.approx([4 * 16])


def test_calibration_in_the_large_by_hand():
    # Rate 1/4, mean score 1/2; the variance is the largest of (.15 - .0625) * n / (n - 1), .2, and 3 / n.
    assert in_the_large(_sums(4), *_each(2, 1, 0.6, 0.8)).trials == pytest.approx([4])
    made = in_the_large(_sums(400), *_each(200, 100, 60, 80))
    assert (made.value[0], made.trials[0]) == (pytest.approx(0.25), pytest.approx(400 * 0.25 / 0.2))
    of_rows = in_the_large(_sums(400), *_each(200, 100, 60, 20))
    assert of_rows.trials == pytest.approx([400 * 0.25 / (0.0875 * 400 / 399)])
    of_none = in_the_large(_sums(400), *_each(200, 100, 25, 0))
    assert of_none.trials == pytest.approx([400 * 0.25 / 0.0075])


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
