"""Gaps between slices: which slice is the best, and what the limits of a gap are made of."""

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.proportion import confint_proportions_2indep

from mlflow_eval_plugin.engines.arrow import slice_summary
from mlflow_eval_plugin.engines.slicing import Slicing
from mlflow_eval_plugin.stats.binary.table import SliceTable
from mlflow_eval_plugin.stats.slices.fairness import TOO_FEW, fairness
from mlflow_eval_plugin.stats.slices.gaps import NOTHING_TO_COMPARE, ZERO_BELOW, best_of, gap

# Per level: rows with a positive label, how many of them are called positive, rows with a negative one, and of them.
LEVELS = {"a": (20, 16, 20, 8), "b": (20, 10, 20, 2), "c": (4, 4, 4, 1), "d": (0, 0, 12, 6)}


def _table(levels=LEVELS) -> SliceTable:
    rows = []
    for level, (positives, hits, negatives, alarms) in levels.items():
        rows += [(level, 1, i < hits) for i in range(positives)] + [(level, 0, i < alarms) for i in range(negatives)]
    made = pd.DataFrame(rows, columns=["g", "y", "p"])
    return SliceTable(slice_summary(made, label="y", score=np.where(made.p, 0.9, 0.1), slicing=Slicing(["g"], depth=1)))


def _at(table, label):
    return [one.label for one in table.slices].index(label)


def test_the_best_has_a_value_and_the_minimum_count_of_rows():
    table = _table()
    best = best_of(table, "recall", minimum_count=40)  # a and b have just 40
    assert {table.slices[i].label for i in best[1:]} == {"g=a"}
    assert {table.slices[i].label for i in best_of(table, "recall", minimum_count=8)[1:]} == {"g=c"}
    assert {table.slices[i].label for i in best_of(table, "fpr", minimum_count=40)[1:]} == {"g=b"}
    assert (best_of(table, "recall", minimum_count=41)[1:] < 0).all()


def test_gaps_to_the_best_by_hand():
    # Recalls .8, .5, 1 and none; c is too small to be the best, and is not worse than the best.
    table = _table()
    a, b, c, d = (_at(table, f"g={level}") for level in LEVELS)
    difference, ratio = (gap(table, "recall", "best", kind, minimum_count=40) for kind in ("difference", "ratio"))
    assert difference.value[[a, b, c, d]] == pytest.approx([0, -0.3, 0, np.nan], nan_ok=True)
    assert ratio.value[[a, b, c, d]] == pytest.approx([1, 0.625, 1, np.nan], nan_ok=True)
    assert (difference.reason, ratio.reason) == (NOTHING_TO_COMPARE, ZERO_BELOW)
    nobody = gap(table, "recall", "best", "difference", minimum_count=41)
    assert np.isnan(nobody.value[1:]).all()
    # The false positive rates .4, .1, .25, .5: the lowest is the best.
    alarms = gap(table, "fpr", "best", "difference", minimum_count=40)
    assert alarms.value[[a, b, c, d]] == pytest.approx([0.3, 0, 0.15, 0.4])


def test_nothing_is_so_many_times_a_best_of_nothing():
    table = _table({"a": (20, 0, 20, 8), "b": (20, 0, 20, 2)})
    assert (gap(table, "recall", "best", "difference", minimum_count=1).value[1:] == 0).all()
    assert np.isnan(gap(table, "recall", "best", "ratio", minimum_count=1).value[1:]).all()


def test_a_gap_to_all_rows_is_that_to_the_others_times_their_share():
    # Recall of a: 16 of 20, of the others 14 of 24, of all 30 of 44; the others are 24 / 44 of all.
    table = _table()
    made = gap(table, "recall", "overall", "difference", minimum_count=1)
    a = _at(table, "g=a")
    assert made.value[a] == pytest.approx(16 / 20 - 30 / 44)
    newcombe = confint_proportions_2indep(16, 20, 14, 24, compare="diff", method="newcomb")
    found = [side[a] for side in made.limits(0.025, exact=False)]
    assert found == pytest.approx([24 / 44 * side for side in newcombe], abs=1e-9)
    ratio = gap(table, "recall", "overall", "ratio", minimum_count=1)
    assert ratio.value[a] == pytest.approx(16 / 20 / (30 / 44))
    for metric in ("f1", "balanced_accuracy", "auc"):  # no means: slice and whole are compared as they are
        of = table.metric(metric).value
        assert gap(table, metric, "overall", "difference", minimum_count=1).value[a] == pytest.approx(of[a] - of[0])


def test_a_gap_to_the_others_is_newcombes():
    table = _table()
    made = gap(table, "recall", "complement", "difference", minimum_count=1)
    a = _at(table, "g=a")
    newcombe = confint_proportions_2indep(16, 20, 14, 24, compare="diff", method="newcomb")
    assert [side[a] for side in made.limits(0.025, exact=False)] == pytest.approx(newcombe, abs=1e-9)


def test_fairness_is_of_levels_with_the_minimum_count_and_a_value():
    # Recalls .8 and .5, with c 1; false positive rates .4 and .1, with c .25 and d .5.
    table = _table()

    def found(name, minimum_count, of=table):
        return fairness(of, "g", name, minimum_count=minimum_count)

    assert found("equal_opportunity_difference", 40).value == pytest.approx([0.3])
    assert found("equal_opportunity_difference", 8).value == pytest.approx([0.5])
    assert found("equalized_odds_difference", 40).value == pytest.approx([0.3])
    assert found("equalized_odds_difference", 12).value == pytest.approx([0.4])
    # Selection rates 24 / 40, 12 / 40, and d's 6 / 12.
    assert found("demographic_parity_ratio", 40).value == pytest.approx([0.5])
    assert found("demographic_parity_difference", 12).value == pytest.approx([0.3])
    assert (found("demographic_parity_difference", 12).n, found("equal_opportunity_difference", 12).n) == (92, 80)
    alone = found("demographic_parity_difference", 41)
    assert np.isnan(alone.value).all() and alone.reason == TOO_FEW
    nobody_is_chosen = _table({"a": (20, 0, 20, 0), "b": (20, 0, 20, 0)})
    assert np.isnan(found("demographic_parity_ratio", 1, nobody_is_chosen).value).all()
    assert found("demographic_parity_difference", 1, nobody_is_chosen).value == 0
    one_is_not = _table({"a": (20, 10, 20, 0), "b": (20, 0, 20, 0)})
    assert found("demographic_parity_ratio", 1, one_is_not).value == 0
