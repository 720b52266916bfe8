"""A data set's digest by content: the same for any order of its rows and any index.

Every value is mixed to 64 bits. A row has two lanes: sums mod 2**64 of its mixed values, each times an odd number of
its column's own, so that swapped values show. The lanes are mixed and summed over the rows, and SHA-256 is taken over
the sums, the number of rows, and the sorted column names with their kinds. Sums do not depend on order and merge by
addition.

It detects change: another value in one column of a row always changes the row's lanes; any other change leaves the sums
as they were with a chance of about 2**-120. It is *not* proof against somebody who crafts rows so that the sums agree;
whoever needs that must sign the files.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlflow_eval_plugin.engines.counting import CHUNK_ROWS, chunked
from mlflow_eval_plugin.stats.drift import ColumnType
from mlflow_eval_plugin.stats.errors import InputError, MergeError
from mlflow_eval_plugin.stats.threads import THREADS, side_by_side

GAMMA = 0x9E3779B97F4A7C15  # the step of splitmix64, whose sequence gives the columns' numbers
UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}  # of times, in a second
FORMAT = "mlflow-eval-plugin/data-digest/2"

Hashes = NDArray[np.uint64]
Column = tuple[NDArray[Any], Hashes | None]  # numbers; or codes, and what each stands for


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
        """The Summary of both sets of rows.

        Raises:
            MergeError: when the schemas differ.
        """
        if self.schema != other.schema:
            raise MergeError("digests of data with different columns or types do not merge")
        lanes = tuple((a + b) % 2**64 for a, b in zip(self.lanes, other.lanes, strict=True))
        return DigestSummary(self.schema, self.rows + other.rows, (lanes[0], lanes[1]))


def data_digest(rows: pd.DataFrame) -> str:
    """The digest of a data set; equal for equal rows in any order."""
    return digest_summary(rows).digest


def digest_summary(rows: pd.DataFrame) -> DigestSummary:
    """The mergeable form of the digest. Widths of integers and floats do not matter, kinds do."""
    schema = schema_of(rows)
    positions = {str(name): position for position, name in enumerate(rows.columns)}
    blocks = list(chunked(slice(0, len(rows))))
    columns = side_by_side(lambda one: _column(rows.iloc[:, positions[one.name]]), schema)
    # Sums do not depend on order, so each thread may add up rows of its own.
    parts = side_by_side(lambda first: _sums(columns, blocks[first::THREADS]), range(THREADS))
    first, second = (sum(lane) % 2**64 for lane in zip(*parts, strict=True))
    return DigestSummary(schema, len(rows), (first, second))


def schema_of(rows: pd.DataFrame) -> tuple[ColumnType, ...]:
    """The columns by name, sorted, each with its kind."""
    types = [ColumnType(str(name), _kind(dtype)) for name, dtype in zip(rows.columns, rows.dtypes, strict=True)]
    return tuple(sorted(types, key=lambda one: one.name))


def _kind(dtype: Any) -> str:
    checks = (
        ("category", lambda d: isinstance(d, pd.CategoricalDtype)),
        ("boolean", pd.api.types.is_bool_dtype),
        ("integer", pd.api.types.is_integer_dtype),
        ("float", pd.api.types.is_float_dtype),
        ("datetime", pd.api.types.is_datetime64_any_dtype),
    )
    return next((kind for kind, check in checks if check(dtype)), "text")


def _column(values: pd.Series[Any]) -> Column:
    kind = _kind(values.dtype)
    if kind in ("integer", "float", "boolean") and isinstance(values.dtype, np.dtype):
        return values.to_numpy(), None
    if kind == "datetime":
        return _hashed_times(pd.DatetimeIndex(values)), None
    try:
        codes, uniques = pd.factorize(values)
    except TypeError as error:
        raise InputError(
            f"column {values.name!r}: expected one value a row, found lists or the like ({error}); leave it out"
        ) from error
    # Missing values have the code -1, which is the last text.
    texts = np.array([_text(value) for value in uniques] + ["missing:"], dtype=object)
    return codes.astype(np.min_scalar_type(-len(texts))), pd.util.hash_array(texts, categorize=False)


def _hashed_times(times: pd.DatetimeIndex) -> Hashes:
    """The same in any unit, and beyond the year 2262, where nanoseconds since 1970 overflow."""
    a_second = UNITS[times.unit]
    seconds, rest = np.divmod(times.asi8, a_second)
    hashes = seconds.view(np.uint64)
    _mix(hashes, np.empty_like(hashes))
    hashes ^= (rest * (10**9 // a_second)).view(np.uint64)
    return np.where(times.isna(), np.uint64(0), hashes)


def _text(value: object) -> str:
    # In a column of objects 1, 1.0 and True are one value to pandas, whichever comes first.
    if isinstance(value, (int, float, np.number, np.bool_)):
        whole = not isinstance(value, (float, np.floating)) or float(value).is_integer()
        return f"number:{int(value) if whole else float(value)}"
    return f"{type(value).__name__}:{value}"


def _sums(columns: Sequence[Column], blocks: Sequence[slice]) -> tuple[int, int]:
    """The sum of each lane over some blocks of rows; a block stays in the cache until all of its columns are in."""
    numbers, sums, space = _numbers(len(columns)), [0, 0], np.empty((4, CHUNK_ROWS), dtype=np.uint64)
    for block in blocks:
        *lanes, mixed, spare = space[:, : block.stop - block.start]
        space[:2] = 0
        for (values, table), own in zip(columns, numbers, strict=True):
            _fill(mixed, values[block], table)
            _mix(mixed, spare)
            for lane, number in zip(lanes, own, strict=True):
                np.add(lane, np.multiply(mixed, number, out=spare), out=lane)
        for place, lane in enumerate(lanes):
            _mix(lane, spare)
            sums[place] += int(lane.sum())
    return sums[0], sums[1]


def _numbers(columns: int) -> Hashes:
    """An odd number for every column and lane."""
    numbers = np.arange(1, 2 * columns + 1, dtype=np.uint64) * np.uint64(GAMMA)
    _mix(numbers, np.empty_like(numbers))
    return (numbers | np.uint64(1)).reshape(columns, 2)


def _fill(bits: Hashes, values: NDArray[Any], table: Hashes | None) -> None:
    """The 64 bits of some values, the same for equal ones, whatever their width."""
    if table is not None:
        np.take(table, values, mode="wrap", out=bits)
    elif values.dtype.kind == "f":
        floats = bits.view(np.float64)
        # Adding 0.0 makes -0.0 and 0.0 the same; every NaN is made the same one.
        np.add(values, 0.0, out=floats)
        np.copyto(floats, np.nan, where=np.isnan(floats))
    else:
        bits.view(np.int64)[:] = values


def _mix(block: Hashes, spare: Hashes) -> None:
    """The finaliser of splitmix64 (Steele, Lea & Flood 2014), in place; ``spare`` is overwritten."""
    block ^= np.right_shift(block, np.uint64(30), out=spare)
    block *= np.uint64(0xBF58476D1CE4E5B9)
    block ^= np.right_shift(block, np.uint64(27), out=spare)
    block *= np.uint64(0x94D049BB133111EB)
    block ^= np.right_shift(block, np.uint64(31), out=spare)
