"""Sums of Summaries against the rows themselves; what merges, what does not, and in which order slices come."""

from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest

from mlflow_eval_plugin.engines.arrow import score_summary, slice_summary
from mlflow_eval_plugin.engines.slicing import Slicing
from mlflow_eval_plugin.query import NamedQuery, parse
from mlflow_eval_plugin.stats.binary.summary import FINE_BINS, SCORE_BINS, SMALLEST_PROBABILITY, STEEP_BINS, grouped
from mlflow_eval_plugin.stats.counts.slice import (
    COUNTED_ROWS,
    LOSS_ONE,
    LOSS_SQUARE_ONE,
    MAX_ROWS,
    ONE,
    Slice,
    union_of_slices,
)
from mlflow_eval_plugin.stats.errors import MergeError

OLD = NamedQuery("old", "h > 1", parse("h > 1"))


def _rows(n=300):
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "s": rng.beta(0.5, 0.5, n),
            "y": np.arange(n) % 2,
            "w": rng.integers(1, 8, n) / 2.0,
            "g": rng.choice(["a", "b"], n),
            "h": rng.integers(0, 3, n),
        }
    )


def _scores(rows):
    return score_summary(rows, label="y", score="s", weight="w", weight_scale=4.0)


def _slices(rows, queries=(OLD,), **options):
    return slice_summary(rows, **{"label": "y", "score": "s", "slicing": Slicing(["g"], queries=queries), **options})


def _lanes(summary):
    found = {}
    for field in fields(summary):
        value = getattr(summary, field.name)
        found |= {f"ranks.{k}": v for k, v in _lanes(value).items()} if field.name == "ranks" else {field.name: value}
    return found


def _same(first, second):
    one, other = _lanes(first), _lanes(second)
    return all(np.array_equal(one[name], other[name]) for name in one)


def test_sums_are_those_of_the_rows():
    rows = _rows()
    summary = _scores(rows)
    score, weight = rows.s.to_numpy(), rows.w.to_numpy()
    place = score * SCORE_BINS - np.floor(score * SCORE_BINS)
    loss = -np.log(np.where(rows.y == 1, score, 1 - score))
    of_a_row = {
        "w": np.ones(len(rows)),
        "w_square": weight,
        "w_score": score,
        "w_square_error": (score - rows.y.to_numpy()) ** 2,
        "w_loss": loss,
        "w_loss_square": loss**2,
        "w_offset": place,
        "w_offset_square": place**2,
    }
    for name, amount in of_a_row.items():
        for label in (0, 1):
            expected = (weight * amount)[rows.y == label].sum()
            assert getattr(summary, name)[:, label].sum() == pytest.approx(expected, rel=1e-6), name
    assert grouped(summary.w).shape == (FINE_BINS, 2)
    fine, _ = np.histogram(score[rows.y == 1], FINE_BINS, (0, 1), weights=weight[rows.y == 1])
    assert grouped(summary.w)[:, 1] == pytest.approx(fine)
    with pytest.raises(ValueError, match="read-only"):
        summary.w[0] = 1.0


