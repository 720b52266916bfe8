"""Pooled rates against the rat tumours of Gelman et al., an integral on a dense grid, and by simulation."""

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

from mlflow_eval_plugin.engines.arrow import slice_summary
from mlflow_eval_plugin.engines.slicing import Slicing
from mlflow_eval_plugin.stats.binary.pooling import MOST_ROWS, POOLED, pooled, posterior
from mlflow_eval_plugin.stats.binary.table import SliceTable

# Tarone (1982); table 5.1 of Gelman et al. (2013), "Bayesian data analysis": rats with a tumour of rats in a group; the
# last group is the current experiment.
RATS = """
0/20 0/20 0/20 0/20 0/20 0/20 0/20 0/19 0/19 0/19 0/19 0/18 0/18 0/17 1/20 1/20 1/20 1/20 1/19 1/19 1/18 1/18 2/25 2/24
2/23 2/20 2/20 2/20 2/20 2/20 2/20 1/10 5/49 2/19 5/46 3/27 2/17 7/49 7/47 3/20 3/20 2/13 9/48 10/50 4/20 4/20 4/20 4/20
4/20 4/20 4/20 10/48 4/19 4/19 4/19 5/22 11/46 12/49 5/20 5/20 6/23 5/19 6/22 6/20 6/20 6/20 16/52 15/47 15/46 9/24 4/14
"""
EVENTS, TRIALS = np.array([[float(part) for part in rate.split("/")] for rate in RATS.split()]).T


def _grid(events, trials, reach=4.0, steps=300):
    """The posterior by brute force: means, deviations, E(alpha), E(beta), E(mu), E(deviation between rates)."""
    log_m = np.linspace(0.0, np.log(1e3 * (trials.max() + 100)), steps)
    centre = special.logit((events.sum() + 0.5) / (trials.sum() + 1))
    m, mu = np.meshgrid(np.exp(log_m), special.expit(np.linspace(centre - reach, centre + reach, steps)), indexing="ij")
    a, b = m * mu, m * (1 - mu)
    log = -np.log(m) / 2 + np.log(mu * (1 - mu))
    for y, n in zip(events, trials, strict=True):
        log += special.betaln(a + y, b + n - y) - special.betaln(a, b)
    weight = np.exp(log - log.max())
    weight[0] /= 2
    weight /= weight.sum()
    mean = np.array([(weight * (a + y) / (m + n)).sum() for y, n in zip(events, trials, strict=True)])
    square = [
        (weight * (a + y) * (a + y + 1) / ((m + n) * (m + n + 1))).sum() for y, n in zip(events, trials, strict=True)
    ]
    between = (weight * np.sqrt(mu * (1 - mu) / (m + 1))).sum()
    return (
        mean,
        np.sqrt(np.array(square) - mean**2),
        (weight * a).sum(),
        (weight * b).sum(),
        (weight * mu).sum(),
        between,
    )


def test_the_rat_tumours_of_the_book():
    mean, deviation, alpha, beta, *_ = _grid(EVENTS, TRIALS)
    # Section 5.3 gives E(alpha | y) = 2.4 and E(beta | y) = 14.3, with the same prior on a grid.
    assert (round(alpha, 1), round(beta, 1)) == (2.4, 14.3)
    found = posterior(EVENTS, TRIALS)
    assert found.mean == pytest.approx(mean, abs=1e-6)
    assert np.sqrt(found.variance) == pytest.approx(deviation, rel=1e-5)
    # Rates are drawn to the mean of .14: 4 of 14 and 0 of 20 alike.
    assert found.mean[-1] == pytest.approx(0.211, abs=5e-4)
    assert found.mean[0] == pytest.approx(0.063, abs=1e-3)


@pytest.mark.parametrize(
    ("events", "trials", "reach"),
    [
        ([3, 4, 5], [10, 10, 10], 5),
        ([0, 0, 0, 0], [10, 30, 10, 5], 12),  # no event anywhere
        ([1, 0, 1, 5, 9], [10, 10, 10, 10, 10], 6),  # rates that have little in common
        ([2.5, 1.25, 0.5], [11.5, 7.25, 3.0], 6),  # effective rows under weights
    ],
)
def test_small_groups_are_those_of_a_dense_grid(events, trials, reach):
    events, trials = np.array(events, dtype=float), np.array(trials, dtype=float)
    mean, deviation, _, _, centre, between = _grid(events, trials, reach)
    found = posterior(events, trials)
    assert (found.centre, found.deviation) == (pytest.approx(centre, abs=1e-3), pytest.approx(between, rel=5e-3))
    assert found.mean == pytest.approx(mean, abs=5e-4)
    assert np.sqrt(found.variance) == pytest.approx(deviation, rel=5e-3)


