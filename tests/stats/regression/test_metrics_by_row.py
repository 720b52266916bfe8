"""Means, their standard errors and skewness of a regression's slices, from the rows themselves."""

import numpy as np
import pandas as pd
import pytest

from mlflow_eval_plugin.engines.arrow import moment_summary, predicted_rows
from mlflow_eval_plugin.engines.slicing import Slicing
from mlflow_eval_plugin.stats.inference.estimate import Estimate
from mlflow_eval_plugin.stats.regression.disaggregated import regression_slices
from mlflow_eval_plugin.stats.regression.metrics import CONSTANT_TARGET, Moments, RegressionTable

LEVELS, BAND = {0.1: "q1", 0.9: "q9"}, ("80 %", 0.8, "q1", "q9")


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(6)
    y = rng.gamma(2, 30, 90)
    p = y + rng.gamma(2, 5, 90) - 8
    return pd.DataFrame({"y": y, "p": p, "q1": p - rng.random(90) * 20, "q9": p + rng.random(90) * 20,
                         "g": rng.choice(["a", "b"], 90, p=[0.7, 0.3]), "w": rng.integers(1, 9, 90) / 2})  # fmt: skip


def _summary(rows, weight=None):
    given = {"quantiles": LEVELS, "intervals": [BAND]} if "q1" in rows else {}
    predicted = predicted_rows(rows, target="y", prediction="p", weight=weight, **given)
    return moment_summary(rows, predicted, slicing=Slicing(["g"], depth=1))


def _parts(rows):
    """Rows of each slice, and of everything but it."""
    slices = [np.ones(len(rows), dtype=bool), (rows.g == "a").to_numpy(), (rows.g == "b").to_numpy()]
    return [(False, i, rows[of]) for i, of in enumerate(slices)] + [
        (True, i, rows[~of]) for i, of in enumerate(slices) if i
    ]


def _central(values, w, power):
    mean = np.average(values, weights=w)
    return np.average((values - mean) ** power, weights=w)


def _loss(d, quantile, level):
    return np.where(d.y >= quantile, level * (d.y - quantile), (1 - level) * (quantile - d.y))


# The values whose mean a metric is.
VALUES = {
    "mae": lambda d: (d.p - d.y).abs(),
    "bias": lambda d: d.p - d.y,
    "mean_square": lambda d: (d.p - d.y) ** 2,
    "pinball_0.1": lambda d: _loss(d, d.q1, 0.1),
    "pinball_0.9": lambda d: _loss(d, d.q9, 0.9),
    "width_80 %": lambda d: d.q9 - d.q1,
    "interval_score_80 %": lambda d: d.q9 - d.q1 + 10 * ((d.q1 - d.y).clip(lower=0) + (d.y - d.q9).clip(lower=0)),
}


@pytest.mark.parametrize("weight", [None, "w"])
def test_means_and_standard_errors_are_those_of_the_rows(rows, weight):
    summary = _summary(rows, weight)
    for complement, i, part in _parts(rows):
        moments = Moments(summary, complement=complement)
        w = np.ones(len(part)) if weight is None else part.w
        effective = w.sum() ** 2 / (w**2).sum()
        for name, values_of in VALUES.items():
            made = moments.mean_square() if name == "mean_square" else moments.quantity(name)
            values = values_of(part)
            assert made.value[i] == pytest.approx(np.average(values, weights=w), rel=1e-9), name
            error = np.sqrt(_central(values, w, 2) / (effective - 1))
            assert made.standard_error[i] == pytest.approx(error, rel=1e-9), name
            assert (made.n[i], made.weight[i]) == (len(part), pytest.approx(w.sum()))
            assert made.effective[i] == pytest.approx(effective)
            assert getattr(made, "fixed", False) == name.startswith("width")
        bias = part.p - part.y
        skewness = _central(bias, w, 3) / _central(bias, w, 2) ** 1.5
        assert moments.bias().skewness[i] == pytest.approx(skewness, rel=1e-9)


