"""Recalibrations of a regression: fitted and judged row by row by scikit-learn, and by simulation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import KFold

from mlflow_eval_plugin.engines.arrow import fold_summary, predicted_rows, prediction_summary
from mlflow_eval_plugin.stats.regression.calibration.recalibration import METHODS, recalibrate_mean

FOLDS = 5


def _rows(n=800, seed=0, curve=lambda p: 0.8 * p + 14, digits=1):
    rng = np.random.default_rng(seed)
    p = np.round(rng.normal(50, 10, n), digits)
    return pd.DataFrame({"p": p, "y": curve(p) + 3 * rng.normal(size=n), "w": rng.integers(1, 4, n).astype(float)})


def _folds(rows, weight=None):
    return fold_summary(predicted_rows(rows, target="y", prediction="p", weight=weight), FOLDS).folds


def _fold_of_each(rows, weight):
    """By looking where each row comes to lie, whose prediction nobody else has."""
    folds = _folds(rows, weight)
    found = np.argmax([one.rows for one in folds], axis=0)
    assert sum(one.rows for one in folds).tolist() == [1] * len(rows)
    return found[np.argsort(np.argsort(rows.p.to_numpy()))]


def _mended(method, fitted_to, p):
    weight = fitted_to.w
    if method == "shift":
        return p - np.average(fitted_to.p - fitted_to.y, weights=weight)
    if method == "linear":
        model = LinearRegression().fit(fitted_to[["p"]].to_numpy(), fitted_to.y, weight)
        return model.predict(p.to_numpy()[:, None])
    model = IsotonicRegression(out_of_bounds="clip").fit(fitted_to.p, fitted_to.y, weight)
    return model.predict(p)


@pytest.mark.parametrize("weighted", [False, True])
def test_recalibrations_are_those_of_scikit_learn_on_rows_not_fitted_to(weighted):
    rows = _rows(n=400, digits=9)
    rows["w"] = rows.w if weighted else 1.0
    found = recalibrate_mean(_folds(rows, "w" if weighted else None), bins=9)
    fold = _fold_of_each(rows, "w" if weighted else None)
    assert found.folds == FOLDS and sorted(set(fold)) == [0, 1, 2, 3, 4]
    effective = rows.w.sum() ** 2 / (rows.w**2).sum()
    for one in found.methods:
        mended = np.empty(len(rows))
        for k in range(FOLDS):
            mended[fold == k] = _mended(one.method, rows[fold != k], rows.p[fold == k])
        change = (mended - rows.y) ** 2 - (rows.p - rows.y) ** 2
        mean = np.average(change, weights=rows.w)
        assert one.mse_change.value == pytest.approx(mean, rel=1e-9), one.method
        error = np.sqrt(np.average((change - mean) ** 2, weights=rows.w) / (effective - 1))
        reach = stats.t.isf(0.025, effective - 1) * error
        assert one.mse_change.interval == pytest.approx((mean - reach, mean + reach), rel=1e-8), one.method
        table = pd.DataFrame({"m": np.round(mended, 9), "e": rows.w * (mended - rows.y), "w": rows.w})
        table = table.groupby("m").sum()
        middle = table.w.cumsum() - table.w / 2
        gap = table.e.groupby(np.minimum((middle / table.w.sum() * 9).astype(int), 8).to_numpy()).sum()
        assert one.mean_error == pytest.approx(gap.abs().sum() / rows.w.sum(), rel=1e-6), one.method
    shift, linear, isotonic = found.methods
    assert shift.parameters["shift"] == pytest.approx(-np.average(rows.p - rows.y, weights=rows.w), rel=1e-9)
    line = LinearRegression().fit(rows[["p"]].to_numpy(), rows.y, rows.w)
    assert linear.parameters == pytest.approx({"intercept": line.intercept_, "slope": line.coef_[0]}, rel=1e-8)
    assert isotonic.parameters == {} and tuple(one.method for one in found.methods) == METHODS


def test_what_is_suggested_is_what_mends():
    shifted = recalibrate_mean(_folds(_rows(n=200, seed=1, curve=lambda p: p + 4)))
    assert shifted.suggested == "shift" and shifted.methods[0].parameters["shift"] == pytest.approx(4, abs=1)
    assert recalibrate_mean(_folds(_rows())).suggested == "linear"
    bent = recalibrate_mean(_folds(_rows(n=3000, curve=lambda p: 50 + np.where(p > 50, 2 * (p - 50), 0))))
    assert bent.suggested == "isotonic"
    assert bent.methods[2].mean_error < 0.5 < bent.methods[1].mean_error


def test_calibrated_predictions_are_hardly_ever_to_be_mended():
    suggested = [recalibrate_mean(_folds(_rows(n=300, seed=seed, curve=lambda p: p))).suggested for seed in range(200)]
    # Three methods at a one-sided 2.5 % each, and an estimate that pays for its own noise.
    assert sum(one is not None for one in suggested) <= 200 * 0.075


def test_the_unit_of_the_target_changes_nothing_else():
    rows = _rows()
    scaled = rows.assign(p=rows.p * 1000 - 7, y=rows.y * 1000 - 7)
    for first, second in zip(*(recalibrate_mean(_folds(one)).methods for one in (rows, scaled)), strict=True):
        # Other numbers fall into other folds.
        assert second.mse_change.value == pytest.approx(1e6 * first.mse_change.value, rel=0.02)
    linear = recalibrate_mean(_folds(scaled)).methods[1].parameters
    line = LinearRegression().fit(scaled[["p"]].to_numpy(), scaled.y)
    assert linear == pytest.approx({"intercept": line.intercept_, "slope": line.coef_[0]}, rel=1e-7)


def test_few_rows_and_predictions_that_are_all_the_same():
    few = recalibrate_mean(_folds(_rows(n=19, seed=2)))
    assert few.suggested is None and all("fewer than 20 rows that count" in one.reason for one in few.methods)
    assert tuple((one.method, one.parameters) for one in few.methods) == tuple((one, {}) for one in METHODS)
    assert recalibrate_mean(_folds(_rows(n=20, seed=2))).methods[0].reason is None
    for weight in ([1.0] + [0.0] * 299, [1e6] + [1.0] * 299, [1.0] * 3 + [0.0] * 297):
        heavy = recalibrate_mean(_folds(_rows(n=300).assign(w=weight), "w"))
        assert all("fewer than 20 rows that count" in one.reason for one in heavy.methods)
    alike = recalibrate_mean(_folds(pd.DataFrame({"p": [1.0] * 50, "y": [2.0] * 50})))
    assert alike.methods[0].mse_change.value == pytest.approx(-1) and alike.suggested == "shift"
    same = recalibrate_mean(_folds(_rows().assign(p=50.0)))
    shift, linear, isotonic = same.methods
    assert shift.reason is None and isotonic.reason is None
    assert linear.reason == linear.mse_change.reason == "all predictions are the same" and linear.mean_error is None


def test_folds_are_all_rows_and_know_no_order():
    rows = _rows(n=500)
    known = predicted_rows(rows, target="y", prediction="p")
    folds, whole = fold_summary(known, FOLDS).folds, prediction_summary(known)
    assert sum(one.rows for one in folds).tolist() == whole.rows.tolist()
    total = folds[3] + folds[1] + folds[0] + folds[4] + folds[2]
    assert all((total.lanes[name] == lane).all() for name, lane in whole.lanes.items())
    # Five fair folds of 500 rows: each within four standard deviations of 100.
    assert all(64 <= one.rows.sum() <= 136 for one in folds)
    mixed = _folds(rows.sample(frac=1, random_state=0))
    assert all((one.rows == other.rows).all() for one, other in zip(folds, mixed, strict=True))
    zeros = pd.DataFrame({"p": [0.0, -0.0] * 20, "y": [-0.0, 0.0] * 20})
    same = [[one.rows.sum() for one in _folds(each)] for each in (zeros, zeros.abs())]
    assert same[0] == same[1] and min(same[0]) > 0


@pytest.mark.parametrize("predictions", ["one", "four", "fifty"])
def test_counts_are_judged_like_rows_in_random_folds(predictions):
    """Targets of a few values: a fold must not hold all rows of one of them."""
    rng = np.random.default_rng(5)
    groups = {"one": 1, "four": 4, "fifty": 50}[predictions]
    rate = np.linspace(1, 3, groups)[rng.integers(0, groups, 4000)]
    rows = pd.DataFrame({"p": rate + 0.5, "y": rng.poisson(rate).astype(float), "w": 1.0})
    found = {one.method: one.mse_change for one in recalibrate_mean(_folds(rows)).methods}
    for method in METHODS if groups > 1 else ("shift", "isotonic"):
        expected = []
        for seed in range(5):
            mended = np.empty(len(rows))
            for rest, held in KFold(5, shuffle=True, random_state=seed).split(rows):
                mended[held] = _mended(method, rows.iloc[rest], rows.p.iloc[held])
            expected.append(((mended - rows.y) ** 2 - (rows.p - rows.y) ** 2).mean())
        # Of other random folds: what fitting them costs differs by a few hundredths at most.
        assert found[method].value == pytest.approx(np.mean(expected), abs=0.02), method
        assert found[method].interval[1] < 0


def test_bins_are_fifteen_and_rows_without_weight_count_for_nothing():
    rows = _rows(n=600)
    assert recalibrate_mean(_folds(rows)) == recalibrate_mean(_folds(rows), bins=15)
    more = pd.concat([rows, pd.DataFrame({"p": [400.0] * 9, "y": [0.0] * 9, "w": 0.0})], ignore_index=True)
    for one, other in zip(*(recalibrate_mean(_folds(each, "w")).methods for each in (rows, more)), strict=True):
        assert one.mse_change.value == pytest.approx(other.mse_change.value, rel=1e-9)
        assert one.mean_error == pytest.approx(other.mean_error, rel=1e-9)


def test_rows_count_by_their_weight_and_every_fold_has_some():
    alike = recalibrate_mean(_folds(_rows(n=30, seed=2).assign(w=3.0), "w"))  # weights of any size, all the same
    assert alike.methods[0].reason is None
    drawn = (_folds(_rows(n=20, seed=seed)) for seed in range(200))
    empty = next(folds for folds in drawn if min(one.rows.sum() for one in folds) == 0)
    assert all("are too few to fit and to judge" in one.reason for one in recalibrate_mean(empty).methods)
