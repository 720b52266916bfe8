"""All rows of a source, in memory, where whoever asks needs them there."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from mlflow_eval_plugin.engines.arrow.columns.streams import read_arrow
from mlflow_eval_plugin.plugin.sources.opening import opened
from mlflow_eval_plugin.plugin.sources.source import Source


def read_all(source: Source) -> pd.DataFrame:
    """All rows as a frame.

    Raises:
        InputError: when they cannot be read to the end.
    """
    batches = (one.replace_schema_metadata(None) for one in source.batches(source.schema.names))
    reader = pa.RecordBatchReader.from_batches(source.schema, batches)
    found: Any = read_arrow(reader)
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
