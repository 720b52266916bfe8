import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from mlflow_eval_plugin.stats.inference.intervals import (
    clopper_pearson,
    logit_student,
    mover_difference,
    mover_ratio,
    student,
    wilson,
)

GRID = [(0, 10), (1, 10), (5, 10), (10, 10), (3, 30), (97, 100), (1, 100_000)]


@pytest.mark.parametrize(("k", "n"), GRID)
def test_wilson_is_that_of_statsmodels(k, n):
    expected = proportion_confint(k, n, 0.05, "wilson")
    assert np.allclose(wilson(np.array([k / n]), np.array([float(n)]), 0.025), np.array(expected)[:, None], atol=1e-12)


@pytest.mark.parametrize(("k", "n"), GRID)
def test_clopper_pearson_is_that_of_statsmodels(k, n):
    expected = proportion_confint(k, n, 0.05, "beta")
    found = clopper_pearson(np.array([k / n]), np.array([float(n)]), 0.025)
    assert np.allclose(found, np.nan_to_num(expected, nan=0.0)[:, None], atol=1e-9)


@pytest.mark.parametrize("method", [wilson, clopper_pearson])
def test_a_proportion_of_no_trial_has_no_limits_and_one_of_any_has(method):
    assert np.isnan(method(np.array([0.0, 0.5, 1.0]), np.zeros(3), 0.025)).all()
    lower, upper = method(np.array([0.5, 0.5]), np.array([0.5, 1.0]), 0.025)
    assert ((lower > 0) & (upper < 1)).all()


@pytest.mark.parametrize("p", [0.0, 1e-17, 1 - 2**-53, 1.0])
def test_wilson_stays_within_0_and_1_to_the_last_digit(p):
    n = np.arange(1.0, 3000.0)
    lower, upper = wilson(np.full(len(n), p), n, 0.025)
    assert lower.min() >= 0 and upper.max() <= 1
    assert p > 0 or not lower.any()
    assert p < 1 or (upper == 1).all()


@pytest.mark.parametrize(
    ("a", "b"), [((56, 70), (48, 80)), ((9, 10), (3, 10)), ((10, 10), (0, 20)), ((0, 10), (0, 10))]
)
def test_newcombe_is_that_of_statsmodels(a, b):
    # Newcombe (1998), Statistics in Medicine 17:873-890, method 10; 56/70 - 48/80 is its example (a): (.0524, .3339).
    p = [np.array([k / n]) for k, n in (a, b)]
    limits = [wilson(x, np.array([float(n)]), 0.025) for x, (_, n) in zip(p, (a, b), strict=True)]
    found = mover_difference(p[0], limits[0], p[1], limits[1])
    expected = confint_proportions_2indep(*a, *b, compare="diff", method="newcomb")
    assert np.allclose(np.ravel(found), expected, atol=1e-12)


def test_published_newcombe_example():
    p, n = (np.array([0.8]), np.array([0.6])), (np.array([70.0]), np.array([80.0]))
    lower, upper = mover_difference(p[0], wilson(p[0], n[0], 0.025), p[1], wilson(p[1], n[1], 0.025))
    assert (round(float(lower[0]), 4), round(float(upper[0]), 4)) == (0.0524, 0.3339)


def test_published_ratio():
    # Fagerland, Lydersen & Laake's R package contingencytables, tests of chapter 4, 7 of 34 to 1 of 34 (Perondi 2004):
    # MOVER-R Wilson 7.0000 (1.1537 to 41.9763); the other way round the limits are the reciprocals.
    p, q, n = np.array([7 / 34]), np.array([1 / 34]), np.array([34.0])
    limits = wilson(p, n, 0.025), wilson(q, n, 0.025)
    assert np.ravel(mover_ratio(p, limits[0], q, limits[1])) == pytest.approx([1.1537, 41.9763], abs=5e-5)
    assert np.ravel(mover_ratio(q, limits[1], p, limits[0])) == pytest.approx([1 / 41.9763, 1 / 1.1537], rel=5e-5)


def test_ratio_of_certain_estimates_is_certain_and_no_upper_limit_where_the_second_may_be_zero():
    a, b = np.random.default_rng(0).random((2, 1000)) + 0.01
    lower, upper = mover_ratio(a, (a, a), b, (b, b))
    assert lower == pytest.approx(a / b, rel=1e-6) and upper == pytest.approx(a / b, rel=1e-6)
    first, second = np.array([0.0, 1.0]), np.ones(2)
    assert (mover_ratio(first, (0 * first, first + 1), second, (0 * second, second + 1))[1] == np.inf).all()


