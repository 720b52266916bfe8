"""Two models on the same rows: against the definitions, other libraries and published tables, and by simulation."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats
from sklearn import metrics as sk
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.proportion import proportion_confint

from mlflow_eval_plugin.engines.arrow import paired_rows, paired_summary, placement_summary
from mlflow_eval_plugin.engines.slicing import Slicing
from mlflow_eval_plugin.stats.binary.comparison import COMPARED, PairedTable, compare
from mlflow_eval_plugin.stats.errors import InputError, MergeError
from mlflow_eval_plugin.stats.inference.costs import Costs
from mlflow_eval_plugin.stats.paired.differences import change_bounds
from mlflow_eval_plugin.stats.paired.intervals import discordant, empirical_bernstein, mcnemar, tango
from mlflow_eval_plugin.stats.paired.quantities import PairedCost

COSTS = Costs(fp=1, fn=5)


def _rows(n=600, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    first, second = (1 / (1 + np.exp(-(x + rng.normal(size=n) * noise))) for noise in (0.9, 0.5))
    label = (rng.random(n) < 1 / (1 + np.exp(-x))).astype(int)
    label[:2] = [0, 1]
    return pd.DataFrame({"y": label, "a": first, "b": second, "g": rng.integers(0, 3, n), "w": rng.integers(1, 5, n)})


def _pairs(rows, max_levels=100, **options):
    slicing = Slicing(["g"], depth=1, max_levels=max_levels)
    return paired_rows(rows, label="y", champion="a", challenger="b", slicing=slicing, **options)


def _table(rows, costs=COSTS, **options):
    pairs = _pairs(rows, **options)
    summary = paired_summary(pairs)
    return PairedTable(summary, placement_summary(pairs, summary), costs)


def _scikit_learn(label, score, weight, threshold=0.5):
    predicted = (score >= threshold).astype(int)
    tn, fp, fn, tp = sk.confusion_matrix(label, predicted, sample_weight=weight).ravel()
    return {
        "selection_rate": (fp + tp) / (tn + fp + fn + tp),
        "accuracy": sk.accuracy_score(label, predicted, sample_weight=weight),
        "balanced_accuracy": sk.balanced_accuracy_score(label, predicted, sample_weight=weight),
        "precision": sk.precision_score(label, predicted, sample_weight=weight),
        "recall": sk.recall_score(label, predicted, sample_weight=weight),
        "f1": sk.f1_score(label, predicted, sample_weight=weight),
        "fpr": fp / (fp + tn),
        "fnr": fn / (fn + tp),
        "log_loss": sk.log_loss(label, score, sample_weight=weight),
        "brier": sk.brier_score_loss(label, score, sample_weight=weight),
        "calibration_in_the_large": np.average(score - label, weights=weight),
        "cost": (COSTS.fp * fp + COSTS.fn * fn) / (tn + fp + fn + tp),
    }


@pytest.mark.parametrize("weighted", [False, True])
def test_every_change_is_the_difference_of_what_scikit_learn_says(weighted):
    rows = _rows()
    found = compare(_table(rows, weight="w" if weighted else None))
    for one in (found.overall, *found.slices):
        part = rows if one.label == "overall" else rows[rows.g == int(one.label[2:])]
        weight = part.w if weighted else None
        first, second = (_scikit_learn(part.y, part[name], weight) for name in ("a", "b"))
        for name in first:
            metric = one.metrics[name]
            assert metric.champion == pytest.approx(first[name], abs=1e-9), name
            assert metric.challenger == pytest.approx(second[name], abs=1e-9), name
            assert metric.difference.value == pytest.approx(second[name] - first[name], abs=1e-9), name
        areas = [sk.roc_auc_score(part.y, part[name], sample_weight=weight) for name in ("a", "b")]
        auc = one.metrics["auc"].difference
        assert abs(auc.value - (areas[1] - areas[0])) <= auc.bound + 1e-12
        means = [sk.average_precision_score(part.y, part[name], sample_weight=weight) for name in ("a", "b")]
        change = one.metrics["average_precision"].difference
        assert abs(change.value - (means[1] - means[0])) <= change.bound + 1e-12


def _placements(label, score):
    """DeLong, DeLong & Clarke-Pearson (1988), equation (3): the structural components, pair by pair."""
    positive, negative = score[label == 1], score[label == 0]
    wins = (positive[:, None] > negative).astype(float) + 0.5 * (positive[:, None] == negative)
    return wins.mean(axis=1), wins.mean(axis=0)


@pytest.mark.parametrize("tied", [False, True])
def test_the_variance_of_a_change_in_auc_is_delongs(tied):
    rows = _rows(n=900, seed=3)
    if tied:
        rows[["a", "b"]] = (np.floor(rows[["a", "b"]] * 12) + 0.5) / 15
    table = _table(rows)
    for label in ("overall", "g=1"):
        part = rows if label == "overall" else rows[rows.g == 1]
        of = [_placements(part.y.to_numpy(), part[name].to_numpy()) for name in ("a", "b")]
        change = [second - first for first, second in zip(*of, strict=True)]
        variance = sum(one.var(ddof=1) / len(one) for one in change)
        at = table.summary.champion.index(label)
        made = table.change("auc")
        assert made.variance[at] == pytest.approx(variance, rel=1e-6)
        # What three unseen rows of either class can change is added, the less the more rows were seen to move.
        smaller = part.y.value_counts().min()
        unseen = sum(3 / (1 + (one**2).sum() ** 2 / (one**4).sum()) / len(one) ** 2 for one in change)
        low, high = (one[at] for one in made.limits(0.025, exact=True))
        half = stats.t.isf(0.025, smaller - 1) * np.sqrt(variance + unseen)
        assert (high - low) / 2 == pytest.approx(half, rel=1e-4)
        assert half < 1.02 * stats.norm.isf(0.025) * np.sqrt(variance)


def test_rows_are_counted_by_who_is_right():
    rows = _rows(n=400, seed=5)
    found = compare(_table(rows, weight="w"))
    assert found.overall.n == 400
    for one in (found.overall, *found.slices):
        part = rows if one.label == "overall" else rows[rows.g == int(one.label[2:])]
        first, second = ((part[name] >= 0.5) == (part.y == 1) for name in ("a", "b"))
        counts = pd.crosstab(first, second)
        assert (one.both_right, one.both_wrong) == (counts.loc[True, True], counts.loc[False, False])
        assert one.only_champion_right == counts.loc[True, False]
        assert one.only_challenger_right == counts.loc[False, True]
        differ = np.average((part.a >= 0.5) != (part.b >= 0.5), weights=part.w)
        trials = part.w.sum() ** 2 / (part.w**2).sum()
        assert one.disagreement.value == pytest.approx(differ, abs=1e-9)
        limits = proportion_confint(differ * trials, trials, 0.05, "wilson")
        assert one.disagreement.interval == pytest.approx(limits, abs=1e-8)


def test_the_joint_table_is_a_histogram():
    rows = _rows()
    found = compare(_table(rows, weight="w")).joint
    for label in (0, 1):
        part = rows[rows.y == label]
        expected, _, _ = np.histogram2d(part.a, part.b, bins=15, range=[[0, 1], [0, 1]], weights=part.w)
        assert np.array(found)[:, :, label] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("weighted", [False, True])
def test_variances_of_changes_are_those_of_what_rows_change(weighted):
    rows = _rows()
    table = _table(rows, weight="w" if weighted else None)
    for label in ("overall", "g=1"):
        at = table.summary.champion.index(label)
        part = rows if label == "overall" else rows[rows.g == 1]
        y, weight = part.y.to_numpy(), part.w.to_numpy(float) if weighted else np.ones(len(part))
        effective = weight.sum() ** 2 / (weight**2).sum()
        scores = [part[name].to_numpy() for name in ("a", "b")]
        values = {
            "brier": [(one - y) ** 2 for one in scores],
            "log_loss": [-np.log(np.where(y == 1, one, 1 - one)) for one in scores],
            "calibration_in_the_large": [one - y for one in scores],
        }
        for metric, (first, second) in values.items():
            expected = np.cov(second - first, aweights=weight)
            assert table.change(metric).variance[at] == pytest.approx(expected / effective, rel=1e-3), metric
        # A ratio varies as the sum of numerator less ratio times denominator, over the denominator (the delta method).
        positive = [one >= 0.5 for one in scores]
        for metric, counted in (("precision", positive), ("f1", [one | (y == 1) for one in positive])):
            of = []
            for called, counts in zip(positive, counted, strict=True):
                hit = called & (y == 1)
                ratio = weight[hit].sum() / weight[counts].sum()
                steep = 1 if metric == "precision" else 2 / (1 + ratio) ** 2  # F1 = 2 r / (1 + r)
                of.append(steep * weight * (hit - ratio * counts) / weight[counts].sum())
            expected = ((of[1] - of[0]) ** 2).sum()
            assert table.change(metric).variance[at] == pytest.approx(expected, rel=1e-9), metric


def _effective(weight):
    return weight.sum() ** 2 / (weight**2).sum()


@pytest.mark.parametrize("mirrored", [False, True])
def test_what_one_more_row_can_change_is_that_of_the_kind_that_changes_most(mirrored):
    rows = _rows()
    if mirrored:
        rows[["y", "a", "b"]] = 1 - rows[["y", "a", "b"]]
        rows["y"] = rows.y.astype(int)
    table = _table(rows, weight="w")
    for i, label in enumerate(["overall", "g=0", "g=1", "g=2"]):
        assert table.summary.champion.index(label) == i
        part = rows if label == "overall" else rows[rows.g == int(label[2:])]
        everyone, scores = _effective(part.w), part[["a", "b"]].to_numpy()
        # Losses are known at the centres of 3,840 bins; the score that is nearest to an end has the largest.
        centres = (np.floor(scores * 3840) + 0.5) / 3840
        loss = -np.log(min(centres.min(), 1 - centres.max()))
        smaller = min(_effective(part.w[part.y == one]) for one in (0, 1))
        expected = {"brier": (1, everyone), "calibration_in_the_large": (1, everyone),
                    "log_loss": (loss, everyone), "auc": (1, smaller)}  # fmt: skip
        for metric in ("precision", "f1"):
            fewest, steepest = [], []
            for called in (scores >= 0.5).T:
                counts = called if metric == "precision" else called | (part.y == 1)
                ratio = part.w[called & (part.y == 1)].sum() / part.w[counts].sum()
                fewest.append(_effective(part.w[counts]))
                steepest.append(1 if metric == "precision" else 2 / (1 + ratio) ** 2)
            expected[metric] = (max(steepest), min(fewest))
        for metric, (most, effective) in expected.items():
            change = table.change(metric)
            assert change.effective[i] == pytest.approx(effective, rel=1e-9), (metric, label)
            # Of AUC it is so much less, the more rows were seen to change their place: see the test of its variance.
            at_most = change.influence[i] < most / effective
            assert at_most if metric == "auc" else change.influence[i] == pytest.approx(most / effective, rel=1e-9)


def test_limits_of_a_change_in_cost_are_of_each_kind_of_pair_at_its_part_of_the_error():
    rows = _rows()
    change = _table(rows).change("cost")
    first, second = ((rows[name] >= 0.5).to_numpy() for name in ("a", "b"))
    y = (rows.y == 1).to_numpy()
    # What the challenger does otherwise: a false alarm more or less costs 1, a miss 5.
    kinds = [(~y & ~first & second, 1), (~y & first & ~second, -1), (y & ~first & second, -5), (y & first & ~second, 5)]
    lower = upper = 0.0
    for of, cost in kinds:
        low, high = proportion_confint(of.sum(), len(rows), 2 * 0.05 / 4, "beta")
        lower, upper = lower + min(cost * low, cost * high), upper + max(cost * low, cost * high)
    found = change.limits(0.05, exact=True)
    assert (found[0][0], found[1][0]) == (pytest.approx(lower), pytest.approx(upper))
    for taken, of_all in zip(change.take(np.array([2, 0])).limits(0.05, exact=True), found, strict=True):
        assert taken == pytest.approx(of_all[[2, 0]], rel=1e-12)
    assert [*change.limits(0.9, exact=True)] == [pytest.approx(x) for x in change.limits(0.5, exact=True)]


def test_shares_have_the_effective_rows_that_count():
    rows = _rows()
    table = _table(rows, weight="w")
    for metric, counts in (("accuracy", rows.y >= 0), ("recall", rows.y == 1), ("fpr", rows.y == 0)):
        weight = rows.w[counts]
        assert table.change(metric).trials[0] == pytest.approx(weight.sum() ** 2 / (weight**2).sum(), rel=1e-9)
    effective = rows.w.sum() ** 2 / (rows.w**2).sum()
    assert table.change("cost").trials[0] == pytest.approx(effective, rel=1e-9)


def test_small_weights_say_what_large_ones_say():
    rows = _rows()
    small = rows.assign(w=rows.w / 2**20)
    (large, little) = (compare(_table(one, weight="w")) for one in (rows, small))
    assert (large.overall, large.slices) == (little.overall, little.slices)


def test_without_placements_and_costs_the_other_metrics_are_compared():
    summary = paired_summary(_pairs(_rows()))
    names = PairedTable(summary).metrics
    assert set(COMPARED) - set(names) == {"auc"} and "cost" not in names
    assert set(_table(_rows()).metrics) == {*COMPARED, "cost"}


def test_mcnemar_is_that_of_statsmodels():
    for gained, lost in [(0, 0), (1, 0), (5, 14), (12, 12), (40, 20), (0, 9)]:
        expected = statsmodels_mcnemar([[50, gained], [lost, 30]], exact=True).pvalue if gained + lost else 1.0
        assert mcnemar(gained, lost) == pytest.approx(expected, rel=1e-12)


def _tango_by_likelihood(gained, lost, n, z, side):
    """Tango (1998): the difference at which the score test has just the p-value, its variance by maximum likelihood."""

    def score(difference):
        def loss(rare):  # p01 = rare, p10 = rare + difference, the rest agrees
            p10 = rare + difference
            agree = 1 - rare - p10
            terms = [(gained, p10), (lost, rare), (n - gained - lost, agree)]
            return -sum(k * np.log(p) for k, p in terms if k > 0) if min(p10, rare, agree) > 0 else np.inf

        low, high = max(0.0, -difference), (1 - difference) / 2
        rare = optimize.minimize_scalar(loss, bounds=(low + 1e-12, high - 1e-12), method="bounded",
                                        options={"xatol": 1e-12}).x  # fmt: skip
        return (gained - lost - n * difference) / np.sqrt(n * (2 * rare + difference * (1 - difference))) - side * z

    at = (gained - lost) / n
    return optimize.brentq(score, at + 1e-9, 0.999) if side < 0 else optimize.brentq(score, -0.999, at - 1e-9)


@pytest.mark.parametrize(("gained", "lost", "n"), [(1, 7, 21), (40, 20, 160), (9, 2, 44), (3, 5, 300)])
@pytest.mark.parametrize("alpha", [0.025, 0.3])
def test_tango_is_the_score_interval_of_its_definition(gained, lost, n, alpha):
    lower, upper = tango(np.array([gained / n]), np.array([lost / n]), np.array([float(n)]), alpha)
    z = stats.norm.isf(alpha)
    assert lower[0] == pytest.approx(_tango_by_likelihood(gained, lost, n, z, 1), abs=1e-6)
    assert upper[0] == pytest.approx(_tango_by_likelihood(gained, lost, n, z, -1), abs=1e-6)


def test_tango_without_a_pair_that_differs():
    # Worked by hand: with b = c = 0 the upper limit solves n d**2 = z**2 d (1 - d) ... d = z**2 / (n + z**2).
    z, n = stats.norm.isf(0.025), 50.0
    lower, upper = tango(np.array([0.0]), np.array([0.0]), np.array([n]), 0.025)
    assert upper[0] == pytest.approx(z**2 / (n + z**2), abs=1e-9) and lower[0] == pytest.approx(-upper[0], abs=1e-12)


@pytest.mark.parametrize("alpha", [0.05, 0.01, 1e-3, 1e-4, 1e-5])
@pytest.mark.parametrize("n", [10, 30, 100, 150])
def test_the_limits_of_a_check_hold_their_level_exactly(n, alpha):
    """Every outcome of n pairs is counted with its probability: nothing is simulated."""
    gained, lost = np.meshgrid(np.arange(n + 1), np.arange(n + 1), indexing="ij")
    inside = gained + lost <= n
    lower, _ = discordant(gained[inside] / n, lost[inside] / n, np.full(inside.sum(), float(n)), alpha)
    worst = 0.0
    for p10, p01 in itertools.product([0.0, 0.003, 0.01, 0.03, 0.1, 0.2, 0.35, 0.5], repeat=2):
        counts = np.stack([gained[inside], lost[inside], n - gained[inside] - lost[inside]], axis=1)
        chance = stats.multinomial.pmf(counts, n, [p10, p01, 1 - p10 - p01])
        worst = max(worst, float(chance[lower > p10 - p01 + 1e-12].sum()))
    assert worst <= alpha


# Exact binomial limits from statsmodels' proportion_confint(..., "beta"), put together by hand. From 100 pairs on
# d - sqrt((g - gl)**2 + (lu - l)**2 + 2 g l z**2 / n) and its mirror image, and 160 pairs at .0005 have the level
# .0005 * (.0005 / .05) ** .25 = .000158114, where z = 3.601630; of 99 pairs gl - lu and gu - ll, at .025.
@pytest.mark.parametrize(
    ("gained", "lost", "n", "alpha", "gained_limits", "lost_limits", "z"),
    [
        (40, 20, 160, 0.05, (0.1944175991, 0.3126703013), (0.0844007016, 0.1764363108), 1.6448536270),
        (40, 20, 160, 0.0005, (0.1400988918, 0.3881508332), (0.0499847341, 0.2426723217), 3.6016303750),
        (12, 5, 100, 0.05, (0.0707218376, 0.1871661098), (0.0199055637, 0.1022533776), 1.6448536270),
        (12, 5, 100, 0.3, (0.1002554635, 0.1442853028), (0.0364046600, 0.0693517208), 0.5244005127),
        (12, 5, 99, 0.05, (0.0642277904, 0.2021626031), (0.0165999113, 0.1139358178), None),
    ],
)
def test_the_limits_of_a_check_are_made_of_those_of_both_shares(
    gained, lost, n, alpha, gained_limits, lost_limits, z
):  # fmt: skip
    g, lost_share = gained / n, lost / n
    lower, upper = gained_limits[0] - lost_limits[1], gained_limits[1] - lost_limits[0]
    if z:
        shared = 2 * g * lost_share * z * z / n
        lower = g - lost_share - np.sqrt((g - gained_limits[0]) ** 2 + (lost_limits[1] - lost_share) ** 2 + shared)
        upper = g - lost_share + np.sqrt((gained_limits[1] - g) ** 2 + (lost_share - lost_limits[0]) ** 2 + shared)
    found = discordant(np.array([g]), np.array([lost_share]), np.array([float(n)]), alpha)
    assert np.ravel(found) == pytest.approx([lower, upper], abs=1e-8)
    # What the one gains the other loses.
    mirrored = discordant(np.array([lost_share]), np.array([g]), np.array([float(n)]), alpha)
    assert np.ravel(mirrored) == pytest.approx([-upper, -lower], abs=1e-8)


def test_limits_of_a_check_end_at_one_and_at_an_error_of_a_half():
    few, many, n = np.array([0.02]), np.array([0.98]), np.array([100.0])
    assert discordant(few, many, n, 1e-5)[0][0] == -1 and discordant(many, few, n, 1e-5)[1][0] == 1
    assert discordant(few, many, n, 0.9) == discordant(few, many, n, 0.5)


def test_tango_beyond_a_half_is_the_difference_and_of_no_pair_undefined():
    gained, lost = np.full(3, 0.25), np.full(3, 0.125)
    assert tango(gained, lost, np.full(3, 160.0), 0.8) == (pytest.approx([0.125] * 3), pytest.approx([0.125] * 3))
    lower, upper = tango(gained, lost, np.array([0.0, 0.5, 1.0]), 0.3)
    assert np.isnan([lower[0], upper[0]]).all() and np.isfinite([lower[1:], upper[1:]]).all()


def _population(rows, rng):
    x = rng.normal(size=rows)
    shared = rng.normal(size=rows)
    first, second = (
        1 / (1 + np.exp(-(x + 0.6 * shared + noise * rng.normal(size=rows)))) for noise in (0.6, 0.4)
    )  # fmt: skip
    return pd.DataFrame({"y": (rng.random(rows) < 1 / (1 + np.exp(-x))).astype(int), "a": first, "b": second})


# Mean coverage over a stated number of samples; a nominal 95 % interval must cover in at least 94 %, less the error of
# the simulation (2,000 samples: a standard error of 0.5 points).
METRICS = ["selection_rate", "accuracy", "balanced_accuracy", "precision", "recall", "f1", "fpr", "auc",
           "average_precision", "log_loss", "brier", "calibration_in_the_large", "cost"]  # fmt: skip


@pytest.mark.parametrize("n", [30, 100])
def test_intervals_of_changes_cover(n):
    rng = np.random.default_rng(n)
    everyone = _population(1_000_000, rng).assign(g=0)
    truth = compare(_table(everyone)).overall.metrics
    samples = _population(2000 * n, rng).assign(g=np.repeat(np.arange(2000), n))
    found = compare(_table(samples, max_levels=2000)).slices
    assert len(found) == 2000
    for name in METRICS:
        intervals = [one.metrics[name].difference.interval for one in found if one.metrics[name].difference.interval]
        value = truth[name].difference.value
        covered = np.mean([low <= value <= high for low, high in intervals])
        assert len(intervals) > 1990 and covered >= 0.94 - 3 * np.sqrt(0.94 * 0.06 / 2000), (name, covered)


@functools.cache
def _drawn(challenger, n, runs=1000, seed=5):
    """The true changes of all metrics, and samples of n rows, each a slice; the same for every metric and level."""
    rng = np.random.default_rng(seed)

    def rows(size):
        score = rng.beta(0.7, 1.3, size)
        return pd.DataFrame({"y": rng.random(size) < score, "a": score, "b": challenger(score, rng)})

    truth = compare(_table(rows(2_000_000).assign(g=0))).overall.metrics
    return truth, _table(rows(runs * n).assign(g=np.repeat(np.arange(runs), n)), max_levels=1000)


def _missed(challenger, n, metric, alpha):
    """How often the limits of a Check lie beyond the true change, below and above."""
    truths, samples = _drawn(challenger, n)
    truth, made = truths[metric].difference.value, samples.change(metric)
    lower, upper = made.limits(alpha, exact=True)
    return np.mean(lower[1:] - made.bound[1:] > truth), np.mean(upper[1:] + made.bound[1:] < truth)


def _milder(score, rng):
    return 1 / (1 + np.exp(-0.8 * np.log(score / (1 - score))))


def _rarely_sure(score, rng):
    return np.where(rng.random(len(score)) < 0.02, 0.97, score)


def _rarely_reversed(score, rng):
    return np.where(rng.random(len(score)) < 0.02, 1 - score, score)


@pytest.mark.parametrize("metric", ["log_loss", "brier", "auc", "precision", "f1", "calibration_in_the_large"])
@pytest.mark.parametrize(("challenger", "n"), [(_milder, 1000), (_rarely_sure, 100), (_rarely_reversed, 300)])
def test_checks_of_changes_hold_their_level(challenger, n, metric):
    """A recalibrated challenger, and challengers that differ on rows so few that a sample may show none of them."""
    for alpha in (0.05, 0.005):
        error = 3 * np.sqrt(alpha * (1 - alpha) / 1000)
        assert max(_missed(challenger, n, metric, alpha)) <= alpha + error, alpha


def test_checks_of_a_change_in_cost_hold_small_levels():
    # Many more false positives, paid for by few false negatives: the sum is skewed. Every outcome has its probability.
    n, costs = 400, np.array([1.0, -100.0])
    shares = np.array([0.2, 0.002])
    more, fewer = np.meshgrid(np.arange(n + 1), np.arange(12), indexing="ij")
    inside = more + fewer <= n
    counts = np.stack([more[inside], fewer[inside], n - more[inside] - fewer[inside]], axis=1)
    chance = stats.multinomial.pmf(counts, n, [*shares, 1 - shares.sum()])
    pairs = PairedCost(counts[:, :2] / n, costs, np.full(len(counts), float(n)), mean=None)
    for alpha in (0.05, 0.001, 1e-4):
        lower, upper = pairs.limits(alpha, exact=True)
        truth = shares @ costs
        assert chance[lower > truth + 1e-12].sum() <= alpha and chance[upper < truth - 1e-12].sum() <= alpha


def test_limits_of_any_values_in_a_range_hold_their_level():
    """Maurer & Pontil (2009), theorem 4, by hand; and of a cost that 1 in 200 rows has, every outcome counted."""
    mean, variance, n, alpha = 0.3, 0.05, 400.0, 0.01
    reach = np.sqrt(2 * variance * np.log(200) / n) + 7 * 2 * np.log(200) / (3 * 399)
    found = empirical_bernstein(np.array([mean]), np.array([variance]), 2.0, np.array([n]), alpha)
    assert np.ravel(found) == pytest.approx([mean - reach, mean + reach], rel=1e-12)
    assert np.isinf(empirical_bernstein(np.zeros(1), np.zeros(1), 1.0, np.ones(1), alpha)).all()
    k, p = np.arange(401), 1 / 200
    chance = stats.binom.pmf(k, 400, p)
    lower, upper = empirical_bernstein(k / 400, k / 400 * (1 - k / 400) * 400 / 399, 1.0, np.full(401, 400.0), 0.01)
    assert chance[upper < p].sum() <= 0.01 and chance[lower > p].sum() <= 0.01


@pytest.mark.parametrize("seed", range(6))
def test_limits_widen_as_the_error_falls(seed):
    """Or else the p-value of a Check, found by halving, would be of another Check."""
    rng = np.random.default_rng(seed)
    n = 40
    score = rng.beta(0.5, 0.5, n)
    rows = pd.DataFrame({"y": rng.random(n) < score, "a": score, "b": np.round(score, 1), "g": rng.integers(0, 2, n)})
    table = _table(rows)
    levels = np.geomspace(1e-12, 0.5, 60)
    for metric in table.metrics:
        made = table.change(metric)
        lower, upper = (np.array(ends) for ends in zip(*(made.limits(a, exact=True) for a in levels), strict=True))
        known = ~np.isnan(made.value)
        assert (np.diff(lower[:, known], axis=0) >= -1e-12).all(), metric
        assert (np.diff(upper[:, known], axis=0) <= 1e-12).all(), metric


def test_a_model_against_itself_changes_nothing_and_knows_it():
    rows = _rows(n=3000).assign(b=lambda rows: rows.a)
    table = _table(rows)
    found = compare(table)
    assert found.overall.only_champion_right == found.overall.only_challenger_right == 0
    for name, metric in found.overall.metrics.items():
        low, high = metric.difference.interval
        assert metric.difference.value == 0 and low <= 0 <= high, name
        # Unpaired, these would be several times as wide.
        if name not in ("average_precision", "ece", "cost"):
            assert high - low < 0.012, name
    assert change_bounds(table, "accuracy").lower(0.05) > -0.002


def test_undefined_changes_say_why():
    rows = _rows()
    rows = rows[(rows.g != 2) | (rows.y == 0)]
    one = compare(_table(rows)).slices[2]
    assert one.label == "g=2"
    assert one.metrics["recall"].difference.reason == "no row has the positive label"
    assert one.metrics["auc"].difference.value is None and "one of the two" in one.metrics["auc"].difference.reason
    assert one.metrics["fpr"].difference.value is not None


def test_a_metric_that_cannot_be_compared_is_named():
    with pytest.raises(InputError, match="'prevalence' cannot be compared"):
        _table(_rows()).change("prevalence")
    with pytest.raises(InputError, match="'cost' cannot be compared"):
        _table(_rows(), costs=None).change("cost")


def _json(table):
    return repr(compare(table))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6))
def test_order_and_shards_change_nothing(seed):
    rows = _rows(n=90, seed=seed).assign(w=np.random.default_rng(seed).random(90) * 7 + 0.01)
    options = {"weight": "w", "weight_scale": 8.0}
    whole = _table(rows, **options)
    assert _json(whole) == _json(_table(rows.sample(frac=1, random_state=seed), **options))
    shards = [_pairs(part, **options) for part in (rows[:40], rows[40:60], rows[60:])
              if part.y.nunique() == 2 and part.g.nunique()]  # fmt: skip
    if len(shards) < 3:
        return
    parts = [paired_summary(one) for one in shards]
    summary = parts[2] + (parts[0] + parts[1])
    places = [placement_summary(one, summary) for one in shards]
    assert _json(PairedTable(summary, places[1] + (places[2] + places[0]), COSTS)) == _json(whole)


def test_placements_of_other_weights_do_not_merge():
    pairs = [_pairs(_rows(), weight="w", weight_scale=scale) for scale in (8.0, 16.0)]
    summaries = [paired_summary(one) for one in pairs]
    places = [placement_summary(one, summary) for one, summary in zip(pairs, summaries, strict=True)]
    with pytest.raises(MergeError, match="do not merge"):
        _ = places[0] + places[1]
    with pytest.raises(MergeError, match="do not merge"):
        _ = summaries[0] + summaries[1]
