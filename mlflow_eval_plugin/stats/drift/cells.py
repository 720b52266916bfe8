"""The cells that two columns are compared in: the levels of both, or bins of the reference."""

from __future__ import annotations

from mlflow_eval_plugin.stats.arrays import IntArray
from mlflow_eval_plugin.stats.drift.divergences import coarse_counts
from mlflow_eval_plugin.stats.drift.summary import CategoricalColumn, Column, NumericColumn
from mlflow_eval_plugin.stats.errors import InputError


def levels_of(before: Column, after: Column) -> tuple[str, ...]:
    """The levels that either of two categorical columns has, sorted."""
    both = [one.levels for one in (before, after) if isinstance(one, CategoricalColumn)]
    return tuple(sorted(set().union(*both)))


def cells_of(before: Column, after: Column) -> tuple[IntArray, IntArray]:
    """The counts of every level, or of ten bins.

    Raises:
        InputError: when one column is numeric and the other categorical.
    """
    return _of_levels(before, after) or (coarse_counts(_number(before)), coarse_counts(_number(after)))


def fine_cells(before: Column, after: Column) -> tuple[IntArray, IntArray]:
    """The counts of every level, or of every bin.

    Raises:
        InputError: when one column is numeric and the other categorical.
    """
    return _of_levels(before, after) or (_number(before).counts, _number(after).counts)


def _of_levels(before: Column, after: Column) -> tuple[IntArray, IntArray] | None:
    if not isinstance(before, CategoricalColumn) or not isinstance(after, CategoricalColumn):
        return None
    levels = levels_of(before, after)
    return before.on(levels), after.on(levels)


def _number(column: Column) -> NumericColumn:
    if not isinstance(column, NumericColumn):
        raise InputError(f"column {column.name!r} is numeric in one data set and categorical in the other")
    return column
