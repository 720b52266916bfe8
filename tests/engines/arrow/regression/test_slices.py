"""Exact sums: no order of rows, no shards and no chunks change one byte, and no magnitude is lost."""

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlflow_eval_plugin.engines.arrow import counting, moment_summary, predicted_rows, prediction_summary
from mlflow_eval_plugin.engines.arrow.regression import scores
from mlflow_eval_plugin.engines.slicing import Slicing
from mlflow_eval_plugin.stats.counts.exact_sums import add_parts, centred_squares, empty_lane, parts_of, totals
from mlflow_eval_plugin.stats.errors import InputError, MergeError
from mlflow_eval_plugin.stats.regression.summary import RegressionScale

SCALE = RegressionScale(centre=1.5, unit=2.0**14, weight=8.0)
EDGES = np.array([-3.0, 0.0, 0.5, 2.0])


def rows_of(seed, n=60):
    rng = np.random.default_rng(seed)
    target = rng.lognormal(0, 2, n) * rng.choice([-1, 1], n)
    return pd.DataFrame(
        {
            "y": target,
            "p": target + rng.normal(size=n) * rng.choice([1e-9, 1.0, 50.0], n),
            "q": target - rng.random(n),
            "w": rng.random(n) * 7 + 0.01,
            "g": rng.choice(np.array(["a", "b", None], dtype=object), n),
            "h": rng.integers(0, 3, n),
        }
    )


def read(rows, scale=SCALE):
    quantiles = {0.1: rows.q, 0.9: rows.p}
    return predicted_rows(
        rows, target="y", prediction="p", quantiles=quantiles, intervals=[("i", 0.8, rows.q, rows.y + 1)], weight="w",
        scale=scale,
    )  # fmt: skip


def moments(rows):
    return moment_summary(rows, read(rows), slicing=Slicing(["g", "h"], depth=2))


def bins(rows):
    return prediction_summary(read(rows), edges=EDGES)


def same(first, second):
    assert np.array_equal(first.rows, second.rows)
    assert first.lanes.keys() == second.lanes.keys()
    # Limbs may carry differently; the sums are the same integers.
    for name, lane in first.lanes.items():
        assert np.array_equal(lane, second.lanes[name]), name
    return True


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6))
def test_permuted_rows_give_identical_summaries(seed):
    rows = rows_of(seed)
    mixed = rows.sample(frac=1, random_state=seed)
    assert same(moments(rows), moments(mixed)) and moments(rows).slices == moments(mixed).slices
    assert same(bins(rows), bins(mixed))
    assert read(rows, None).scale == read(mixed, None).scale


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6))
def test_shards_merge_into_the_whole_in_any_grouping(seed):
    rows = rows_of(seed)
    for count in (moments, bins):
        a, b, c = (count(rows[part].reset_index(drop=True)) for part in (slice(20), slice(20, 40), slice(40, None)))
        assert same((a + b) + c, count(rows))
        assert same(a + (b + c), count(rows))


def test_chunks_do_not_matter(monkeypatch):
    rows = rows_of(1, 500)
    whole = moments(rows)
    monkeypatch.setattr(counting, "CHUNK_ROWS", 7)
    assert same(whole, moments(rows))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-(2.0**31), 2.0**31, allow_subnormal=False).filter(lambda x: x == 0 or abs(x) > 1e-40)))
def test_a_lane_is_the_exact_sum(numbers):
    lane = empty_lane(1)
    amount = np.array(numbers, dtype=np.float64)
    add_parts(lane, np.zeros(len(amount), dtype=np.int64), parts_of(amount))
    exact = float(sum(map(Fraction, numbers)))
    assert totals(lane)[0] == pytest.approx(exact, rel=1e-15, abs=2.0**-180)


