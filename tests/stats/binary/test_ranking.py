import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from mlflow_eval_plugin.stats.binary.ranking import auc as area
from mlflow_eval_plugin.stats.counts.ranks import Ranked
from mlflow_eval_plugin.stats.inference.quantities import AucQuantity


def auc(weights, effective):
    """Of histograms, ``(S, B, 2)``, whose bins may hold several scores."""
    return area(
        [Ranked(*one.T, np.ones(len(one), dtype=bool), np.arange(len(one)) / len(one)) for one in weights], effective
    )


def _delong(score, label):
    """DeLong, DeLong & Clarke-Pearson (1988), by comparing every pair."""
    positive, negative = score[label == 1], score[label == 0]
    wins = (positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)
    return wins.mean(), np.sqrt(
        wins.mean(axis=1).var(ddof=1) / len(positive) + wins.mean(axis=0).var(ddof=1) / len(negative)
    )


def _histogram(score, label, bins):
    member = np.minimum((score * bins).astype(int), bins - 1)
    return np.bincount(2 * member + label, minlength=2 * bins).reshape(1, bins, 2)


def test_auc_and_delong_on_grid_scores_are_exact():
    rng = np.random.default_rng(3)
    score, label = rng.integers(0, 20, 200) / 20, rng.integers(0, 2, 200)
    found = auc(_histogram(score, label, 20), np.array([[(label == 0).sum(), (label == 1).sum()]], dtype=float))
    value, error = _delong(score, label)
    assert found.value[0] == pytest.approx(value, abs=1e-12)
    assert found.value[0] == pytest.approx(roc_auc_score(label, score), abs=1e-12)
    assert found.standard_error[0] == pytest.approx(error, rel=1e-12)


def test_delong_by_hand():
    # Positives .2 .8, negatives .1 .5: wins (1, 0), (1, 1): AUC 3/4; V10 = 1/2, 1, variance 1/8; V01 = 1, 1/2, as well;
    # so the squared standard error is (1/8)/2 + (1/8)/2 = 1/8.
    score, label = np.array([0.2, 0.8, 0.1, 0.5]), np.array([1, 1, 0, 0])
    found = auc(_histogram(score, label, 3840), np.array([[2.0, 2.0]]))
    assert (found.value[0], found.standard_error[0] ** 2) == (0.75, pytest.approx(1 / 8))


def test_the_bound_holds():
    rng = np.random.default_rng(4)
    label = rng.integers(0, 2, 3000)
    score = np.clip(rng.normal(0.4 + 0.2 * label, 0.15), 0, 1)
    found = auc(_histogram(score, label, 30), np.array([[(label == 0).sum(), (label == 1).sum()]], dtype=float))
    assert abs(found.value[0] - roc_auc_score(label, score)) <= found.bound[0] < 0.05


def test_cells_of_one_score_have_no_error():
    one = Ranked(np.array([3, 2, 0]), np.array([1, 4, 2]), np.array([True, False, False]), np.arange(3) / 3)
    assert area([one], np.array([[5.0, 7.0]])).bound[0] == pytest.approx(3 * 1 / (2 * 35))


def test_separated_classes_still_have_an_interval():
    score, label = np.r_[np.full(20, 0.1), np.full(20, 0.9)], np.repeat([0, 1], 20)
    found = auc(_histogram(score, label, 10), np.array([[20.0, 20.0]]))
    made = AucQuantity(found.value, found.standard_error, np.array([19.0]), found.bound, np.array([40]), "")
    lower, upper = made.limits(0.025, exact=False)
    assert found.value[0] == 1
    assert 0.7 < lower[0] < 0.999
    assert upper[0] == 1


def test_the_variance_of_separated_classes_is_hanley_and_mcneils():
    # Of 20 and 30 rows with half of one pair of 600 lost, A = 600.5 / 601: Q1 = A / (2 - A), Q2 = 2 A**2 / (1 + A) and
    # (A (1 - A) + 29 (Q1 - A**2) + 19 (Q2 - A**2)) / 600 (Hanley & McNeil 1982, equation 1).
    weights = np.array([[[20.0, 0.0], [0.0, 30.0]]])
    area = 600.5 / 601
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    variance = (area * (1 - area) + 29 * (q1 - area**2) + 19 * (q2 - area**2)) / 600
    found = auc(weights, np.array([[20.0, 30.0]]))
    assert (found.value[0], found.standard_error[0] ** 2) == (1, pytest.approx(variance, rel=1e-9))
    assert found.bound[0] == 0
    # The other way round the roles change, and A = .5 / 601.
    area = 0.5 / 601
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    variance = (area * (1 - area) + 29 * (q1 - area**2) + 19 * (q2 - area**2)) / 600
    found = auc(weights[:, ::-1], np.array([[20.0, 30.0]]))
    assert (found.value[0], found.standard_error[0] ** 2) == (0, pytest.approx(variance, rel=1e-9))


