"""Summaries that are added to themselves until they are of billions of rows: exact, or refused."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
from support.summaries import arrays

from mlflow_eval_plugin.engines.arrow import (
    drift_binning,
    fold_summary,
    moment_summary,
    paired_rows,
    paired_summary,
    placement_summary,
    predicted_rows,
    score_summary,
    slice_summary,
    system_summary,
)
from mlflow_eval_plugin.engines.arrow.columns import inputs
from mlflow_eval_plugin.engines.arrow.multiclass.inputs import ClassScored
from mlflow_eval_plugin.engines.arrow.multiclass.paired import paired_class_summary
from mlflow_eval_plugin.engines.arrow.multiclass.slices import multiclass_summary
from mlflow_eval_plugin.engines.arrow.regression.paired import paired_moment_summary
from mlflow_eval_plugin.engines.slicing import Slicing
from mlflow_eval_plugin.stats.counts import slice as counts
from mlflow_eval_plugin.stats.counts.exact_sums import LIMBS, carried, totals, with_times
from mlflow_eval_plugin.stats.counts.slice import lanes_added
from mlflow_eval_plugin.stats.errors import MergeError

ROWS, DOUBLED = 500, 22  # 500 rows are 2**31 or so after 22 times; 2**27 are passed after 19
BY = Slicing(["g"], depth=1)


@pytest.fixture(scope="module")
def people():
    rng = np.random.default_rng(4)
    found = pd.DataFrame({name: rng.random(ROWS) for name in ("s", "p", "t", "u", "w")})
    return found.assign(y=rng.integers(0, 2, ROWS), g=rng.choice(["a", "b"], ROWS))


def classes(people, seed):
    given = np.random.default_rng(seed).dirichlet(np.ones(3), ROWS)
    label = np.random.default_rng(0).integers(0, 3, ROWS)
    return ClassScored(("0", "1", "2"), label, given.argmax(axis=1), given, people["w"].to_numpy())


def paired(people):
    return paired_rows(people, label="y", champion="s", challenger="p", weight="w", slicing=BY)


def predicted(people, name):
    return predicted_rows(people, target="t", prediction=name, weight="w")


COUNTED = {
    "scores": lambda people: score_summary(people, label="y", score="s", weight="w"),
    "scores, unweighted": lambda people: score_summary(people, label="y", score="s"),
    "slices": lambda people: slice_summary(people, label="y", score="s", weight="w", slicing=BY),
    "slices, unweighted": lambda people: slice_summary(people, label="y", score="s", slicing=BY),
    "system": lambda people: system_summary(people, latency="t", cost="w", slicing=BY),
    "pairs": lambda people: paired_summary(paired(people)),
    "placements": lambda people: placement_summary(paired(people), paired_summary(paired(people))),
    "classes": lambda people: multiclass_summary(people, classes(people, 1), slicing=BY),
    "pairs of classes": lambda people: paired_class_summary(classes(people, 1), classes(people, 2)),
    "drift": drift_binning,
}
EXACT_SUMS = {
    "moments": lambda people: moment_summary(people, predicted(people, "u"), slicing=BY),
    "pairs of moments": lambda people: paired_moment_summary(predicted(people, "u"), predicted(people, "p")),
}
SUMS = frozenset(
    {
        "n", "rows", "weight", "weight_square", "offset", "offset_square", "steep_loss", "steep_loss_square",
        "cells", "cell_weight", "cell_weight_square", "score", "square_error", "loss", "loss_square", "latency",
        "cost", "cost_square", "costs", "square_error_change", "loss_change", "score_change", "joint", "change",
        "change_fourth", "moments", "confidence_weight", "confidence_score", "confidence_spread", "differ",
        "changes", "moves", "counts", "sums", "missing", "infinite", "units", "sentinels", "outside",
    }
)  # fmt: skip


def doubled(one, times):
    for _ in range(times):
        one = one + one
    return one


def is_sum(path):
    return next(name for name in reversed(path.split(".")) if name) in SUMS


@pytest.mark.parametrize("name", COUNTED)
def test_sums_in_fixed_point_are_exact_past_two_to_the_27th_rows(people, name):
    one = COUNTED[name](people)
    before, after = arrays(one), arrays(doubled(one, DOUBLED))
    assert ROWS * 2**DOUBLED > 2**27 * 15
    changed = 0
    for path, value in before.items():
        if is_sum(path) and value is not None:
            changed += 1
            expected = np.asarray(value).astype(object) * 2**DOUBLED
            assert (np.asarray(after[path]).astype(object) == expected).all(), path
        elif path.endswith("amount."):  # of fewer cells, the more rows there are
            assert after[path].sum(axis=0).tolist() == [int(total) << DOUBLED for total in value.sum(axis=0)]
        elif "ranks" not in path:
            np.testing.assert_array_equal(after[path], value, err_msg=path)
    assert changed >= 2


@pytest.mark.parametrize("name", [name for name in COUNTED if name not in ("placements", "drift")])
def test_more_rows_than_ones_fit_are_refused(people, name):
    with pytest.raises(MergeError, match="at most 2,147,483,647 rows, found 4,194,304,000"):
        doubled(COUNTED[name](people), DOUBLED + 1)


@pytest.mark.parametrize("name", EXACT_SUMS)
def test_exact_sums_are_exact_past_two_to_the_31st_rows(people, name):
    one = EXACT_SUMS[name](people)
    before, after = arrays(one), arrays(doubled(one, 31))
    assert after[next(path for path in after if path.endswith("rows."))][0] == ROWS * 2**31 > 2**39
    lanes = [path for path in before if "lanes" in path]
    assert len(lanes) >= 10
    for path in lanes:
        assert integers(after[path]) == [value * 2**31 for value in integers(before[path])], path
        assert totals(after[path]) == pytest.approx(totals(before[path]) * 2.0**31, rel=1e-15)


def integers(lane):
    return [sum(int(limb) << (32 * place) for place, limb in enumerate(cell)) for cell in lane]


def test_folds_of_rows_that_come_billions_of_times_are_all_of_them(people):
    rows = people.assign(u=people.u.round(1), t=people.t.round(1), w=1.0)[["t", "u", "w"]]
    one = fold_summary(predicted_rows(rows, target="t", prediction="u"), 5)
    many = doubled(one, 30)
    assert one.distinct is not None and len(one.distinct.key) < ROWS
    for name in ("w", "ee", "y"):
        of_folds = np.sum([integers(fold.lanes[name]) for fold in many.folds], axis=0)
        of_rows = np.sum([integers(fold.lanes[name]) for fold in one.folds], axis=0)
        assert of_folds.tolist() == [value * 2**30 for value in of_rows]
    rows_of = np.array([int(fold.rows.sum()) for fold in many.folds])
    assert rows_of.sum() == ROWS * 2**30 and np.ptp(rows_of) < 1e-4 * rows_of.sum()


def test_a_sum_beyond_63_bits_is_refused_and_none_below():
    high = np.array([[2**62, -(2**62)], [5, 0]])
    assert lanes_added(high, high - np.array([[1, 0], [0, 0]])).tolist() == [[2**63 - 1, -(2**63)], [10, 0]]
    for one in (high, -high - np.array([[0, 0], [0, 0]])):
        with pytest.raises(MergeError, match="beyond what 63 bits hold"):
            lanes_added(one, one + np.array([[0, 0], [0, 0]]) + np.sign(one))


def test_losses_that_no_lane_holds_are_refused(people):
    one = slice_summary(people, label="y", score="s", slicing=BY)
    loud = replace(one, loss=np.full_like(one.loss, 2**62))
    with pytest.raises(MergeError, match="beyond what 63 bits hold"):
        loud + loud


def test_more_rows_than_one_pass_counts_are_refused_with_the_way_out(people, monkeypatch):
    monkeypatch.setattr(counts, "COUNTED_ROWS", ROWS - 1)
    assert inputs.rows_countable is counts.rows_countable
    one = classes(people, 1)
    for count in (
        partial(score_summary, people, label="y", score="s"), partial(system_summary, people, latency="t", slicing=BY),
        partial(predicted_rows, people, target="t", prediction="u"), partial(multiclass_summary, people, one),
        partial(drift_binning, people), partial(paired, people),
    ):  # fmt: skip
        with pytest.raises(MergeError, match="499 rows are counted in one pass, found 500; count parts of the data"):
            count()


def test_carried_sums_are_the_same_sums():
    rng = np.random.default_rng(3)
    lane = rng.integers(-(2**62), 2**62, (40, LIMBS))
    found = carried(lane)
    assert integers(found) == integers(lane) and (carried(found) == found).all()
    assert np.abs(found[:, :-1]).max() < 2**32 and (np.sign(found) * np.sign(found[:, -1:]) >= 0).all()
    times, cell = rng.integers(-(2**40), 2**40, 40), rng.integers(0, 3, 40)
    start = carried(rng.integers(0, 2**40, (3, LIMBS)))
    expected = integers(start)
    small = found.copy()
    small[:, -1] >>= 45
    for at, value, factor in zip(cell.tolist(), integers(small), times.tolist(), strict=True):
        expected[at] += value * factor
    assert integers(with_times(start, cell, small, times)) == expected
