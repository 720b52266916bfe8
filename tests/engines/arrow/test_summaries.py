"""Summaries do not depend on the order of rows, and shards merge by addition."""

import hashlib
from dataclasses import fields
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlflow_eval_plugin.engines.arrow import (
    counting,
    data_digest,
    digest_summary,
    drift_binning,
    drift_summary,
    score_summary,
    slice_summary,
)
from mlflow_eval_plugin.engines.slicing import Slicing
from mlflow_eval_plugin.stats.binary.metrics import slice_part
from mlflow_eval_plugin.stats.binary.summary import FINE_BINS
from mlflow_eval_plugin.stats.counts.slice import LOSS_ONE, LOSS_SQUARE_ONE
from mlflow_eval_plugin.stats.drift.summary import DriftSummary
from mlflow_eval_plugin.stats.errors import InputError, MergeError

SCALE = 8.0


def _rows(seed, n=60):
    rng = np.random.default_rng(seed)
    score = rng.choice([0.0, 1.0, 0.5, 0.25, *rng.random(20)], n)
    label = rng.integers(0, 2, n)
    label[[0, 1, n // 3, n // 3 + 1, 2 * n // 3, 2 * n // 3 + 1]] = [0, 1, 0, 1, 0, 1]
    return pd.DataFrame(
        {
            "s": score,
            "y": label,
            "w": rng.random(n) * 7 + 0.01,
            "g": rng.choice(np.array(["a", "b", None], dtype=object), n),
            "h": rng.integers(0, 3, n),
            "x": np.where(rng.random(n) < 0.1, np.nan, rng.normal(size=n)),
        }
    )


def _slices(rows, **options):
    return slice_summary(
        rows, label="y", score="s", slicing=Slicing(["g", "h"]), weight="w", weight_scale=SCALE, **options
    )


def _scores(rows):
    return score_summary(rows, label="y", score="s", weight="w", weight_scale=SCALE)


def _same(first, second):
    for field in fields(first):
        a, b = getattr(first, field.name), getattr(second, field.name)
        if field.name == "columns":
            assert all(_same(one, two) for one, two in zip(a, b, strict=True))
        elif field.name in ("ranks", "watched") and a is not None:
            assert _same(a, b)
        elif isinstance(a, np.ndarray):
            assert np.array_equal(a, b), field.name
        else:
            assert a == b, field.name
    return True


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6))
def test_permuted_rows_give_identical_summaries(seed):
    rows = _rows(seed)
    mixed = rows.sample(frac=1, random_state=seed)
    assert _same(_scores(rows), _scores(mixed))
    assert _same(_slices(rows), _slices(mixed))
    assert _same(drift_binning(rows), drift_binning(mixed))
    assert digest_summary(rows) == digest_summary(mixed)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6))
def test_shards_merge_into_the_whole_in_any_grouping(seed):
    rows = _rows(seed)
    parts = [rows[:20], rows[20:40], rows[40:]]
    like = drift_binning(rows)
    for count in (_scores, _slices, digest_summary, lambda part: drift_summary(part, like=like)):
        a, b, c = (count(part) for part in parts)
        assert _same((a + b) + c, count(rows))
        assert _same(a + (b + c), count(rows))


def test_a_slice_is_named_in_the_order_of_the_columns_whatever_table_it_was_counted_in():
    rows = _rows(2, 400).assign(a=lambda d: d.index % 2, b=lambda d: d.index % 30)
    for names in (["a", "h", "b"], ["b", "a", "h"]):
        found = slice_summary(rows, label="y", score="s", slicing=Slicing(names)).slices
        assert {one.columns for one in found if len(one.levels) == 2} == {*combinations(names, 2)}


def test_truth_values_among_other_objects_are_numbers_whichever_comes_first():
    mixed = pd.DataFrame({"y": [0, 1, 0, 1], "s": 0.5, "g": pd.Series([True, 1, "x", 0], dtype=object)})
    for order in ([0, 1, 2, 3], [1, 0, 3, 2]):
        found = slice_summary(mixed.iloc[order], label="y", score="s", slicing=Slicing(["g"]))
        assert [one.label for one in found.slices] == ["overall", "g=0", "g=1", "g=x"]
    pure = mixed.assign(g=pd.Series([True, None, False, True], dtype=object))
    labels = [one.label for one in slice_summary(pure, label="y", score="s", slicing=Slicing(["g"])).slices]
    assert labels == ["overall", "g=0", "g=1", "g=(missing)"]


