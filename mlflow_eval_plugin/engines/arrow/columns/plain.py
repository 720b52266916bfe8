"""The values of a column, apart from how they are held.

The same values give the same levels, kinds and digests whether numpy, pyarrow or Python objects hold them, nullable or
not, as categories or plain. A truth value is the number 1 or 0, as it is to numpy, SQL and most files; a missing value
is missing however it is written.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

EXACT = 2**53  # whole numbers up to it are floats too
_NUMBERS = frozenset({"boolean", "integer", "floating", "mixed-integer-float", "decimal"})
_TIMES = frozenset({"datetime", "datetime64", "date"})
_SHOWN = 5  # of the values of a list
_MIXED = frozenset({"mixed", "mixed-integer"})
_KINDS = {"string": "text", "bytes": "bytes", "decimal": "number", "integer": "number", "mixed-integer-float": "number"}
_KINDS_OF_NUMPY = {"M": "datetime", "m": "duration", "i": "number", "u": "number", "f": "number"}


def plain(column: pd.Series[Any]) -> pd.Series[Any]:
    """A column of the same values, held plainly: numbers, times, durations, texts, categories of texts, or objects.

    Numbers that no float or integer of 64 bits is equal to stay objects, such as ``Decimal("0.1234567890123456789")``.
    """
    dtype = column.dtype
    if isinstance(dtype, np.dtype):
        if dtype.kind == "b":
            return _like(column, column.to_numpy().view(np.uint8))
        return _of_objects(column) if dtype.kind == "O" else column
    if isinstance(dtype, (pd.StringDtype, pd.DatetimeTZDtype)):
        return column
    if isinstance(dtype, pd.CategoricalDtype):
        return _of_categories(column)
    if isinstance(dtype, pd.SparseDtype):
        return plain(_like(column, column.to_numpy()))
    if isinstance(dtype, pd.PeriodDtype):
        return _like(column, pd.PeriodIndex(column).to_timestamp())
    return _of_extension(column)


def kind_of(column: pd.Series[Any]) -> str:
    """What a ``plain`` column holds: "number", "datetime", "duration", "text", "bytes", "lists", "mixed" or "nothing".

    "nothing" is a column without a value; rarer kinds have pandas' names, such as "interval".
    """
    dtype = column.dtype
    if len(column) == 0 or (pd.isna(column.iloc[0]) is True and bool(column.isna().all())):
        return "nothing"
    if isinstance(dtype, np.dtype) and dtype.kind in _KINDS_OF_NUMPY:
        return _KINDS_OF_NUMPY[dtype.kind]
    if isinstance(dtype, pd.DatetimeTZDtype):
        return "datetime"
    if _are_objects(column):
        held = pd.api.types.infer_dtype(column, skipna=True)
        return _KINDS.get(held) or ("lists" if _holds_lists(column) else "mixed" if held in _MIXED else held)
    return str(dtype) if isinstance(dtype, np.dtype) else "text"


def is_declared_category(column: pd.Series[Any]) -> bool:
    """Whether whoever made the column says that its values, even numbers, are codes."""
    return isinstance(column.dtype, pd.CategoricalDtype)


def examples(column: pd.Series[Any], most: int = 3) -> tuple[str, ...]:
    """The first distinct values as a person writes them, text in quotes; of objects one of each type first."""
    known = column.dropna()
    values = list(known.iloc[:1000])
    if _are_objects(known):
        values = [*known[~known.map(type).duplicated()], *values]
    found: dict[str, None] = {}
    for value in values:
        found[_written(value)[:60]] = None
        if len(found) == most:
            break
    return tuple(found)


def _written(value: object) -> str:
    plain_value = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain_value, np.ndarray):
        plain_value = plain_value.tolist()  # written as other lists of the same values
    if isinstance(plain_value, list):
        more = ", …" if len(plain_value) > _SHOWN else ""
        # A number that is missing is NaN where an array holds it.
        return f"[{', '.join('nan' if one is None else _written(one) for one in plain_value[:_SHOWN])}{more}]"
    if isinstance(plain_value, float):
        return f"{plain_value:.6g}"
    return repr(plain_value) if isinstance(plain_value, str | bytes) else str(plain_value)


def is_single(column: pd.Series[Any]) -> bool:
    """Whether a ``plain`` column has floats of fewer than 64 bits."""
    return isinstance(column.dtype, np.dtype) and column.dtype.kind == "f" and column.dtype.itemsize < 8


def _are_objects(column: pd.Series[Any]) -> bool:
    return isinstance(column.dtype, np.dtype) and column.dtype.kind == "O"


def _is_time(kind: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind) or pa.types.is_duration(kind))


def _like(column: pd.Series[Any], values: Any) -> pd.Series[Any]:
    return pd.Series(values, index=column.index, name=column.name, copy=False)


def _of_extension(column: pd.Series[Any]) -> pd.Series[Any]:
    """What pandas' nullable arrays and pyarrow's hold."""
    dtype = column.dtype
    if isinstance(dtype, pd.ArrowDtype) and _is_time(dtype.pyarrow_dtype):
        # In the unit of the column: as objects, times of many years would not fit, and durations would not be known.
        times = pa.array(column.array).to_pandas(date_as_object=False)
        return _like(column, times.array)
    numpy_dtype: np.dtype[Any] = getattr(dtype, "numpy_dtype", np.dtype("O"))
    if numpy_dtype.kind in "biuf":
        return _of_nullable(column, numpy_dtype)
    return _of_objects(column.astype(object))


def _of_nullable(column: pd.Series[Any], dtype: np.dtype[Any]) -> pd.Series[Any]:
    absent = column.isna().to_numpy()
    if not absent.any():
        values = column.to_numpy(dtype=dtype)
        return _like(column, values.view(np.uint8) if dtype.kind == "b" else values)
    if dtype.kind == "f":
        return _like(column, column.to_numpy(dtype=dtype, na_value=np.nan))
    if dtype.itemsize < 8:
        return _like(column, column.to_numpy(dtype=np.float64, na_value=np.nan))
    return _of_objects(column.astype(object))


def _of_categories(column: pd.Series[Any]) -> pd.Series[Any]:
    categories = plain(pd.Series(column.cat.categories))
    if kind_of(categories) == "text":
        return column
    codes = column.cat.codes.to_numpy()
    # Code -1 is the last: a missing value.
    values = pd.concat([categories, pd.Series([None], dtype=object)]) if (codes < 0).any() else categories
    return plain(_like(column, values.take(codes).array if len(values) else np.full(len(codes), np.nan)))


def _of_objects(column: pd.Series[Any]) -> pd.Series[Any]:
    held = pd.api.types.infer_dtype(column, skipna=True)
    if held in _NUMBERS or (held in _MIXED and all(map(_is_number, column.dropna()))):
        return _of_numbers(column)
    if held in _TIMES:
        return _of_times(column)
    if held in ("timedelta", "timedelta64"):
        return pd.to_timedelta(column)
    return column


def _of_numbers(column: pd.Series[Any]) -> pd.Series[Any]:
    absent = column.isna().to_numpy()
    values = column.to_numpy(dtype=object)
    floats = np.full(len(values), np.nan)
    floats[~absent] = values[~absent].astype(np.float64)
    present = values[~absent]
    if all(_is_exact(value, number) for value, number in zip(present.tolist(), floats[~absent].tolist(), strict=True)):
        return _like(column, floats)
    if not absent.any() and all(isinstance(value, (int, np.integer)) for value in present):
        for wide in (np.int64, np.uint64):
            try:
                return _like(column, np.array([int(value) for value in present], dtype=wide))
            except OverflowError:
                continue
    return column


def _is_number(value: object) -> bool:
    return isinstance(value, (Real, Decimal, np.bool_))


def _is_exact(value: Any, number: float) -> bool:
    # Decimal("0.1") is written as 0.1 is.
    return Decimal(repr(number)) == value if isinstance(value, Decimal) else bool(value == number)


def _of_times(column: pd.Series[Any]) -> pd.Series[Any]:
    try:
        return pd.to_datetime(column)
    except (ValueError, TypeError, OverflowError):  # zones that differ
        return column


def _holds_lists(column: pd.Series[Any]) -> bool:
    return any(is_list(value) for value in column.dropna().iloc[:1000])


def is_list(value: object) -> bool:
    """Whether a cell holds several values."""
    return isinstance(value, Iterable) and not isinstance(value, (str, bytes))
