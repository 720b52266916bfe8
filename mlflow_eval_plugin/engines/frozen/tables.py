"""Arrays in one Arrow file: a row an array, compressed with zstd.

Each array is written byte by byte of its numbers, all first bytes before all second ones, of the numbers themselves or
of their first or second differences, whichever is shortest. Sorted edges and sums of neighbouring bins hardly differ in
their high bytes, so that a file is a third smaller than one of plain lists. Nothing is rounded.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mlflow_eval_plugin.stats.errors import InputError

_LEVEL: Final = 9
_SCHEMA = pa.schema(
    {"type": pa.string(), "shape": pa.list_(pa.int64()), "differences": pa.int8(), "bytes": pa.large_binary()}
)
_TYPES = ("<f8", "<i8", "<i4", "|u1", "|b1")
_MOST_DIFFERENCES = 2
Words = NDArray[np.int64]


def packed(arrays: Sequence[NDArray[Any]]) -> bytes:
    """The arrays as the bytes of a file; the same for the same arrays.

    Raises:
        ValueError: for an array of another type than counts, sums, floats and truth values have.
    """
    rows = [_packed(np.ascontiguousarray(one)) for one in arrays]
    columns = zip(*rows, strict=True) if rows else ([], [], [], [])
    batch = pa.record_batch([list(one) for one in columns], schema=_SCHEMA)
    sink = BytesIO()
    options = pa.ipc.IpcWriteOptions(compression=pa.Codec("zstd", compression_level=_LEVEL))
    with pa.ipc.new_file(sink, _SCHEMA, options=options) as file:
        file.write_batch(batch)
    return sink.getvalue()


def unpacked(content: bytes) -> list[NDArray[Any]]:
    """The arrays of such a file.

    Raises:
        InputError: when it is none.
    """
    try:
        table = pa.ipc.open_file(pa.BufferReader(content)).read_all()
        if table.schema != _SCHEMA:
            raise InputError(f"expected the columns {', '.join(_SCHEMA.names)}, found {', '.join(table.schema.names)}")
        columns = (table.column(name).to_pylist() for name in _SCHEMA.names)
        return [_unpacked(*row) for row in zip(*columns, strict=True)]
    except (pa.ArrowException, OSError, ValueError, TypeError) as error:
        raise InputError(f"it cannot be read as tables of a baseline ({error})") from error


def _packed(array: NDArray[Any]) -> tuple[str, list[int], int, bytes]:
    if array.dtype.newbyteorder("<").str not in _TYPES:
        raise ValueError(f"arrays of {array.dtype} are not stored; expected one of {', '.join(_TYPES)}")
    flat = array.astype(array.dtype.newbyteorder("<"), copy=False).ravel()
    written = [_planes(flat)]
    if flat.dtype.itemsize == 8:
        words = flat.view(np.int64)
        for _ in range(_MOST_DIFFERENCES):
            words = np.diff(words, prepend=np.int64(0))
            written.append(_planes(_folded(words)))
    codec = pa.Codec("zstd", compression_level=1)
    sizes = [len(codec.compress(one)) for one in written]
    best = sizes.index(min(sizes))
    return flat.dtype.str, list(array.shape), best, written[best]


def _unpacked(kind: str, shape: list[int], differences: int, content: bytes) -> NDArray[Any]:
    if kind not in _TYPES or not 0 <= differences <= _MOST_DIFFERENCES:
        raise InputError(f"an array of type {kind!r} and {differences} differences is of no baseline")
    dtype = np.dtype("<i8" if differences else kind)
    planes = np.frombuffer(content, dtype=np.uint8).reshape(dtype.itemsize, -1)
    flat = np.ascontiguousarray(planes.T).reshape(-1).view(dtype)
    if differences:
        flat = _unfolded(flat)
        for _ in range(differences):
            flat = np.cumsum(flat)  # wraps around, as the differences did
        flat = flat.view(kind)
    found: NDArray[Any] = flat.reshape(shape)
    found.flags.writeable = False
    return found


def _planes(flat: NDArray[Any]) -> bytes:
    return np.ascontiguousarray(flat.view(np.uint8).reshape(-1, flat.dtype.itemsize).T).tobytes()


def _folded(words: Words) -> Words:
    """Small numbers of either sign to small ones: 0, -1, 1, -2 to 0, 1, 2, 3."""
    return np.asarray((words << 1) ^ (words >> 63))


def _unfolded(words: Words) -> Words:
    return np.asarray((words.view(np.uint64) >> np.uint64(1)).view(np.int64) ^ -(words & 1))
