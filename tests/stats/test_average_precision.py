import numpy as np
import pytest
from scipy import integrate, stats
from sklearn.metrics import average_precision_score

from mlflow_eval_plugin.stats.average_precision import average_precision


def _made(score, label, bins, weight=None):
    weight = np.ones(len(score)) if weight is None else weight
    member = np.minimum((score * bins).astype(int), bins - 1)
    table = np.bincount(2 * member + label, weights=weight, minlength=2 * bins).reshape(1, bins, 2)
    squares = np.array([[(weight[label == one] ** 2).sum() for one in (0, 1)]])
    return average_precision(table, table.sum(axis=1) ** 2 / squares, np.array([len(score)]))


def _truth(share, shift):
    """Of scores that are normal, and for positives shifted: the mean precision over the positives."""

    def precise(s):
        hits, false = share * stats.norm.sf(s - shift), (1 - share) * stats.norm.sf(s)
        return stats.norm.pdf(s - shift) * hits / (hits + false)

    return integrate.quad(precise, -8, 9)[0]


def test_by_hand():
    # From the top: positive (precision 1), negative, positive (2/3): 1/2 * 1 + 1/2 * 2/3 = 5/6.
    found = _made(np.array([0.9, 0.6, 0.3]), np.array([1, 0, 1]), 10)
    assert found.value[0] == pytest.approx(5 / 6, abs=1e-15)


@pytest.mark.parametrize("weighted", [False, True])
def test_grid_scores_are_those_of_scikit_learn(weighted):
    rng = np.random.default_rng(0)
    score = rng.integers(0, 40, 500) / 40
    label = (rng.random(500) < score).astype(int)
    weight = rng.integers(1, 5, 500).astype(float) if weighted else None
    found = _made(score, label, 40, weight)
    expected = average_precision_score(label, score, sample_weight=weight)
    assert found.value[0] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("bins", [1, 3, 20, 200])
@pytest.mark.parametrize("n", [3, 40, 2000])
def test_the_bound_holds(bins, n):
    rng = np.random.default_rng(n)
    for _ in range(20):
        score = np.round(rng.random(n), int(rng.integers(1, 6)))
        label = (rng.random(n) < score).astype(int)
        label[0] = 1
        found = _made(score, label, bins)
        assert abs(found.value[0] - average_precision_score(label, score)) <= found.bound[0] + 1e-12


def test_the_standard_error_is_that_of_the_jackknife():
    rng = np.random.default_rng(1)
    n = 400
    score = rng.integers(0, 60, n) / 60
    label = (rng.random(n) < score**2).astype(int)
    left_out = [average_precision_score(np.delete(label, i), np.delete(score, i)) for i in range(n)]
    expected = np.sqrt((n - 1) / n * ((left_out - np.mean(left_out)) ** 2).sum())
    assert _made(score, label, 60).standard_error[0] == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize(("n", "positives", "shift"), [(60, 30, 1.0), (200, 20, 1.5), (400, 200, 0.5)])
def test_coverage(n, positives, shift):
    share = positives / n
    truth = _truth(share, shift)
    rng, covered = np.random.default_rng(2), []
    for _ in range(600):
        label = (rng.random(n) < share).astype(int)
        found = _made(stats.norm.cdf((rng.normal(size=n) + shift * label) / 3), label, 3840)
        lower, upper = found.limits(0.025, exact=False)
        covered.append(lower[0] <= truth <= upper[0])
    assert np.mean(covered) >= 0.94 - 2 * np.sqrt(0.06 * 0.94 / 600)


def test_perfect_and_hopeless_rankings_have_intervals():
    score, label = np.linspace(0, 1, 40), np.repeat([0, 1], 20)
    for one, perfect in ((label, True), (1 - label, False)):
        found = _made(score, one, 3840)
        lower, upper = found.limits(0.025, exact=False)
        assert 0 < lower[0] < found.value[0] + 1e-12 and found.value[0] <= upper[0] <= 1
        assert (found.value[0] == 1) == perfect


def test_without_a_positive_it_is_undefined():
    assert np.isnan(_made(np.array([0.1, 0.2]), np.array([0, 0]), 10).value[0])


@pytest.mark.parametrize(("n", "positives", "shift"), [(60, 30, 1.0), (200, 20, 3.0)])
@pytest.mark.parametrize("alpha", [0.05, 0.005])
def test_limits_of_checks_hold_on_either_side(n, positives, shift, alpha):
    share, trials = positives / n, 1000
    truth = _truth(share, shift)
    rng, wrong = np.random.default_rng(3), []
    for _ in range(trials):
        label = (rng.random(n) < share).astype(int)
        found = _made(stats.norm.cdf((rng.normal(size=n) + shift * label) / 3), label, 3840)
        lower, upper = found.limits(alpha, exact=True)
        wrong.append((lower[0] > truth, upper[0] < truth))
    assert np.mean(wrong, axis=0).max() <= alpha + 2 * np.sqrt(alpha / trials)
