"""Recalibrations against scikit-learn's on the same rows, and what is said of them against new rows."""

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, special
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from mlflow_eval_plugin.engines.arrow import score_summary
from mlflow_eval_plugin.stats.binary.calibration.recalibration import METHODS, _cells_of, _ece, _isotonic, recalibrate
from mlflow_eval_plugin.stats.binary.calibration.report import calibrate


def _rows(n=4000, seed=0, bend=lambda s: s, digits=3):
    """Scores of which ``bend`` gives the true probability."""
    rng = np.random.default_rng(seed)
    score = np.clip(np.round(rng.beta(1.2, 1.5, n), digits), 0.001, 0.999)
    return pd.DataFrame({"s": score, "y": (rng.random(n) < bend(score)).astype(int), "w": rng.integers(1, 5, n)})


def _sharp(score):
    """Scores that are too sure of themselves: their logits are twice what they should be."""
    return special.expit(special.logit(score) / 2)


def _shifted(score):
    return special.expit(special.logit(score) * 0.7 - 1)


def _summary(rows, weight=None):
    return score_summary(rows, label="y", score="s", weight=weight)


def _by_name(found):
    return {one.method: one for one in found.methods}


@pytest.mark.parametrize("weight", [None, "w"])
def test_platt_is_the_logistic_regression_of_scikit_learn(weight):
    rows = _rows(bend=_shifted)
    logit = special.logit(rows.s.to_numpy())[:, None]
    model = LogisticRegression(C=np.inf, tol=1e-12, max_iter=1000)
    model.fit(logit, rows.y, sample_weight=None if weight is None else rows.w)
    found = _by_name(recalibrate(_summary(rows, weight)))["platt"].parameters
    assert found["intercept"] == pytest.approx(model.intercept_[0], abs=1e-6)
    assert found["slope"] == pytest.approx(model.coef_[0, 0], abs=1e-6)


@pytest.mark.parametrize("weight", [None, "w"])
def test_the_temperature_has_the_least_log_loss(weight):
    rows = _rows(bend=_sharp)
    logit, w = special.logit(rows.s), np.ones(len(rows)) if weight is None else rows.w

    def loss(temperature):
        return np.average(np.logaddexp(0, np.where(rows.y == 1, -1, 1) * logit / temperature), weights=w)

    expected = optimize.minimize_scalar(loss, bounds=(0.1, 10), method="bounded", options={"xatol": 1e-10}).x
    found = _by_name(recalibrate(_summary(rows, weight)))["temperature"].parameters
    assert found["temperature"] == pytest.approx(expected, rel=1e-6)
    assert found["temperature"] == pytest.approx(2.0, abs=0.2)


def test_isotonic_is_that_of_scikit_learn():
    rows = _rows(bend=_shifted)
    _, fit = _isotonic(_cells_of(_summary(rows)))
    model = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(rows.s, rows.y)
    grid = np.linspace(0, 1, 501)
    assert fit(grid) == pytest.approx(model.predict(grid), abs=1e-9)


def test_the_ece_is_that_of_the_report_where_nothing_is_changed():
    rows = _rows(bend=_shifted, digits=15)
    cells = _cells_of(_summary(rows))
    expected = calibrate(_summary(rows), replicates=0).metrics.ece_equal_mass.value
    assert _ece(cells.score, cells.weight, 15) == pytest.approx(expected, abs=1e-9)


def test_what_is_promised_is_found_on_new_rows():
    rows, new = _rows(20_000, 1, _shifted), _rows(200_000, 2, _shifted)
    found = _by_name(recalibrate(_summary(rows)))
    before = np.mean((new.s - new.y) ** 2)
    for method, map_ in (
        ("temperature", lambda s, p: special.expit(special.logit(s) / p["temperature"])),
        ("platt", lambda s, p: special.expit(p["intercept"] + p["slope"] * special.logit(s))),
    ):
        one = found[method]
        change = np.mean((map_(new.s, one.parameters) - new.y) ** 2) - before
        low, high = one.brier_change.interval
        slack = 2 * (high - low)  # the new rows have noise of their own, and so has the fit
        assert low - slack <= change <= high + slack, method
    assert found["platt"].ece_equal_mass < 0.015 < found["temperature"].ece_equal_mass


@pytest.mark.parametrize(("bend", "suggested"), [(_shifted, {"platt", "isotonic"}), (_sharp, set(METHODS))])
def test_what_helps_is_suggested(bend, suggested):
    assert recalibrate(_summary(_rows(10_000, bend=bend))).suggested in suggested


def test_nothing_is_suggested_for_calibrated_scores():
    said = [recalibrate(_summary(_rows(1000, seed))).suggested for seed in range(60)]
    assert sum(one is not None for one in said) <= 6


def test_isotonic_is_not_judged_on_the_rows_it_was_fitted_to():
    # On its own rows an isotonic fit is always better than calibrated scores; on others it is worse.
    changes = [_by_name(recalibrate(_summary(_rows(500, seed))))["isotonic"].brier_change.value for seed in range(20)]
    assert np.mean(changes) > 0


def test_the_order_of_rows_does_not_matter():
    rows = _rows(bend=_sharp)
    assert recalibrate(_summary(rows)) == recalibrate(_summary(rows.sample(frac=1, random_state=1)))


def test_classes_that_the_scores_separate_have_no_slope():
    rows = pd.DataFrame({"s": np.repeat([0.1, 0.9], 50), "y": np.repeat([0, 1], 50)})
    found = _by_name(recalibrate(_summary(rows)))
    for method in ("temperature", "platt"):
        assert found[method].brier_change.value is None
        assert "apart without a mistake" in found[method].reason
    assert found["isotonic"].brier_change.value == pytest.approx(-0.01)


def test_a_few_rows_are_too_few():
    found = recalibrate(_summary(_rows(12)))
    assert found.suggested is None
    assert all("too few" in one.reason for one in found.methods)


@pytest.mark.parametrize("heavy", [[1.0] + [0.0] * 299, [1e6] + [1.0] * 299, [1.0] * 9 + [0.0] * 291])
def test_rows_of_next_to_no_weight_are_no_rows(heavy):
    rows = _rows(n=300).assign(w=heavy)
    found = recalibrate(_summary(rows, "w"))
    assert found.suggested is None
    assert all("fewer than 10 rows of a class that count" in one.reason for one in found.methods)


def test_scores_of_exactly_zero_and_one_are_taken_for_almost_that():
    rows = pd.concat([_rows(), pd.DataFrame({"s": [0.0, 1.0], "y": [1, 0], "w": 1})])
    found = _by_name(recalibrate(_summary(rows)))["platt"].parameters
    assert all(np.isfinite(list(found.values())))
