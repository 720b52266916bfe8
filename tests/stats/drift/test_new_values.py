"""The rise of a value that the reference hardly has: by hand, its limits, and how often they are wrong."""

import numpy as np
import pytest
from scipy import stats

from mlflow_eval_plugin.stats.drift.new_values import new_share
from mlflow_eval_plugin.stats.inference.intervals import clopper_pearson, mover_difference


def test_the_largest_rise_by_hand():
    # One in a thousand is hardly there, two are not. .03 - 0, .02 - .001; .95 - .997 is no rise.
    found = new_share(np.array([9970, 10, 0, 20]), np.array([950, 20, 30, 0]))
    assert (found.value[0], found.cell, found.cells, found.n[0]) == (pytest.approx(0.03), 2, 3, 1000)
    ends = [
        mover_difference(
            np.array([after]), clopper_pearson(np.array([after]), np.array([1000.0]), level), np.array([before]),
            clopper_pearson(np.array([before]), np.array([10_000.0]), level),
        )
        for after, before in ((0.03, 0.0), (0.02, 0.001), (0.0, 0.0))
        for level in (0.05 / 3, 0.05)
    ]  # fmt: skip
    lower, upper = found.limits(0.05, exact=True)
    assert lower[0] == max(low[0] for low, _ in ends[::2])
    assert upper[0] == max(high[0] for _, high in ends[1::2])
    assert found.take(np.array([0])) is found and found.bound[0] == 0


def test_where_nothing_is_new_the_upper_limit_is_that_of_a_value_that_nobody_had():
    found = new_share(np.array([500, 500]), np.array([60, 40]))
    assert (found.value[0], found.cell, found.cells) == (0, None, 1)
    lower, upper = found.limits(0.05, exact=True)
    assert lower[0] == 0
    assert upper[0] == pytest.approx(1 - 0.05 ** (1 / 100))  # P(no row of 100) is .05 there
    for before, after in (([0, 0], [1, 2]), ([1, 2], [0, 0])):
        empty = new_share(np.array(before), np.array(after))
        assert np.isnan(empty.value[0]) and empty.reason == "one of the data sets has no value of this column"


@pytest.mark.parametrize("rows", [200, 5000])
def test_without_a_new_value_hardly_any_is_found(rows):
    rng = np.random.default_rng(rows)
    shares = 1 / np.arange(1, 2001) ** 1.3
    shares /= shares.sum()
    drawn = [new_share(rng.multinomial(4000, shares), rng.multinomial(rows, shares)) for _ in range(300)]
    assert sum(one.limits(0.05, exact=True)[0][0] > 0 for one in drawn) <= stats.binom.ppf(0.99, 300, 0.05)


def test_two_of_a_hundred_are_found_among_thousands_of_bins():
    rng = np.random.default_rng(1)
    before = rng.multinomial(20_000, np.full(4000, 1 / 4000))
    after = rng.multinomial(2000, np.r_[0.02, np.full(3999, 0.98 / 3999)])
    found = new_share(before, after)
    assert found.cell == 0
    assert found.limits(0.05 / 80, exact=True)[0][0] > 0.003
