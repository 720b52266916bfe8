"""Metrics of a regression by slice: scikit-learn's numbers, and limits that hold for skewed errors."""

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sklearn

from mlflow_eval_plugin.engines.arrow import moment_summary, predicted_rows
from mlflow_eval_plugin.engines.slicing import Slicing
from mlflow_eval_plugin.stats.binary.disaggregated import gap_bounds, gaps_of, metric_bounds
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.inference.checks import Claim, judge
from mlflow_eval_plugin.stats.inference.estimate import estimates
from mlflow_eval_plugin.stats.regression.metrics import RegressionTable

N = 3000


def data(kind):
    rng = np.random.default_rng(0)
    y = {
        "plain": lambda: rng.normal(10, 3, N),
        "money": lambda: rng.lognormal(8, 2, N),
        "times": lambda: 1.7e9 + rng.normal(0, 1000, N),
        "tiny": lambda: rng.normal(0, 1e-12, N),
    }[kind]()
    p = y + rng.standard_t(3, N) * y.std() / 3
    q1, q9 = p - y.std() / 2, p + y.std() / 2
    return pd.DataFrame(
        {"y": y, "p": p, "q1": q1, "q9": q9, "g": rng.choice(["a", "b", "c"], N, p=[0.6, 0.39, 0.01]),
         "h": rng.integers(0, 2, N), "w": rng.random(N) * 3}
    )  # fmt: skip


def table(rows, weight=None, slices=("g", "h"), depth=2, max_levels=100):
    found = predicted_rows(
        rows, target="y", prediction="p", weight=weight, quantiles={0.1: "q1", 0.9: "q9"} if "q1" in rows else None,
        intervals=[("80 %", 0.8, "q1", "q9")] if "q1" in rows else (),
    )  # fmt: skip
    return RegressionTable(moment_summary(rows, found, slicing=Slicing(slices, depth, max_levels=max_levels)))


def winkler(y, low, high, alpha):
    return high - low + 2 / alpha * (np.maximum(low - y, 0) + np.maximum(y - high, 0))


REFERENCES = {
    "mae": lambda d, w: sklearn.mean_absolute_error(d.y, d.p, sample_weight=w),
    "rmse": lambda d, w: sklearn.root_mean_squared_error(d.y, d.p, sample_weight=w),
    "r2": lambda d, w: sklearn.r2_score(d.y, d.p, sample_weight=w),
    "bias": lambda d, w: np.average(d.p - d.y, weights=w),
    "pinball_0.1": lambda d, w: sklearn.mean_pinball_loss(d.y, d.q1, alpha=0.1, sample_weight=w),
    "pinball_0.9": lambda d, w: sklearn.mean_pinball_loss(d.y, d.q9, alpha=0.9, sample_weight=w),
    "coverage_0.1": lambda d, w: np.average(d.y <= d.q1, weights=w),
    "coverage_80 %": lambda d, w: np.average((d.q1 <= d.y) & (d.y <= d.q9), weights=w),
    "width_80 %": lambda d, w: np.average(d.q9 - d.q1, weights=w),
    "interval_score_80 %": lambda d, w: np.average(winkler(d.y, d.q1, d.q9, 0.2), weights=w),
}


@pytest.mark.parametrize("weight", [None, "w"])
@pytest.mark.parametrize("kind", ["plain", "money", "times", "tiny"])
def test_metrics_are_those_of_scikit_learn_in_every_slice_and_complement(kind, weight):
    rows = data(kind)
    found = table(rows, weight)
    assert set(found.names) == {*REFERENCES, "coverage_0.9"}
    for i, one in enumerate(found.slices):
        chosen = np.ones(len(rows), dtype=bool)
        for column, level in one.levels:
            chosen &= (rows[column].astype(str) == level).to_numpy()
        for complement in (False, True) if i else (False,):
            part = rows[~chosen if complement else chosen]
            w = None if weight is None else part.w
            for metric, reference in REFERENCES.items():
                value = found.metric(metric, complement=complement).value[i]
                # A mean of signed errors cancels; so it is right to a part in 10**9 of their size.
                size = 1e-9 * np.abs(part.p - part.y).mean() if metric == "bias" else 0
                assert value == pytest.approx(reference(part, w), rel=1e-9, abs=size), (one.label, metric, complement)


