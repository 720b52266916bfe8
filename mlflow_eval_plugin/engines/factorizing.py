"""Distinct values and their codes, as of ``pandas.factorize``, and faster where the values are small whole numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

CLOSE = 4096  # whole numbers of a smaller range are their own codes
_ROWS = 2**16  # of a chunk, which stays in the cache
_LARGEST = 2**53  # in size; beyond it floats skip whole numbers

Codes = NDArray[np.signedinteger[Any]]


def factorized(column: pd.Series[Any]) -> tuple[Codes, Any]:
    """A code a row, -1 where the value is missing, and the distinct values: increasing, or in the order of the rows."""
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "biuf" and len(column):
        values = column.to_numpy()
        found = _whole_numbers(values.view(np.uint8) if values.dtype.kind == "b" else values)
        if found is not None:
            return found[0], found[1].astype(values.dtype)
    codes, uniques = pd.factorize(column)
    return codes, uniques


def _whole_numbers(values: NDArray[Any]) -> tuple[NDArray[np.int16], NDArray[np.int64]] | None:
    """Codes without a hash table; None where a value is missing or not whole, or they do not lie close together."""
    chunks = [slice(start, start + _ROWS) for start in range(0, len(values), _ROWS)]
    low = np.min([values[rows].min() for rows in chunks]).item()
    high = np.max([values[rows].max() for rows in chunks]).item()
    # Comparisons with NaN are false.
    if not (low >= -_LARGEST and high <= _LARGEST and high - low < CLOSE and low == int(low)):
        return None
    low, present = int(low), np.zeros(int(high - low) + 1, dtype=np.bool_)
    codes = np.empty(len(values), dtype=np.int16)
    for rows in chunks:
        offset = np.subtract(values[rows], low, dtype=np.float64 if values.dtype.kind == "f" else np.int64)
        codes[rows] = offset
        if values.dtype.kind == "f" and not np.array_equal(codes[rows], offset):
            return None
        # Mostly the first rows have them all.
        if not present.all():
            present[codes[rows]] = True
    if not present.all():
        codes = (np.cumsum(present, dtype=np.int16) - np.int16(1))[codes]
    return codes, np.flatnonzero(present) + low
