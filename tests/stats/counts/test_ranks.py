"""Tables of ranks: keys in the order of scores, nested cells, and merging that no order of shards can change."""

from __future__ import annotations

from dataclasses import fields
from functools import reduce
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from mlflow_eval_plugin.engines.arrow import counting, ranked_slices, slice_summary
from mlflow_eval_plugin.engines.arrow.binary import ranking
from mlflow_eval_plugin.engines.slicing import Slicing
from mlflow_eval_plugin.stats.binary.table import SliceTable
from mlflow_eval_plugin.stats.counts import ranks as module
from mlflow_eval_plugin.stats.counts.ranks import (
    COARSE,
    EXACT,
    FINE,
    MIDDLE,
    OTHERS_CELLS,
    cells_of,
    grid_of,
    score_keys,
    scores_of,
)
from mlflow_eval_plugin.stats.errors import InputError, MergeError
from mlflow_eval_plugin.stats.inference.estimate import estimates


def _scores() -> np.ndarray:
    rng = np.random.default_rng(0)
    ends = [0.0, -0.0, 5e-324, 1e-310, 0.25, 0.5, np.nextafter(0.5, 0), 1 - 2.0**-53, 1.0]
    near = 10 ** -rng.uniform(0, 300, 5000), 1 - 10 ** -rng.uniform(0, 16, 5000)
    return np.sort(np.concatenate([ends, rng.random(20_000), *near]))


def test_keys_have_the_order_of_the_scores_and_tell_any_two_apart():
    score = _scores()
    key = score_keys(score)
    assert (np.sign(np.diff(key)) == np.sign(np.diff(score))).all() and key.min() == 0
    assert np.array_equal(scores_of(key), score)


@pytest.mark.parametrize(("grid", "least"), [(FINE, 2.0**-16), (MIDDLE, 2.0**-13), (COARSE, 2.0**-8)])
def test_cells_are_as_fine_in_the_logit_near_either_end(grid, least):
    for score in (rng := np.random.default_rng(1)).uniform(0.01, 0.49, 200) * 10 ** -rng.uniform(0, 7, 200):
        for side, flip in ((score, 1), (1 - score, -1)):
            nearest = min(side, 1 - side)
            key = score_keys(np.array([side, side + flip * nearest * least * 1.01]))
            assert np.diff(cells_of(key, grid))[0] * flip > 0
            low = scores_of(cells_of(key, grid)[:1])[0]
            assert 0 <= side - low <= nearest * least * 1.01


def test_cells_are_unions_of_finer_cells():
    key = score_keys(_scores())
    finer = key
    for grid in (EXACT, FINE, MIDDLE, COARSE):
        cell = cells_of(key, grid)
        assert (cells_of(finer, grid) == cell).all() and (cells_of(cell, grid) == cell).all()
        assert (cell <= finer).all() and (np.diff(cell) >= 0).all()
        finer = cell
    # Whatever the scores, coarse cells are few.
    leading = np.arange(2**21) << 42
    between = (leading > score_keys(np.array([np.nextafter(0.5, 0)]))) & (leading < score_keys(np.array([0.5])))
    assert len(np.unique(cells_of(leading[~between], COARSE))) < 20_100


def test_cells_are_as_fine_as_the_numbers_of_rows_and_slices_allow(monkeypatch):
    monkeypatch.setattr(module, "EXACT_ROWS", 100)
    assert grid_of(np.array([50, 50])) == EXACT and grid_of(np.array([50, 51])) == FINE
    assert grid_of(np.repeat([10, 0], 16)) == FINE and grid_of(np.repeat(10, 17)) == MIDDLE
    assert grid_of(np.repeat(10, 128)) == MIDDLE and grid_of(np.repeat(10, 129)) == COARSE
    # So many tables hold so many more.
    assert grid_of(np.array([50]), tables=2) == EXACT and grid_of(np.array([50]), tables=3) == FINE
    assert grid_of(np.repeat(10, 8), tables=3) == MIDDLE


