"""Values of labels, predictions and columns, of whatever type they come in: what is missing, distinct, a number."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

_NUMBERS = frozenset({"floating", "integer", "mixed-integer-float", "decimal", "integer-na"})


def as_column(values: Any) -> Any:
    """Values as the engines take a column; they are not copied."""
    return pd.Series(values, copy=False)


def missing_values(values: Any) -> NDArray[np.bool_]:
    """Which values are missing."""
    return np.asarray(pd.isna(as_column(values)))


def distinct_values(values: Any) -> Any:
    """Each value once, in the order of first appearance; what is missing is one."""
    return pd.unique(as_column(values))


def known_values(values: Any) -> Any:
    """Each value once, in the order of first appearance, without what is missing."""
    return pd.unique(as_column(values).dropna())


def all_whole(values: Any) -> bool:
    """Whether all values that are numbers, or are written as one, are whole; what is missing does not count."""
    found = as_column(values)
    if not pd.api.types.is_numeric_dtype(found):
        found = pd.to_numeric(as_column(found.unique()).astype(object), errors="coerce")
    return bool((found.dropna() % 1 == 0).all())


def to_numbers(values: Any) -> NDArray[Any]:
    """Values as numbers; NaN where one is none."""
    return np.asarray(pd.to_numeric(as_column(values), errors="coerce").to_numpy())


def plain_numbers(array: NDArray[Any]) -> NDArray[Any]:
    """An array of objects that are numbers, as of a column that once held text, as floats; any other array as it is."""
    if array.dtype.kind == "O" and pd.api.types.infer_dtype(array) in _NUMBERS:
        return np.asarray(as_column(array).to_numpy(dtype=np.float64, na_value=np.nan))
    return array


def coded_values(values: Any) -> tuple[NDArray[np.intp], Any]:
    """The place of each value among the distinct ones, -1 where it is missing, and these."""
    codes, found = pd.factorize(as_column(values))
    return codes, found


def categories(codes: NDArray[Any], classes: tuple[str, ...]) -> Any:
    """A column of categories; code -1 is a missing value."""
    return pd.Categorical.from_codes(codes, categories=pd.Index(classes))