def test_the_log_loss_of_a_row_is_that_of_its_own_probability():
    least = np.finfo(np.float64).eps
    scores = [0.0, 5e-324, 1e-300, 1e-17, least / 2, least, 3e-16, 1e-12, 1.23456789e-9, 1e-7, 0.3, 1 - 2.0**-53, 1.0]
    for score in scores:
        for label, own in ((1, score), (0, 1 - score)):
            # Beside it a row of each label that costs nothing.
            rows = pd.DataFrame({"s": [score, 1.0, 0.0], "y": [label, 1, 0]})
            loss = -np.log(max(own, least))
            found = score_summary(rows, label="y", score="s")
            at = min(int(score * FINE_BINS), FINE_BINS - 1), label
            for lane, expected, unit in ((found.w_loss, loss, 1 / LOSS_ONE), (found.w_loss_square, loss**2, 2.0**-22)):
                assert lane.shape == (FINE_BINS, 2)
                assert lane[at] == pytest.approx(expected, abs=unit / 2 + 1e-12)
                assert lane.sum() == lane[at]
            sliced = slice_summary(rows, label="y", score="s", slicing=Slicing([]))
            assert sliced.loss[0].sum() / LOSS_ONE == pytest.approx(loss, abs=2.0**-31 + 1e-15)
            assert sliced.loss_square[0].sum() / LOSS_SQUARE_ONE == pytest.approx(loss**2, abs=2.0**-23 + 1e-12)


def test_chunks_do_not_matter(monkeypatch):
    rows = _rows(1, 500)
    whole = _slices(rows)
    monkeypatch.setattr(counting, "CHUNK_ROWS", 7)
    assert _same(whole, _slices(rows))


def test_a_joint_table_gives_the_margins_of_single_passes():
    rows = _rows(2, 400)
    both = slice_summary(rows, label="y", score="s", slicing=Slicing(["g", "h"]))
    for column in ("g", "h"):
        alone = slice_summary(rows, label="y", score="s", slicing=Slicing([column]))
        for position, one in enumerate(alone.slices):
            found = both.index(one.label)
            assert np.array_equal(both.n[found], alone.n[position])
            assert np.array_equal(both.score[found], alone.score[position])


def test_whole_weights_are_counted_exactly():
    rows = _rows(3).assign(w=lambda d: np.arange(len(d)) % 4 + 1)
    summary = score_summary(rows, label="y", score="s", weight="w")
    assert summary.w.sum() == rows.w.sum()
    assert summary.w_square.sum() == (rows.w**2).sum()


def test_effective_rows_never_exceed_the_rows_however_small_the_weights():
    rows = _rows(3, 500).assign(w=lambda d: np.where(d.index == 0, 1e5, np.linspace(0.5, 2.0, len(d))))
    summary = slice_summary(rows, label="y", score="s", slicing=Slicing(["g", "h"]), weight="w")
    part = slice_part(summary, np.arange(len(summary.slices)))
    assert (part.weight > 0).all()
    assert (part.effective > 0).all() and (part.effective <= part.n).all()


def test_equal_weights_change_nothing():
    rows = _rows(4)
    plain = score_summary(rows, label="y", score="s")
    equal = score_summary(rows, label="y", score="s", weight=np.full(len(rows), 2.0))
    assert np.allclose(equal.w_square_error, 2 * plain.w_square_error, rtol=0, atol=1e-9)
    assert np.array_equal(equal.n, plain.n)


@pytest.mark.parametrize("other", [None, 16.0])
def test_different_weight_scales_do_not_merge(other):
    rows = _rows(5)
    with pytest.raises(MergeError, match="weight_scale"):
        _scores(rows) + score_summary(
            rows, label="y", score="s", weight=None if other is None else "w", weight_scale=other
        )


def test_drift_summaries_on_other_bins_do_not_merge():
    first, second = drift_binning(_rows(6)[["x"]]), drift_binning(_rows(7)[["x"]])
    with pytest.raises(MergeError, match="like=reference"):
        first + second