@pytest.mark.parametrize("weight", [None, "w"])
def test_variance_and_determination_are_those_of_the_rows(rows, weight):
    summary = _summary(rows, weight)
    for complement, i, part in _parts(rows):
        moments = Moments(summary, complement=complement)
        w = np.ones(len(part)) if weight is None else part.w
        effective = w.sum() ** 2 / (w**2).sum()
        squares = (part.y - np.average(part.y, weights=w)) ** 2
        variance = np.average(squares, weights=w)
        made = moments.variance()
        assert made.value[i] == pytest.approx(variance, rel=1e-9) and made.fixed
        error = np.sqrt(_central(squares, w, 2) / (effective - 1))
        assert made.standard_error[i] == pytest.approx(error, rel=1e-9)
        ratio = np.average((part.p - part.y) ** 2, weights=w) / variance
        # The delta method: the ratio varies as the mean of e**2 - ratio * d**2, over the variance.
        spread = np.average(((part.p - part.y) ** 2 - ratio * squares) ** 2, weights=w)
        found = moments.determination()
        assert (found.ratio[i], found.value[i]) == (pytest.approx(ratio), pytest.approx(1 - ratio))
        error = np.sqrt(spread / (effective - 1)) / variance
        assert found.relative_error[i] == pytest.approx(error / ratio, rel=1e-9)
        assert (found.n[i], found.effective[i]) == (len(part), pytest.approx(effective))


@pytest.mark.parametrize("weight", [None, "w"])
def test_shares_and_reports_are_those_of_the_rows(rows, weight):
    summary = _summary(rows, weight)
    table = RegressionTable(summary)
    assert table.names == ("mae", "rmse", "bias", "r2", "pinball_0.1", "coverage_0.1", "pinball_0.9", "coverage_0.9",
                           "coverage_80 %", "width_80 %", "interval_score_80 %")  # fmt: skip
    assert [name for name in table.names if not table.lower_is_better(name)] == ["r2"]
    reports = regression_slices(table)
    for complement, i, part in _parts(rows):
        w = np.ones(len(part)) if weight is None else part.w
        inside = (part.q1 <= part.y) & (part.y <= part.q9)
        for name, counted in (("coverage_0.9", part.y <= part.q9), ("coverage_80 %", inside)):
            made = table.metric(name, complement=complement)
            assert made.proportion[i] == pytest.approx(np.average(counted, weights=w))
            assert (made.trials[i], made.weight[i]) == (
                pytest.approx(w.sum() ** 2 / (w**2).sum()),
                pytest.approx(w.sum()),
            )
            assert made.n[i] == len(part)
        if not complement:
            one = reports[i]
            assert (one.label, one.slice) == (["overall", "g=a", "g=b"][i], summary.slices[i].levels)
            assert (one.n, one.query, one.weight) == (len(part), None, pytest.approx(w.sum()))
            assert one.mean_target == pytest.approx(np.average(part.y, weights=w))
            assert one.mean_prediction == pytest.approx(np.average(part.p, weights=w))
            assert tuple(one.metrics) == table.names
            mae = np.average((part.p - part.y).abs(), weights=w)
            assert (one.metrics["mae"].value, one.metrics["mae"].bound) == (pytest.approx(mae), 0)


def test_a_slice_without_weight_has_reasons_and_no_means(rows):
    table = RegressionTable(_summary(rows, weight=(rows.g == "a").to_numpy() * 1.0))
    one = regression_slices(table)[2]
    assert (one.weight, one.mean_target, one.mean_prediction) == (0, None, None)
    for name, found in one.metrics.items():
        expected = CONSTANT_TARGET if name == "r2" else "there are no rows with weight"
        assert found == Estimate(None, None, 0.0, expected), name


def test_small_weights_say_what_large_ones_say(rows):
    large, small = (regression_slices(RegressionTable(_summary(rows, rows.w * scale))) for scale in (1.0, 2.0**-12))
    for one, other in zip(large, small, strict=True):
        assert (one.mean_target, one.mean_prediction, one.metrics) == (
            other.mean_target,
            other.mean_prediction,
            other.metrics,
        )


def test_two_rows_and_targets_that_never_vary():
    rows = pd.DataFrame({"y": [1.0, 3.0, 5.0, 5.0, 5.0], "p": [2.0, 2.0, 6.0, 4.0, 5.0], "g": list("aabbb")})
    moments = Moments(_summary(rows))
    # Slice a: errors 1 and -1, targets 1 and 3 of variance 1: both without a variance of their squares.
    assert moments.target_variance()[1:] * moments.summary.scale.unit**2 == pytest.approx([1, 0])
    light = Moments(_summary(rows, np.array([1.0, 1.0, 0.25, 0.25, 0.25])))
    assert light.target_variance()[2] == 0
    found = moments.determination()
    assert (found.ratio[1], found.relative_error[1]) == (1, 0)
    assert np.isnan(found.ratio[2])
    # Slice b: errors 1, -1, 0 of variance 2/3, without skewness.
    assert moments.bias().standard_error[2] == pytest.approx(np.sqrt(2 / 3 / 2))
    assert moments.bias().skewness[2] == 0
    exact = Moments(_summary(rows.assign(p=rows.y)))
    assert exact.determination().relative_error[:2].tolist() == [0, 0] and exact.bias().skewness.tolist() == [0, 0, 0]
