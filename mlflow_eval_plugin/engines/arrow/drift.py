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

from mlflow_eval_plugin.engines.arrow.columns.factorizing import factorized
from mlflow_eval_plugin.engines.arrow.columns.inputs import require_columns
from mlflow_eval_plugin.engines.arrow.columns.plain import examples, is_declared_category, is_single, kind_of, plain
from mlflow_eval_plugin.engines.arrow.digest import UNITS
from mlflow_eval_plugin.engines.contract import DriftCounts
from mlflow_eval_plugin.stats.arrays import FloatArray
from mlflow_eval_plugin.stats.counts.slice import level_label, rows_countable
from mlflow_eval_plugin.stats.counts.threads import side_by_side
from mlflow_eval_plugin.stats.drift.new_values import NEW_SHARE, new_share
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
from mlflow_eval_plugin.stats.errors import InputError, TooManyLevels

QUANTILES = 4000  # KS is then within 2.5e-4 of the exact one
FEW_DISTINCT = 500
MAX_CATEGORIES = 10_000
LEAST_REPEATED, REPEATED = 3, 0.8  # how many rows, and which share of those in a bin
LEAST_KEYS = 30  # rows; fewer may differ by chance
NUMERIC_KINDS = frozenset({"number", "datetime", "duration"})
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
    names = _checked(reference, columns)
    require_columns(reference, list(categorical), argument="categorical")

    def made(name: str) -> Column:
        return _reference_column(reference[name], name, (roles or {}).get(name, "feature"), name in categorical)

    return DriftSummary(len(reference), tuple(side_by_side(made, names)))


def drift_summary(rows: pd.DataFrame, *, like: DriftSummary) -> DriftSummary:
    """Count rows on the bins of a reference; text in a numeric column counts as missing.

    Raises:
        InputError: for no rows, or when a column of the reference is missing (all of them are named).
        TooManyLevels: for a categorical column with more than ``MAX_CATEGORIES`` levels.
    """
    _checked(rows, [column.name for column in like.columns])
    return DriftSummary(len(rows), tuple(side_by_side(lambda one: _counted_on(one, rows[one.name]), like.columns)))


_Sides = tuple["pd.Series[Any]", "pd.Series[Any]"]  # of the reference, and current
_Compared = tuple[Column, Column, "float | None"]


def drift_counts(
    reference: pd.DataFrame,
    current: pd.DataFrame,
    *,
    columns: Sequence[str],
    roles: Mapping[str, Role] | None = None,
    categorical: Sequence[str] = (),
    as_given: bool = False,
) -> DriftCounts:
    """Both sides, where both are at hand: what holds the values of either does not make a difference between them.

    A column that one side declares as categories is one on both, and where one side has single precision the other is
    rounded to it. Lists, keys, counters, categories of too many levels and columns without a value in the reference
    are passed over, and columns whose values are no longer numbers.

    Args:
        columns, roles, categorical: as in ``drift_binning``.
        as_given: the columns were asked for by name, so that one that cannot be compared is an error.

    Raises:
        InputError: for no rows, missing columns, or with ``as_given`` columns that cannot be compared.
    """
    for side in (reference, current):
        _checked(side, columns)

    def made(name: str) -> _Compared | str:
        codes = name in categorical or is_declared_category(current[name]) or is_declared_category(reference[name])
        sides = plain(reference[name]), plain(current[name])
        return _both_sides(name, sides, (roles or {}).get(name, "feature"), codes, as_given)

    found = dict(zip(columns, side_by_side(made, columns), strict=True))
    both = {name: one for name, one in found.items() if not isinstance(one, str)}
    return DriftCounts(
        DriftSummary(len(reference), tuple(before for before, _, _ in both.values())),
        DriftSummary(len(current), tuple(after for _, after, _ in both.values())),
        {name: one for name, one in found.items() if isinstance(one, str)},
        {name: value for name, (_, _, value) in both.items() if value is not None},
    )


def _both_sides(name: str, sides: _Sides, role: Role, codes: bool, as_given: bool) -> _Compared | str:
    """A column of the reference and of the current rows, and its repeated value; or why the two are not compared."""
    try:
        return _compared(name, sides, role, codes, as_given)
    except TooManyLevels:
        if as_given:
            raise
        return f"it has more than {MAX_CATEGORIES:,} levels, as identifiers have"
    except InputError as error:
        if as_given:
            raise InputError(f"column {name!r}: {error}; leave it out of the columns") from error
        return str(error)


def _compared(name: str, sides: _Sides, role: Role, codes: bool, as_given: bool) -> _Compared | str:
    first, second = (_rounded_as(side, other) for side, other in (sides, sides[::-1]))
    _comparable(*sides)
    before = _reference_column(first, name, role, codes)
    if role == "feature" and not as_given:
        _no_key(first, before)
    if isinstance(before, NumericColumn) and _none_is_a_number(sides[1]):
        # Its change of type says so; counted on bins of numbers every value of it would be missing.
        return f"its values are {kind_of(sides[1])}, and those of the reference {kind_of(sides[0])}"
    after = _counted_on(before, second)
    return before, after, _repeated(before, after, second)