def test_a_variance_is_right_wherever_the_values_lie():
    # Seconds since 1970, a few apart: in float64 the squares alone would be wrong by hundreds.
    rows = pd.DataFrame({"y": 1.7e9 + np.arange(10.0), "p": 1.7e9 + np.arange(10.0)})
    scale = RegressionScale(centre=0.0, unit=2.0**31, weight=1.0)
    summary = moment_summary(rows, predicted_rows(rows, target="y", prediction="p", scale=scale))
    lanes = summary.lanes
    assert centred_squares(lanes["w"], lanes["y"], lanes["yy"])[0] * 2.0**62 == pytest.approx(82.5, rel=1e-14)


def test_different_scales_edges_and_quantiles_do_not_merge():
    rows = rows_of(0)
    other = predicted_rows(rows, target="y", prediction="p", weight="w", scale=SCALE)
    with pytest.raises(MergeError, match="different quantiles"):
        _ = moments(rows) + moment_summary(rows, other, slicing=Slicing(["g", "h"], depth=2))
    with pytest.raises(MergeError, match="same scale"):
        _ = moments(rows) + moment_summary(rows, read(rows, None), slicing=Slicing(["g", "h"], depth=2))
    with pytest.raises(MergeError, match="same edges"):
        _ = bins(rows) + prediction_summary(read(rows), edges=EDGES[1:])


def test_many_predictions_share_bins_and_few_have_their_own(monkeypatch):
    rows = rows_of(0, 400)
    assert prediction_summary(read(rows)).exact and len(prediction_summary(read(rows)).edges) == 400
    monkeypatch.setattr(scores, "MOST_BINS", 50)
    coarse = prediction_summary(read(rows))
    assert not coarse.exact and coarse.rows.sum() == 400 and (coarse.rows == 8).all()


WRONG = [
    ({"y": [1.0, np.nan, 2.0]}, "target: 1 row is (first at row 1) missing or infinite"),
    ({"p": [1.0, 2.0, np.inf]}, "prediction: 1 row is (first at row 2) missing or infinite"),
    ({"p": [1.0, 2.0, 1e200]}, "prediction: 1 row is (first at row 2) beyond 1e+70"),
    ({"y": ["a", "b", "c"]}, "target: expected numbers"),
    ({"u": [1.0, -1.0, 9.0]}, "interval 'i': 1 row is (first at row 1) with a lower end above the upper one"),
    ({"q": [0.0, np.nan, np.nan]}, "quantile 0.5: 2 rows are (first at row 1) missing"),
]


@pytest.mark.parametrize(("columns", "message"), WRONG, ids=[message for _, message in WRONG])
def test_values_that_cannot_be_counted(columns, message):
    rows = pd.DataFrame({"y": [1.0, 2.0, 3.0], "p": 1.0, "q": 0.0, "u": 9.0}).assign(**columns)
    with pytest.raises(InputError) as caught:
        predicted_rows(rows, target="y", prediction="p", quantiles={0.5: "q"}, intervals=[("i", 0.8, "q", "u")])
    assert message in str(caught.value)


@pytest.mark.parametrize(("levels", "found"), [((0.5, 0.1), "increasing"), ((0.0, 0.5), "levels between")])
def test_levels_that_are_none(levels, found):
    rows = pd.DataFrame({"y": [1.0, 2.0], "p": 1.0})
    with pytest.raises(InputError, match=found):
        predicted_rows(rows, target="y", prediction="p", quantiles=dict.fromkeys(levels, "p"))


def test_lengths_rows_and_scales_that_do_not_fit():
    rows = pd.DataFrame({"y": [1.0, 2.0], "p": 1.0})
    with pytest.raises(InputError, match="prediction: expected 2 values, one a row, found 3"):
        predicted_rows(rows, target="y", prediction=[1.0, 2.0, 3.0])
    with pytest.raises(InputError, match="no rows"):
        predicted_rows(rows.head(0), target="y", prediction="p")
    with pytest.raises(InputError, match="unit that is a power of two"):
        predicted_rows(rows, target="y", prediction="p", scale=RegressionScale(0.0, 0.5, 1.0))
