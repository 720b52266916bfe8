"""Distinct values and their codes, as of ``pandas.factorize``, and faster where the values are small whole numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlflow_eval_plugin.engines.arrow.columns.plain import plain
from mlflow_eval_plugin.engines.arrow.counting import CHUNK_ROWS, chunked
from mlflow_eval_plugin.stats.errors import InputError

CLOSE = 4096  # whole numbers of a smaller range are their own codes
_LARGEST = 2**53  # in size; beyond it floats skip whole numbers

Codes = NDArray[np.integer[Any]]


def factorized(column: pd.Series[Any]) -> tuple[Codes, Any]:
    """A code a row, -1 where the value is missing, and the distinct values: increasing, or in the order of the rows.

    They are those of the ``plain`` column. Codes of two whole numbers may be unsigned: then no value is missing.

    Raises:
        InputError: where the column holds lists or the like.
    """
    column = plain(column)
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "iuf" and len(column):
        values = column.to_numpy()
        found = _two_numbers(values) or _whole_numbers(values)
        if found is not None:
            return found[0], found[1].astype(values.dtype)
    try:
        codes, uniques = pd.factorize(column)
    except TypeError as error:
        raise InputError(
            f"column {column.name!r}: expected one value a row, found lists or the like ({error}); leave it out"
        ) from error
    # An index gives its numbers as Python has them, in another precision.
    return codes, uniques.to_numpy() if isinstance(uniques, pd.Index) and uniques.dtype.kind in "iuf" else uniques


def _two_numbers(values: NDArray[Any]) -> tuple[NDArray[np.uint8], NDArray[Any]] | None:
    """Codes of a byte a row; None but for two whole numbers that are close together and both among the first rows.

    Memory that is asked of the system costs more than reading the values, so that codes are written once, and small.
    """
    low, high = values[:CHUNK_ROWS].min().item(), values[:CHUNK_ROWS].max().item()
    if not (low < high < low + CLOSE and abs(low) <= _LARGEST and low == int(low) and high == int(high)):
        return None
    codes = np.empty(len(values), dtype=np.uint8)
    for rows in chunked(slice(0, len(values))):
        above = np.equal(values[rows], high, out=codes[rows].view(np.bool_))
        # What is neither, or missing, is equal to neither.
        if np.count_nonzero(above) + np.count_nonzero(values[rows] == low) < len(above):
            return None
    return codes, np.array([low, high]) + 0  # of -0.0 too 0.0


def _whole_numbers(values: NDArray[Any]) -> tuple[NDArray[np.int16], NDArray[np.int64]] | None:
    """Codes without a hash table; None where a value is missing or not whole, or they do not lie close together."""
    first = values[0].item()
    if not (abs(first) <= _LARGEST and first == int(first)):
        return None
    # Values are read once: until the least is known, they are told apart by their distance from the first one.
    first, low, high = int(first), int(first), int(first)
    modulo = np.array(first).astype(np.int16)
    codes, present = np.empty(len(values), dtype=np.int16), np.zeros(CLOSE, dtype=np.bool_)
    for rows in chunked(slice(0, len(values))):
        least, most = values[rows].min().item(), values[rows].max().item()
        # Comparisons with NaN are false.
        if not (least >= -_LARGEST and most <= _LARGEST and max(high, most) - min(low, least) < CLOSE):
            return None
        if values.dtype.kind == "f":
            codes[rows] = np.subtract(values[rows], first, dtype=np.float64)
            # Distances round, so that it is the values themselves that must come back.
            if not np.array_equal(np.add(codes[rows], first, dtype=np.float64), values[rows]):
                return None
        else:  # modulo 2**16, which is enough for what lies close together
            np.subtract(values[rows].astype(np.int16), modulo, out=codes[rows])
        low, high = min(low, int(least)), max(high, int(most))
        # Mostly the first rows have them all. Negative distances are places from the end.
        if not present[np.arange(low - first, high - first + 1)].all():
            present[codes[rows]] = True
    found = np.flatnonzero(np.roll(present, first - low)[: high - low + 1])
    if low < first:
        codes += np.int16(first - low)
    if len(found) <= high - low:
        place = np.zeros(high - low + 1, dtype=np.int16)
        place[found] = np.arange(len(found))
        codes = place[codes]
    return codes, found + low
