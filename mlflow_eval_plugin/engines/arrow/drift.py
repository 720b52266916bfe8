"""Columns into a ``DriftSummary``: one sort a column and chunk, then a search of the edges in it.

Sorting is vectorised in numpy (5 ns a value), searching thousands of edges for every value is not (55 ns), so the few
edges are sought in the sorted values rather than the values among the edges.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlflow_eval_plugin.engines.arrow.columns.factorizing import factorized
from mlflow_eval_plugin.engines.arrow.columns.inputs import require_columns
from mlflow_eval_plugin.engines.arrow.columns.plain import examples, is_declared_category, kind_of, plain
from mlflow_eval_plugin.engines.arrow.digest import UNITS
from mlflow_eval_plugin.stats.arrays import FloatArray
from mlflow_eval_plugin.stats.counts.slice import level_label, rows_countable
from mlflow_eval_plugin.stats.counts.threads import side_by_side
from mlflow_eval_plugin.stats.drift.summary import (
    NO_FENCES,
    STEP_LIMIT,
    STEPS,
    CategoricalColumn,
    Column,
    DriftSummary,
    NumericColumn,
    Role,
)
from mlflow_eval_plugin.stats.drift.watched import Measure, Watched
from mlflow_eval_plugin.stats.errors import InputError, TooManyLevels

QUANTILES = 4000  # KS is then within 2.5e-4 of the exact one
FEW_DISTINCT = 500
MAX_CATEGORIES = 10_000
LEAST_KEYS = 30  # rows; fewer may differ by chance
NUMERIC_KINDS = frozenset({"number", "datetime", "duration"})
_MEASURES: Mapping[str, Measure] = {"datetime": "datetime", "duration": "duration"}
FENCE = 5  # robust standard deviations from the median; of normal values less than one in a million is beyond
LOW_SHARES, HIGH_SHARES = np.array([0.25, 0.15, 0.05, 0.01]), np.array([0.75, 0.85, 0.95, 0.99])
# What a normal value is below in so many cases. Written out: computed, the last bit differs between processors.
NORMAL_QUANTILES = np.array([0.6744897501960817, 1.0364333894937898, 1.6448536269514722, 2.3263478740408408])
SORTED_ROWS = 2**18  # at a time; larger temporaries are asked of the system anew for every column


def drift_binning(
    reference: pd.DataFrame,
    *,
    columns: Sequence[str] | None = None,
    roles: Mapping[str, Role] | None = None,
    categorical: Sequence[str] = (),
) -> DriftSummary:
    """Choose the bins from the reference and count it on them.

    Args:
        columns: which columns; all by default.
        roles: "score", "prediction" or "label" for the columns that are no feature.
        categorical: numeric columns whose values are codes. Text and category columns always are categorical, truth
            values are numbers, dates and durations too (seconds).

    Raises:
        InputError: for no rows or missing columns.
        TooManyLevels: for a categorical column with more than ``MAX_CATEGORIES`` levels.
    """
    names = checked_columns(reference, columns)
    require_columns(reference, list(categorical), argument="categorical")

    def made(name: str) -> Column:
        return reference_column(reference[name], name, (roles or {}).get(name, "feature"), name in categorical)

    return DriftSummary(len(reference), tuple(side_by_side(made, names)))


def drift_summary(rows: pd.DataFrame, *, like: DriftSummary) -> DriftSummary:
    """Count rows on the bins of a reference; text in a numeric column counts as missing.

    Raises:
        InputError: for no rows, or when a column of the reference is missing (all of them are named).
        TooManyLevels: for a categorical column with more than ``MAX_CATEGORIES`` levels.
    """
    checked_columns(rows, [column.name for column in like.columns])
    return DriftSummary(len(rows), tuple(side_by_side(lambda one: counted_on(one, rows[one.name]), like.columns)))


def count_present(rows: pd.DataFrame, column: str) -> int | None:
    """How many rows have a value of a column; None where there is no such column."""
    return int(rows[column].notna().sum()) if column in rows.columns else None


def examples_of(rows: pd.DataFrame, column: str) -> tuple[str, ...]:
    """A few values of a column, as Python writes them; none where there is no such column."""
    return examples(rows[column]) if column in rows.columns else ()


def reference_column(
    given: pd.Series[Any], name: str, role: Role, codes: bool, sample: NDArray[np.intp] | None = None
) -> Column:
    """A column on bins of its own, as numbers or as categories.

    Args:
        sample: the places of the rows that bins are chosen by; all of them by default.

    Raises:
        InputError: when it has no finite value.
        TooManyLevels: for categories of more than ``MAX_CATEGORIES`` levels.
    """
    column = plain(given)
    if codes or is_declared_category(given) or not is_numeric(column):
        return categorical_column(column, name, role)
    if sample is not None:
        return on_all_rows(counted_on(planned_column(column.iloc[sample], name, role), column))
    # The bins come from sorted values, which need not be sorted again to be counted.
    ordered = np.sort(values_of(column))
    return _counted(_planned(ordered, kind_of(column), name, role), _chunks(ordered))


def planned_column(sample: pd.Series[Any], name: str, role: Role) -> NumericColumn:
    """The bins of a ``plain`` column of numbers, times or durations, by a sample of its rows, and no counts.

    Raises:
        InputError: where the sample has no finite value.
    """
    return _planned(np.sort(values_of(sample)), kind_of(sample), name, role)


def on_all_rows(reference: Column) -> Column:
    """A column of a reference, counted: its range is that of all of its rows, not of those that bins were chosen by."""
    if not isinstance(reference, NumericColumn) or reference.watched is None:
        return reference
    low, high = reference.watched.seen
    return replace(reference, watched=replace(reference.watched, range=(low + 0.0, high + 0.0), outside=0))


def _planned(ordered: FloatArray, kind: str, name: str, role: Role) -> NumericColumn:
    plan = _binning(ordered, name, role, _MEASURES.get(kind, "number"))
    return replace(plan, moves_on=kind == "datetime" or _came_once(ordered))


def _came_once(ordered: FloatArray) -> bool:
    """Whether sorted values are whole numbers, each of which is there once, as keys and counters are."""
    if any(np.isfinite(one) and one != np.rint(one) for one in ordered[:: max(len(ordered) // 100, 1)]):
        return False  # as most columns that are no keys say at once
    known = ordered[np.isfinite(ordered)]
    return len(known) >= LEAST_KEYS and bool((np.diff(known) > 0).all() and (known == np.rint(known)).all())


def counted_on(like: Column, given: pd.Series[Any]) -> Column:
    """A column on the bins of another one.

    Raises:
        TooManyLevels: for categories of more than ``MAX_CATEGORIES`` levels.
    """
    column = plain(given)
    if isinstance(like, CategoricalColumn):
        return categorical_column(column, like.name, like.role)
    return _counted(like, (np.sort(chunk) for chunk in _chunks(values_of(column))))


def checked_columns(rows: pd.DataFrame, columns: Sequence[str] | None) -> list[str]:
    """The columns that were asked for, all by default.

    Raises:
        InputError: for no rows, too many, or missing columns.
    """
    if len(rows) == 0:
        raise InputError("there are no rows to compare; expected at least one, check the filter that made the data")
    rows_countable(len(rows))
    names = [str(name) for name in rows.columns] if columns is None else list(columns)
    require_columns(rows, names, argument="columns")
    return names


def is_numeric(column: pd.Series[Any]) -> bool:
    """Whether a ``plain`` column holds numbers, times or durations."""
    return kind_of(column) in NUMERIC_KINDS or pd.api.types.is_float_dtype(column.dtype)


def values_of(column: pd.Series[Any]) -> FloatArray:
    """A ``plain`` column as floats, times and durations in seconds; NaN for what is missing or no number."""
    index = {"datetime": pd.DatetimeIndex, "duration": pd.TimedeltaIndex}.get(kind_of(column))
    if index is not None and column.dtype != object:
        times = index(column)
        # In the column's own unit: nanoseconds would overflow at sentinels such as the year 9999.
        return np.where(times.isna(), np.nan, times.asi8 / UNITS[times.unit])
    if not pd.api.types.is_numeric_dtype(column):
        column = pd.to_numeric(column.astype(object), errors="coerce")
    return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan), dtype=np.float64)


def _chunks(values: FloatArray) -> Iterator[FloatArray]:
    return (values[start : start + SORTED_ROWS] for start in range(0, len(values), SORTED_ROWS))


def _binning(ordered: FloatArray, name: str, role: Role, measure: Measure) -> NumericColumn:
    """The bins of sorted values, NaN last, and no counts."""
    finite = ordered[np.searchsorted(ordered, -np.inf, "right") : np.searchsorted(ordered, np.inf)]
    if len(finite) == 0:
        raise InputError("it has no finite value in the reference")
    edges, spread = _edges(finite), robust_spread(finite)
    median = float(finite[len(finite) // 2])
    coarse = np.searchsorted(edges, _coarse_edges(finite)).astype(np.int64)
    return NumericColumn(
        name=name,
        role=role,
        edges=edges,
        coarse=coarse,
        spread=spread,
        counts=np.zeros(len(edges) + 1, dtype=np.int64),
        sums=np.zeros(len(edges) + 1, dtype=np.int64),
        missing=0,
        fences=(median - FENCE * spread, median + FENCE * spread) if spread else NO_FENCES,
        watched=Watched.nothing(measure, (float(finite[0]) + 0.0, float(finite[-1]) + 0.0), len(coarse) + 1),
    )


def robust_spread(ordered: FloatArray) -> float:
    """The standard deviation of normal values that have the quantiles of these sorted finite ones.

    It is the larger of those by the quartiles and by the middle 70 %, so that up to 15 % of the values, such as -999
    for what is missing, hardly move it. Where most values are one, quantiles further out decide, and last the variance.
    """
    n = len(ordered)
    least, most = (ordered[[int(np.ceil(p * n)) - 1 for p in shares]] for shares in (LOW_SHARES, HIGH_SHARES))
    found = (most - least) / (2 * NORMAL_QUANTILES)
    if found[:2].max() > 0:
        return float(found[:2].max())
    # A standard deviation of sorted values does not depend on the order of the rows.
    return float(found[2] if found[2] > 0 else found[3] if found[3] > 0 else ordered.std())


def _coarse_edges(ordered: FloatArray) -> FloatArray:
    """The deciles; a value that holds more than one of them is a cell of its own, with others above and below it."""
    deciles = ordered[(np.arange(1, 10) * len(ordered)) // 10]
    masses = deciles[1:][deciles[1:] == deciles[:-1]]
    return _united(deciles, np.nextafter(masses, np.inf))


def _edges(ordered: FloatArray) -> FloatArray:
    new = ordered[1:] != ordered[:-1]
    if np.count_nonzero(new) < FEW_DISTINCT:
        distinct = ordered[np.concatenate([[True], new])]
        return _united(distinct, np.nextafter(distinct, np.inf))
    picked = ordered[(np.arange(1, QUANTILES) * len(ordered)) // QUANTILES]
    masses = picked[1:][picked[1:] == picked[:-1]]
    return _united(picked, _coarse_edges(ordered), np.nextafter(masses, np.inf))


def _united(*edges: FloatArray) -> FloatArray:
    # 0.0 is added since -0.0 sorts before or after 0.0, as it came, and would be written otherwise.
    return np.unique(np.concatenate(edges)) + 0.0


def _counted(like: NumericColumn, chunks: Iterable[FloatArray]) -> NumericColumn:
    """Sorted chunks, NaN last, on the bins of ``like``."""
    counts, sums = (np.zeros(len(like.edges) + 1, dtype=np.int64) for _ in range(2))
    missing = infinite = 0
    watched = like.watched and like.watched.of(np.zeros(0), like.edges[like.coarse])
    for ordered in chunks:
        start, end, present = np.searchsorted(ordered, [np.nextafter(-np.inf, 0), np.inf, np.nan]).tolist()
        finite = ordered[start:end]
        ends = np.append(np.searchsorted(finite, like.edges), len(finite))
        found = np.diff(ends, prepend=0)
        counts += found
        filled = found > 0
        # Whole numbers, of which a float sums this many exactly.
        sums[filled] += np.add.reduceat(_steps(finite, like), (ends - found)[filled]).astype(np.int64)
        missing += len(ordered) - present
        infinite += present - len(finite)
        watched = watched and watched + watched.of(finite, like.edges[like.coarse])
    return replace(like, counts=counts, sums=sums, missing=missing, infinite=infinite, watched=watched)


def _steps(values: FloatArray, like: NumericColumn) -> FloatArray:
    """How far sorted values are from the first edge, in whole steps."""
    if like.spread == 0:
        return np.zeros(len(values))
    steps = values - like.fenced[0]
    steps *= STEPS / like.spread
    # They are sorted: what lies beyond a fence or the limit is at the ends, and mostly nothing does.
    ends = (np.array(like.fences) - like.fenced[0]) * (STEPS / like.spread)
    least, most = np.clip(ends, -STEP_LIMIT, STEP_LIMIT)
    below, above = np.searchsorted(steps, [least, most])
    steps[:below], steps[above:] = least, most
    return np.asarray(np.rint(steps, out=steps))


def categorical_column(column: pd.Series[Any], name: str, role: Role) -> CategoricalColumn:
    """A ``plain`` column by its levels.

    Raises:
        TooManyLevels: for more than ``MAX_CATEGORIES``.
    """
    codes, uniques = factorized(column)
    if len(uniques) > MAX_CATEGORIES:
        raise TooManyLevels(
            f"columns: {name!r} has {len(uniques):,} levels, more than {MAX_CATEGORIES:,}; it looks like an "
            "identifier, leave it out or group its levels"
        )
    counts: dict[str, int] = {}
    for label, count in zip(
        map(level_label, uniques), np.bincount(codes[codes >= 0], minlength=len(uniques)).tolist(), strict=True
    ):
        counts[label] = counts.get(label, 0) + count
    levels = tuple(sorted(label for label, count in counts.items() if count))
    return CategoricalColumn(
        name=name,
        role=role,
        levels=levels,
        counts=np.array([counts[level] for level in levels], dtype=np.int64),
        missing=int((codes < 0).sum()),
    )
