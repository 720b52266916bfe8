"""Summaries of two models on the same rows: how shards merge, and where a row is placed among the other class."""

from dataclasses import fields

import numpy as np
import pandas as pd
import pytest

from mlflow_eval_plugin.engines.arrow import paired_rows, paired_summary, placement_summary
from mlflow_eval_plugin.engines.arrow.binary.ranking import cells_in
from mlflow_eval_plugin.engines.slicing import Slicing
from mlflow_eval_plugin.stats.binary.paired import PLACEMENT_ONE, placement_table
from mlflow_eval_plugin.stats.errors import MergeError

MODELS = ("champion", "challenger")


def _rows(n=200):
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "y": np.arange(n) % 2,
            "a": rng.random(n),
            "b": rng.random(n),
            "g": rng.choice(["p", "q", "r"], n),
            "w": rng.integers(1, 9, n) / 2,
        }
    )


def _pairs(rows, weight="w", weight_scale=4.0):
    return paired_rows(
        rows,
        label="y",
        champion="a",
        challenger="b",
        slicing=Slicing(["g"], depth=1),
        weight=weight,
        weight_scale=weight_scale,
    )


def _same(first, second):
    names = [field.name for field in fields(first) if field.name not in MODELS]
    return all(
        _same(getattr(first, name), getattr(second, name))
        if name == "ranks"
        else np.array_equal(getattr(first, name), getattr(second, name))
        for name in names
    )


def test_parts_with_other_slices_add_up_to_the_whole():
    rows = _rows()
    whole = paired_summary(_pairs(rows))
    places = placement_summary(_pairs(rows), whole)
    parts = [_pairs(rows[rows.g == "q"]), _pairs(rows[rows.g != "q"])]
    for order in (parts, parts[::-1]):
        first, second = (paired_summary(one) for one in order)
        merged = first + second
        assert _same(merged, whole)
        assert all(_same(getattr(merged, one), getattr(whole, one)) for one in MODELS)
        moved = [placement_summary(one, part) for one, part in zip(order, (first, second), strict=True)]
        assert [one.label for one in (moved[0] + moved[1]).slices] == ["overall", "g=p", "g=q", "g=r"]
        placed = [placement_summary(one, merged) for one in order]
        assert _same(placed[0] + placed[1], places)


def test_other_weights_do_not_merge():
    summaries = [paired_summary(_pairs(_rows(), weight_scale=scale)) for scale in (4.0, 8.0)]
    with pytest.raises(MergeError, match=r"do not merge: 4\.0 and 8\.0"):
        summaries[0] + summaries[1]


@pytest.mark.parametrize("weighted", [False, True])
def test_a_place_is_the_share_of_the_other_class_that_a_row_is_ranked_rightly_against(weighted):
    rows = _rows().assign(a=lambda d: np.round(d.a, 1) * 0.9 + 0.05)  # ties, within bins
    rows.loc[rows.g == "p", "a"] = np.where(rows.y[rows.g == "p"] == 1, 0.9, 0.1)  # ranked without a mistake
    rows.loc[rows.g == "r", "y"] = 0  # nobody to be placed among
    pairs = _pairs(rows, "w" if weighted else None, 4.0 if weighted else None)
    summary = paired_summary(pairs)
    cells = cells_in(summary.champion.ranks, rows.a.to_numpy())
    assert (np.unique(rows.a)[cells] == rows.a).all()
    for at, label in enumerate(("overall", "p", "q", "r")):
        part = rows if label == "overall" else rows[rows.g == label]
        table = np.full((len(rows), 2), -1.0)
        table[summary.champion.ranks.cells(at)] = placement_table(summary.champion.ranks.entry(at)) / PLACEMENT_ONE
        for y in (0, 1):  # DeLong, DeLong & Clarke-Pearson (1988), equation (3)
            other = part[part.y != y]
            w = other.w if weighted else np.ones(len(other))
            mine = part[part.y == y]
            for score, place in zip(mine.a, cells[mine.index], strict=True):
                right = other.a < score if y else other.a > score
                expected = np.sum(w * (right + 0.5 * (other.a == score))) / w.sum() if len(other) else 0.0
                assert table[place, y] == pytest.approx(expected, abs=1e-9), (label, y)
    assert (table[summary.champion.ranks.cells(3), 0] == 0).all()
