"""Exact sums against Python's own integers and fractions."""

import math
from fractions import Fraction

import numpy as np
import pytest

from mlflow_eval_plugin.stats.counts.exact_sums import (
    LIMBS,
    LOWEST,
    add_parts,
    centred_squares,
    empty_lane,
    parts_of,
    product,
    totals,
)

NUMBERS = np.array(
    [1.0, -1.0, 1 / 3, -2 / 3, math.pi * 2**30, -math.e * 2**31, 2.0**32 - 2**-21, 0.0, 5e-324, 1e-40, -1e-25, 1.5e-58,
     2.0**-192, -(2.0**-193), 1.75 * 2.0**-190, 2.0**-139 + 2.0**-191, 3.0**-80, -(7.0**-30)]
)  # fmt: skip


def _integers(lane):
    """Sums in units of the lowest bit."""
    return [sum(int(limb) << (32 * place) for place, limb in enumerate(cell)) for cell in lane]


def _exact(number):
    """A number in units of the lowest bit, cut off towards 0."""
    return int(Fraction(float(number)) * 2**-LOWEST)


def _lane(numbers, cells=None, size=1):
    lane = empty_lane(size)
    add_parts(lane, np.zeros(len(numbers), dtype=np.int64) if cells is None else cells, parts_of(np.array(numbers)))
    return lane


def test_every_number_is_held_to_the_last_of_its_bits():
    lane = _lane(NUMBERS, np.arange(len(NUMBERS)), len(NUMBERS))
    assert lane.shape == (len(NUMBERS), LIMBS) and lane.dtype == np.int64
    assert _integers(lane) == [_exact(one) for one in NUMBERS]
    # Limbs are of 32 bits, and twice that where two halves meet, so that 2**27 rows of them fit.
    assert np.abs(lane).max() < 2**33
    held = np.abs(NUMBERS) > 1e-40
    assert totals(lane)[held] == pytest.approx(NUMBERS[held], rel=1e-15, abs=0)


def test_sums_are_those_of_fractions_in_every_cell():
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=400) * 2.0 ** rng.integers(-120, 28, 400)
    cells = rng.integers(0, 3, 400)
    lane = _lane(numbers, cells, 4)
    exact = [sum(_exact(one) for one in numbers[cells == cell]) for cell in range(4)]
    assert _integers(lane) == exact and exact[3] == 0
    assert totals(lane) == pytest.approx([float(Fraction(one, 2**-LOWEST)) for one in exact], rel=1e-15, abs=0)
    assert totals(np.stack([lane, -lane])).tolist() == [totals(lane).tolist(), (-totals(lane)).tolist()]


def test_what_cancels_leaves_the_rest():
    lane = _lane([2.0**31, 2.0**-150, -(2.0**31)])
    assert totals(lane)[0] == 2.0**-150
    assert totals(_lane([2.0**31, -(2.0**-150), -(2.0**31)]))[0] == -(2.0**-150)
    assert totals(_lane([0.1] * 10 + [-1.0]))[0] == float(10 * Fraction(0.1) - 1)


def test_squares_about_a_mean_are_those_of_fractions():
    rng = np.random.default_rng(1)
    weight, value = 1 + rng.integers(0, 8, 9) / 8, 1000 + rng.integers(0, 2**10, 9) * 2.0**-10
    # All products are exact in float64.
    cells = np.array([0, 0, 0, 0, 0, 1, 1, 1, 2])
    lanes = [_lane(one, cells, 4) for one in (weight, weight * value, weight * value**2)]
    made = [[Fraction(one) for one in lane.tolist()] for lane in (weight, weight * value, weight * value**2)]
    found = centred_squares(*lanes)
    for cell in range(3):
        w, a, b = (sum(lane[i] for i in np.flatnonzero(cells == cell)) for lane in made)
        assert found[cell] == pytest.approx(float(b - a * a / w), rel=1e-12, abs=1e-40)
    assert found[0] > 0 and math.isnan(found[3])


def test_a_product_is_two_numbers_without_an_error():
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=50) * 2.0 ** rng.integers(-60, 60, 50), rng.normal(size=50)
    high, low = product(a, b)
    assert (high == a * b).all() and (low != 0).any()
    exact = [Fraction(x) * Fraction(y) for x, y in zip(a.tolist(), b.tolist(), strict=True)]
    assert [Fraction(x) + Fraction(y) for x, y in zip(high.tolist(), low.tolist(), strict=True)] == exact
