"""A data set's digest by content: the same for any order of its rows and any index.

Every value is mixed to 64 bits, in the same way however the column holds it (``columns.plain``): numbers as floats,
and those that no float is equal to in a way of their own. A row has two lanes: sums mod 2**64 of its mixed values, each
times an odd number of its column's own, so that swapped values show. The lanes are mixed and summed over the rows, and
SHA-256 is taken over the sums, the number of rows, and the sorted column names with their kinds. Sums do not depend on
order and merge by addition.

It detects change: another value in one column of a row always changes the row's lanes; any other change leaves the sums
as they were with a chance of about 2**-120. It is *not* proof against somebody who crafts rows so that the sums agree;
whoever needs that must sign the files.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlflow_eval_plugin.engines.arrow.columns.lists import lists_of
from mlflow_eval_plugin.engines.arrow.columns.plain import EXACT, is_list, kind_of, plain
from mlflow_eval_plugin.engines.arrow.counting import CHUNK_ROWS, chunked
from mlflow_eval_plugin.stats.counts.slice import level_label
from mlflow_eval_plugin.stats.counts.threads import THREADS, side_by_side
from mlflow_eval_plugin.stats.drift.schema import ColumnType
from mlflow_eval_plugin.stats.errors import MergeError

GAMMA = 0x9E3779B97F4A7C15  # the step of splitmix64, whose sequence gives the columns' numbers
UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}  # of times, in a second
FORMAT = "mlflow-eval-plugin/data-digest/3"

MISSING = np.array([np.nan]).view(np.uint64)[0]  # how a missing value of any kind is hashed

Hashes = NDArray[np.uint64]
Column = tuple[NDArray[Any], Hashes | None]  # numbers, or hashes (datetime64); or codes, and what each stands for


@dataclass(frozen=True)
class DigestSummary:
    """What is hashed: schema, rows, and the sum mod 2**64 of each lane."""

    schema: tuple[ColumnType, ...]
    rows: int
    lanes: tuple[int, int]

    @property
    def digest(self) -> str:
        """``sha256:`` and 64 hex digits."""
        schema = [[one.name, one.kind] for one in self.schema]
        text = json.dumps([FORMAT, schema, self.rows, *self.lanes], separators=(",", ":"), ensure_ascii=True)
        return "sha256:" + hashlib.sha256(text.encode()).hexdigest()

    def __add__(self, other: DigestSummary) -> DigestSummary:
        """The Summary of both sets of rows; a column of which one of them has no value is of the other's kind.

        Raises:
            MergeError: when the schemas differ.
        """
        pairs = list(zip(self.schema, other.schema, strict=False))
        alike = all(a.name == b.name and (a.kind == b.kind or "nothing" in (a.kind, b.kind)) for a, b in pairs)
        if not alike or len(self.schema) != len(other.schema):
            raise MergeError("digests of data with different columns or types do not merge")
        schema = tuple(b if a.kind == "nothing" else a for a, b in pairs)
        lanes = tuple((a + b) % 2**64 for a, b in zip(self.lanes, other.lanes, strict=True))
        return DigestSummary(schema, self.rows + other.rows, (lanes[0], lanes[1]))


def data_digest(rows: pd.DataFrame) -> str:
    """The digest of a data set; equal for equal rows in any order."""
    return digest_summary(rows).digest


def digest_summary(rows: pd.DataFrame) -> DigestSummary:
    """The mergeable form of the digest. How values are held does not matter, kinds do."""
    return digested(rows).summary


@dataclass(frozen=True, eq=False)
class Digested:
    """Rows, digested.

    Attributes:
        lane: the first lane of each row: 64 bits of all that it holds.
        columns: by name the sum mod 2**64 of the mixed values of each column: the same values in any order.
    """

    summary: DigestSummary
    lane: Hashes
    columns: dict[str, int]


def digested(rows: pd.DataFrame) -> Digested:
    """The mergeable digest, with what it is made of by row and by column."""
    columns_plain = [plain(rows.iloc[:, position]) for position in range(rows.shape[1])]
    schema = _schema(rows, columns_plain)
    positions = {str(name): position for position, name in enumerate(rows.columns)}
    blocks = list(chunked(slice(0, len(rows))))
    columns = side_by_side(lambda one: _column(columns_plain[positions[one.name]], one.kind), schema)
    lane = np.empty(len(rows), np.uint64)
    # Sums do not depend on order, so each thread may add up rows of its own.
    parts = side_by_side(lambda first: _sums(columns, blocks[first::THREADS], lane), range(THREADS))
    one, two, *of_columns = (sum(each) % 2**64 for each in zip(*parts, strict=True))
    names = [known.name for known in schema]
    return Digested(DigestSummary(schema, len(rows), (one, two)), lane, dict(zip(names, of_columns, strict=True)))


def column_sums(rows: pd.DataFrame) -> dict[str, int]:
    """By name the sum of the mixed values of each column, as ``digested`` has it."""
    blocks = list(chunked(slice(0, len(rows))))

    def added(name: str) -> int:
        values = plain(rows[name])
        column, (mixed, spare) = _column(values, kind_of(values)), np.empty((2, CHUNK_ROWS), dtype=np.uint64)
        return sum(int(_mixed(column, one, mixed, spare).sum()) for one in blocks) % 2**64

    names = list(map(str, rows.columns))
    return dict(zip(names, side_by_side(added, names), strict=True))


def row_digests(rows: pd.DataFrame, *more: NDArray[Any]) -> Hashes:
    """64 bits of every row, whatever the order of the rows and of their columns: the first lane of the data's digest.

    Args:
        more: further columns of numbers.
    """
    named = sorted((str(name), plain(rows.iloc[:, position])) for position, name in enumerate(rows.columns))
    columns = side_by_side(lambda one: _column(one[1], kind_of(one[1])), named)
    columns += [(numbers, None) for numbers in more]
    found, numbers, space = np.empty(len(rows), np.uint64), _numbers(len(columns)), _space()
    for block in chunked(slice(0, len(rows))):
        found[block] = _lanes(columns, numbers, block, space, [])[0]
    return found


def mixed(numbers: Hashes) -> Hashes:
    """Numbers of 64 bits, scattered over all of them."""
    found = numbers.copy()
    _mix(found, np.empty_like(found))
    return found


def schema_of(rows: pd.DataFrame) -> tuple[ColumnType, ...]:
    """The columns by name, sorted, each with its kind, and with what lists are."""
    columns = [plain(rows.iloc[:, position]) for position in range(rows.shape[1])]
    lists = {str(name): lists_of(column) for name, column in zip(rows.columns, columns, strict=True)}
    return tuple(replace(one, lists=lists[one.name]) for one in _schema(rows, columns))


def _schema(rows: pd.DataFrame, columns: Sequence[pd.Series[Any]]) -> tuple[ColumnType, ...]:
    types = [ColumnType(str(name), kind_of(column)) for name, column in zip(rows.columns, columns, strict=True)]
    return tuple(sorted(types, key=lambda one: one.name))


def _column(values: pd.Series[Any], kind: str) -> Column:
    if isinstance(values.dtype, np.dtype) and values.dtype.kind in "iuf":
        return values.to_numpy(), None
    if kind == "datetime" and values.dtype != object:
        return _hashed_times(pd.DatetimeIndex(values)), None
    if kind in ("lists", "mixed"):  # cells that may not be hashable, and numbers of which pandas takes 1 for True
        values = values.map(_text, na_action="ignore")
    codes, uniques = pd.factorize(values)
    # Missing values have the code -1, which is the last.
    texts = np.array([_text(value) for value in uniques] + [""], dtype=object)
    table = pd.util.hash_array(texts, categorize=False)
    table[-1] = MISSING
    for place, value in enumerate(uniques):
        if isinstance(value, (Real, Decimal)) and (bits := _bits_of_number(value)) is not None:
            table[place] = bits
    return codes.astype(np.min_scalar_type(-len(texts))), table


def _hashed_times(times: pd.DatetimeIndex) -> NDArray[np.datetime64]:
    """Hashes of times: equal for equal times in any unit, also beyond 2262, where nanoseconds since 1970 overflow."""
    a_second = UNITS[times.unit]
    seconds, rest = np.divmod(times.asi8, a_second)
    hashes = seconds.view(np.uint64)
    _mix(hashes, np.empty_like(hashes))
    hashes ^= (rest * (10**9 // a_second)).view(np.uint64)
    return np.where(times.isna(), MISSING, hashes).view("datetime64[ns]")


def _text(value: Any) -> str:
    # In a column of objects 1, 1.0 and True are one value to pandas, whichever comes first.
    if isinstance(value, (Real, Decimal, np.bool_)):
        return f"number:{level_label(value)}"
    if isinstance(value, Mapping):
        return f"mapping:{sorted((_text(key), _text(one)) for key, one in value.items())}"
    if is_list(value):
        numbers = _numbers_in(value)
        # An embedding has hundreds of numbers, whose texts would take seconds.
        told = [_text(one) for one in value] if numbers is None else hashlib.sha256(numbers.tobytes()).hexdigest()
        return f"list:{np.shape(numbers) if numbers is not None else ''}:{told}"
    return f"{'str' if isinstance(value, str) else type(value).__name__}:{value}"


def _numbers_in(cell: Any) -> NDArray[np.float64] | None:
    """The numbers of a cell that holds nothing else; None where it does, or where floats are not equal to them."""
    try:
        found = np.asarray(cell)
    except ValueError:  # lists of different lengths
        return None
    if found.dtype.kind not in "biuf" or found.ndim == 0:
        return None
    numbers = np.ascontiguousarray(found, dtype=np.float64) + 0.0
    return numbers if found.dtype.kind == "f" or np.abs(numbers).max(initial=0.0) <= EXACT else None


def _bits_of_number(value: Any) -> np.uint64 | None:
    """Those of the same number in a column of numpy's; None where it is in none."""
    number = float(value)
    if Decimal(repr(number)) == value if isinstance(value, Decimal) else number == value:
        return np.uint64(_bits(np.array([number]))[0])
    for wide in (np.int64, np.uint64):
        if value == int(value) and np.iinfo(wide).min <= value <= np.iinfo(wide).max:
            return np.uint64(_bits(np.array([int(value)], dtype=wide))[0])
    return None


