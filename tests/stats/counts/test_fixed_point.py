"""Rounding to fixed point and scattered additions, against numpy's own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from mlflow_eval_plugin.stats.counts import fixed_point as module
from mlflow_eval_plugin.stats.counts.fixed_point import add_at, fixed_point, squares_up

LARGEST = 2.0**51


@given(
    npst.arrays(np.float64, st.integers(0, 20), elements=st.floats(-1, 1)),
    st.integers(0, 51).map(lambda bits: 2.0**bits),
)
def test_numbers_are_rounded_as_numpy_rounds_them(numbers, one):
    before = numbers.copy()
    found = fixed_point(numbers, one)
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, np.rint(numbers * one).astype(np.int64))
    np.testing.assert_array_equal(numbers, before)


def test_ties_go_to_the_even_neighbour_and_the_largest_numbers_are_whole():
    numbers = np.array([0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 0.49999999999999994, LARGEST, -LARGEST, LARGEST - 0.5])
    assert fixed_point(numbers, 1.0).tolist() == [0, 2, 2, 0, -2, -2, 0, 2**51, -(2**51), 2**51]
    # In units of a quarter: an eighth is a tie, three eighths are the other one.
    assert fixed_point(np.array([0.125, 0.375, -0.375, 100.0]), 4.0).tolist() == [0, 2, -2, 400]


def test_squares_are_rounded_up():
    numbers = np.array([0.0, 1e-9, 0.25, 0.5, 1.0, np.nextafter(0.5, 1)])
    # In units of a sixteenth.
    assert squares_up(numbers, 16.0).tolist() == [0, 1, 1, 4, 16, 5]


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("places", [np.int32, np.int64])
@pytest.mark.parametrize("kind", [np.int32, np.int64])
def test_amounts_are_added_as_numpy_adds_them(monkeypatch, kind, places, own):
    assert module._csc_matvec is not None  # or what follows compares numpy with itself
    if not own:
        monkeypatch.setattr(module, "_csc_matvec", None)
    rng = np.random.default_rng(1)
    at = rng.integers(0, 50, 3000).astype(places)
    amounts = rng.integers(np.iinfo(kind).min, np.iinfo(kind).max, 3000, dtype=kind)
    table = rng.integers(-5, 5, 60).astype(kind)
    expected = table.copy()
    np.add.at(expected, at, amounts)
    add_at(table, at, amounts)
    np.testing.assert_array_equal(table, expected)
    # Neither every second place nor every fourth amount is contiguous.
    wide, beside = np.zeros((60, 2), dtype=kind), np.zeros(60, dtype=kind)
    add_at(wide.reshape(-1), 2 * at[::2], np.repeat(amounts, 2)[::4])
    np.add.at(beside, at[::2], amounts[::2])
    np.testing.assert_array_equal(wide[:, 0], beside)
    assert not wide[:, 1].any()
    add_at(table, at[:0], amounts[:0])
    np.testing.assert_array_equal(table, expected)


@pytest.mark.parametrize("places", [np.int32, np.int64])
@pytest.mark.parametrize("outside", [[0, 3], [2, -1], [-(2**31)], [2**31 - 1]])
def test_nothing_is_added_outside_the_table(outside, places):
    table = np.zeros(3, dtype=np.int64)
    with pytest.raises(IndexError, match=r"in a table of 3$"):
        add_at(table, np.array(outside, dtype=places), np.ones(len(outside), dtype=np.int64))
    assert not table.any()
    add_at(table, np.array([2], dtype=places), np.ones(1, dtype=np.int64))
    assert table.tolist() == [0, 0, 1]


def test_every_place_has_one_amount():
    table = np.zeros(3, dtype=np.int64)
    for amounts in (np.ones(1, dtype=np.int64), np.ones(3, dtype=np.int64), np.ones((2, 1), dtype=np.int64)):
        with pytest.raises(ValueError, match=r"of shape \(\d.*\) for places of shape \(2,\)$"):
            add_at(table, np.array([0, 1], dtype=np.int32), amounts)
    with pytest.raises(ValueError, match="for places of shape"):
        add_at(table, np.zeros((2, 2), dtype=np.int32), np.ones((2, 2), dtype=np.int64))
    assert not table.any()


@pytest.mark.parametrize("kind", ["u1", "i2", "u4", "f8", ">i8", ">i4", "?"])
def test_places_are_whole_numbers_as_the_machine_has_them(kind):
    # scipy would swap the bytes of 2**56 after they were checked, or take eight places for one.
    table = np.zeros(1000, dtype=np.int64)
    with pytest.raises(TypeError, match=r"they must be int32 or int64$"):
        add_at(table, np.ones(8, dtype=kind), np.ones(8, dtype=np.int64))
    assert not table.any()