def test_slices_that_do_not_differ_are_pooled_all_but_completely():
    trials = np.full(30, 50.0)
    found = posterior(np.full(30, 10.0), trials)  # less variance between them than chance would give
    assert found.deviation < 0.02
    assert found.mean == pytest.approx(0.2, abs=2e-3)
    assert np.sqrt(found.variance).min() > 0.005


def _table(seed=0, groups=12, n=1500):
    rng = np.random.default_rng(seed)
    group = np.minimum(rng.geometric(0.25, n) - 1, groups - 1)
    rate = rng.beta(8, 20, groups)[group]
    rows = pd.DataFrame({"g": group, "y": (rng.random(n) < rate).astype(int), "s": rng.random(n)})
    return SliceTable(slice_summary(rows, label="y", score="s", slicing=Slicing(["g"])))


def test_pooled_rates_lie_between_the_counted_and_the_mean():
    table = _table()
    found = pooled(table)
    assert {one.metric for one in found} == set(POOLED)
    for one in found:
        raw = table.metric(one.metric).value[table.summary.index(one.label)]
        assert one.raw == raw and 0 < one.trials <= MOST_ROWS
        assert min(raw, one.mean) - 0.01 <= one.pooled.value <= max(raw, one.mean) + 0.01
        assert 0 <= one.pooled.interval[0] < one.pooled.value < one.pooled.interval[1] <= 1
    assert pooled(table) == found


def test_what_is_pooled_and_what_is_listed():
    # Rows of a slice and how many are right; of recall, c has no trial, d one, and e too many to be listed.
    right = {"a": (200, 150), "b": (40, 40), "c": (3, 2), "d": (2, 1), "e": (201, 100)}
    rows = pd.concat([pd.DataFrame({"g": name, "s": 0.9, "y": np.arange(n) < k}) for name, (n, k) in right.items()])
    rows.loc[rows.g == "c", "y"] = False
    table = SliceTable(slice_summary(rows.astype({"y": int}), label="y", score="s", slicing=Slicing(["g"])))
    found = pooled(table, ["accuracy", "recall"])
    assert [(one.metric, one.label[2:]) for one in found] == [
        *(("accuracy", name) for name in "abcd"),
        *(("recall", name) for name in "abde"),
    ]
    assert [one.trials for one in found] == [200, 40, 3, 2, 150, 40, 1, 100]
    events, trials = np.array([150, 40, 0, 1, 100.0]), np.array([200, 40, 3, 2, 201.0])
    made = posterior(events, trials)
    for i, one in enumerate(found[:4]):
        mean, variance = made.mean[i], made.variance[i]
        assert (one.raw, one.pooled.value) == (pytest.approx(events[i] / trials[i]), pytest.approx(mean))
        # A beta distribution of mean a / (a + b) and variance mean (1 - mean) / (a + b + 1).
        size = mean * (1 - mean) / variance - 1
        assert one.pooled.interval == pytest.approx(stats.beta.interval(0.95, mean * size, (1 - mean) * size), rel=1e-6)
        assert (one.mean, one.deviation, one.columns) == (
            pytest.approx(made.centre),
            pytest.approx(made.deviation),
            ("g",),
        )
    three = SliceTable(
        slice_summary(rows[rows.g < "d"].astype({"y": int}), label="y", score="s", slicing=Slicing(["g"]))
    )
    assert [one.label for one in pooled(three, ["accuracy"])] == ["g=a", "g=b", "g=c"]


def test_hundreds_of_slices_do_not_overflow():
    found = posterior(np.full(600, 10.0), np.full(600, 50.0))
    assert found.mean == pytest.approx(0.2, abs=2e-3)


def test_two_slices_are_too_few_to_pool():
    rows = pd.DataFrame({"g": [0, 1] * 50, "y": [0, 0, 1, 1] * 25, "s": 0.5})
    assert pooled(SliceTable(slice_summary(rows, label="y", score="s", slicing=Slicing(["g"])))) == ()


@pytest.mark.parametrize(("a", "b"), [(2, 12), (20, 120), (2000, 8000)])
def test_intervals_cover_and_errors_are_smaller_than_those_of_the_counts(a, b):
    rng = np.random.default_rng(a)
    trials = np.array([5.0, 10, 20, 40, 80, 160] * 3)
    covered, pooled_error, raw_error = [], 0.0, 0.0
    for _ in range(100):
        truth = rng.beta(a, b, len(trials))
        events = rng.binomial(trials.astype(int), truth).astype(float)
        found = posterior(events, trials)
        half = 1.96 * np.sqrt(found.variance)
        covered.append(np.abs(found.mean - truth) <= half)
        pooled_error += ((found.mean - truth) ** 2).sum()
        raw_error += ((events / trials - truth) ** 2).sum()
    assert np.mean(covered) >= 0.93
    assert pooled_error < 0.8 * raw_error
