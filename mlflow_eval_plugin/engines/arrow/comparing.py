"""Columns of two sides, of which the reference may be a frame, or whatever else has been counted on bins of its own."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, reduce
from operator import add
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlflow_eval_plugin.engines.arrow.columns.levels import slice_of
from mlflow_eval_plugin.engines.arrow.columns.plain import is_declared_category, is_single, kind_of, plain
from mlflow_eval_plugin.engines.arrow.digest import row_digests
from mlflow_eval_plugin.engines.arrow.drift import (
    LEAST_KEYS,
    MAX_CATEGORIES,
    checked_columns,
    counted_on,
    is_numeric,
    reference_column,
    values_of,
)
from mlflow_eval_plugin.engines.arrow.joint import cell_codes, subsets
from mlflow_eval_plugin.engines.arrow.queries import Sliced
from mlflow_eval_plugin.engines.arrow.sampling import are_many, sampled
from mlflow_eval_plugin.engines.contract import AskedColumns, DriftCounts, NotCounted, ReferenceColumn, ReferenceData
from mlflow_eval_plugin.stats.arrays import FloatArray, Index, IntArray
from mlflow_eval_plugin.stats.counts.slice import Slice, slice_order
from mlflow_eval_plugin.stats.counts.threads import side_by_side
from mlflow_eval_plugin.stats.drift.new_values import NEW_SHARE, new_share
from mlflow_eval_plugin.stats.drift.strata.sliced import SlicedDrift
from mlflow_eval_plugin.stats.drift.summary import CategoricalColumn, Column, DriftSummary, NumericColumn, Role
from mlflow_eval_plugin.stats.errors import InputError, TooManyLevels

LEAST_REPEATED, REPEATED = 3, 0.8  # how many rows, and which share of those in a bin
DOUBLE = 64
LISTS = "its values are lists or the like, which have no order and no levels"

Part = slice | Index  # which of the current rows
ALL_ROWS: tuple[Part, ...] = (slice(None),)


class _Compared(NamedTuple):
    """A column of the reference, of each part of the current rows and of all of them, and its repeated value."""

    before: Column
    parts: tuple[Column, ...]
    after: Column
    repeated: float | None


@dataclass(frozen=True, eq=False)
class FrameReference:
    """See ``contract.ReferenceData``.

    Attributes:
        digests: 64 bits of each row of all that was given, by which a sample is chosen; those of the frame by default.
    """

    frame: pd.DataFrame
    digests: NDArray[np.uint64] | None = field(default=None, kw_only=True, repr=False)

    @cached_property
    def sample(self) -> NDArray[np.intp] | None:
        """The places of the rows that plans are made of; None where that is all of them."""
        if not are_many(len(self.frame)):
            return None
        return sampled(row_digests(self.frame) if self.digests is None else self.digests)

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.frame)

    def binned(
        self,
        columns: Sequence[str],
        *,
        roles: Mapping[str, Role],
        categorical: Collection[str],
        bits: Mapping[str, int],
    ) -> Mapping[str, ReferenceColumn]:
        """Some columns, counted on bins of their own."""
        checked_columns(self.frame, columns)

        sample = self.sample

        def made(name: str) -> ReferenceColumn:
            role = roles.get(name, "feature")
            return _binned(self.frame[name], name, role, name in categorical, bits.get(name), sample)

        return dict(zip(columns, side_by_side(made, columns), strict=True))


def drift_counts(
    reference: pd.DataFrame,
    current: pd.DataFrame,
    *,
    columns: Sequence[str],
    roles: Mapping[str, Role] | None = None,
    categorical: Sequence[str] = (),
    as_given: bool = False,
) -> DriftCounts:
    """What ``counted_against`` says of two frames."""
    asked = AskedColumns(tuple(columns), roles or {}, frozenset(categorical), as_given)
    return counted_against(FrameReference(reference), current, asked)


def counted_against(reference: ReferenceData, current: pd.DataFrame, columns: AskedColumns) -> DriftCounts:
    """Both sides, on the bins of the reference: what holds the values of either makes no difference between them.

    A column that one side declares as categories is one on both, and where one side has single precision the other is
    rounded to it. Lists, keys, counters, categories of too many levels and columns without a value in the reference
    are passed over, and columns whose values are no longer numbers.

    Raises:
        InputError: for no rows, missing columns, or with ``as_given`` columns that cannot be compared.
    """
    return counted_in_parts(reference, current, ALL_ROWS, columns)[0]


def counted_in_parts(
    reference: ReferenceData, current: pd.DataFrame, parts: Sequence[Part], columns: AskedColumns
) -> tuple[DriftCounts, list[DriftSummary]]:
    """What ``counted_against`` counts, and each part of the current rows by itself; together they are all of them."""
    names = columns.names
    checked_columns(current, names)
    codes = {name for name in names if name in columns.categorical or is_declared_category(current[name])}
    bits = dict(zip(names, side_by_side(lambda name: bits_of(plain(current[name])), names), strict=True))
    fewer = {name: one for name, one in bits.items() if one < DOUBLE}
    known = reference.binned(names, roles=columns.roles, categorical=codes, bits=fewer)

    def made(name: str) -> _Compared | str:
        return _both_sides(known[name], plain(current[name]), name, columns, parts)

    found = dict(zip(names, side_by_side(made, names), strict=True))
    both = {name: one for name, one in found.items() if not isinstance(one, str)}
    counts = DriftCounts(
        DriftSummary(reference.rows, tuple(one.before for one in both.values())),
        DriftSummary(len(current), tuple(one.after for one in both.values())),
        {name: one for name, one in found.items() if isinstance(one, str)},
        {name: one.repeated for name, one in both.items() if one.repeated is not None},
    )
    return counts, _of_parts(parts, len(current), [one.parts for one in both.values()])


def summaries_of(rows: pd.DataFrame, parts: Sequence[Part], *, like: DriftSummary) -> list[DriftSummary]:
    """What ``drift_summary`` counts, of each part of some rows by itself."""
    checked_columns(rows, [column.name for column in like.columns])
    counted = side_by_side(lambda one: _counted_parts(one, plain(rows[one.name]), parts), like.columns)
    return _of_parts(parts, len(rows), counted)


def sliced_drift(rows: pd.DataFrame, cut: Sliced, *, like: DriftSummary) -> SlicedDrift:
    """What ``drift_summary`` counts, of each slice by itself.

    Raises:
        TooManyLevels: for too many possible slices.
    """
    found: dict[Slice, Index] = {}
    for columns in subsets(cut.columns, cut.depth):
        cells = cell_codes(columns, slice(0, len(rows)))
        order = np.argsort(cells, kind="stable")
        shape = tuple(len(column.levels) for column in columns)
        for part in np.split(order, np.flatnonzero(np.diff(cells[order])) + 1):
            codes = np.unravel_index(cells[part[0]], shape) if len(part) else ()
            if columns[0].named is None and len(part):
                levels = zip(columns, codes, strict=True)
                found[slice_of((column.name, column.levels[code]) for column, code in levels)] = part
            elif columns[0].named is not None and len(part) and codes[0] == 1:
                found[columns[0].named] = part
    slices = tuple(sorted(found, key=slice_order))
    return SlicedDrift(slices, tuple(summaries_of(rows, [found[one] for one in slices], like=like)))


def _of_parts(parts: Sequence[Part], rows: int, columns: Sequence[tuple[Column, ...]]) -> list[DriftSummary]:
    by_part = zip(*columns, strict=True) if columns else ((),) * len(parts)
    sizes = [len(range(rows)[part]) if isinstance(part, slice) else len(part) for part in parts]
    return [DriftSummary(size, tuple(one)) for size, one in zip(sizes, by_part, strict=True)]


def _counted_parts(like: Column, current: pd.Series[Any], parts: Sequence[Part]) -> tuple[Column, ...]:
    return tuple(counted_on(like, current.iloc[part]) for part in parts)


def bits_of(column: pd.Series[Any]) -> int:
    """Of how many bits the floats of a ``plain`` column are; 64 of anything else."""
    return 8 * column.dtype.itemsize if isinstance(column.dtype, np.dtype) and is_single(column) else DOUBLE


def _binned(
    given: pd.Series[Any], name: str, role: Role, codes: bool, bits: int | None, sample: NDArray[np.intp] | None
) -> ReferenceColumn:
    column = plain(given)
    kind, declared, own = kind_of(column), is_declared_category(given), bits_of(column)
    rounded = rounded_to(column, bits)
    counted = not_countable(kind) or _counted(rounded, name, role, codes or declared, sample)
    key = not isinstance(counted, NotCounted) and is_key(rounded if sample is None else rounded.iloc[sample], counted)
    return ReferenceColumn(kind, counted, declared=declared, bits=own, key=key)


def not_countable(kind: str) -> NotCounted | None:
    """Why a column of a reference is not counted, by what it holds; None where nothing speaks against it."""
    if kind == "lists":
        return NotCounted(LISTS)
    return NotCounted("it has no value in the reference") if kind == "nothing" else None


def _counted(
    column: pd.Series[Any], name: str, role: Role, codes: bool, sample: NDArray[np.intp] | None
) -> Column | NotCounted:
    try:
        return reference_column(column, name, role, codes, sample)
    except TooManyLevels as error:
        return NotCounted(str(error), too_many_levels=True)
    except InputError as error:
        return NotCounted(str(error))


def _both_sides(
    before: ReferenceColumn, current: pd.Series[Any], name: str, columns: AskedColumns, parts: Sequence[Part]
) -> _Compared | str:
    """A column of the reference and of the current rows, and its repeated value; or why the two are not compared."""
    try:
        return _compared(before, current, columns.role(name), columns.as_given, parts)
    except InputError as error:
        return why_not(error, name, as_given=columns.as_given)


def why_not(error: InputError, name: str, *, as_given: bool) -> str:
    """Why a column is passed over.

    Raises:
        InputError: where it was asked for by name; TooManyLevels where it has too many levels.
    """
    if isinstance(error, TooManyLevels):
        if as_given:
            raise error
        return f"it has more than {MAX_CATEGORIES:,} levels, as identifiers have"
    if as_given:
        raise InputError(f"column {name!r}: {error}; leave it out of the columns") from error
    return str(error)


def _compared(
    before: ReferenceColumn, current: pd.Series[Any], role: Role, as_given: bool, parts: Sequence[Part]
) -> _Compared | str:
    kind = kind_of(current)
    known = comparable(before, kind, role, as_given=as_given)
    if isinstance(known, NumericColumn) and _none_is_a_number(current):
        return other_values(before, kind)
    second = rounded_to(current, before.bits)
    counted = _counted_parts(known, second, parts)
    after = reduce(add, counted)
    if isinstance(after, CategoricalColumn) and len(after.levels) > MAX_CATEGORIES:
        after = counted_on(known, second)  # which refuses as many
    ends = newest_bin(known, after)
    repeated = None if ends is None else most_repeated(*values_between(second, *ends))
    return _Compared(known, counted, after, repeated)


def comparable(before: ReferenceColumn, kind: str, role: Role, *, as_given: bool) -> Column:
    """The reference's counts of a column that can be compared with one that holds ``kind``.

    Raises:
        InputError: for lists, keys and counters, and what the reference has not counted.
    """
    if kind == "lists":
        raise InputError(LISTS)
    known = before.known
    if before.key and role == "feature" and not as_given:
        # It tells rows apart and nothing else.
        raise InputError("every value of the reference is another one, as of keys and counters")
    return known


def other_values(before: ReferenceColumn, kind: str) -> str:
    """Why a column is passed over that held numbers in the reference, and now holds none.

    Its change of type says so; counted on bins of numbers every value of it would be missing.
    """
    return f"its values are {kind}, and those of the reference {before.kind}"


def newest_bin(before: Column, after: Column) -> tuple[float, float] | None:
    """Between which ends most of a numeric column's new values are; None where there are too few to be looked at."""
    if not isinstance(before, NumericColumn) or not isinstance(after, NumericColumn):
        return None
    newest = new_share(before.counts, after.counts)
    cell = newest.cell
    # Of a rise that nobody is told of the values need not be looked at.
    if cell is None or after.counts[cell] < LEAST_REPEATED or newest.rise[0] <= NEW_SHARE:
        return None
    low, high = np.concatenate([[-np.inf], before.edges, [np.inf]])[[cell, cell + 1]]
    return float(low), float(high)


