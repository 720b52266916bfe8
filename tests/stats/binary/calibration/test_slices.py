"""Calibration of slices against the same measurements of their rows alone, and what a whole can hide."""

import math

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from mlflow_eval_plugin.engines.arrow import score_summary, slice_summary
from mlflow_eval_plugin.engines.slicing import Slicing
from mlflow_eval_plugin.stats.binary.calibration.report import calibrate
from mlflow_eval_plugin.stats.binary.calibration.slices import METRICS, slice_calibration_bounds, slice_calibrations
from mlflow_eval_plugin.stats.binary.calibration.slope import logit
from mlflow_eval_plugin.stats.binary.summary import FINE_BINS
from mlflow_eval_plugin.stats.binary.table import SliceTable
from mlflow_eval_plugin.stats.errors import InputError


def _rows(n=3000, seed=0):
    rng = np.random.default_rng(seed)
    score = rng.beta(1.2, 1.6, n)
    group = rng.integers(0, 3, n)
    power = np.array([1.0, 0.7, 1.4])[group]
    return pd.DataFrame(
        {"s": score, "y": (rng.random(n) < score**power).astype(int), "g": group, "w": rng.integers(1, 5, n)}
    )


def _table(rows, **options):
    return SliceTable(slice_summary(rows, label="y", score="s", slicing=Slicing(["g"]), **options))


LABELS = ["g=0", "g=1", "g=2"]


@pytest.mark.parametrize("weight", [None, "w"])
def test_a_slice_is_measured_as_its_rows_alone_would_be(weight):
    rows = _rows()
    found = slice_calibrations(_table(rows, weight=weight), LABELS)
    for group, one in enumerate(found):
        mine = rows[rows.g == group].reset_index(drop=True)
        alone = calibrate(score_summary(mine, label="y", score="s", weight=weight), replicates=0)
        assert (one.label, one.slice, one.n) == (f"g={group}", (("g", str(group)),), len(mine))
        assert one.positives == pytest.approx(alone.positives)
        same = {"ece": "ece_equal_width", "brier": "brier", "log_loss": "log_loss"}
        for name, its in {**same, "calibration_in_the_large": "calibration_in_the_large"}.items():
            assert getattr(one.metrics, name).value == pytest.approx(getattr(alone.metrics, its).value, abs=1e-8), name
        assert one.spiegelhalter.z == pytest.approx(alone.spiegelhalter.z, rel=0.1 if weight else 1e-5)
        for name in ("calibration_slope", "calibration_intercept"):
            mine_, whole = getattr(one.metrics, name), getattr(alone.metrics, name)
            assert abs(mine_.value - whole.value) <= mine_.bound + whole.bound + 1e-10
            assert mine_.bound == 0


def test_the_slope_of_a_slice_is_that_of_statsmodels_within_its_bound():
    rows = _rows()
    for group, one in enumerate(slice_calibrations(_table(rows), LABELS)):
        mine = rows[rows.g == group]
        fit = sm.Logit(mine.y, sm.add_constant(logit(mine.s.to_numpy()))).fit(disp=0, tol=1e-12)
        found = one.metrics.calibration_slope
        assert found.value == pytest.approx(fit.params.iloc[1], abs=found.bound)
        width = (found.interval[1] - found.interval[0]) / (2 * 1.96)
        assert width == pytest.approx(fit.bse.iloc[1], rel=0.06)


def test_the_debiased_error_by_hand():
    # Forty rows at .3 of which 16 are events, sixty at .7 of which 39 are: gaps of -.1 and .05.
    rows = pd.DataFrame(
        {
            "s": np.repeat([0.3, 0.7], [40, 60]),
            "y": np.concatenate([np.arange(40) < 16, np.arange(60) < 39]).astype(int),
            "g": 0,
        }
    )
    square = 0.4 * (0.1**2 - 0.4 * 0.6 / 39) + 0.6 * (0.05**2 - 0.65 * 0.35 / 59)
    (one,) = slice_calibrations(_table(rows), ["g=0"])
    assert one.metrics.ece.value == pytest.approx(0.4 * 0.1 + 0.6 * 0.05)
    assert one.metrics.ece_debiased.value == pytest.approx(math.sqrt(max(square, 0)))