def _rows(n: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    crowd = 1 / (1 + np.exp(-rng.normal(-8, 2, n)))
    score = np.where(rng.random(n) < 0.3, np.round(rng.random(n), 1), np.where(rng.random(n) < 0.5, crowd, 1 - crowd))
    score[::4] = score[1::4] * (1 - 1e-7 * rng.random(n // 4))  # the next of some other
    return pd.DataFrame(
        {
            "s": score,
            "y": (rng.random(n) < 0.2 + 0.6 * score).astype(int),
            "g": rng.choice(list("abc"), n),
            "h": rng.integers(0, 9, n),
            "w": rng.integers(1, 9, n) / 4,
        }
    )


def _summary(rows, slices, weight=None):
    scale = None if weight is None else 2.0
    return slice_summary(rows, label="y", score="s", slicing=Slicing(slices), weight=weight, weight_scale=scale)


def _assert_same(first, second):
    for field in fields(first):
        np.testing.assert_array_equal(getattr(first, field.name), getattr(second, field.name), err_msg=field.name)


@pytest.mark.parametrize("weight", [None, "w"])
@pytest.mark.parametrize(
    ("slices", "most", "some", "grid"),
    [
        (["g"], 10**9, 0, EXACT),
        (["g"], 900, 0, FINE),
        (["g", "h"], 900, 99, MIDDLE),
        (["g", "h"], 900, 20, COARSE),
    ],
)
def test_shards_merge_into_the_whole_in_any_order(monkeypatch, weight, slices, most, some, grid):
    monkeypatch.setattr(module, "EXACT_ROWS", most)
    monkeypatch.setattr(module, "SOME_SLICES", some)
    rows = _rows(1200)
    whole = _summary(rows, slices, weight).ranks
    assert grid_of(whole.rows) == grid and whole.mixed.any() == (grid != EXACT)
    parts = [rows[:100], rows[100:700], rows[700:]]  # on cells of their own: the smallest is exact
    parts = [*parts[:2], parts[2][parts[2].g != "a"], parts[2][parts[2].g == "a"]]
    made = [_summary(part, slices, weight) for part in parts]
    assert grid == EXACT or len({grid_of(one.ranks.rows) for one in made}) > 1
    for order in permutations(made):
        _assert_same(reduce(lambda a, b: a + b, order).ranks, whole)
    _assert_same((made[0] + made[1] + (made[2] + made[3])).ranks, whole)
    _assert_same(_summary(rows.sample(frac=1, random_state=1), slices, weight).ranks, whole)
    monkeypatch.setattr(counting, "FEW_ROWS", 1)
    monkeypatch.setattr(counting, "CHUNK_ROWS", 7)
    _assert_same(_summary(rows, slices, weight).ranks, whole)


@pytest.mark.parametrize("weight", [None, "w"])
@pytest.mark.parametrize(("slices", "most"), [(["g"], 10**9), (["g"], 900), (["g", "h"], 900)])
def test_areas_are_those_of_scikit_learn_within_the_bound(monkeypatch, weight, slices, most):
    monkeypatch.setattr(module, "EXACT_ROWS", most)
    monkeypatch.setattr(module, "SOME_SLICES", 20)
    rows = _rows(1500, seed=3)
    table = SliceTable(_summary(rows, slices, weight))
    for complement in (False, True):
        for name, exact in (("auc", roc_auc_score), ("average_precision", average_precision_score)):
            found = table.metric(name, complement=complement)
            for i, one in enumerate(table.slices):
                inside = np.ones(len(rows), dtype=bool)
                for column, level in one.levels:
                    inside &= (rows[column].astype(str) == level).to_numpy()
                part = rows[~inside if complement else inside]
                if part.y.nunique() < 2:
                    continue
                expected = exact(part.y, part.s, sample_weight=None if weight is None else part[weight])
                assert abs(found.value[i] - expected) <= found.bound[i] + 1e-12
            assert (np.nanmax(found.bound) == 0) == (most > 900)


def test_a_single_score_has_no_error_however_coarse_the_cells(monkeypatch):
    monkeypatch.setattr(module, "EXACT_ROWS", 10)
    monkeypatch.setattr(module, "SOME_SLICES", 20)
    rows = _rows(900).assign(s=lambda d: np.round(d.s, 1))
    for slices in (["g"], ["g", "h"]):
        found = SliceTable(_summary(rows, slices)).metric("auc")
        assert found.bound.max() == 0
        assert found.value[0] == pytest.approx(roc_auc_score(rows.y, rows.s), abs=1e-14)


def test_all_rows_but_a_slice_are_on_fewer_cells_and_a_rare_label_on_its_own():
    rng = np.random.default_rng(2)
    n = 3 * OTHERS_CELLS
    rows = pd.DataFrame({"s": rng.random(n), "y": (np.arange(n) % 5000 == 0).astype(int), "g": np.arange(n) % 2})
    summary = _summary(rows, ["g"])
    others = summary.ranks.others(1)
    assert len(others.mixed) <= OTHERS_CELLS + 1 and others.mixed.any()
    assert not others.mixed[others.positive > 0].any()
    rest = rows[rows.g == 1]
    assert (others.positive.sum(), others.negative.sum()) == (rest.y.sum(), (1 - rest.y).sum())


def test_the_order_of_scores_can_be_had_alone():
    rows = _rows(700)
    summary = _summary(rows, ["g", "h"])
    slices, table = ranked_slices(rows, label="y", score="s", slicing=Slicing(["g", "h"]))
    assert slices == summary.slices
    _assert_same(table, summary.ranks)
    assert np.array_equal(table.totals, summary.cells.sum(axis=2))


def test_coarse_cells_by_leading_bits_are_those_of_whole_keys():
    floors, of_leading = ranking._coarse_cells()
    keys = module.score_keys(np.r_[_scores(), np.random.default_rng(1).random(100_000) ** 9])
    assert (floors[of_leading[keys >> ranking._SHIFT]] == module.cells_of(keys, module.COARSE)).all()


def test_rates_need_no_ranks_and_areas_and_losses_say_so():
    rows = _rows(800)
    names = {"label": "y", "score": "s", "slicing": Slicing(["g", "h"])}
    ranked, plain = slice_summary(rows, **names), slice_summary(rows, **names, ranked=False)
    assert plain.ranks is None and ranked.ranks is not None
    merged = slice_summary(rows[:300], **names, ranked=False) + slice_summary(rows[300:], **names, ranked=False)
    for metric in ("accuracy", "f1", "fpr", "balanced_accuracy", "prevalence"):
        wanted = estimates(SliceTable(ranked).metric(metric))
        assert estimates(SliceTable(plain).metric(metric)) == estimates(SliceTable(merged).metric(metric)) == wanted
    for metric in ("auc", "average_precision", "brier", "log_loss", "ece", "calibration_in_the_large"):
        with pytest.raises(InputError, match="count the rows with ranked=True"):
            estimates(SliceTable(plain).metric(metric))
    with pytest.raises(MergeError, match="count both alike"):
        plain + ranked