def test_a_case_worked_by_hand():
    # Errors 1, -1, 2, 0: mean 1/2, sizes 4/4, squares 6/4. Targets 1, 3, 4, 8 about 4: 9 + 1 + 0 + 16 = 26.
    rows = pd.DataFrame({"y": [1.0, 3.0, 4.0, 8.0], "p": [2.0, 2.0, 6.0, 8.0], "g": list("aabb")})
    found = table(rows, slices=["g"], depth=1)
    overall = {name: found.metric(name).value[0] for name in found.names}
    assert overall == {"mae": 1.0, "rmse": pytest.approx(1.5**0.5), "bias": 0.5, "r2": pytest.approx(1 - 6 / 26)}
    # Slice a: errors 1, -1; slice b: 2, 0.
    assert found.metric("mae").value.tolist() == [1.0, 1.0, 1.0]
    assert found.metric("bias").value.tolist() == [0.5, 0.0, 1.0]
    gap = {one.label: one for one in gaps_of(found, "bias", "complement", 1)}
    assert gap["g=a"].difference.value == -1.0 and gap["g=b"].difference.value == 1.0
    overall_gap = {one.label: one for one in gaps_of(found, "bias", "overall", 1)}
    assert overall_gap["g=a"].difference.value == pytest.approx(-0.5)


def test_a_constant_target_has_no_r2_and_says_why():
    rows = pd.DataFrame({"y": [0.1] * 5 + [3.0, 4.0] * 5, "p": np.arange(15.0), "g": ["c"] * 5 + ["v"] * 10})
    rows["w"] = np.linspace(0.1, 0.7, 15)
    for weight in (None, "w"):
        found = estimates(table(rows, weight, slices=["g"], depth=1).metric("r2"))
        assert found[0].value is not None and found[2].value is not None
        assert found[1].value is None and "the target is the same" in found[1].reason
    check = judge([Claim("r", "", "r2", "g=c", metric_bounds(table(rows, slices=["g"]), "r2", "g=c"), minimum=0.5)])
    assert check.checks[0].verdict == "insufficient"


def test_one_row_has_a_value_and_no_interval():
    rows = pd.DataFrame({"y": [1.0, 2.0, 3.0, 4.0], "p": [1.5, 1.0, 3.0, 5.0], "g": list("abbb")})
    found = table(rows, slices=["g"], depth=1)
    for name in ("mae", "rmse", "bias"):
        one = estimates(found.metric(name))[1]
        assert one.value == pytest.approx(0.5) and one.interval is None


def test_metrics_that_there_are_none_of():
    found = table(data("plain"))
    with pytest.raises(InputError, match=r"there is no 'pinball_0\.5'"):
        found.metric("pinball_0.5")
    with pytest.raises(InputError, match="no rows are in 'g=z'"):
        gap_bounds(found, "mae", "g=z", "complement")


SHAPES = {
    "normal": lambda rng, n: rng.normal(size=n),
    "lognormal": lambda rng, n: rng.lognormal(0, 1, n) - np.exp(0.5),
}
SLICES = 1500
# Shares of one-sided 95 % limits beyond the truth that these sizes reach; lower ends, then upper ends. The long tail of
# lognormal errors is not in ten rows, and no method sees it.
MISSED = {
    ("normal", "mae"): (0.05, {10: 0.05, 30: 0.05, 100: 0.05}),
    ("normal", "rmse"): (0.05, {10: 0.08, 30: 0.07, 100: 0.055}),
    ("normal", "bias"): (0.05, {10: 0.06, 30: 0.055, 100: 0.055}),
    ("lognormal", "mae"): (0.05, {10: 0.23, 30: 0.18, 100: 0.14}),
    ("lognormal", "bias"): (0.05, {10: 0.16, 30: 0.12, 100: 0.10}),
}


@pytest.mark.parametrize("rows", [10, 30, 100])
@pytest.mark.parametrize(("shape", "metric"), MISSED)
def test_limits_hold_in_small_slices(shape, metric, rows):
    rng = np.random.default_rng(rows)
    error = SHAPES[shape](rng, rows * SLICES)
    frame = pd.DataFrame({"y": np.zeros(len(error)), "p": error, "g": np.repeat(np.arange(SLICES), rows).astype(str)})
    found = table(frame, slices=["g"], depth=1, max_levels=SLICES)
    big = SHAPES[shape](np.random.default_rng(9), 2_000_000)
    truth = {"mae": np.abs(big).mean(), "rmse": (big**2).mean() ** 0.5, "bias": 0.0}[metric]
    lower, upper = (side[1:] for side in found.metric(metric).limits(0.05, exact=True))
    noise, (below, above) = 2.5 * np.sqrt(0.05 * 0.95 / SLICES), MISSED[shape, metric]
    assert (lower > truth).mean() <= below + noise
    assert (upper < truth).mean() <= above[rows] + noise


