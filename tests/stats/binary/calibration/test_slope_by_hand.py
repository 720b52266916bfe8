"""Calibration slope and intercept from their definitions: cells, bounds by numerical derivatives, the score test."""

import math

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import special, stats

from mlflow_eval_plugin.engines.arrow import score_summary
from mlflow_eval_plugin.stats.binary.calibration.slope import (
    NO_SLOPE,
    ONE_CLASS,
    CoxTest,
    LogitCells,
    cells_of,
    cells_of_ranked,
    cox_test,
    intercept,
    likeliest,
    logit,
    slope,
)
from mlflow_eval_plugin.stats.binary.summary import SCORE_BINS
from mlflow_eval_plugin.stats.counts.ranks import Ranked

N = np.array([1])


def _summary(rows, weight=None):
    return score_summary(rows, label="y", score="s", weight=weight)


@pytest.fixture(scope="module")
def rows():
    """Rows of a few score bins, the first and the last among them, scattered over the width of each."""
    rng = np.random.default_rng(3)
    bins = np.repeat([0, 3000, 20_000, 40_000, 50_000, SCORE_BINS - 1], 20)
    return pd.DataFrame({"s": (bins + rng.uniform(0.1, 0.9, 120)) / SCORE_BINS, "bin": bins,
                         "y": (rng.random(120) < 0.15 + 0.6 * bins / SCORE_BINS).astype(int),
                         "w": rng.integers(1, 5, 120).astype(float)})  # fmt: skip


@pytest.mark.parametrize("weight", [None, "w"])
def test_cells_are_the_means_and_variances_of_their_rows(rows, weight):
    cells = cells_of(_summary(rows, weight))
    w = pd.Series(np.ones(120)) if weight is None else rows.w
    groups = rows.assign(w=w).groupby(["bin", "y"])
    assert len(cells.score) == len(groups)
    for i, ((at, label), part) in enumerate(groups):
        mean = np.average(part.s, weights=part.w)
        assert (cells.score[i], cells.label[i]) == (pytest.approx(mean, abs=1e-12), label)
        assert (cells.weight[i], cells.square[i]) == (pytest.approx(part.w.sum()), pytest.approx((part.w**2).sum()))
        assert (cells.lower[i], cells.upper[i]) == (at / SCORE_BINS, (at + 1) / SCORE_BINS)
        variance = np.average((part.s - mean) ** 2, weights=part.w)
        assert cells.variance[i] == pytest.approx(variance, rel=1e-6, abs=1e-18)


def test_cells_of_ranked_rows_are_at_their_scores():
    score, mixed = np.array([1e-5, 0.3, 0.75]), np.array([False, True, True])
    one = Ranked(np.array([6, 0, 4]), np.array([1, 2, 0]), mixed, score)
    cells = cells_of_ranked(one, 0.5, 1.5)
    assert cells.score.tolist() == cells.lower.tolist() == [1e-5, 1e-5, 0.3, 0.75]
    assert cells.label.tolist() == [0, 1, 1, 0] and cells.weight.tolist() == [3, 0.5, 1, 2]
    assert cells.square.tolist() == [4.5, 0.75, 1.5, 3]
    # The widest cells are a 256th of the distance to the nearer end.
    assert cells.upper == pytest.approx([1e-5, 1e-5, 0.3 * 257 / 256, 0.75 + 0.25 / 256], rel=1e-12)
    assert cells.variance[:2].tolist() == [0, 0] and np.isnan(cells.variance[2:]).all()


def _near(score):
    return np.clip(score, 1e-6, 1 - 1e-6)


def _fit(cells, free):
    """Coefficients with the last row of the inverse information, by statsmodels."""
    x = special.logit(_near(cells.score))
    design, offset = (sm.add_constant(x), None) if free else (np.ones((len(x), 1)), x)
    fit = sm.GLM(cells.label, design, sm.families.Binomial(), freq_weights=cells.weight, offset=offset)
    made = fit.fit(tol=1e-14, maxiter=200)
    row = np.atleast_2d(made.cov_params())[-1]
    return (*made.params, *row) if free else (made.params[0], 1.0, row[0], 0.0)


