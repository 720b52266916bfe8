"""A part as the engine in memory reads rows: each column is converted once for all kernels that count the part."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any, TypeVar, cast

import pandas as pd
import pyarrow as pa

from mlflow_eval_plugin.engines.arrow.columns.streams import read_arrow
from mlflow_eval_plugin.engines.parts.places import place_of

Made = TypeVar("Made")


class Part:
    """Some rows, by column."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table
        self._columns: dict[str, pd.Series[Any]] = {}
        self._made: dict[Hashable, object] = {}

    @property
    def rows(self) -> int:
        """How many there are."""
        return int(self.table.num_rows)

    def column(self, name: str) -> pd.Series[Any]:
        """The values of a column."""
        if name not in self._columns:
            self._columns[name] = _read(self.table.column(name))
        return self._columns[name]

    def frame(self, names: Iterable[str]) -> pd.DataFrame:
        """Some columns; nothing is copied."""
        found: dict[str, Any] = {name: self.column(name) for name in names}
        return pd.DataFrame(found, index=pd.RangeIndex(self.rows), copy=False)

    def once(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """What is made of the part under a key, made once for all that count it."""
        if key not in self._made:
            self._made[key] = make()
        return cast(Made, self._made[key])

    def place(self, row: int) -> str | None:
        """Where a row comes from, as a person reads it; None where the source does not say."""
        return place_of(self.table.schema, row)


def _read(column: pa.ChunkedArray) -> pd.Series[Any]:
    if _is_text(column.type):
        # Texts are read once each, and not as an object a row.
        column = column.dictionary_encode()
    found: pd.Series[Any] = read_arrow(pa.table({"": column}))[""]
    return found


def _is_text(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or getattr(pa.types, "is_string_view", _none)(kind)
    )


def _none(_: pa.DataType) -> bool:
    return False


def holds_categories(kind: pa.DataType) -> bool:
    """Whether whoever made a column says that its values are codes."""
    return bool(pa.types.is_dictionary(kind))


def bits_of(kind: pa.DataType) -> int:
    """Of how many bits the floats of a column are; 64 of anything else."""
    return 16 if pa.types.is_float16(kind) else 32 if pa.types.is_float32(kind) else 64
