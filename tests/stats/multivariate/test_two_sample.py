"""The classifier two-sample test from held-out scores, against scikit-learn and by simulation; shifts against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ttest_ind
from sklearn.metrics import roc_auc_score
from support.multivariate.simulating import found_at, linear_folds

from mlflow_eval_plugin.stats.inference.estimate import bounds_at, estimates
from mlflow_eval_plugin.stats.multivariate.shifts import largest_shift
from mlflow_eval_plugin.stats.multivariate.two_sample import Fold, carriers, two_sample_auc


def held_out(seed: int, shift: float, n: int = 400, m: int = 300) -> Fold:
    """Scores with ties; the second of two columns carries nothing."""
    rng = np.random.default_rng(seed)
    scores = np.round(np.concatenate([rng.normal(size=n), rng.normal(shift, 1, m)]), 1)
    return Fold(scores, m, np.stack([rng.permutation(scores), scores]))


def side(fold: Fold) -> np.ndarray:
    return np.arange(len(fold.scores)) >= len(fold.scores) - fold.current


def test_the_auc_is_the_mean_of_the_folds_as_scikit_learn_has_them() -> None:
    folds = [held_out(seed, 0.4) for seed in range(4)]
    found = two_sample_auc(folds, 1_500)
    assert found.value[0] == pytest.approx(np.mean([roc_auc_score(side(one), one.scores) for one in folds]), abs=1e-12)
    # Without ties and differences the variance is (n + m + 1) / (12 n m), which DeLong's estimates.
    alike = two_sample_auc([held_out(seed, 0.0) for seed in range(4)], 1_500)
    assert alike.standard_error[0] == pytest.approx(np.sqrt(701 / (12 * 400 * 300) / 4), rel=0.03)


def test_columns_carry_what_the_auc_drops_by() -> None:
    folds = [held_out(seed, 1.0) for seed in range(4)]
    first, second = carriers(folds, ["a", "b"])
    whole = np.mean([roc_auc_score(side(one), one.scores) for one in folds])
    without = np.mean([roc_auc_score(side(one), one.without[0]) for one in folds])
    assert (first.column, first.named) == ("a", True) and first.drop.value == pytest.approx(whole - without, abs=1e-12)
    assert (second.column, second.named, second.drop.value) == ("b", False, 0.0)


def test_without_folds_nothing_is_known() -> None:
    found = estimates(two_sample_auc([], 60))[0]
    assert found.value is None and found.reason is not None and "fewer than 100 rows" in found.reason
    assert carriers([], ["a"]) == ()


@pytest.mark.parametrize(("in_a_row", "least", "most"), [(True, 0.0, 0.08), (False, 0.085, 1.0)])
def test_folds_in_a_row_keep_their_error_and_crossed_ones_do_not(in_a_row: bool, least: float, most: float) -> None:
    """Of alike sides, with a classifier by the difference of means; 5 % are allowed, and 12 % to be expected."""
    alarms = [
        bounds_at(two_sample_auc(linear_folds(seed, in_a_row=in_a_row), 200), 0).lower(0.05) > 0.5
        for seed in range(400)
    ]
    assert least <= np.mean(alarms) <= most


def test_no_false_alarm_and_a_change_of_correlation_is_found() -> None:
    """The whole way at n = 5,000 among six columns; at full size in benchmarks/soak_multivariate.py."""
    assert not any(found_at(seed, 0.0, 5_000, 6) for seed in range(2))
    assert all(found_at(seed, 0.5, 5_000, 6) for seed in range(2))


def test_the_largest_shift_is_in_standard_deviations_and_its_limits_hold_welchs() -> None:
    rng = np.random.default_rng(1)
    before, after = rng.normal(0, [2, 5], (300, 2)), rng.normal([0.6, 0], [1, 5], (150, 2))
    found = largest_shift(before, after, "")
    spread = before.std(axis=0, ddof=1)
    shifts = (after.mean(axis=0) - before.mean(axis=0)) / spread
    assert found.value[0] == pytest.approx(np.abs(shifts).max(), rel=1e-12)
    welch = ttest_ind(after[:, 0], before[:, 0], equal_var=False)
    assert found.df[0, 0] == pytest.approx(welch.df, rel=1e-9)
    # The standard deviation is estimated too.
    assert found.standard_errors[0, 0] ** 2 - shifts[0] ** 2 / 598 == pytest.approx((shifts[0] / welch.statistic) ** 2)


def test_the_limits_of_the_largest_shift_keep_their_error() -> None:
    below, above = 0, 0
    for seed in range(500):
        rng = np.random.default_rng(seed)
        moved = np.array([0.2, 0.2, 0, 0, 0])
        found = largest_shift(rng.normal(size=(300, 5)), rng.normal(size=(200, 5)) + moved, "")
        lower, upper = found.limits(0.05, exact=True)
        below, above = below + int(upper[0] < 0.2), above + int(lower[0] > 0.2)
    assert below / 500 <= 0.07 and above / 500 <= 0.07


def test_what_does_not_vary_has_no_shift() -> None:
    found = estimates(largest_shift(np.ones((50, 2)), np.zeros((50, 2)), "nothing varies"))[0]
    assert (found.value, found.reason) == (None, "nothing varies")
