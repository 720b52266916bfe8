"""Tables and columns of any library that exports Arrow (``__arrow_c_stream__``), brought into memory.

This is the one door for what is not pandas, so that the kind of a column is that of its Arrow type, whoever holds it.
What pandas holds does not come by it: columns of objects (numbers of several types, sets, what a user has made) have no
Arrow type, and all others would be copied there and back.
"""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa
from pyarrow import compute

from mlflow_eval_plugin.engines.arrow.columns.plain import EXACT

_NULLABLE = {pa.int64(): pd.Int64Dtype(), pa.uint64(): pd.UInt64Dtype()}


def is_arrow(given: object) -> bool:
    """Whether a table or a column of another library than pandas comes by this door."""
    exported = hasattr(given, "__arrow_c_stream__") or hasattr(given, "__arrow_c_array__")
    return exported and not isinstance(given, (pd.DataFrame, pd.Series))


def read_arrow(given: Any) -> pd.DataFrame | pd.Series[Any]:
    """A table or a column; a stream that can be read once is read then.

    Whole numbers beside missing ones are floats, as pandas has them from a file, unless floats would be other numbers.

    Raises:
        ValueError: when it has a type that pyarrow does not know.
    """
    try:
        batches = pa.RecordBatchReader.from_stream(given)
    except (pa.ArrowInvalid, TypeError):  # of one column, or of an array, which is no stream
        return read_column(given)
    try:
        return _frame(batches.read_all())
    except (pa.ArrowException, TypeError) as error:
        raise ValueError(str(error)) from error


def read_column(given: Any) -> pd.Series[Any]:
    """A column as ``read_arrow`` has it; a column of structs, which a stream does not tell from a table, stays one.

    Raises:
        ValueError: when it is no column, or has a type that pyarrow does not know.
    """
    try:
        return _frame(pa.table({"": pa.chunked_array(given)}))[""]
    except (pa.ArrowException, TypeError) as error:
        raise ValueError(str(error)) from error


def _frame(table: pa.Table) -> pd.DataFrame:
    frame: pd.DataFrame = table.to_pandas(date_as_object=False)
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
