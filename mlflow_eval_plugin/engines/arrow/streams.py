"""Tables of any library that exports a stream of Arrow record batches (``__arrow_c_stream__``), brought into memory."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa


def frame_of(given: Any) -> pd.DataFrame:
    """All rows of a stream; one that can be read once is read then.

    Raises:
        ValueError: when it is a stream of something else than record batches, or has a type that pyarrow does not know.
    """
    try:
        frame: pd.DataFrame = pa.table(given).to_pandas(date_as_object=False)
    except (pa.ArrowException, TypeError) as error:
        raise ValueError(str(error)) from error
    return frame
