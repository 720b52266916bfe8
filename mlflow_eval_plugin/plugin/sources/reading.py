"""All rows of a source, in memory, where whoever asks needs them there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from mlflow_eval_plugin.engines.arrow.columns.streams import read_arrow
from mlflow_eval_plugin.plugin.sources.opening import opened
from mlflow_eval_plugin.plugin.sources.source import Source
from mlflow_eval_plugin.stats.errors import InputError


def read_all(source: Source) -> pd.DataFrame:
    """All rows as a frame.

    Raises:
        InputError: when they cannot be read to the end.
    """
    refused: list[InputError] = []

    def batches() -> Iterator[pa.RecordBatch]:
        try:
            for one in source.batches(source.schema.names):
                yield one.replace_schema_metadata(None)
        except InputError as error:
            refused.append(error)
            raise

    try:
        found: Any = read_arrow(pa.RecordBatchReader.from_batches(source.schema, batches()))
    except (ValueError, OSError, pa.ArrowException) as error:
        # What a stream of Arrow hands on of an error is its text with a traceback.
        raise refused[0] if refused else error from None
    return found if isinstance(found, pd.DataFrame) else pd.DataFrame({source.schema.names[0]: np.asarray(found)})


def read_if_source(given: Any, *, argument: str) -> Any:
    """Rows that were given as files, or as what makes a reader, as a frame; anything else as it is.

    Raises:
        InputError: as ``opened``.
    """
    if not (isinstance(given, (str, os.PathLike, list, tuple)) or (callable(given) and not hasattr(given, "shape"))):
        return given
    found = opened(given, argument=argument)
    return given if found.source is None else read_all(found.source)
