"""Tables of other libraries that hand over Arrow part by part, without holding all rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from pyarrow import dataset

from mlflow_eval_plugin.plugin.sources.schemas import cast, require_readable
from mlflow_eval_plugin.stats.errors import InputError

BATCH_ROWS = 2**16


@dataclass(frozen=True, eq=False)
class Streamed:
    """See ``source.Source``.

    Attributes:
        read: all rows with some columns, read anew each time.
    """

    told: str
    schema: pa.Schema
    rows: int | None
    read: Callable[[Sequence[str]], Iterator[pa.RecordBatch]]

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """All rows, in the order in which they come."""
        schema = pa.schema([self.schema.field(name) for name in columns])
        try:
            for batch in self.read(schema.names):
                yield cast(batch.select(schema.names), schema)
        except (OSError, KeyError, pa.ArrowException) as error:
            raise InputError(f"{self.told}: it cannot be read ({error})") from error


def arrow_table(table: pa.Table) -> Streamed:
    """A table in memory, whose rows are not copied."""
    return _streamed("an Arrow table", table.schema, table.num_rows, lambda columns: _parts(table.select(columns)))


def arrow_data_set(found: dataset.Dataset) -> Streamed:
    """A data set of Arrow; its reader holds several times as much as that of Parquet files."""
    read = lambda columns: _scanned(found, columns)  # noqa: E731
    return _streamed("an Arrow data set", found.schema, None, read)


def polars_frame(frame: Any) -> Streamed:
    """A frame of Polars, whose rows are not copied."""
    schema = frame.head(0).to_arrow().schema
    read = lambda columns: _parts(frame.select(list(columns)).to_arrow())  # noqa: E731
    return _streamed("a Polars frame", schema, frame.height, read)


def polars_lazy(frame: Any) -> Streamed:
    """A lazy frame of Polars, which is collected in parts, anew for each pass."""

    def read(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        for some in frame.select(list(columns)).collect_batches():
            yield from some.to_arrow().to_batches()

    return _streamed("a Polars LazyFrame", frame.head(0).collect().to_arrow().schema, None, read)


def duckdb_relation(relation: Any) -> Streamed:
    """A relation of DuckDB, which is run anew for each pass."""

    def reader(columns: Sequence[str]) -> Any:
        quoted = ", ".join('"' + name.replace('"', '""') + '"' for name in columns)
        return relation.project(quoted).to_arrow_reader(BATCH_ROWS)

    schema = relation.limit(0).to_arrow_reader(1).schema
    return _streamed("a DuckDB relation", schema, None, lambda columns: iter(reader(columns)))


def delta_table(table: Any) -> Streamed:
    """One version of a Delta table."""
    found = table.to_pyarrow_dataset()
    told = f"Delta table {table.table_uri}, version {table.version()}"
    return _streamed(told, found.schema, None, lambda columns: _scanned(found, columns))


def reader_factory(make: Callable[[], Any]) -> Streamed:
    """What makes a reader of all rows whenever it is called: one of Arrow, or whatever exports an Arrow stream.

    Raises:
        InputError: when it does not, or gives the same reader twice, which is empty at the second pass.
    """
    told = f"the callable {getattr(make, '__name__', type(make).__name__)!r}"
    first = make()
    if first is make():
        raise InputError(f"{told}: it gives one reader, which can be read once; have it make a new one at each call")
    reader = _reader(first, told)

    def read(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        for batch in _reader(make(), told):
            yield batch.select(list(columns))

    return _streamed(told, reader.schema, None, read)


def _reader(given: Any, told: str) -> Any:
    if isinstance(given, pa.RecordBatchReader):
        return given
    if not hasattr(given, "__arrow_c_stream__"):
        raise InputError(f"{told}: expected that it returns a pyarrow.RecordBatchReader, found {type(given).__name__}")
    return pa.RecordBatchReader.from_stream(given)


def _streamed(
    told: str, schema: pa.Schema, rows: int | None, read: Callable[[Sequence[str]], Iterator[pa.RecordBatch]]
) -> Streamed:
    require_readable(schema, told)
    if rows == 0:
        raise InputError(f"{told}: it has no rows; check what made it")
    return Streamed(told, schema.remove_metadata(), rows, read)


def _parts(table: pa.Table) -> Iterator[pa.RecordBatch]:
    yield from table.to_batches(max_chunksize=BATCH_ROWS)


def _scanned(found: dataset.Dataset, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    # Without reading ahead; else its buffers hold all that fits.
    yield from found.scanner(
        columns=list(columns), batch_size=BATCH_ROWS, batch_readahead=1, fragment_readahead=1
    ).to_batches()
