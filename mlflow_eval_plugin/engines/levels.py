"""Slice columns into levels: every row gets one small integer per column, every level a label.

Labels: text as it is; whole numbers without a decimal point, whatever their dtype, and truth values as 1 and 0;
intervals as ``[25, 35)``, the last one closed; missing values are the level ``(missing)``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlflow_eval_plugin.engines.factorizing import Codes, factorized
from mlflow_eval_plugin.engines.inputs import require_columns
from mlflow_eval_plugin.engines.plain import kind_of, plain
from mlflow_eval_plugin.stats.errors import InputError, TooManyLevels
from mlflow_eval_plugin.stats.summaries import Slice, level_label, level_order, number_label
from mlflow_eval_plugin.stats.threads import side_by_side

MISSING = "(missing)"


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
    edges: Mapping[str, Sequence[float]],
    quantiles: Mapping[str, int],
    max_levels: int,
    argument: str = "slices",
) -> tuple[CodedColumn, ...]:
    """Code every slice column.

    Args:
        edges: for numeric columns, increasing edges; values outside them belong to the first and the last interval,
            which are ``(-inf, 25)`` and ``(65, inf)`` and appear only when they have rows.
        quantiles: for numeric columns, into how many equally full intervals to cut.
        argument: where the columns were named, for errors.

    Raises:
        InputError: for missing columns, edges of a column that is no slice column, or edges that do not increase.
        TooManyLevels: for a column with more than ``max_levels`` levels.
    """
    require_columns(rows, list(columns), argument=argument)
    for name in (*edges, *quantiles):
        if name not in columns:
            raise InputError(f"edges: {name!r} is not a slice column; the slice columns are {', '.join(columns)}")

    def coded(name: str) -> CodedColumn:
        return _coded(plain(rows[name]), name, edges, quantiles, max_levels, argument)

    return tuple(side_by_side(coded, columns))


def _coded(
    column: pd.Series[Any],
    name: str,
    edges: Mapping[str, Sequence[float]],
    quantiles: Mapping[str, int],
    max_levels: int,
    argument: str,
) -> CodedColumn:
    if name in edges or name in quantiles:
        values = _numbers(column, name)
        cuts = _checked_edges(edges[name], name) if name in edges else _quantile_edges(values, quantiles[name], name)
        codes, labels = _binned(values, cuts)
        used = {labels[code] for code in np.flatnonzero(np.bincount(codes, minlength=len(labels)))}
    else:
        codes, labels = _factorized(column, name, max_levels, argument)
        used = set(labels if codes.min() < 0 else labels[:-1])
    return _canonical(name, codes, labels, used)


def _factorized(column: pd.Series[Any], name: str, max_levels: int, argument: str) -> tuple[Codes, list[str]]:
    codes, uniques = factorized(column)
    if len(uniques) > max_levels:
        numeric = kind_of(column) == "number"
        mend = "cut it with edges or quantiles" if numeric else "group its rare levels"
        raise TooManyLevels(
            f"{argument}: column {name!r} has {len(uniques):,} levels, more than max_levels={max_levels}; {mend}, "
            "raise max_levels, or leave it out"
        )
    # Missing values have the code -1, which is the last label.
    return codes, [*map(level_label, uniques), MISSING]


def _binned(values: NDArray[np.float64], cuts: NDArray[np.float64]) -> tuple[Codes, list[str]]:
    inner = cuts[1:-1]
    codes = np.searchsorted(inner, values, side="right") + 1
    codes = np.where(values < cuts[0], 0, np.where(values > cuts[-1], len(cuts), codes))
    closing = [")"] * (len(cuts) - 2) + ["]"]
    pairs = zip(cuts[:-1], cuts[1:], closing, strict=True)
    ranges = [f"[{number_label(low)}, {number_label(high)}{close}" for low, high, close in pairs]
    labels = [f"(-inf, {number_label(cuts[0])})", *ranges, f"({number_label(cuts[-1])}, inf)", MISSING]
    return np.where(np.isnan(values), len(labels) - 1, codes), labels


def _canonical(name: str, codes: Codes, labels: list[str], used: set[str]) -> CodedColumn:
    # Levels that no row has are left out, and values of one label (1 and "1") become one level.
    levels = tuple(sorted(used, key=level_order))
    place = {level: position for position, level in enumerate(levels)}
    table = np.array([place.get(label, 0) for label in labels], dtype=np.int16)
    if codes.dtype == np.int16 and np.array_equal(table[: len(levels)], np.arange(len(levels))):
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


def _numbers(column: pd.Series[Any], name: str) -> NDArray[np.float64]:
    try:
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"edges: column {name!r} is {column.dtype}, only numeric columns can be cut ({error})"
        ) from error


def _checked_edges(edges: Sequence[float], name: str) -> NDArray[np.float64]:
    cuts = np.asarray(edges, dtype=np.float64)
    if len(cuts) < 2 or not (np.diff(cuts) > 0).all():
        raise InputError(f"edges: column {name!r} needs at least two increasing edges, found {list(edges)!r}")
    return cuts


def _quantile_edges(values: NDArray[np.float64], parts: int, name: str) -> NDArray[np.float64]:
    known = values[np.isfinite(values)]
    if parts < 2 or len(known) == 0:
        raise InputError(f"quantiles: column {name!r} needs 2 or more intervals and a value, found {parts}")
    # Observed values, not interpolated ones: the labels are then values a reader can find in the data.
    cuts = np.unique(np.quantile(known, np.linspace(0, 1, parts + 1), method="higher"))
    return cuts if len(cuts) > 1 else np.array([cuts[0], cuts[0] + 1.0])
