"""Changes since a reference: by hand, and their limits by simulation, for norms above all."""

import math

import numpy as np
import pandas as pd
import pytest

from mlflow_eval_plugin.engines.arrow import score_summary
from mlflow_eval_plugin.evaluators.config import calibration as config
from mlflow_eval_plugin.stats.binary.calibration.changes import CHANGES, bounds_of_change_since, changes
from mlflow_eval_plugin.stats.binary.calibration.report import CALIBRATION_METRICS, calibrate, calibration_bounds
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.inference.contrasts import Apart
from mlflow_eval_plugin.stats.inference.intervals import mover_difference
from mlflow_eval_plugin.stats.inference.norms import NoisyNorm
from mlflow_eval_plugin.stats.inference.wald import Wald


def _summary(n, power=1.0, seed=0):
    rng = np.random.default_rng(seed)
    score = rng.beta(1, 1.4, n)
    rows = pd.DataFrame({"s": score, "y": (rng.random(n) < score**power).astype(int)})
    return score_summary(rows, label="y", score="s")


def test_a_change_is_the_difference_of_the_two():
    current, reference = _summary(3000, 1.5), _summary(2000, seed=1)
    now, then = (calibrate(one, replicates=0).metrics for one in (current, reference))
    found = changes(current, reference)
    for name in CHANGES:
        assert found[name].value == pytest.approx(getattr(now, name).value - getattr(then, name).value, abs=1e-12)
        assert found[name].interval[0] <= found[name].value <= found[name].interval[1]
        assert bounds_of_change_since(current, reference, name).value == found[name].value


def test_what_may_be_named_in_a_config_is_what_there_is():
    assert config.CHANGES == CHANGES
    assert set(CHANGES) <= set(CALIBRATION_METRICS)
    with pytest.raises(InputError, match="there is none of 'ecce'"):
        bounds_of_change_since(_summary(100), _summary(100), "ecce")


def test_limits_of_the_difference_of_two_estimates_by_hand():
    def wald(value, bound, rows):
        each = (np.array([one]) for one in (value, 0.01, 9.0, bound, rows))
        return Wald(*each, "")

    made = Apart(wald(0.5, 0.03, 10), wald(0.2, 0.01, 20), "")
    # Student's quantile of .975 with nine degrees of freedom is 2.262157: each at half of .05.
    lower, upper = made.limits(0.05, exact=True)
    assert (lower[0], upper[0]) == pytest.approx((0.3 - 2 * 0.02262157, 0.3 + 2 * 0.02262157), abs=1e-7)
    assert (made.value[0], made.bound[0], made.n[0]) == (pytest.approx(0.3), pytest.approx(0.04), 10)


def test_norms_are_apart_and_means_differ_by_mover():
    current, reference = _summary(300, 2.0), _summary(200, seed=1)
    for name in ("ece_equal_width", "ece_equal_mass", "ece_debiased"):
        first, second = (calibration_bounds(one, name) for one in (current, reference))
        found = bounds_of_change_since(current, reference, name)
        assert found.lower(0.05) == pytest.approx(first.lower(0.025) - second.upper(0.025), abs=1e-12)
        assert found.upper(0.05) == pytest.approx(first.upper(0.025) - second.lower(0.025), abs=1e-12)
        assert found.n == 300
    for name in ("brier", "log_loss", "calibration_in_the_large"):
        first, second = (calibration_bounds(one, name) for one in (current, reference))
        found = bounds_of_change_since(current, reference, name)
        # Zou & Donner (2008): the distances of the two by the root of squares.
        down = math.hypot(first.value - first.lower(0.05), second.upper(0.05) - second.value)
        up = math.hypot(first.upper(0.05) - first.value, second.value - second.lower(0.05))
        difference = first.value - second.value
        assert (found.lower(0.05), found.upper(0.05)) == pytest.approx((difference - down, difference + up), abs=1e-12)


def test_without_a_slope_in_the_reference_there_is_no_change_of_it():
    apart = pd.DataFrame({"s": [0.1, 0.2, 0.8, 0.9], "y": [0, 0, 1, 1]})
    found = changes(_summary(500), score_summary(apart, label="y", score="s"))["calibration_slope"]
    assert (found.value, found.interval) == (None, None)
    assert "of the reference" in found.reason


@pytest.mark.parametrize(("n", "n_reference"), [(150, 3000), (3000, 150)])
def test_without_a_change_few_checks_say_so(n, n_reference):
    trials, wrong = 80, dict.fromkeys(("ece_equal_mass", "ece_debiased", "brier", "calibration_slope"), 0)
    for seed in range(trials):
        pair = _summary(n, seed=2 * seed), _summary(n_reference, seed=2 * seed + 1)
        for name in wrong:
            bounds = bounds_of_change_since(*pair, name)
            wrong[name] += bounds.lower(0.05) > 0 or bounds.upper(0.05) < 0
    slack = 3 * math.sqrt(trials * 0.1 * 0.9)
    assert max(wrong.values()) <= trials * 0.1 + slack  # 5 % on either side


def test_limits_of_norms_hold_where_mover_would_be_too_sure():
    # Calibrated scores in 60 bins, where all of the value is noise, against a large gap in one bin of the reference.
    rng = np.random.default_rng(3)
    trials, sound, mover = 500, 0, 0
    tau, wide = np.full((1, 60), 0.005), np.array([[0.005]])
    for _ in range(trials):
        first = NoisyNorm(rng.normal(0.0, tau), tau, np.array([1]), "")
        second = NoisyNorm(rng.normal(0.2, wide), wide, np.array([1]), "")
        sound += Apart(first, second, "").limits(0.05, exact=True)[0][0] > -0.2
        limits = [one.limits(0.05, exact=True) for one in (first, second)]
        mover += mover_difference(first.value, limits[0], second.value, limits[1])[0][0] > -0.2
    assert sound <= trials * 0.05
    assert mover > sound


def test_a_change_that_is_there_is_found():
    bounds = bounds_of_change_since(_summary(20_000, 1.6), _summary(20_000, seed=1), "ece_equal_mass")
    assert bounds.lower(0.001) > 0.03
    assert (
        bounds_of_change_since(_summary(20_000, 1.6), _summary(20_000, seed=1), "calibration_intercept").upper(0.001)
        < -0.2
    )