def _bits(values: NDArray[Any]) -> Hashes:
    bits = np.empty(len(values), dtype=np.uint64)
    _fill(bits, values, None)
    return bits


def _sums(columns: Sequence[Column], blocks: Sequence[slice], lane: Hashes) -> list[int]:
    """The sum of each lane, and of each column, over some blocks of rows, whose first lane is written to ``lane``.

    A block stays in the cache until all of its columns are in.
    """
    numbers, space = _numbers(len(columns)), _space()
    sums, by_column = [0, 0], [0] * len(columns)
    for block in blocks:
        first, second = _lanes(columns, numbers, block, space, by_column)
        lane[block] = first
        sums = [sums[0] + int(first.sum()), sums[1] + int(second.sum())]
    return [*sums, *by_column]


def _space() -> Hashes:
    return np.empty((4, CHUNK_ROWS), dtype=np.uint64)


def _lanes(
    columns: Sequence[Column], numbers: Hashes, block: slice, space: Hashes, by_column: list[int]
) -> tuple[Hashes, Hashes]:
    """The lanes of the rows of a block, in arrays of ``space``; sums of the columns are added to those there are."""
    first, second, mixed, spare = space[:, : block.stop - block.start]
    space[:2] = 0
    for place, (column, own) in enumerate(zip(columns, numbers, strict=True)):
        _mixed(column, block, mixed, spare)
        for lane, number in zip((first, second), own, strict=True):
            np.add(lane, np.multiply(mixed, number, out=spare), out=lane)
        if by_column:
            by_column[place] += int(mixed.sum())
    for lane in (first, second):
        _mix(lane, spare)
    return first, second


