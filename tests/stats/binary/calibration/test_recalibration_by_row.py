"""What recalibrations promise, against scikit-learn's fits to the rows outside of each fold."""

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from mlflow_eval_plugin.engines.arrow import score_summary
from mlflow_eval_plugin.stats.binary.calibration.recalibration import METHODS, recalibrate
from mlflow_eval_plugin.stats.binary.summary import SCORE_BINS


def _summary(rows, weight=None):
    return score_summary(rows, label="y", score="s", weight=weight)


def _predicted(method, train, score):
    if method == "isotonic":
        model = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
        return model.fit(train.s, train.y, sample_weight=train.w).predict(score)
    model = LogisticRegression(C=np.inf, fit_intercept=method == "platt", tol=1e-12, max_iter=1000)
    model.fit(special.logit(train[["s"]].to_numpy()), train.y, sample_weight=train.w)
    return model.predict_proba(special.logit(score.to_numpy()[:, None]))[:, 1]


def _ece_of_equal_mass(predicted, rows, bins):
    """The bin of a prediction is where the middle of its weight lies in the weight of all."""
    by_value = pd.DataFrame({"w": rows.w, "gap": rows.w * (predicted - rows.y)}).groupby(predicted).sum()
    middle = (by_value.w.cumsum() - by_value.w / 2) / by_value.w.sum()
    return by_value.gap.groupby((middle * bins).astype(int)).sum().abs().sum() / by_value.w.sum()


@pytest.mark.parametrize("weight", [None, "w"])
def test_each_is_judged_on_the_rows_outside_of_its_fit(weight):
    seed = 3
    rng = np.random.default_rng(seed)
    score = np.sort(rng.choice(np.arange(SCORE_BINS // 50, SCORE_BINS * 49 // 50), 170, replace=False) + 0.5)
    rows = pd.DataFrame({"s": score / SCORE_BINS, "w": 1.0 if weight is None else rng.integers(1, 4, 170) * 1.0})
    rows["y"] = (rng.random(170) < special.expit(special.logit(rows.s) * 0.6 - 1.5)).astype(int)
    # Every row has a cell of its own, so that it is in one fold.
    counts = np.stack([rows.y == 0, rows.y == 1], axis=1).astype(int)
    fold = np.random.default_rng(seed).multinomial(counts, [0.2] * 5).sum(axis=1).argmax(axis=1)
    found = recalibrate(_summary(rows, weight), bins=12, seed=seed)
    effective = rows.w.sum() ** 2 / (rows.w**2).sum()
    for one in found.methods:
        predicted = np.empty(170)
        for held in range(5):
            predicted[fold == held] = _predicted(one.method, rows[fold != held], rows.s[fold == held])
        change = (predicted - rows.y) ** 2 - (rows.s - rows.y) ** 2
        mean = np.average(change, weights=rows.w)
        error = np.sqrt(np.average((change - mean) ** 2, weights=rows.w) / (effective - 1))
        reach = stats.t.isf(0.025, effective - 1) * error
        assert one.brier_change.value == pytest.approx(mean, abs=1e-7), one.method
        assert one.brier_change.interval == pytest.approx((mean - reach, mean + reach), abs=1e-7), one.method
        assert (one.brier_change.bound, one.brier_change.reason, one.reason) == (0, None, None)
        ece = _ece_of_equal_mass(predicted, rows, 12)
        assert one.ece_equal_mass == pytest.approx(ece, abs=1e-6), one.method
    assert (found.folds, tuple(one.method for one in found.methods)) == (5, METHODS)
    best = min(found.methods, key=lambda one: one.brier_change.value)
    assert best.brier_change.interval[1] < 0 and found.suggested == best.method


def test_the_defaults_are_fifteen_bins_and_seed_0():
    rng = np.random.default_rng(9)
    score = rng.random(200)
    summary = _summary(pd.DataFrame({"s": score, "y": (rng.random(200) < score).astype(int)}))
    assert recalibrate(summary) == recalibrate(summary, bins=15, seed=0) != recalibrate(summary, seed=1)


def test_ten_rows_of_a_class_are_enough_and_nine_too_few():
    score, label = np.linspace(0.02, 0.6, 40), np.isin(np.arange(40), [0, 12, 20, 24, 28, 31, 33, 35, 37, 39])
    for rows, enough in ((slice(None), True), (slice(1, None), False)):
        found = recalibrate(_summary(pd.DataFrame({"s": score[rows], "y": label[rows].astype(int)})))
        assert found.folds == 5
        for one in found.methods:
            assert (one.reason is None) == (one.brier_change.value is not None) == enough
            assert (one.brier_change.bound, one.brier_change.reason) == (0, one.reason)
            assert (one.ece_equal_mass is not None) == enough
            assert enough or (one.parameters == {} and "fewer than 10 rows of a class" in one.reason)


def test_scores_that_rank_backwards_have_no_temperature():
    rng = np.random.default_rng(3)
    score = rng.uniform(0.1, 0.9, 2000)
    found = recalibrate(_summary(pd.DataFrame({"s": score, "y": (rng.random(2000) > score).astype(int)})))
    temperature, platt, isotonic = found.methods
    assert temperature.brier_change.value is None and "on the other side of one half" in temperature.reason
    assert platt.parameters["slope"] == pytest.approx(-1, abs=0.2)
    assert isotonic.brier_change.value < 0


def test_one_row_that_keeps_the_classes_together_is_not_in_every_fit():
    rows = pd.DataFrame({"s": [0.2] * 12 + [0.8] * 12 + [0.9], "y": [0] * 12 + [1] * 12 + [0]})
    temperature, platt, isotonic = recalibrate(_summary(rows)).methods
    for one in (temperature, platt):
        assert (one.parameters, one.ece_equal_mass) == ({}, None)
        assert one.reason.startswith("on some folds the scores tell the classes apart without a mistake")
    assert isotonic.reason is None
