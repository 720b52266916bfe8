"""The metrics of quality that a column has, by name."""

from __future__ import annotations

from typing import Final

import numpy as np

from mlflow_eval_plugin.stats.drift.quality.shares import (
    lost_variety,
    new_categories,
    out_of_range,
    rise,
    sentinel_change,
    sentinels_of,
    vanished_categories,
)
from mlflow_eval_plugin.stats.drift.quality.units import unit_change
from mlflow_eval_plugin.stats.drift.summary import CategoricalColumn, Column, NumericColumn
from mlflow_eval_plugin.stats.inference.estimate import Quantity

OF_NUMBERS: Final = (
    "missing_change",
    "infinite_change",
    "sentinel_change",
    "out_of_range",
    "unit_change",
    "lost_variety",
)
OF_CATEGORIES: Final = ("missing_change", "sentinel_change", "new_categories", "vanished_categories", "lost_variety")
QUALITY: Final = frozenset((*OF_NUMBERS, *OF_CATEGORIES))


def quality_of(before: Column, after: Column) -> tuple[str, ...]:
    """Those that say something of a column.

    Most are of values that only some columns have. Whether either side has them is read off both sides together, which
    tells nothing about their difference.
    """
    names = OF_CATEGORIES if isinstance(before, CategoricalColumn) else OF_NUMBERS
    return tuple(name for name in names if _says_something(name, before, after))


def quality(before: Column, after: Column, metric: str) -> Quantity | None:
    """One of them; None where it is not of this kind of column."""
    if metric == "missing_change":
        return rise(after.missing, after.rows, before.missing, before.rows)
    if metric == "infinite_change":
        return rise(after.infinite, after.rows, before.infinite, before.rows)
    if metric == "sentinel_change":
        return sentinel_change(before, after)
    if metric == "lost_variety":
        return lost_variety(before, after)
    if isinstance(before, NumericColumn) and isinstance(after, NumericColumn):
        return {"out_of_range": out_of_range, "unit_change": unit_change}[metric](before, after)
    if isinstance(before, CategoricalColumn) and isinstance(after, CategoricalColumn):
        return {"new_categories": new_categories, "vanished_categories": vanished_categories}[metric](before, after)
    return None


def _says_something(name: str, before: Column, after: Column) -> bool:
    if name == "infinite_change":
        return before.infinite + after.infinite > 0
    if name == "sentinel_change":
        return bool(sentinels_of(before) or sentinels_of(after))
    if name == "lost_variety":
        return _is_constant(before) != _is_constant(after)
    if isinstance(before, NumericColumn) and isinstance(after, NumericColumn):
        found = unit_change(before, after) if name == "unit_change" else None
        return found.value[0] > 0 if found is not None else name == "missing_change" or _is_watched(name, after)
    if isinstance(before, CategoricalColumn) and isinstance(after, CategoricalColumn):
        return name == "missing_change" or before.levels != after.levels
    return False


def _is_watched(name: str, after: NumericColumn) -> bool:
    return name == "out_of_range" and after.watched is not None


def _is_constant(column: Column) -> bool:
    if isinstance(column, NumericColumn) and column.watched is not None:
        least, most = column.watched.seen
        return least == most
    # A bin may hold many values, and the outermost ones do.
    one = int(np.count_nonzero(column.counts)) == 1
    return one and (isinstance(column, CategoricalColumn) or not column.counts[[0, -1]].any())