def _mixed(column: Column, block: slice, mixed: Hashes, spare: Hashes) -> Hashes:
    """The mixed values of some rows of a column."""
    mixed, spare = mixed[: block.stop - block.start], spare[: block.stop - block.start]
    _fill(mixed, column[0][block], column[1])
    _mix(mixed, spare)
    return mixed


def _numbers(columns: int) -> Hashes:
    """An odd number for every column and lane."""
    numbers = np.arange(1, 2 * columns + 1, dtype=np.uint64) * np.uint64(GAMMA)
    _mix(numbers, np.empty_like(numbers))
    return (numbers | np.uint64(1)).reshape(columns, 2)


def _fill(bits: Hashes, values: NDArray[Any], table: Hashes | None) -> None:
    """The 64 bits of some values, the same for equal ones, whatever their width: those of floats."""
    if table is not None:
        np.take(table, values, mode="wrap", out=bits)
        return
    if values.dtype.kind == "M":
        bits[:] = values.view(np.uint64)
        return
    if values.dtype == np.uint64 and len(values) and values.max() <= np.iinfo(np.int64).max:
        values = values.view(np.int64)
    floats = bits.view(np.float64)
    # Adding 0.0 makes -0.0 and 0.0 the same; every NaN is made the same one.
    np.add(values, 0.0, out=floats)
    if values.dtype.kind == "f":
        absent = np.isnan(floats)
        if absent.any():
            floats[absent] = np.nan
    elif values.dtype.itemsize == 8 and len(values) and (values.max() > EXACT or values.min() < -EXACT):
        _fill_inexact(bits, values)


def _fill_inexact(bits: Hashes, values: NDArray[Any]) -> None:
    """Whole numbers that no float is equal to; ``bits`` has the nearest float of each."""
    floats = bits.view(np.float64)
    # The nearest float of the largest ones is beyond the type, and so none of them.
    inside = floats <= float(np.iinfo(values.dtype).max // 2048 * 2048)
    own = ~inside
    own[inside] = floats[inside].astype(values.dtype) != values[inside]
    # Above 2**63 bits are those of negative numbers.
    inexact = values[own].view(np.uint64) ^ np.uint64(GAMMA if values.dtype.kind == "i" else GAMMA >> 1)
    _mix(inexact, np.empty_like(inexact))
    bits[own] = inexact


def _mix(block: Hashes, spare: Hashes) -> None:
    """The finaliser of splitmix64 (Steele, Lea & Flood 2014), in place; ``spare`` is overwritten."""
    block ^= np.right_shift(block, np.uint64(30), out=spare)
    block *= np.uint64(0xBF58476D1CE4E5B9)
    block ^= np.right_shift(block, np.uint64(27), out=spare)
    block *= np.uint64(0x94D049BB133111EB)
    block ^= np.right_shift(block, np.uint64(31), out=spare)