def test_one_row_of_a_class_has_no_standard_error():
    weights = np.array([[[1.0, 2.0], [0.0, 3.0]]] * 3)
    found = auc(weights, np.array([[1.0, 5.0], [1.5, 5.0], [5.0, 1.0]]))
    assert np.isinf(found.standard_error).tolist() == [True, False, True]
    # Two of five are level with the negative: AUC (2 / 2 + 3) / 5, and half their share of the pairs is uncertain.
    assert found.value == pytest.approx([0.8] * 3) and found.bound == pytest.approx([0.2] * 3)


def test_one_row_alone_has_no_standard_error_though_nothing_seems_to_vary():
    for single in (0, 1):
        weights = np.zeros((1, 3, 2))
        weights[0, 1, single], weights[0, [0, 2], 1 - single] = 1, [3, 2]
        assert auc(weights, weights.sum(axis=1)).standard_error[0] == np.inf


def test_many_slices_are_those_of_each():
    rng = np.random.default_rng(0)
    weights, effective = rng.integers(1, 9, (150, 5, 2)), rng.integers(5, 50, (150, 2)).astype(float)
    together = auc(weights, effective)
    for i in (0, 63, 64, 128, 149):
        alone = auc(weights[[i]], effective[[i]])
        assert (together.value[i], together.standard_error[i]) == (alone.value[0], alone.standard_error[0])
    assert len(together.value) == 150 and len(auc(weights[:0], effective[:0]).value) == 0


def test_one_class_only_is_undefined():
    found = auc(np.array([[[3.0, 0.0], [1.0, 0.0]]]), np.array([[4.0, 0.0]]))
    assert np.isnan(found.value[0])


def test_coverage_in_small_groups():
    rng = np.random.default_rng(5)
    trials, n = 1500, 30
    label = np.repeat([0, 1], n)
    score = np.clip((rng.normal(size=(trials, 2 * n)) + 1.0 * label + 4) / 9, 0, 1)
    histogram = np.concatenate([_histogram(one, label, 3840) for one in score])
    found = auc(histogram, np.full((trials, 2), float(n)))
    made = AucQuantity(
        found.value, found.standard_error, np.full(trials, n - 1.0), found.bound, np.full(trials, 60), ""
    )
    lower, upper = made.limits(0.025, exact=False)
    truth = 0.7602499  # Phi(1 / sqrt(2))
    assert np.mean((lower <= truth) & (truth <= upper)) >= 0.94


@pytest.mark.parametrize(("negatives", "positives", "shift"), [(180, 20, 3.0), (300, 30, 4.0), (3000, 100, 2.6)])
def test_limits_of_checks_hold_where_few_are_ranked_wrongly(negatives, positives, shift):
    # With the logit limit alone the first two were missed by .12 at .05, and by .006 and .06 at .005.
    trials, label = 800, np.repeat([0, 1], [negatives, positives])
    rng, truth = np.random.default_rng(3), stats.norm.cdf(shift / np.sqrt(2))
    table = np.concatenate([
        _histogram(stats.norm.cdf((rng.normal(size=len(label)) + shift * label) / 3), label, 3840)
        for _ in range(trials)
    ])  # fmt: skip
    found = auc(table, table.sum(axis=1).astype(float))
    rows = np.full(trials, len(label))
    made = AucQuantity(found.value, found.standard_error, np.full(trials, positives - 1.0), found.bound, rows, "")
    for alpha in (0.05, 0.005):
        lower, upper = made.limits(alpha, exact=True)
        wrong = max(np.mean(lower - made.bound > truth), np.mean(upper + made.bound < truth))
        assert wrong <= alpha + 2 * np.sqrt(alpha / trials)
