"""Tables of any library that exports a stream of Arrow record batches (``__arrow_c_stream__``), brought into memory."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa
from pyarrow import compute

from mlflow_eval_plugin.engines.arrow.columns.plain import EXACT

_NULLABLE = {pa.int64(): pd.Int64Dtype(), pa.uint64(): pd.UInt64Dtype()}


def is_stream(given: object) -> bool:
    """Whether a table can be read as such a stream."""
    return hasattr(given, "__arrow_c_stream__")


def frame_of(given: Any) -> pd.DataFrame:
    """All rows of a stream; one that can be read once is read then.

    Whole numbers beside missing ones are floats, as pandas has them from a file, unless floats would be other numbers.

    Raises:
        ValueError: when it is a stream of something else than record batches, or has a type that pyarrow does not know.
    """
    try:
        table = pa.table(given)
        frame: pd.DataFrame = table.to_pandas(date_as_object=False)
    except (pa.ArrowException, TypeError) as error:
        raise ValueError(str(error)) from error
    for position, field in enumerate(table.schema):
        if field.type in _NULLABLE and field.name in frame.columns and _is_lost(table.column(position)):
            frame[field.name] = pd.array(table.column(position).to_pylist(), dtype=_NULLABLE[field.type])
    return frame


def _is_lost(column: pa.ChunkedArray) -> bool:
    """Whether a whole number of a column with missing values is beyond those that floats tell apart."""
    if column.null_count in (0, len(column)):
        return False
    ends = compute.min_max(column).as_py()
    return bool(ends["max"] > EXACT or ends["min"] < -EXACT)
