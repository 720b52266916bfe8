import numpy as np
import pytest
from scipy import integrate, stats
from sklearn.metrics import average_precision_score

from mlflow_eval_plugin.stats.binary.average_precision import AveragePrecision
from mlflow_eval_plugin.stats.binary.average_precision import average_precision as precision
from mlflow_eval_plugin.stats.counts.ranks import Ranked


def average_precision(tables, effective, n, mixed=True):
    """Of histograms, ``(S, B, 2)``, whose bins may hold several scores."""
    return precision(
        [Ranked(*one.T, np.full(len(one), mixed), np.arange(len(one)) / len(one)) for one in tables], effective, n
    )


def _made(score, label, bins, weight=None, mixed=False):
    weight = np.ones(len(score)) if weight is None else weight
    member = np.minimum((score * bins).astype(int), bins - 1)
    table = np.bincount(2 * member + label, weights=weight, minlength=2 * bins).reshape(1, bins, 2)
    squares = np.array([[(weight[label == one] ** 2).sum() for one in (0, 1)]])
    return average_precision(table, table.sum(axis=1) ** 2 / squares, np.array([len(score)]), mixed)


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
        found = _made(score, label, bins, mixed=True)
        assert abs(found.value[0] - average_precision_score(label, score)) <= found.bound[0] + 1e-12


def test_the_standard_error_is_that_of_the_jackknife():
    rng = np.random.default_rng(1)
    n = 400
    score = rng.integers(0, 60, n) / 60
    label = (rng.random(n) < score**2).astype(int)
    left_out = [average_precision_score(np.delete(label, i), np.delete(score, i)) for i in range(n)]
    expected = np.sqrt((n - 1) / n * ((left_out - np.mean(left_out)) ** 2).sum())
    assert _made(score, label, 60).standard_error[0] == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_standard_error_is_made_of_the_influence_of_every_row(weighted):
    rng = np.random.default_rng(5)
    n, step = 60, 1e-5
    score = rng.integers(0, 20, n) / 20
    label = (rng.random(n) < score).astype(int)
    weight = rng.integers(1, 5, n).astype(float) if weighted else np.ones(n)

    def with_more(of, more):
        return average_precision_score(label, score, sample_weight=weight + more * (np.arange(n) == of))

    slope = np.array([(with_more(i, step) - with_more(i, -step)) / (2 * step) for i in range(n)])
    positives, negatives = (weight[label == one].sum() ** 2 / (weight[label == one] ** 2).sum() for one in (1, 0))
    expected = np.sqrt((weight * slope**2).sum() * weight.sum() / (positives + negatives - 1))
    found = _made(score, label, 40, weight)  # every second bin is empty, the highest too
    assert found.standard_error[0] == pytest.approx(expected, rel=1e-6)
    assert found.df[0] == pytest.approx(positives - 1)
    small = _made(score, label, 40, weight / 1024)
    for name in ("value", "standard_error", "df", "bound"):
        assert getattr(small, name) == getattr(found, name), name


def test_in_bins_of_several_scores_positives_lie_evenly_and_the_bound_is_of_the_best_and_the_worst_order():
    # From the top: bins of (negatives, positives). First in a bin come all positives, or all negatives and then one
    # positive after the other, whose precisions are no less than their integral. Evenly, so many negatives come with
    # each of p positives as leave as many behind the last: n / (p + 1).
    def expected(bins):
        hits, called, below, above, likely = 0, 0, 0.0, 0.0, 0.0
        for negative, positive in filter(any, bins):
            start, more = called + negative, 1 + negative / (positive + 1)
            even = integrate.quad(lambda x, h=hits, c=called, m=more: (h + x) / (c + m * x), 0.5, positive + 0.5)[0]
            worst = integrate.quad(lambda x, h=hits, c=start: (h + x) / (c + x), 1e-12, positive)[0]
            hits, called = hits + positive, called + negative + positive
            best = positive * hits / max(called - negative, 1)
            below, above, likely = below + worst, above + best, likely + min(max(even, worst), best)
        return likely / hits, max(above - likely, likely - below) / hits

    for bins in ([(1, 10)], [(90, 10)], [(0, 3), (5, 0), (2, 4), (30, 6)], [(0, 0), (8, 0), (1, 9), (0, 2)]):
        table = np.array([bins[::-1]], dtype=float)
        found = average_precision(table, table.sum(axis=1), np.array([int(table.sum())]))
        assert (found.value[0], found.bound[0]) == pytest.approx(expected(bins), rel=1e-6)


def test_bins_of_one_score_have_no_error():
    table = np.array([[(30, 6), (2, 4), (5, 0)]], dtype=float)
    assert average_precision(table, table.sum(axis=1), np.array([47])).bound[0] > 0.1
    assert average_precision(table, table.sum(axis=1), np.array([47]), mixed=False).bound[0] == 0


def test_limits_are_students_on_the_logit_scale_and_no_tighter_than_a_proportions():
    value, error, df = (
        np.array([0.7, 0.9, 1.0, 0.001, 0.4]),
        np.array([0.05, 0.001, 0.02, 1e-5, np.inf]),
        np.array([20.0, 9.5, 19.0, 9.0, 0.0]),
    )
    made = AveragePrecision(value, error, df, np.zeros(5), np.full(5, 100))
    lower, upper = made.limits(0.05, exact=False)
    low, high = made.limits(0.05, exact=True)
    for i, inside in enumerate((0.7, 0.9, 1 - 0.5 / 21, 0.5 / 11)):
        half = stats.t.isf(0.05, df[i]) * error[i] / (inside * (1 - inside))
        ends = [1 / (1 + (1 - inside) / inside * np.exp(sign * half)) for sign in (1, -1)]
        assert lower[i] == pytest.approx(min(ends[0], value[i])) and upper[i] == pytest.approx(max(ends[1], value[i]))
        # Clopper & Pearson: of df + 1 trials.
        hits, misses = value[i] * (df[i] + 1), (1 - value[i]) * (df[i] + 1)
        assert low[i] == pytest.approx(min(lower[i], stats.beta.ppf(0.05, hits, misses + 1)))
        most = stats.beta.isf(0.05, hits + 1, misses) if misses else 1.0
        assert high[i] == pytest.approx(max(upper[i], most))
    assert (lower[4], upper[4], low[4], high[4]) == (0, 1, 0, 1)
    assert (lower[3], upper[2]) == (0.001, 1.0)


def test_many_slices_are_those_of_each():
    rng = np.random.default_rng(6)
    tables = rng.integers(0, 5, (131, 12, 2)).astype(float)
    rows = tables.sum(axis=(1, 2)).astype(int)
    found = average_precision(tables, tables.sum(axis=1), rows)
    for i in (0, 63, 64, 130):
        alone = average_precision(tables[[i]], tables[[i]].sum(axis=1), rows[[i]])
        taken = found.take(np.array([i]))
        for name in ("value", "standard_error", "df", "bound", "n"):
            assert getattr(taken, name) == getattr(alone, name), name


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
        if perfect:  # of 20 positives and a half, as a proportion is
            assert found.standard_error[0] == pytest.approx(np.sqrt(20.5 / 21 * (0.5 / 21) / 20))
    assert _made(score[:21], label[:21], 3840).standard_error[0] == np.inf  # one positive
    assert _made(score[:22], label[:22], 3840).standard_error[0] == pytest.approx(np.sqrt(2.5 / 3 * (0.5 / 3) / 2))


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