def _bound(cells, free):
    """The largest sum of moves: of each row at most to either end of its bin, or by the curvature and the variance."""
    a, b, c0, c1 = _fit(cells, free)

    def pull(score):
        x = special.logit(_near(score))
        return (cells.label - special.expit(a + b * x)) * (c0 + c1 * x)

    def curve(score):
        step = _near(score) * (1 - _near(score)) * 1e-3
        return (pull(_near(score) + step) - 2 * pull(score) + pull(_near(score) - step)) / step**2

    ends = cells.lower, cells.score, cells.upper
    across = np.max([np.abs(pull(one) - pull(cells.score)) for one in ends], axis=0)
    curved = np.max([np.abs(curve(one)) for one in ends], axis=0) * cells.variance / 2
    inside = (cells.lower > 0) & (cells.upper < 1) & ~np.isnan(cells.variance)
    return (cells.weight * np.where(inside, np.minimum(across, np.where(inside, curved, 0)), across)).sum()


@pytest.mark.parametrize("inner", [True, False])
@pytest.mark.parametrize(("made", "free"), [(slope, True), (intercept, False)])
def test_the_bound_is_that_of_its_definition(rows, made, free, inner):
    rows = rows[(rows.bin > 0) & (rows.bin < SCORE_BINS - 1)] if inner else rows
    cells = cells_of(_summary(rows, "w"))
    found = made([cells], N)
    assert found.value[0] == pytest.approx(_fit(cells, free)[1 if free else 0], abs=1e-8)
    assert found.bound[0] == pytest.approx(_bound(cells, free), rel=1e-4)
    table = rows.pivot_table("w", "bin", "y", "sum", fill_value=0.0)
    score = table.index.to_numpy() / SCORE_BINS
    cells = cells_of_ranked(Ranked(*table.to_numpy().T, np.ones(len(table), dtype=bool), score), 1.0, 1.0)
    assert made([cells], N).bound[0] == pytest.approx(_bound(cells, free), rel=1e-6)


def test_rows_of_one_score_have_no_bound():
    rng = np.random.default_rng(6)
    rows = pd.DataFrame({"s": rng.choice(rng.random(60), 600), "y": rng.integers(0, 2, 600)})
    cells = cells_of(_summary(rows))
    assert [made([cells], N).bound[0] for made in (slope, intercept)] == [0, 0]


def test_degrees_of_freedom_are_those_of_the_smaller_class(rows):
    w = rows.w
    effective = [w[rows.y == k].sum() ** 2 / (w[rows.y == k] ** 2).sum() for k in (0, 1)]
    cells = cells_of(_summary(rows, "w"))
    for made in (slope, intercept):
        assert made([cells, cells], np.array([120, 7])).df == pytest.approx([min(effective) - 1] * 2)
        assert made([cells], np.array([120])).n.tolist() == [120]
    turned = cells_of(_summary(rows.assign(y=1 - rows.y), "w"))
    assert slope([turned], N).df == pytest.approx([min(effective) - 1])


def test_the_error_of_the_intercept_is_the_larger_sandwich(rows):
    rows = rows[(rows.bin > 0) & (rows.bin < SCORE_BINS - 1)]
    fit = sm.GLM(
        rows.y, np.ones(len(rows)), sm.families.Binomial(), offset=logit(rows.s.to_numpy()), freq_weights=rows.w
    )
    p = fit.fit(tol=1e-13).fittedvalues
    information = (rows.w * p * (1 - p)).sum()
    seen, expected = (np.sqrt((rows.w**2 * each).sum()) / information for each in ((rows.y - p) ** 2, p * (1 - p)))
    found = intercept([cells_of(_summary(rows, "w"))], N)
    assert found.standard_error[0] == pytest.approx(max(seen, expected), rel=1e-4)


@pytest.mark.parametrize(("score", "events", "larger"), [
    ([0.02, 0.3, 0.6, 0.99], [12, 6, 10, 14], "HC0"),  # far too sure, the most at both ends
    ([0.02, 0.3, 0.6, 0.99], [2, 20, 5, 23], "nonrobust"),
    ([0.2, 0.4, 0.6, 0.8], [0, 8, 17, 25], "nonrobust"),  # not sure enough
])  # fmt: skip
def test_the_larger_of_two_errors_counts(score, events, larger):
    """White's (1980), and that of the information."""
    score, ones = np.repeat(score, 25), np.ones(100)
    label = np.concatenate([np.arange(25) < k for k in events]).astype(float)
    x, cells = special.logit(score), LogitCells(score, label, ones, ones, score, score, 0 * ones)
    seen = []
    for made, design, offset in ((slope, sm.add_constant(x), 0 * x), (intercept, ones[:, None], x)):
        model = sm.GLM(label, design, sm.families.Binomial(), offset=offset)
        errors = {kind: model.fit(tol=1e-14, cov_type=kind).bse[-1] for kind in ("nonrobust", "HC0")}
        assert made([cells], N).standard_error[0] == pytest.approx(max(errors.values()), rel=1e-8)
        seen.append(max(errors, key=errors.get))
    assert larger in seen


