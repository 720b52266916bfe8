"""Limits of means of skewed values, on numbers that can be worked by hand."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from mlflow_eval_plugin.stats.inference.skewed_means import (
    Determination,
    Monotone,
    PositiveMean,
    SkewedMean,
    Standardized,
)
from mlflow_eval_plugin.stats.inference.wald import Wald

N = np.array([50, 80, 120])
TRIALS = np.array([45.0, 70.0, 110.0])


def _gaps(*values: float) -> Wald:
    """Normal ones, with an error of .05."""
    shape = len(values)
    bound = np.linspace(0.01, 0.04, shape)
    return Wald(np.array(values), np.full(shape, 0.05), np.full(shape, 1e12), bound, np.full(shape, 9), "")


def test_limits_of_a_mean_square_are_those_of_chi_squared():
    # A mean of 2 of twenty squares of normal errors varies by 2 * 2**2 / 20. Were that known, its limits were 40 over
    # the quantiles of chi-squared with 20 degrees of freedom: 31.4104 and 10.8508 at .05.
    made = PositiveMean(np.array([2.0]), np.array([2 * np.sqrt(0.1)]), np.array([1e12]), N[:1], TRIALS[:1], "")
    lower, upper = made.limits(0.05, exact=False)
    assert (lower[0], upper[0]) == (pytest.approx(40 / 31.4104, rel=1e-5), pytest.approx(40 / 10.8508, rel=1e-5))
    # In a Check the wider end of these and of 2 -+ 1.644854 standard errors.
    lower, upper = made.limits(0.05, exact=True)
    assert (lower[0], upper[0]) == (
        pytest.approx(2 - 1.644854 * 2 * np.sqrt(0.1), rel=1e-6),
        pytest.approx(40 / 10.8508, rel=1e-5),
    )


def test_the_variance_of_a_positive_mean_is_itself_an_estimate():
    # Ten rows: the shape (2 / .5)**2 = 16 is smaller by (z / t)**2, normal and Student's quantiles at .05.
    made = PositiveMean(np.array([2.0, 0.0, 2.0, 2.0]), np.array([0.5, 0.0, 0.0, 0.5]), np.array([10.0, 10, 10, 1.5]),
                        np.full(4, 10), np.full(4, 10.0), "no rows")  # fmt: skip
    lower, upper = made.limits(0.05, exact=False)
    shape = 16 * (stats.norm.isf(0.05) / stats.t.isf(0.05, 9)) ** 2
    assert lower[0] == pytest.approx(2 * shape / stats.gamma.isf(0.05, shape))
    assert upper[0] == pytest.approx(2 * shape / stats.gamma.ppf(0.05, shape))
    # Without variance, and of a single row, nothing is known; values that are the same by design are their mean.
    assert (lower[1:].tolist(), upper[1:].tolist()) == ([0] * 3, [np.inf] * 3)
    lower, upper = replace(made, fixed=True).limits(0.05, exact=False)
    assert (lower[1:].tolist(), upper[1:].tolist()) == ([0, 2, 0], [0, 2, np.inf])
    # In a Check Student's lower limit, t of 9 degrees of freedom 1.833113, is the wider one.
    assert made.limits(0.05, exact=True)[0][0] == pytest.approx(2 - 0.5 * 1.833113, abs=1e-6)
    two = PositiveMean(*(np.array([one]) for one in (2.0, 0.5, 2.0, 2, 2.0)), "").limits(0.05, exact=False)
    assert 0 < two[0][0] < 2 < two[1][0] < np.inf
    ones = PositiveMean(np.array([1.0, 2.0]), np.array([0.5, 1.0]), np.full(2, 10.0), N[:2], TRIALS[:2], "")
    lower, upper = ones.limits(0.05, exact=False)
    assert (lower < ones.value).all() and (upper > ones.value).all()
    halves = made.limits(0.5, exact=False)
    assert np.isfinite(halves[0]).all() and halves[0][0] == pytest.approx(halves[1][0])
    assert Monotone(made, np.sqrt).reason == made.reason
    low, _ = PositiveMean(*(np.array([one]) for one in (0.1, 0.2, 10.0, 10, 10.0)), "").limits(0.001, exact=True)
    assert low[0] == 0


@pytest.mark.parametrize("alpha", [0.05, 0.3])
def test_limits_of_a_skewed_mean_solve_halls_equation(alpha):
    # Hall (1992): t = T + k T**2 / (3 sqrt(n)) + k**2 T**3 / (27 n) + k / (6 sqrt(n)), T = (mean - limit) / error.
    n, skewness = np.array([25.0, 64.0]), np.array([1.2, -0.8])
    made = SkewedMean(np.array([1.0, -2.0]), np.array([0.1, 0.3]), skewness, n, N[:2], TRIALS[:2], "")
    t = stats.t.isf(alpha, n - 1)
    for limit, expected in zip(made.limits(alpha, exact=False), (t, -t), strict=True):
        away, root = (made.value - limit) / made.standard_error, np.sqrt(n)
        found = away + skewness * away**2 / (3 * root) + skewness**2 * away**3 / (27 * n) + skewness / (6 * root)
        assert found == pytest.approx(expected)
    students = made.value - t * made.standard_error, made.value + t * made.standard_error
    lower, upper = made.limits(alpha, exact=True)
    halls = made.limits(alpha, exact=False)
    assert lower == pytest.approx(np.minimum(halls[0], students[0]))
    assert upper == pytest.approx(np.maximum(halls[1], students[1]))


def test_a_mean_without_skewness_has_students_limits_and_one_row_none():
    zero = np.zeros(2)
    made = SkewedMean(np.ones(2), np.full(2, 0.2), zero, np.array([10.0, 1.9]), N[:2], TRIALS[:2], "")
    lower, upper = made.limits(0.025, exact=False)
    assert lower == pytest.approx([1 - 0.2 * 2.262157, -np.inf], abs=1e-6)
    assert upper == pytest.approx([1 + 0.2 * 2.262157, np.inf], abs=1e-6)
    two = SkewedMean(np.ones(1), np.full(1, 0.2), zero[:1], np.array([2.0]), N[:1], TRIALS[:1], "")
    assert two.limits(0.025, exact=False)[0][0] == pytest.approx(1 - 0.2 * 12.7062, abs=1e-4)


def test_limits_of_a_standardized_mean_by_hand():
    # Both at half of .05: means -+ 1.959964 * .05, deviations .5 -+ as much. The lower limit of a positive mean is over
    # the larger deviation, that of a negative one over the smaller.
    deviation = _gaps(0.5, 0.5, 0.0)
    made = Standardized(_gaps(0.2, -0.2, 0.1), deviation, "nothing varies")
    lower, upper = made.limits(0.05, exact=True)
    near, far = 0.2 - 0.0979982, 0.2 + 0.0979982
    assert made.value == pytest.approx([0.4, -0.4, np.nan], nan_ok=True)
    assert lower == pytest.approx([near / 0.5979982, -far / 0.4020018, np.nan], abs=1e-6, nan_ok=True)
    assert upper == pytest.approx([far / 0.4020018, -near / 0.5979982, np.nan], abs=1e-6, nan_ok=True)


def test_limits_of_a_coefficient_of_determination_by_hand():
    # A ratio of .4 times and over exp(t * .2), t of 10 degrees of freedom at .025 = 2.228139, of one 12.7062.
    made = Determination(np.full(3, 0.4), np.full(3, 0.2), np.array([12.0, 3.0, 2.9]), N, "")
    lower, upper = made.limits(0.025, exact=True)
    assert made.value == pytest.approx([0.6] * 3)
    assert lower == pytest.approx([1 - 0.4 * np.exp(0.4456278), 1 - 0.4 * np.exp(2.54124), -np.inf], abs=1e-4)
    assert upper == pytest.approx([1 - 0.4 / np.exp(0.4456278), 1 - 0.4 / np.exp(2.54124), 1], abs=1e-5)
