"""Exact sums of float64 numbers: integers in limbs of 32 bits, so that no order of rows can change a bit.

One fixed-point lane of 64 bits is enough for scores in [0, 1]. Errors of a regression, their squares and their fourth
powers span more: an error of a millionth of the largest target is 2**-80 of its fourth power. So a *lane* has
``LIMBS`` limbs, and each number goes into the three in which its 53 bits lie. What is below ``2**LOWEST`` is cut off.

A limb takes less than 2**33 from a number, and at most four numbers from a row, so that ``COUNTED_ROWS`` = 2**27 rows
can be counted in one pass. Then limbs are *carried*, all but the last below 2**32, and sums of any number of rows fit.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mlflow_eval_plugin.stats.arrays import FloatArray, IntArray
from mlflow_eval_plugin.stats.counts.fixed_point import Places, add_at

LIMBS = 8
LOWEST = -192  # the exponent of the lowest bit; with eight limbs the highest is that of 2**63
_BITS, _MASK = 32, 2**32 - 1
_SPLITTER = 2.0**27 + 1

Parts = tuple[IntArray, tuple[IntArray, IntArray, IntArray]]


def empty_lane(cells: int) -> IntArray:
    """A lane of ``cells`` sums, all 0: shape ``(cells, LIMBS)``."""
    return np.zeros((cells, LIMBS), dtype=np.int64)


def parts_of(amount: FloatArray) -> Parts:
    """For numbers below 2**32 in size: the first of the three limbs that each lies in, and its part of each."""
    mantissa, exponent = np.frexp(amount)
    whole = np.ldexp(mantissa, 53).astype(np.int64)
    place = exponent.astype(np.int64) - (53 + LOWEST)
    size = np.abs(whole) >> np.clip(-place, 0, 63)
    place = np.maximum(place, 0)
    shift, sign = place & (_BITS - 1), np.sign(whole)
    low, high = (size & _MASK) << shift, (size >> _BITS) << shift
    three = (low & _MASK, (low >> _BITS) + (high & _MASK), high >> _BITS)
    return place >> 5, (sign * three[0], sign * three[1], sign * three[2])


def add_parts(lane: IntArray, cell: Places, parts: Parts) -> None:
    """Add numbers, as ``parts_of`` has split them, to the sums of their cells."""
    first, three = parts
    flat, at = lane.reshape(-1), cell * LIMBS + first
    for offset, part in enumerate(three):
        add_at(flat, at + offset, part)


def carried(lane: IntArray) -> IntArray:
    """The same sums in the one way in which all limbs have the sign of the sum, and all but the last 32 bits."""
    found = _carried_up(lane)
    negative = found[..., -1:] < 0
    return np.where(negative, -_carried_up(-lane), found) if negative.any() else found


def with_times(lane: IntArray, cell: NDArray[np.intp], once: IntArray, times: IntArray) -> IntArray:
    """Carried sums, with each of the carried sums ``once`` added to its cell so many times, or taken away.

    Args:
        once: ``(K, LIMBS)``, ``K`` at most 2**14.
        times: below 2**47 in size.
    """
    total = lane
    # In two halves, whose products with a limb and their sums are below 2**63.
    for part, shift in ((times & 0xFFFF, 0), (times >> 16, 16)):
        sums = np.zeros_like(lane)
        np.add.at(sums, cell, part[:, None] * once)
        total = carried(total + carried(sums) * 2**shift)
    return total


def totals(lane: IntArray) -> FloatArray:
    """The sums as float64, right to the last few bits: ``(..., LIMBS)`` to ``(...)``."""
    limbs = carried(lane).astype(np.float64)
    return np.asarray(np.ldexp(limbs, LOWEST + _BITS * np.arange(LIMBS)).sum(axis=-1))


def centred_squares(weight: IntArray, first: IntArray, second: IntArray) -> FloatArray:
    """Sum of ``w * (y - mean)**2`` from the lanes of w, w * y and w * y**2, without cancellation; NaN without weight.

    Args:
        weight, first, second: ``(S, LIMBS)`` each.
    """
    triples = zip(_integers(weight), _integers(first), _integers(second), strict=True)
    return np.array([math.ldexp((w * b - a * a) / w, LOWEST) if w > 0 else math.nan for w, a, b in triples])


def product(a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Two numbers whose sum is exactly ``a * b`` (Dekker 1971), barring underflow; factors below 2**990 in size."""
    (a1, a2), (b1, b2) = _halves(a), _halves(b)
    high = a * b
    return high, ((a1 * b1 - high) + a1 * b2 + a2 * b1) + a2 * b2


def _halves(x: FloatArray) -> tuple[FloatArray, FloatArray]:
    wide = _SPLITTER * x
    high = wide - (wide - x)
    return high, x - high


def _carried_up(lane: IntArray) -> IntArray:
    """All limbs but the last in [0, 2**32), so that the last has the sign of the sum."""
    limbs: IntArray = lane.copy()
    for j in range(LIMBS - 1):
        limbs[..., j + 1] += limbs[..., j] >> _BITS
        limbs[..., j] &= _MASK
    return limbs


def _integers(lane: IntArray) -> list[int]:
    """The sums in units of ``2**LOWEST``."""
    return [sum(limb << (_BITS * j) for j, limb in enumerate(limbs)) for limbs in lane.tolist()]