def _repeated(before: Column, after: Column, current: pd.Series[Any]) -> float | None:
    if not isinstance(before, NumericColumn) or not isinstance(after, NumericColumn):
        return None
    newest = new_share(before.counts, after.counts)
    cell = newest.cell
    # Of a rise that nobody is told of the values need not be looked at.
    if cell is None or after.counts[cell] < LEAST_REPEATED or newest.rise[0] <= NEW_SHARE:
        return None
    ends = np.concatenate([[-np.inf], before.edges, [np.inf]])
    values = _values(current)
    inside = values[(values >= ends[cell]) & (values < ends[cell + 1]) & np.isfinite(values)]
    distinct, times = np.unique(inside, return_counts=True)
    most = int(times.argmax())
    return float(distinct[most]) if times[most] >= REPEATED * len(inside) else None


def count_present(rows: pd.DataFrame, column: str) -> int | None:
    """How many rows have a value of a column; None where there is no such column."""
    return int(rows[column].notna().sum()) if column in rows.columns else None


def examples_of(rows: pd.DataFrame, column: str) -> tuple[str, ...]:
    """A few values of a column, as Python writes them; none where there is no such column."""
    return examples(rows[column]) if column in rows.columns else ()


def _comparable(reference: pd.Series[Any], current: pd.Series[Any]) -> None:
    if "lists" in (kind_of(reference), kind_of(current)):
        raise InputError("its values are lists or the like, which have no order and no levels")
    if kind_of(reference) == "nothing":
        raise InputError("it has no value in the reference")


def _none_is_a_number(column: pd.Series[Any]) -> bool:
    """Whether a ``plain`` column has values, and none that could be counted among numbers."""
    if _is_numeric(column) or kind_of(column) == "nothing":
        return False
    return bool(np.isnan(_values(column)).all())


def _no_key(reference: pd.Series[Any], column: Column) -> None:
    """Refuse what tells rows apart and nothing else: every value once, and text or numbers without many gaps."""
    if column.present < LEAST_KEYS:
        return
    if isinstance(column, CategoricalColumn):
        key = len(column.levels) == column.present
    else:
        # Of numbers drawn from three times as many, some would come twice but for a chance of exp(-n / 6).
        values = _values(reference) if column.moves_on and kind_of(reference) == "number" else np.zeros(1)
        known = values[np.isfinite(values)]
        key = len(known) > 1 and known.max() - known.min() < 3 * len(known)
    if key:
        raise InputError("every value of the reference is another one, as of keys and counters")


def _rounded_as(own: pd.Series[Any], other: pd.Series[Any]) -> pd.Series[Any]:
    """A ``plain`` column, rounded where the other one holds its numbers in fewer bits."""
    if not is_single(other) or is_single(own) or kind_of(own) != "number":
        return own
    return pd.Series(_values(own).astype(other.to_numpy().dtype), index=own.index, name=own.name)


def _reference_column(given: pd.Series[Any], name: str, role: Role, codes: bool) -> Column:
    column = plain(given)
    if codes or is_declared_category(given) or not _is_numeric(column):
        return _categorical(column, name, role)
    # The bins come from sorted values, which need not be sorted again to be counted.
    ordered = np.sort(_values(column))
    moves_on = kind_of(column) == "datetime" or _came_once(ordered)
    return _counted(replace(_binning(ordered, name, role), moves_on=moves_on), _chunks(ordered))


def _came_once(ordered: FloatArray) -> bool:
    """Whether sorted values are whole numbers, each of which is there once, as keys and counters are."""
    if any(np.isfinite(one) and one != np.rint(one) for one in ordered[:: max(len(ordered) // 100, 1)]):
        return False  # as most columns that are no keys say at once
    known = ordered[np.isfinite(ordered)]
    return len(known) >= LEAST_KEYS and bool((np.diff(known) > 0).all() and (known == np.rint(known)).all())


def _counted_on(like: Column, given: pd.Series[Any]) -> Column:
    column = plain(given)
    if isinstance(like, CategoricalColumn):
        return _categorical(column, like.name, like.role)
    return _counted(like, (np.sort(chunk) for chunk in _chunks(_values(column))))


def _checked(rows: pd.DataFrame, columns: Sequence[str] | None) -> list[str]:
    if len(rows) == 0:
        raise InputError("there are no rows to compare; expected at least one, check the filter that made the data")
    rows_countable(len(rows))
    names = [str(name) for name in rows.columns] if columns is None else list(columns)
    require_columns(rows, names, argument="columns")
    return names


def _is_numeric(column: pd.Series[Any]) -> bool:
    return kind_of(column) in NUMERIC_KINDS or pd.api.types.is_float_dtype(column.dtype)


def _values(column: pd.Series[Any]) -> FloatArray:
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


def _binning(ordered: FloatArray, name: str, role: Role) -> NumericColumn:
    """The bins of sorted values, NaN last, and no counts."""
    finite = ordered[np.searchsorted(ordered, -np.inf, "right") : np.searchsorted(ordered, np.inf)]
    if len(finite) == 0:
        raise InputError("it has no finite value in the reference")
    edges, spread = _edges(finite), robust_spread(finite)
    median = float(finite[len(finite) // 2])
    return NumericColumn(
        name=name,
        role=role,
        edges=edges,
        coarse=np.searchsorted(edges, _coarse_edges(finite)).astype(np.int64),
        spread=spread,
        counts=np.zeros(len(edges) + 1, dtype=np.int64),
        sums=np.zeros(len(edges) + 1, dtype=np.int64),
        missing=0,
        fences=(median - FENCE * spread, median + FENCE * spread) if spread else NO_FENCES,
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
    return replace(like, counts=counts, sums=sums, missing=missing, infinite=infinite)


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


def _categorical(column: pd.Series[Any], name: str, role: Role) -> CategoricalColumn:
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