def test_a_reference_can_be_stored_and_used_again():
    reference = drift_binning(_rows(8))
    again = DriftSummary.from_document(reference.to_document())
    assert _same(reference, again)
    with pytest.raises(InputError, match="format"):
        DriftSummary.from_document({})
    with pytest.raises(InputError, match="damaged"):
        DriftSummary.from_document({"format": "mlflow-eval-plugin/drift-summary/1", "rows": 3})


def test_the_digest_sees_content_only():
    rows = _rows(9)
    digest = data_digest(rows)
    assert digest.startswith("sha256:")
    assert len(digest) == 71
    assert data_digest(rows.set_index(np.arange(100, 160))) == digest
    assert data_digest(rows[list(reversed(rows.columns))]) == digest
    assert data_digest(rows.astype({"h": "int8"})) == digest
    assert data_digest(rows.astype({"g": "category"})) == digest


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.assign(s=d.s.mask(d.index == 5, 0.123)),
        lambda d: d.iloc[:-1],
        lambda d: pd.concat([d, d.iloc[:1]]),
        lambda d: d.rename(columns={"x": "z"}),
        lambda d: d.assign(s=d.x, x=d.s),
        lambda d: d.assign(s=d.s.to_numpy()[::-1]),
        lambda d: d.assign(g=d.g.fillna("missing")),
    ],
)
def test_the_digest_changes_with_any_change(change):
    rows = _rows(10)
    assert data_digest(change(rows)) != data_digest(rows)


def _mixed(bits: int) -> int:
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):
        bits = (bits ^ (bits >> shift)) * factor % 2**64
    return bits


def test_the_digest_is_the_one_described():
    # Row by row in whole numbers; splitmix64's sequence from seed 0 begins with e220a8397b1dcdaf.
    assert _mixed(0x9E3779B97F4A7C15) == 0xE220A8397B1DCDAF
    rows = pd.DataFrame({"b": [1.5, -0.0, np.nan, 2.0**60], "a": [-1, 0, 3, 2**62]})
    # -1, 0, 3 and 2**62 as floats.
    wholes = [[0xBFF0 << 48, 0, 0x4008 << 48, (1023 + 62) << 52], [0x3FF8 << 48, 0, 0x7FF8 << 48, (1023 + 60) << 52]]
    odd = [_mixed(step * 0x9E3779B97F4A7C15 % 2**64) | 1 for step in (1, 2, 3, 4)]
    lanes = [
        sum(_mixed((_mixed(a) * odd[lane] + _mixed(b) * odd[2 + lane]) % 2**64) for a, b in zip(*wholes, strict=True))
        for lane in (0, 1)
    ]
    text = (
        f'["mlflow-eval-plugin/data-digest/3",[["a","number"],["b","number"]],4,{lanes[0] % 2**64},{lanes[1] % 2**64}]'
    )
    assert data_digest(rows) == "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def test_data_without_columns_has_a_digest_by_its_rows():
    assert data_digest(pd.DataFrame(index=range(3))) != data_digest(pd.DataFrame(index=range(4)))


def test_the_digest_of_many_rows_is_that_of_its_parts():
    rows = pd.DataFrame({"x": np.arange(150_000.0), "g": np.arange(150_000) % 7})
    parts = [digest_summary(rows[start:end]) for start, end in ((0, 70_001), (70_001, 70_001), (70_001, None))]
    assert parts[0] + parts[1] + parts[2] == digest_summary(rows)


def test_the_digest_of_mixed_numbers_does_not_depend_on_which_comes_first():
    numbers = pd.DataFrame({"x": pd.Series([1, 1.0, True, 2.5, None], dtype=object)})
    assert {data_digest(numbers.iloc[order]) for order in ([0, 1, 2, 3, 4], [1, 0, 2, 4, 3], [2, 1, 0, 3, 4])} == {
        data_digest(numbers)
    }


def test_the_digest_of_times_does_not_depend_on_their_unit():
    times = pd.DataFrame({"t": pd.to_datetime(["2020-01-01 10:00:01", None, "1969-07-20 20:17:40"])})
    assert {data_digest(times.astype({"t": f"datetime64[{unit}]"})) for unit in ("s", "ms", "us", "ns")} == {
        data_digest(times)
    }