def test_ratio_at_zero_counts_is_finite_above_and_zero_below():
    p, n = np.array([0.0]), np.array([20.0])
    q = np.array([0.5])
    lower, upper = mover_ratio(p, wilson(p, n, 0.025), q, wilson(q, n, 0.025))
    assert lower[0] == 0
    assert 0 < upper[0] < 1


def test_ratio_to_zero_is_undefined_rather_than_infinite():
    p, q, n = np.array([0.5]), np.array([0.0]), np.array([20.0])
    assert np.isnan(mover_ratio(p, wilson(p, n, 0.025), q, wilson(q, n, 0.025))).all()


def test_one_row_has_no_finite_interval_for_a_mean():
    lower, upper = student(np.array([0.3]), np.array([0.0]), np.array([0.0]), 0.025)
    assert (lower[0], upper[0]) == (-np.inf, np.inf)


def test_student_is_that_of_scipy():
    found = student(np.array([1.0]), np.array([0.2]), np.array([9.0]), 0.025)
    assert np.allclose(np.ravel(found), stats.t.interval(0.95, 9, 1.0, 0.2), atol=1e-12)


def test_two_rows_have_a_students_interval():
    # One degree of freedom is the Cauchy distribution: t = tan(pi (1/2 - .025)) = 12.7062.
    found = np.ravel(student(np.array([1.0]), np.array([0.2]), np.array([1.0]), 0.025))
    assert found == pytest.approx([1 - 0.2 * 12.7062, 1 + 0.2 * 12.7062], abs=1e-4)


def test_a_limit_on_the_logit_scale_by_hand():
    # logit .8 = 1.386294, t of 20 degrees 2.085963, so 1.386294 -+ 2.085963 * .04 / (.8 * .2) = .864803, 1.907785; of
    # one degree 12.7062: -1.790256, 4.562844.
    p, error = np.array([0.8, 0.8, 0.8, np.nan]), np.full(4, 0.04)
    lower, upper = logit_student(p, error, np.array([20.0, 1.0, 0.5, 0.5]), 0.025)
    assert lower[:2] == pytest.approx(1 / (1 + np.exp([-0.864803, 1.790256])), abs=1e-6)
    assert upper[:2] == pytest.approx(1 / (1 + np.exp([-1.907785, -4.562844])), abs=1e-6)
    assert (lower[2], upper[2]) == (0, 1)
    assert np.isnan([lower[3], upper[3]]).all()


@pytest.mark.parametrize("n", [10, 30, 100])
def test_wilson_covers_on_average(n):
    # Exact coverage, averaged over p, since for a single p it swings (Brown, Cai & DasGupta 2001).
    k = np.arange(n + 1)
    lower, upper = wilson(k / n, np.full(n + 1, float(n)), 0.025)
    p = np.linspace(0.02, 0.98, 193)[:, None]
    covered = (stats.binom.pmf(k, n, p) * ((lower <= p) & (p <= upper))).sum(axis=1)
    assert covered.mean() >= 0.94


@pytest.mark.parametrize("n", [10, 30, 100])
def test_newcombe_covers_on_average(n):
    k = np.arange(n + 1)
    rate = k / n
    limits = wilson(rate, np.full(n + 1, float(n)), 0.025)
    lower, upper = mover_difference(
        rate[:, None], (limits[0][:, None], limits[1][:, None]), rate[None], (limits[0][None], limits[1][None])
    )
    covers = []
    for p in np.linspace(0.05, 0.95, 10):
        for q in np.linspace(0.05, 0.95, 10):
            weight = stats.binom.pmf(k, n, p)[:, None] * stats.binom.pmf(k, n, q)[None]
            covers.append((weight * ((lower <= p - q) & (p - q <= upper))).sum())
    assert np.mean(covers) >= 0.94


@pytest.mark.parametrize("alpha", [0.05, 0.0005])
def test_clopper_pearson_holds_its_one_sided_error_at_small_levels(alpha):
    n = 40
    k = np.arange(n + 1)
    lower, _ = clopper_pearson(k / n, np.full(n + 1, float(n)), alpha)
    p = np.linspace(0.01, 0.99, 99)[:, None]
    assert (stats.binom.pmf(k, n, p) * (lower > p)).sum(axis=1).max() <= alpha + 1e-12