@pytest.mark.parametrize("sure", [False, True])
def test_spiegelhalter_of_a_slice_row_by_row(sure):
    # Scores on the middles of fine bins, which stand for all of a bin in the variance. Few rows: a variance below 1.
    rng = np.random.default_rng(5)
    score = (rng.choice(FINE_BINS, 16, replace=False) + 0.5) / FINE_BINS
    # Labels that the scores tell without a mistake make z negative, others positive.
    label = score > (0.5 if sure else rng.random(16))
    rows = pd.DataFrame({"s": score, "y": label.astype(int), "g": np.arange(16) % 2})
    found = slice_calibrations(_table(rows), ["overall", "g=0"])
    for one, mine in zip(found, (rows, rows[rows.g == 0]), strict=True):
        s, y = mine.s, mine.y
        z = ((y - s) * (1 - 2 * s)).sum() / math.sqrt(((1 - 2 * s) ** 2 * s * (1 - s)).sum())
        assert (z < 0) == sure and one.spiegelhalter.z == pytest.approx(z, rel=1e-7)
        assert one.spiegelhalter.p_value == pytest.approx(2 * stats.norm.sf(abs(z)), rel=1e-6)


def test_errors_that_cancel_in_the_whole_are_found_in_the_slices():
    rng = np.random.default_rng(1)
    score, group = rng.uniform(0.2, 0.8, 20_000), np.arange(20_000) % 2
    rows = pd.DataFrame({"s": score, "y": (rng.random(20_000) < score + 0.1 * (2 * group - 1)).astype(int), "g": group})
    table = _table(rows)
    whole, first, second = slice_calibrations(table, ["overall", "g=0", "g=1"])
    assert abs(whole.metrics.calibration_in_the_large.value) < 0.02
    assert first.metrics.calibration_in_the_large.value == pytest.approx(0.1, abs=0.02)
    assert second.metrics.calibration_in_the_large.value == pytest.approx(-0.1, abs=0.02)
    assert slice_calibration_bounds(table, "ece", "g=0").lower(0.001) > 0.05
    assert slice_calibration_bounds(table, "ece", "overall").upper(0.001) < 0.05


def test_a_slice_without_events_has_reasons_and_no_nan():
    rows = pd.concat([_rows(200), pd.DataFrame({"s": [0.2] * 5, "y": 0, "g": 9, "w": 1})], ignore_index=True)
    (one,) = slice_calibrations(_table(rows), ["g=9"])
    assert one.metrics.calibration_slope.value is None and "a class is absent" in one.metrics.calibration_slope.reason
    assert one.metrics.calibration_intercept.reason == "one of the two classes has no rows with weight"
    assert one.metrics.ece.value == pytest.approx(0.2)
    (nought,) = slice_calibrations(_table(rows, weight=(rows.g != 9).astype(float)), ["g=9"])
    for name in METRICS:
        assert getattr(nought.metrics, name).value is None and getattr(nought.metrics, name).reason
    assert nought.spiegelhalter.z is None


def test_no_more_than_one_in_twenty_is_wrong_about_a_calibrated_slice():
    rng = np.random.default_rng(2)
    trials, wrong = 150, np.zeros(3)
    for _ in range(trials):
        score = rng.beta(1, 2, 300)
        rows = pd.DataFrame({"s": score, "y": (rng.random(300) < score).astype(int), "g": np.arange(300) % 3})
        table = _table(rows)
        for place, (name, truth) in enumerate(
            {"ece": 0.0, "calibration_in_the_large": 0.0, "calibration_slope": 1.0}.items()
        ):
            wrong[place] += slice_calibration_bounds(table, name, "g=0").lower(0.05) > truth
    assert wrong.max() <= trials * 0.05 + 3 * math.sqrt(trials * 0.05 * 0.95)


def test_a_metric_there_is_none_of():
    with pytest.raises(InputError, match="there is no 'auc'"):
        slice_calibration_bounds(_table(_rows(100)), "auc", "g=0")


def test_slices_of_rare_events_are_as_certain_as_the_same_rows_alone():
    rng = np.random.default_rng(4)
    n = 60_000
    logit = rng.normal(-9, 1.5, n)
    score = 1 / (1 + np.exp(-logit))
    rows = pd.DataFrame({"s": score, "y": (rng.random(n) < score).astype(int), "g": rng.integers(0, 2, n)})
    rows.loc[:20, "y"] = 1
    table = SliceTable(slice_summary(rows, label="y", score="s", slicing=Slicing(["g"])))
    for found, label in zip(slice_calibrations(table, ["overall", "g=1"]), ("overall", "g=1"), strict=True):
        part = rows if label == "overall" else rows[rows.g == 1]
        alone = calibrate(score_summary(part, label="y", score="s"), replicates=0).metrics
        for name in ("brier", "log_loss", "calibration_in_the_large"):
            mine, theirs = getattr(found.metrics, name), getattr(alone, name)
            assert mine.interval == pytest.approx(theirs.interval, rel=1e-3, abs=1e-12), (label, name)
        ece = found.metrics.ece.interval
        assert ece == pytest.approx(alone.ece_equal_width.interval, rel=1e-3), label
