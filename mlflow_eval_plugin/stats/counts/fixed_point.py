"""Sums in fixed point: numbers into integers, integers into tables. No order of rows can change such a sum."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlflow_eval_plugin.stats.arrays import IntArray

_csc_matvec: Callable[..., None] | None
try:
    # numpy's own add.at takes twice as long and keeps the interpreter's lock, so that two threads wait for each other.
    from scipy.sparse._sparsetools import csc_matvec as _csc_matvec
except ImportError:  # it is not public, though unchanged for long
    _csc_matvec = None

Places = NDArray[np.signedinteger[Any]]  # of 32 or 64 bits

_ONE = {np.dtype(kind): np.ones(1, kind) for kind in (np.int32, np.int64)}


def fixed_point(numbers: NDArray[np.float64], one: float) -> IntArray:
    """The nearest integers to ``numbers * one``, ties to even; these must be at most 2**51 in size.

    Added to 1.5 * 2**52 / one, a number is rounded by the addition itself, and its integer stands in the lowest bits: a
    third of the time of a product, ``np.rint`` and a conversion.

    Args:
        one: a power of two.
    """
    shift = np.float64(1.5 * 2.0**52 / one)
    found = np.add(numbers, shift).view(np.int64)
    found -= shift.view(np.int64)
    return found


def squares_up(numbers: NDArray[np.float64], one: float) -> IntArray:
    """``numbers**2 * one``, rounded up.

    Rounded to the nearest, squares of small weights (or costs) would vanish, and the effective number of rows with them
    would exceed the number of rows; like this it can only be too small.
    """
    return np.ceil(numbers * numbers * one).astype(np.int64)


def add_at(table: NDArray[Any], at: Places, amounts: NDArray[Any]) -> None:
    """``table[at[i]] += amounts[i]`` for every ``i``, one after the other: places may occur more than once.

    Args:
        table: one-dimensional and contiguous integers, of 32 or 64 bits; they wrap around.
        at: places in the table, one-dimensional, of 32 or 64 bits.
        amounts: as many, of the table's type.

    Raises:
        IndexError: for a place outside the table, which is then as it was.
        TypeError: for places of another type.
        ValueError: for other than one amount a place.
    """
    if at.dtype not in _ONE:
        raise TypeError(f"places are {at.dtype}; they must be int32 or int64")
    if at.ndim != 1 or amounts.shape != at.shape:
        raise ValueError(f"amounts of shape {amounts.shape} for places of shape {at.shape}")
    if not len(at):
        return
    # As unsigned numbers, negative places are large ones.
    if at.view(np.uint32 if at.dtype == np.int32 else np.uint64).max() >= len(table):
        raise IndexError(f"places from {at.min()} to {at.max()} in a table of {len(table)}")
    if _csc_matvec is None:
        np.add.at(table, at, amounts)
        return
    # A sparse matrix of one column, times 1, added to the table.
    _csc_matvec(len(table), 1, np.array((0, len(at)), at.dtype), at, amounts, _ONE[table.dtype], table)
