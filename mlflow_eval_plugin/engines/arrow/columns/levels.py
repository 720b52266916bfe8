"""Slice columns into levels: every row gets one small integer per column, every level a label.

Labels: text as it is; whole numbers without a decimal point, whatever their dtype, and truth values as 1 and 0; times
at midnight as dates; intervals as ``[25, 35)``, the last one closed; missing values are the level ``(missing)``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlflow_eval_plugin.engines.arrow.columns.bands import MISSING, by_edges, by_quantiles, can_be_cut
from mlflow_eval_plugin.engines.arrow.columns.factorizing import Codes, factorized
from mlflow_eval_plugin.engines.arrow.columns.inputs import require_columns
from mlflow_eval_plugin.engines.arrow.columns.plain import plain
from mlflow_eval_plugin.engines.slicing import Edge
from mlflow_eval_plugin.stats.counts.slice import Slice, level_label, level_order
from mlflow_eval_plugin.stats.counts.threads import side_by_side
from mlflow_eval_plugin.stats.errors import InputError, TooManyLevels


@dataclass(frozen=True, eq=False)
class CodedColumn:
    """One slice column: ``levels[codes[i]]`` is the level of row ``i``; levels are in canonical order.

    The rows of a ``named`` slice are a column of two levels, of which the second is the slice.
    """

    name: str
    codes: NDArray[np.int16]
    levels: tuple[str, ...]
    named: Slice | None = None


def coded_columns(
    rows: pd.DataFrame,
    columns: Sequence[str],
    *,
    edges: Mapping[str, Sequence[Edge]],
    quantiles: Mapping[str, int],
    max_levels: int,
    argument: str = "slices",
    sample: NDArray[np.intp] | None = None,
) -> tuple[CodedColumn, ...]:
    """Code every slice column.

    Args:
        edges: for columns of numbers or times, increasing edges; values outside them belong to the first and the last
            interval, which are ``(-inf, 25)`` and ``(65, inf)`` and appear only when they have rows.
        quantiles: for columns of numbers or times, into how many equally full intervals to cut.
        argument: where the columns were named, for errors.
        sample: the places of the rows that quantiles are of; all rows by default.

    Raises:
        InputError: for missing columns, edges of a column that is no slice column, or edges that do not increase.
        TooManyLevels: for a column with more than ``max_levels`` levels.
    """
    require_columns(rows, list(columns), argument=argument)
    for name in (*edges, *quantiles):
        if name not in columns:
            raise InputError(f"edges: {name!r} is not a slice column; the slice columns are {', '.join(columns)}")

    def coded(name: str) -> CodedColumn:
        column = plain(rows[name])
        if name in edges:
            return _banded(name, *by_edges(column, edges[name], name))
        if name in quantiles:
            return _banded(name, *by_quantiles(column, quantiles[name], name, sample))
        codes, labels = _factorized(column, name, max_levels, argument)
        return _canonical(name, codes, labels, set(labels if codes.min() < 0 else labels[:-1]))

    return tuple(side_by_side(coded, columns))


def _banded(name: str, codes: Codes, labels: list[str]) -> CodedColumn:
    used = {labels[code] for code in np.flatnonzero(np.bincount(codes, minlength=len(labels)))}
    return _canonical(name, codes, labels, used)


def _factorized(column: pd.Series[Any], name: str, max_levels: int, argument: str) -> tuple[Codes, list[str]]:
    codes, uniques = factorized(column)
    if len(uniques) > max_levels:
        mend = "cut it with edges or quantiles" if can_be_cut(column) else "group its rare levels"
        raise TooManyLevels(
            f"{argument}: column {name!r} has {len(uniques):,} levels, more than max_levels={max_levels}; {mend}, "
            "raise max_levels, or leave it out"
        )
    # Missing values have the code -1, which is the last label.
    return codes, [*map(level_label, uniques), MISSING]


def _canonical(name: str, codes: Codes, labels: list[str], used: set[str]) -> CodedColumn:
    # Levels that no row has are left out, and values of one label (1 and "1") become one level.
    levels = tuple(sorted(used, key=level_order))
    place = {level: position for position, level in enumerate(levels)}
    table = np.array([place.get(label, 0) for label in labels], dtype=np.int16)
    if codes.dtype in (np.uint8, np.int16) and np.array_equal(table[: len(levels)], np.arange(len(levels))):
        return CodedColumn(name, codes.astype(np.int16, copy=False), levels)
    return CodedColumn(name, table[codes], levels)


def slice_of(levels: Iterable[tuple[str, str]]) -> Slice:
    """The slice of some levels, each with its column."""
    kept = tuple(levels)
    return Slice(" & ".join(slice_label(name, level) for name, level in kept), kept)


def slice_label(name: str, level: str) -> str:
    """How a slice is called: ``SEX=2``, and where a band is open ``AGEP<25`` or ``AGEP>65``."""
    if level.startswith("(-inf, ") and level.endswith(")"):
        return f"{name}<{level[7:-1]}"
    if level.startswith("(") and level.endswith(", inf)"):
        return f"{name}>{level[1:-6]}"
    return f"{name}={level}"