def test_one_class_has_neither_and_says_why():
    score, ones = np.array([0.2, 0.4, 0.7]), np.ones(3)
    for label in (0.0, 1.0):
        cells = LogitCells(score, label * ones, ones, ones, score, score, 0 * ones)
        assert cells.one_class and cells.separated
        for made, reason in ((slope, NO_SLOPE), (intercept, ONE_CLASS)):
            found = made([cells], N)
            assert np.isnan([found.value[0], found.standard_error[0], found.bound[0]]).all() and found.reason == reason


@pytest.mark.parametrize(
    ("score", "label", "apart"),
    [
        ([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1], True),
        ([0.1, 0.2, 0.8, 0.9], [1, 1, 0, 0], True),
        ([0.1, 0.5, 0.5, 0.9], [0, 0, 1, 1], True),
        ([0.1, 0.5, 0.5, 0.9], [1, 1, 0, 0], True),
        ([0.1, 0.2, 0.8, 0.9], [0, 1, 0, 1], False),
        ([0.1, 0.2, 0.8, 0.9], [1, 0, 1, 0], False),
    ],
)
def test_classes_are_apart_where_no_row_lies_beyond_the_other(score, label, apart):
    ones, score = np.ones(4), np.array(score)
    cells = LogitCells(score, np.array(label, dtype=float), ones, ones, score, score, 0 * ones)
    assert cells.separated is apart and not cells.one_class
    assert (cox_test(cells).slope is None) == apart


def test_coxs_test_by_hand():
    # Ten rows of .5 with four events, ten of .9 with nine, each of weight 2 in sums and of 4 in squares.
    score, label = np.repeat([0.5, 0.9], 10), np.concatenate([np.arange(10) < 4, np.arange(10) < 9]).astype(float)
    ones = np.ones(20)
    found = cox_test(LogitCells(score, label, 2 * ones, 4 * ones, score, score, 0 * ones))
    # Pulls 2 (4 - 5) and 2 (9 - 9), variances 4 * 2.5 and 4 * .9; x is 0 and ln 9.
    x = math.log(9)
    spread = np.array([[13.6, 3.6 * x], [3.6 * x, 3.6 * x**2]])
    pull = np.array([-2.0, 0.0])
    statistic = pull @ np.linalg.inv(spread) @ pull
    assert found.chi_squared == pytest.approx(statistic) == pytest.approx(0.4)
    assert (found.p_value, found.degrees_of_freedom) == (pytest.approx(stats.chi2.sf(0.4, 2)), 2)
    assert found.intercept == pytest.approx(math.log(4 / 6))
    assert found.slope == pytest.approx((math.log(9) - math.log(4 / 6)) / x)


def test_one_score_has_no_test_of_two_coefficients():
    score, ones = np.full(4, 0.3), np.ones(4)
    found = cox_test(LogitCells(score, np.array([0.0, 1, 0, 1]), ones, ones, score, score, 0 * ones))
    assert found == CoxTest(None, None, None, 2, None)


def test_far_ends_are_reached_from_far_starts():
    # Two scores with logits of 0 and 1/50, of which .3 and .7 are events: a slope of 2 logit(.7) * 50.
    columns, weight = np.array([[1.0, 0.0], [1.0, 0.02]]), np.array([[7.0, 3.0], [3.0, 7.0]])
    expected = [special.logit(0.3), 100 * special.logit(0.7)]
    assert likeliest(columns, weight) == pytest.approx(expected, rel=1e-9)
    assert likeliest(columns, weight, start=np.array([3.0, -40.0])) == pytest.approx(expected, rel=1e-9)
    assert likeliest(columns, weight, offset=np.array([0.5, 0.5])) == pytest.approx(
        [expected[0] - 0.5, expected[1]], rel=1e-9
    )


def test_logits_end_at_a_millionth():
    found = logit(np.array([0.0, 1e-7, 1e-6, 0.5, 1 - 1e-7, 1.0]))
    end = math.log(1e6 - 1)
    assert found == pytest.approx([-end, -end, -end, 0, end, end])
