"""Cells that hold several values: how many, and whether they are numbers."""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from mlflow_eval_plugin.engines.arrow.columns.plain import is_list, kind_of
from mlflow_eval_plugin.stats.drift.schema import Lists


def lists_of(column: pd.Series[Any]) -> Lists | None:
    """What the lists of a ``plain`` column are, whatever holds them; None where it holds something else.

    A cell that is no list, among others that are, is no row of numbers.
    """
    if kind_of(column) != "lists":
        return None
    cells = column[column.notna().to_numpy()].tolist()
    lengths = [len(one) for one in cells if is_list(one) and hasattr(one, "__len__")]
    numbers = len(lengths) == len(cells) and all(map(_are_numbers, cells))
    return Lists(min(lengths, default=0), max(lengths, default=0), numbers)


def _are_numbers(cell: Any) -> bool:
    if isinstance(cell, np.ndarray):
        if cell.ndim != 1:
            return False
        if cell.dtype != object:
            return cell.dtype.kind in "biuf"
    elif not isinstance(cell, (list, tuple)):
        return False
    return all(map(_is_number, {*map(type, cell)}))


@cache
def _is_number(held: type[Any]) -> bool:
    return held is type(None) or issubclass(held, (Real, Decimal, np.bool_))