@pytest.mark.parametrize("shape", SHAPES)
def test_no_false_fail_among_many_slices_on_their_tolerance(shape):
    """``max_metric`` of the MAE of 40 slices of 50 rows, each exactly on its tolerance: the family holds its 5 %."""
    runs, slices, rows = 60, 40, 50
    rng = np.random.default_rng(5)
    truth = np.abs(SHAPES[shape](np.random.default_rng(9), 2_000_000)).mean()
    groups, failed = np.repeat(np.arange(slices), rows).astype(str), 0
    for _ in range(runs):
        frame = pd.DataFrame({"y": 0.0, "p": SHAPES[shape](rng, slices * rows), "g": groups})
        found = table(frame, slices=["g"], depth=1)
        claims = [
            Claim(one.label, "", "mae", one.label, metric_bounds(found, "mae", one.label), maximum=truth)
            for one in found.slices[1:]
        ]
        failed += any(check.verdict == "fail" for check in judge(claims).checks)
    assert failed / runs <= 0.05 + 2.5 * np.sqrt(0.05 * 0.95 / runs)


def test_r2_limits_hold():
    rng = np.random.default_rng(2)
    for rows, spread in ((30, 0.3), (30, 1.0), (100, 3.0)):
        y = rng.normal(size=rows * SLICES)
        p = y + spread * rng.normal(size=len(y))
        frame = pd.DataFrame({"y": y, "p": p, "g": np.repeat(np.arange(SLICES), rows).astype(str)})
        quantity = table(frame, slices=["g"], depth=1, max_levels=SLICES).metric("r2")
        lower, upper = (side[1:] for side in quantity.limits(0.05, exact=True))
        noise = 2.5 * np.sqrt(0.05 * 0.95 / SLICES)
        assert (lower > 1 - spread**2).mean() <= 0.07 + noise
        assert (upper < 1 - spread**2).mean() <= 0.07 + noise


def test_limits_are_monotone_in_the_error():
    found = table(data("money").head(40), slices=["h"], depth=1)
    levels = np.array([1e-9, 1e-6, 1e-3, 0.01, 0.05, 0.2, 0.4])
    for name in found.names:
        sides = [found.metric(name).limits(alpha, exact=True) for alpha in levels]
        lower, upper = (np.array([side[i] for side in sides]) for i in (0, 1))
        assert (np.diff(lower, axis=0) >= 0).all(), name
        assert (np.diff(upper, axis=0) <= 0).all(), name


def test_rows_without_an_error_do_not_show_that_there_is_none():
    rows = pd.DataFrame({"y": [3.0, 5.0, 9.0] * 10, "p": [3.0, 5.0, 9.0] * 10, "g": "a", "h": 0})
    made = table(rows)
    for metric, limit in (("mae", 0.1), ("rmse", 0.1), ("bias", 0.1)):
        bounds = metric_bounds(made, metric)
        minimum = -limit if metric == "bias" else None
        check = judge([Claim(metric, "no error", metric, "overall", bounds, minimum, limit)]).checks[0]
        assert check.verdict == "insufficient" and check.value == 0, metric
    check = judge([Claim("r2", "all is told", "r2", "overall", metric_bounds(made, "r2"), 0.9)]).checks[0]
    assert check.verdict == "insufficient" and check.value == 1


def test_rare_errors_of_one_size_do_not_pass_unseen():
    # Predictions of whole numbers, off by one in 5 % of the rows: thirty rows show no error in a fifth of all samples.
    rng = np.random.default_rng(1)
    wrong = 0
    for _ in range(300):
        y = rng.integers(0, 9, 30).astype(float)
        rows = pd.DataFrame({"y": y, "p": y + (rng.random(30) < 0.05), "g": "a", "h": 0})
        wrong += metric_bounds(table(rows), "mae").upper(0.05) < 0.05
    assert wrong / 300 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 300)