def values_between(column: pd.Series[Any], low: float, high: float) -> tuple[FloatArray, IntArray]:
    """The different finite values of a ``plain`` column in ``[low, high)``, and how often each comes."""
    values = values_of(column)
    return np.unique(values[(values >= low) & (values < high) & np.isfinite(values)], return_counts=True)


def most_repeated(distinct: FloatArray, times: IntArray) -> float | None:
    """The value that most of some rows have, if they have one; of ties the smallest.

    Args:
        distinct: different values, increasing.
        times: how often each comes.
    """
    most = int(times.argmax())
    return float(distinct[most]) if times[most] >= REPEATED * int(times.sum()) else None


def _none_is_a_number(column: pd.Series[Any]) -> bool:
    """Whether a ``plain`` column has values, and none that could be counted among numbers."""
    if is_numeric(column) or kind_of(column) == "nothing":
        return False
    return bool(np.isnan(values_of(column)).all())


def is_key(reference: pd.Series[Any], column: Column) -> bool:
    """Whether it tells rows apart and nothing else: every value once, and text or numbers without many gaps.

    Args:
        reference: the values of the rows that bins were chosen by.
    """
    if column.present < LEAST_KEYS:
        return False
    if isinstance(column, CategoricalColumn):
        return len(column.levels) == column.present
    # Of numbers drawn from three times as many, some would come twice but for a chance of exp(-n / 6).
    values = values_of(reference) if column.moves_on and kind_of(reference) == "number" else np.zeros(1)
    known = values[np.isfinite(values)]
    return len(known) > 1 and bool(known.max() - known.min() < 3 * column.present)


def rounded_to(own: pd.Series[Any], bits: int | None) -> pd.Series[Any]:
    """A ``plain`` column, rounded where the other side holds its numbers in fewer bits than 64."""
    if bits is None or bits >= DOUBLE or is_single(own) or kind_of(own) != "number":
        return own
    return pd.Series(values_of(own).astype(f"f{bits // 8}"), index=own.index, name=own.name)
