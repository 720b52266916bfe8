"""What travels to Spark's workers and back: kernels in pickles, and compressed pickles of what they counted."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from mlflow_eval_plugin.engines.parts.local import gathered
from mlflow_eval_plugin.engines.parts.passes import Kernel
from mlflow_eval_plugin.stats.errors import InputError

ANSWER: Final = "answer binary"
_SCHEMA: Final = pa.schema([("answer", pa.binary())])
_CODEC: Final = "zstd"  # most cells of a part's tables are 0


@dataclass(frozen=True)
class Counting:
    """Counts the rows of a partition, part by part: one answer a partition, and none of a partition without rows.

    Attributes:
        schema: of the columns that the kernels read. Spark hands times over in the session's zone, and these are cast.
    """

    kernels: tuple[Kernel[Any], ...]
    schema: pa.Schema
    part_rows: int

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The answers of all kernels, as one row; what is wrong with the rows travels like an answer."""
        found: list[Any] | None = None
        try:
            for part in gathered(map(self._typed, batches), self.part_rows):
                counted = [kernel(part) for kernel in self.kernels]
                found = counted if found is None else [a + b for a, b in zip(found, counted, strict=True)]
        except InputError as error:
            yield _packed(error)
            return
        if found is not None:
            yield _packed(tuple(found))

    def _typed(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        return _typed(batch, self.schema) if self.schema.names else batch


@dataclass(frozen=True)
class Handing:
    """Hands a few rows over as they are, for a person or a check to look at."""

    schema: pa.Schema

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """A row for every batch."""
        for batch in batches:
            if batch.num_rows:
                yield _packed(pa.Table.from_batches([_typed(batch, self.schema)]))


@dataclass(frozen=True)
class Merging:
    """Adds the answers that came to one partition."""

    kernels: int

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The sum, as one row."""
        try:
            found = answers_in(packed.as_py() for batch in batches for packed in batch.column(0))
        except InputError as error:
            yield _packed(error)
            return
        if found is not None:
            yield _packed(found)


def answers_in(packed: Iterable[Any]) -> tuple[Any, ...] | None:
    """The sum of packed answers; None where there is none.

    Raises:
        InputError: what was wrong with the rows; of several, the first in order of the alphabet, so that two runs say
            the same.
    """
    found: Sequence[Any] | None = None
    wrong: list[InputError] = []
    for one in packed:
        answer = _unpacked(one)
        if isinstance(answer, InputError):
            wrong.append(answer)
        elif found is None:
            found = answer
        else:
            found = [a + b for a, b in zip(found, answer, strict=True)]
    if wrong:
        raise min(wrong, key=str)
    return None if found is None else tuple(found)


def unpacked_rows(packed: Any) -> pa.Table:
    """The rows that were handed over in one answer."""
    found: pa.Table = _unpacked(packed)
    return found


def _typed(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    return batch.select(schema.names).cast(schema)


def _packed(answer: object) -> pa.RecordBatch:
    plain = pickle.dumps(answer, protocol=5)
    packed = len(plain).to_bytes(8, "big") + pa.compress(plain, codec=_CODEC, asbytes=True)
    return pa.record_batch([pa.array([packed], type=pa.binary())], schema=_SCHEMA)


def _unpacked(packed: Any) -> Any:
    size, data = int.from_bytes(packed[:8], "big"), bytes(packed[8:])
    # What comes back was pickled by our own code on a worker of the user's session.
    return pickle.loads(pa.decompress(data, decompressed_size=size, codec=_CODEC, asbytes=True))