@pytest.mark.parametrize("weight", [1.0, 0.7])
@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize("bin_", [0, 1, STEEP_BINS - 1, STEEP_BINS, STEEP_BINS + 1, SCORE_BINS // 2, SCORE_BINS - 1])
def test_the_log_loss_of_a_bin_is_that_of_its_rows(bin_, label, weight):
    # Rows in a bin have the largest third moment where 21 % of them are at one end of it and 79 % at the other.
    for share in (0.0, 0.21, 0.5, 0.79, 1.0):
        place = np.where(np.arange(1000) < 1000 * share, bin_ + 1e-6, bin_ + 1 - 1e-6) / SCORE_BINS
        score = place if label else 1 - place
        place = score if label else 1 - score  # as it was rounded
        labels = np.append(np.full(1000, label), 1 - label)
        rows = pd.DataFrame({"s": np.append(score, 1 - label), "y": labels, "w": weight})
        found = score_summary(rows, label="y", score="s", weight="w")
        assert found.n[:, label].max() == 1000
        loss, steep = weight * -np.log(place), bin_ < STEEP_BINS
        assert found.steep_loss.any() == found.steep_loss_square.any() == steep
        # A row's weight is rounded to 2**-32, and its losses are, each of a steep row, to the units of their lanes.
        rounding = 2.0**-33 * -np.log(place[0])
        assert abs(found.w_loss.sum() - loss.sum()) <= 1000 * (2.0**-31 if steep else 5e-12 + rounding)
        square = (weight * np.log(place) ** 2).sum()
        bound = 2.0**-23 if steep else 5e-11 - np.log(place[0]) * rounding
        assert abs(found.w_loss_square.sum() - square) <= 1000 * bound


def test_parts_add_up_to_the_whole():
    rows = _rows()
    parts = rows[:100], rows[100:]
    assert _same(_scores(parts[0]) + _scores(parts[1]), _scores(rows))
    for options in ({"weight": "w", "weight_scale": 4.0}, {}):
        # One part lacks a level of the other, and comes first or last.
        parts = rows[rows.g == "a"], rows[rows.g == "b"]
        whole = _slices(rows, **options)
        assert [one.label for one in whole.slices] == ["overall", "g=a", "g=b", "old"]
        first, second = (_slices(part, **options) for part in parts)
        assert _same(first + second, whole) and _same(second + first, whole)
        assert (whole.weight is None) == (not options)


def test_what_was_counted_differently_does_not_merge():
    rows = _rows()
    plain = _slices(rows)
    for other in (_slices(rows, threshold=0.4), replace(plain, pos_label="yes")):
        with pytest.raises(MergeError, match="thresholds or positive labels"):
            plain + other
    for one in (_slices(rows, weight="w"), score_summary(rows, label="y", score="s", weight="w")):
        with pytest.raises(MergeError, match=r"do not merge: 4\.0 and 8\.0"):
            one + replace(one, weight_scale=8.0)
    other = NamedQuery("old", "h > 0", parse("h > 0"))
    with pytest.raises(MergeError, match="slices of one name have two queries"):
        plain + _slices(rows, queries=[other])


def test_a_summary_holds_so_many_rows_and_no_more():
    # No row adds more than 2**36 to a lane, and 2**32 to one that is not of losses.
    loss = -np.log(SMALLEST_PROBABILITY)
    assert max(ONE, loss * LOSS_ONE, loss**2 * LOSS_SQUARE_ONE) <= 2**36 and 2**36 * COUNTED_ROWS == 2**63
    assert 2**32 * MAX_ROWS == 2**63 - 2**32 and np.iinfo(np.int32).max == MAX_ROWS

    def of(summary, lane, rows):
        cells = np.zeros_like(getattr(summary, lane))
        cells.flat[[0, 1]] = rows - 1, 1
        return replace(summary, **{lane: cells})

    for summary, lane in ((_scores(_rows()), "n"), (_slices(_rows()), "cells")):
        assert getattr(of(summary, lane, MAX_ROWS - 5) + of(summary, lane, 5), lane).sum() == MAX_ROWS
        for one, other in ((MAX_ROWS - 5, 6), (6, MAX_ROWS - 5)):
            with pytest.raises(MergeError, match="at most 2,147,483,647 rows, found 2,147,483,648"):
                of(summary, lane, one) + of(summary, lane, other)


def test_slices_come_by_columns_then_by_the_value_of_levels_then_by_name():
    levels = ["-3", "[-2, 5.5)", "9", "10", "[11, 12)", "Inf", "abc", "nan", "xyz", "(missing)"]
    of_one = [Slice(f"g={level}", (("g", level),)) for level in levels]
    expected = [
        Slice("overall", ()),
        *of_one,
        Slice("h=0", (("h", "0"),)),
        Slice("g=0 & h=0", (("g", "0"), ("h", "0"))),
        Slice("a", (), "g > 1"),
        Slice("b", (), "g > 2"),
    ]
    assert union_of_slices(tuple(expected[::-2]), tuple(expected[::-1][::3] + expected[:-1])) == tuple(expected)
    assert [one.family for one in (expected[0], expected[1], expected[-1])] == [
        (False, ()),
        (False, ("g",)),
        (True, ()),
    ]
