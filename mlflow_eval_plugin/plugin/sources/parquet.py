"""Parquet files, read row group by row group."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
from pyarrow import parquet

from mlflow_eval_plugin.engines.parts.places import Place, with_places
from mlflow_eval_plugin.plugin.sources.places import File
from mlflow_eval_plugin.plugin.sources.schemas import cast, one_schema, unreadable
from mlflow_eval_plugin.stats.errors import InputError

BATCH_ROWS = 2**16
_MARK = b"PAR1"


@dataclass(frozen=True, eq=False)
class ParquetFiles:
    """See ``source.Source``; the files have been opened once, and are held against what they were then."""

    told: str
    schema: pa.Schema
    rows: int
    files: tuple[File, ...]

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """All rows of all files, in their order; a column is read where it is asked for."""
        schema = pa.schema([self.schema.field(name) for name in columns])
        for file in self.files:
            _require_same(file)
            yield from _read(file, schema)
            _require_same(file)


def parquet_files(files: Sequence[File], told: str) -> ParquetFiles:
    """Files with one schema.

    Raises:
        InputError: for files that are no Parquet, cut short, of differing schemas, or without a row; all of them.
    """
    schemas, rows, reasons = {}, 0, []
    for file in files:
        try:
            with file.system.open_input_file(file.path) as opened, parquet.ParquetFile(opened) as found:
                schemas[file.told], rows = found.schema_arrow, rows + found.metadata.num_rows
        except (OSError, pa.ArrowException) as error:
            reasons.append(_broken(file, error))
    schema, differing = one_schema(schemas)
    reasons += differing or unreadable(schema)
    if not reasons and rows == 0:
        many = "it has" if len(files) == 1 else f"its {len(files)} files have"
        reasons.append(f"{told}: {many} no rows; check what wrote it")
    if reasons:
        raise InputError("; ".join(reasons))
    return ParquetFiles(told, schema.remove_metadata(), rows, tuple(files))


def _read(file: File, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    # Arrow's reader of data sets, and its buffering ahead, hold several times as much.
    try:
        with (
            file.system.open_input_file(file.path) as opened,
            parquet.ParquetFile(opened, pre_buffer=False) as found,
        ):
            first = 0
            for batch in found.iter_batches(BATCH_ROWS, columns=schema.names):
                place = Place(file.told, first, batch.num_rows)
                first += batch.num_rows
                yield _placed(cast(batch.select(schema.names), schema), place)
    except (OSError, pa.ArrowException) as error:
        _require_same(file)
        raise InputError(_broken(file, error)) from error


def _placed(batch: pa.RecordBatch, place: Place) -> pa.RecordBatch:
    return batch.replace_schema_metadata(with_places(batch.schema, [place]).metadata)


def _require_same(file: File) -> None:
    now = file.now()
    if (now.size, now.stamp) != (file.size, file.stamp):
        raise InputError(
            f"{file.told}: the data changed between two readings ({file.size:,} bytes, then {now.size:,}, or written "
            "anew): read a fixed version"
        )


def _broken(file: File, error: Exception) -> str:
    """What is wrong with a file: whether it is Parquet at all, or was cut short."""
    said = f"{file.told} ({file.size:,} bytes)"
    try:
        with file.system.open_input_file(file.path) as opened:
            begins = opened.read(4)
    except OSError:
        return f"{said}: it cannot be read ({error})"
    if file.size == 0:
        return f"{said}: it is empty; expected a Parquet file"
    if begins == _MARK:
        return f"{said}: it was cut short or damaged ({_first_line(error)}); write or fetch it again"
    return f"{said}: expected a Parquet file, which begins with {_MARK.decode()}, found {begins!r}"


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__
