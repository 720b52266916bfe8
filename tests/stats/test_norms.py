"""Calibration errors are biased upwards by noise; their limits may not be."""

import numpy as np
import pytest

from mlflow_eval_plugin.stats.calibration import calibration_bounds
from mlflow_eval_plugin.stats.norms import NoisyNorm
from mlflow_eval_plugin.stats.summaries import SCORE_BINS, ScoreSummary

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
