"""A data set's digest by content: the same for any order of its rows and any index.

Every row is hashed to 64 bits under two keys; the hashes are summed mod 2**64 in two lanes, and SHA-256 is taken over
the lanes, the number of rows, and the sorted column names with their kinds. Sums do not depend on order and merge by
addition.

It detects change: a changed, added or lost row changes the lanes but for a chance of 2**-128. It is *not* proof against
somebody who crafts rows so that the sums agree; whoever needs that must sign the files.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlflow_eval_plugin.stats.drift import ColumnType
from mlflow_eval_plugin.stats.errors import InputError, MergeError

BLOCK = 2**16  # rows: smaller ones have two threads wait for the interpreter's lock
THREADS = 2
KEYS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F)
UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}  # of times, in a second
FORMAT = "mlflow-eval-plugin/data-digest/1"

Hashes = NDArray[np.uint64]


@dataclass(frozen=True)
class DigestSummary:
    """What is hashed: schema, rows, and one sum mod 2**64 per key."""

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
    columns = [(place, positions[one.name]) for place, one in enumerate(schema)]

    def added(some: Sequence[tuple[int, int]]) -> list[Hashes]:
        lanes = [np.zeros(len(rows), dtype=np.uint64) for _ in KEYS]
        for place, position in some:
            column = _hashed(rows.iloc[:, position])
            for lane, key in zip(lanes, KEYS, strict=True):
                # Each column is mixed with its place and the key before it is added, so that swapped values show.
                _add_mixed(lane, column, np.uint64((key * (place + 1)) % 2**64))
        return lanes

    # Sums do not depend on order, so each thread may add up columns of its own.
    with ThreadPoolExecutor(THREADS) as threads:
        parts = list(threads.map(added, [columns[first::THREADS] for first in range(THREADS)]))
    sums = [int(_mixed(sum(lanes[1:], start=lanes[0])).sum(dtype=np.uint64)) for lanes in zip(*parts, strict=True)]
    return DigestSummary(schema, len(rows), (sums[0], sums[1]))


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


def _hashed(column: pd.Series[Any]) -> Hashes:
    kind = _kind(column.dtype)
    if kind in ("integer", "float", "boolean") and isinstance(column.dtype, np.dtype):
        wide = np.float64 if kind == "float" else np.int64
        # Adding 0.0 makes -0.0 and 0.0 the same; every NaN is made the same one.
        values = column.to_numpy(dtype=wide) + wide(0)
        if kind == "float":
            values[np.isnan(values)] = np.nan
        return _mixed(values.view(np.uint64))
    if kind == "datetime":
        return _hashed_times(pd.DatetimeIndex(column))
    try:
        codes, uniques = pd.factorize(column)
    except TypeError as error:
        raise InputError(
            f"column {column.name!r}: expected one value a row, found lists or the like ({error}); leave it out"
        ) from error
    texts = np.array([_text(value) for value in uniques] + ["missing:"], dtype=object)
    table: Hashes = pd.util.hash_array(texts, categorize=False)
    return np.asarray(table[np.where(codes < 0, len(uniques), codes)])


def _hashed_times(times: pd.DatetimeIndex) -> Hashes:
    """The same in any unit, and beyond the year 2262, where nanoseconds since 1970 overflow."""
    a_second = UNITS[times.unit]
    seconds, rest = np.divmod(times.asi8, a_second)
    hashes = _mixed(seconds.view(np.uint64)) ^ (rest * (10**9 // a_second)).view(np.uint64)
    return _mixed(np.where(times.isna(), np.uint64(0), hashes))


def _text(value: object) -> str:
    # In a column of objects 1, 1.0 and True are one value to pandas, whichever comes first.
    if isinstance(value, (int, float, np.number, np.bool_)):
        whole = not isinstance(value, (float, np.floating)) or float(value).is_integer()
        return f"number:{int(value) if whole else float(value)}"
    return f"{type(value).__name__}:{value}"


def _add_mixed(lane: Hashes, column: Hashes, key: np.uint64) -> None:
    """``lane += mixed(column ^ key)``, a block at a time: blocks and what is made of them stay in the cache."""
    mixed, shifted = (np.empty(BLOCK, dtype=np.uint64) for _ in range(2))
    for start in range(0, len(lane), BLOCK):
        block = column[start : start + BLOCK]
        some = mixed[: len(block)]
        _mix(np.bitwise_xor(block, key, out=some), shifted[: len(block)])
        lane[start : start + BLOCK] += some


def _mixed(values: Hashes) -> Hashes:
    """The values themselves, mixed in place."""
    shifted = np.empty(BLOCK, dtype=np.uint64)
    for start in range(0, len(values), BLOCK):
        block = values[start : start + BLOCK]
        _mix(block, shifted[: len(block)])
    return values


def _mix(block: Hashes, shifted: Hashes) -> None:
    """The finaliser of splitmix64 (Steele, Lea & Flood 2014), in place; ``shifted`` is overwritten."""
    block ^= np.right_shift(block, np.uint64(30), out=shifted)
    block *= np.uint64(0xBF58476D1CE4E5B9)
    block ^= np.right_shift(block, np.uint64(27), out=shifted)
    block *= np.uint64(0x94D049BB133111EB)
    block ^= np.right_shift(block, np.uint64(31), out=shifted)
