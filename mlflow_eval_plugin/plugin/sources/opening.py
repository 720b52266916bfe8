"""What a user gave as data, to rows that can be read: one literal table of what is known, in the order of asking."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from mlflow.data.dataset import Dataset
from pyarrow import dataset

from mlflow_eval_plugin.plugin.sources import streams
from mlflow_eval_plugin.plugin.sources.parquet import parquet_files
from mlflow_eval_plugin.plugin.sources.places import files_of, located
from mlflow_eval_plugin.plugin.sources.source import Source
from mlflow_eval_plugin.plugin.sources.spark import SparkSource
from mlflow_eval_plugin.stats.errors import InputError

NAME = "dataset"  # what MLflow calls data without a name


@dataclass(frozen=True, eq=False)
class Opened:
    """Data that can be read.

    Attributes:
        held: rows in memory, as MLflow's evaluation takes them: a pandas frame, or an array; else None.
        source: rows that are read in parts; else None.
        targets, predictions: what an MLflow data set says of its columns; of arrays, the labels themselves.
        name, digest: what an MLflow data set says.
        origin: the URI where the rows come from, for the run; None for a table that a program made.
    """

    held: Any = None
    source: Source | None = None
    targets: Any = None
    predictions: str | None = None
    name: str = NAME
    digest: str | None = None
    origin: str | None = None
    is_mlflow: bool = False


def opened(given: Any, *, argument: str = "data") -> Opened:
    """The data, with all that is wrong with it found before a row is read.

    Raises:
        InputError: for what is not known, cannot be read or can be read once, and schemas that are none.
    """
    for is_one, open_one in _KNOWN:
        if is_one(given):
            try:
                return open_one(given)
            except InputError as error:
                raise InputError(f"{argument}: {error}") from error
    raise InputError(
        f"{argument}: expected a path, a list of paths, a data frame (pandas, Polars), a LazyFrame, a DuckDB relation, "
        "a Delta table, an Arrow table or data set, a callable that returns an Arrow reader, or an MLflow data set, "
        f"found {type(given).__module__.partition('.')[0]}.{type(given).__name__}"
    )


def source_of(found: Opened, argument: str) -> Source:
    """Rows as a source, also those in memory.

    Raises:
        InputError: for an array, and columns that Arrow has no type for.
    """
    if found.source is not None:
        return found.source
    if not isinstance(found.held, pd.DataFrame):
        raise InputError(f"{argument}: expected a table with named columns, found {type(found.held).__name__}")
    try:
        return streams.arrow_table(pa.Table.from_pandas(found.held, preserve_index=False))
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise InputError(f"{argument}: it cannot be read as Arrow ({error})") from error


def _of_path(given: str | os.PathLike[str]) -> Opened:
    path = os.fspath(given)
    if _is_delta(path):
        return Opened(source=streams.delta_table(_delta(path)), origin=path)
    return Opened(source=parquet_files(files_of(path), path), origin=path)


def _of_paths(given: Sequence[Any]) -> Opened:
    files, reasons = [], []
    for one in given:
        try:
            files += files_of(one)
        except InputError as error:
            reasons.append(str(error))
    if reasons:
        raise InputError("; ".join(reasons))
    return Opened(source=parquet_files(files, f"{len(given)} paths"), origin=_folder(list(map(os.fspath, given))))


def _folder(paths: Sequence[str]) -> str:
    """The folder that all are in; a common path would take ``s3://`` for a folder too."""
    levels = zip(*(one.split("/") for one in paths), strict=False)
    return "/".join(level[0] for level in takewhile(lambda level: len(set(level)) == 1, levels))


def _of_mlflow(given: Dataset) -> Opened:
    name = given.name
    told: dict[str, Any] = {"name": name, "digest": given.digest, "is_mlflow": True}
    frame = next((one for key in ("df", "ds") if (one := getattr(given, key, None)) is not None), None)
    if frame is None and hasattr(given, "features"):
        return Opened(held=given.features, targets=getattr(given, "targets", None), **told)
    if frame is None:
        raise InputError(f"the MLflow data set {name!r} ({type(given).__name__}) has no rows of its own; give its path")
    if hasattr(frame, "to_pandas") and not _is_polars(frame):
        frame = frame.to_pandas()
    of_frame = opened(frame)
    return Opened(
        held=of_frame.held, source=of_frame.source, targets=getattr(given, "targets", None),
        predictions=getattr(given, "predictions", None), **told,
    )  # fmt: skip


def _of_stream(given: Any) -> Opened:
    raise InputError(
        f"a {type(given).__name__} can be read once, and rows are read at least twice; give a path, or a callable that "
        "returns a new reader at each call"
    )


def _of_spark(given: Any) -> Opened:
    source = SparkSource(given)
    source.schema.names  # noqa: B018 (what is wrong with the columns is told now)
    return Opened(source=source)


def _is_delta(path: str) -> bool:
    system, inside = located(path)
    try:
        found = system.get_file_info(inside.rstrip("/") + "/_delta_log")
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path}: it cannot be looked at ({str(error).splitlines()[0]})") from error
    return not isinstance(found, list) and str(found.type) == "FileType.Directory"


def _delta(path: str) -> Any:
    try:
        from deltalake import DeltaTable
    except ImportError as error:
        raise InputError(f"{path}: a Delta table; install 'mlflow-registry-hooks[delta]' to read it") from error
    return DeltaTable(path)


def _is_polars(given: Any, name: str = "DataFrame") -> bool:
    return _is_of(given, "polars", name)


def _is_of(given: Any, package: str, name: str) -> bool:
    kinds = type(given).__mro__
    return any(kind.__name__ == name and kind.__module__.partition(".")[0] == package for kind in kinds)


def _are_paths(given: Any) -> bool:
    listed = isinstance(given, (list, tuple)) and len(given) > 0
    return listed and all(isinstance(one, (str, os.PathLike)) for one in given)


_KNOWN: Sequence[tuple[Callable[[Any], bool], Callable[[Any], Opened]]] = (
    (lambda given: isinstance(given, (str, os.PathLike)), _of_path),
    (_are_paths, _of_paths),
    (lambda given: isinstance(given, (pd.DataFrame, np.ndarray, list)), lambda given: Opened(held=given)),
    (lambda given: isinstance(given, Dataset), _of_mlflow),
    (lambda given: isinstance(given, pa.Table), lambda given: Opened(source=streams.arrow_table(given))),
    (lambda given: isinstance(given, dataset.Dataset), lambda given: Opened(source=streams.arrow_data_set(given))),
    (_is_polars, lambda given: Opened(source=streams.polars_frame(given))),
    (lambda given: _is_polars(given, "LazyFrame"), lambda given: Opened(source=streams.polars_lazy(given))),
    (
        lambda given: _is_of(given, "duckdb", "DuckDBPyRelation"),
        lambda given: Opened(source=streams.duckdb_relation(given)),
    ),
    (lambda given: _is_of(given, "deltalake", "DeltaTable"), lambda given: Opened(source=streams.delta_table(given))),
    (lambda given: _is_of(given, "pyspark", "DataFrame"), _of_spark),
    (lambda given: isinstance(given, Mapping), lambda given: Opened(held=pd.DataFrame(dict(given)))),
    (lambda given: hasattr(given, "__arrow_c_stream__") or isinstance(given, pa.RecordBatchReader), _of_stream),
    (callable, lambda given: Opened(source=streams.reader_factory(given))),
)
