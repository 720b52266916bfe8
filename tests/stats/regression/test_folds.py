"""Folds of a regression are those of the row's digest: they merge, know no order, and keep no kind of row together."""

from __future__ import annotations

from functools import reduce
from operator import add

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.summaries import arrays

from mlflow_eval_plugin.engines.arrow import fold_summary, predicted_rows, prediction_summary
from mlflow_eval_plugin.engines.arrow.regression import scores
from mlflow_eval_plugin.stats.counts.exact_sums import totals
from mlflow_eval_plugin.stats.regression import folds as folding
from mlflow_eval_plugin.stats.regression.calibration.recalibration import recalibrate_mean
from mlflow_eval_plugin.stats.regression.summary import RegressionScale

SCALE, EDGES, FOLDS = RegressionScale(2.0, 16.0, 4.0), np.arange(8.0), 5


def people(n=300, seed=0, values=8):
    """Few predictions, targets and weights, so that many rows hold the same."""
    rng = np.random.default_rng(seed)
    p = rng.integers(0, values, n) * 1.0
    rows = pd.DataFrame({"p": p, "y": rng.poisson(p) % 10 * 1.0, "w": rng.choice([1.0, 2.0], n)})
    return rows.assign(region=rng.choice(np.array(["a", "b", None], dtype=object), n))


def counted(rows):
    known = predicted_rows(rows, target="y", prediction="p", weight="w", scale=SCALE)
    return fold_summary(known, FOLDS, edges=EDGES)


def assert_same(first, second):
    found, expected = arrays(first), arrays(second)
    assert found.keys() == expected.keys()
    for path, value in expected.items():
        np.testing.assert_array_equal(found[path], value, err_msg=path)


@pytest.fixture(params=["all distinct rows are held", "none is held", "shards hold theirs, all do not"])
def held(request, monkeypatch):
    most = {"all": 2**14, "non": 1, "sha": 60}[request.param[:3]]
    for module in (folding, scores):
        monkeypatch.setattr(module, "MOST_DISTINCT", most)
    return most


@pytest.mark.usefixtures("held")
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 10**6), parts=st.integers(2, 4))
def test_shards_give_the_folds_of_the_whole_in_any_order(seed, parts):
    rows, rng = people(seed=seed), np.random.default_rng(seed)
    mixed = rows.sample(frac=1, random_state=seed)
    member = rng.integers(0, parts, len(rows))
    shards = [counted(mixed[member == one]) for one in rng.permutation(parts) if (member == one).any()]
    whole = counted(rows)
    assert_same(reduce(add, shards).folds, whole.folds)
    assert_same(reduce(add, shards[::-1]).folds, whole.folds)
    assert recalibrate_mean(reduce(add, shards).folds) == recalibrate_mean(whole.folds)


def test_the_shards_of_the_test_hold_what_all_of_them_do_not(monkeypatch):
    for module in (folding, scores):
        monkeypatch.setattr(module, "MOST_DISTINCT", 60)
    assert counted(people()).distinct is None and counted(people()[:50]).distinct is not None


@pytest.mark.usefixtures("held")
def test_folds_are_all_rows_and_each_has_its_share():
    rows = people(4000)
    folds = counted(rows).folds
    whole = reduce(add, folds)
    assert whole.rows.tolist() == np.bincount(rows.p.astype(int), minlength=8).tolist()
    assert sum(int(one.rows.sum()) for one in folds) == 4000
    assert all(480 < one.rows.sum() < 1120 for one in folds)


def test_rows_that_hold_the_same_are_in_all_folds_where_distinct_rows_are_few():
    folds = counted(pd.DataFrame({"p": [1.0] * 1000, "y": [3.0] * 1000, "w": 1.0})).folds
    # Five fair folds of 1000 rows: each within four standard deviations of 200.
    assert all(150 < one.rows.sum() < 250 for one in folds)
    # 1000 errors of -2 in units of 16.
    assert sum(int(one.rows.sum()) for one in folds) == 1000
    for one in folds:
        assert float(totals(one.lanes["e"]).sum()) == pytest.approx(-2 / 16 / 4 * one.rows.sum())


def test_rows_that_are_predicted_alike_are_told_apart_by_what_else_they_hold(monkeypatch):
    for module in (folding, scores):
        monkeypatch.setattr(module, "MOST_DISTINCT", 1)
    rows = people(2000, values=1).assign(age=np.random.default_rng(1).random(2000))
    folds = counted(rows).folds
    alike = rows[["p", "y", "w"]].drop_duplicates()
    assert len(alike) < 5 and all(310 < one.rows.sum() < 490 for one in folds)
    # The columns in another order, or held otherwise, are the same rows.
    assert_same(counted(rows[["age", "w", "region", "y", "p"]].convert_dtypes()).folds, folds)
    # Without that column the rows of each kind are in one fold.
    assert sum(one.rows.sum() > 0 for one in counted(rows.drop(columns=["age", "region"])).folds) < 5


def test_rows_that_come_once_are_where_their_digest_is():
    rows = people().assign(y=np.random.default_rng(2).random(300))
    parts = [fold_summary(predicted_rows(one, target="y", prediction="p", scale=SCALE), FOLDS, edges=EDGES).folds
             for one in (rows[:100], rows[100:], rows)]  # fmt: skip
    assert_same(tuple(map(add, parts[0], parts[1])), parts[2])


def test_bins_that_are_given_are_exact_where_each_holds_one_prediction():
    def exact(edges, **changed):
        known = predicted_rows(people(values=3).assign(**changed), target="y", prediction="p", scale=SCALE)
        folds, whole = fold_summary(known, FOLDS, edges=edges), prediction_summary(known, edges=edges)
        found = {one.exact for one in (*folds.by_digest, whole)}
        assert len(found) == 1
        return found.pop()

    assert exact(np.array([0.0, 1.0, 2.0])) and exact(None)
    assert not exact(np.array([0.0, 1.0])) and not exact(np.array([0.0, 1.0, 1.5, 2.5]))
