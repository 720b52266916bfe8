"""The columns of a Spark data frame, and their types in Arrow: by one literal table, the same in every Spark."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import pyarrow as pa

from mlflow_eval_plugin.stats.errors import InputError

_TYPES: Final[Mapping[str, pa.DataType]] = {
    "boolean": pa.bool_(),
    "tinyint": pa.int8(),
    "smallint": pa.int16(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "string": pa.string(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "timestamp_ntz": pa.timestamp("us"),
    "void": pa.null(),
}
_DECIMAL = re.compile(r"decimal\((\d+),(\d+)\)")
_LETTERS = re.compile(r"(?:var)?char\(\d+\)|string collate .*")
# By the first letters of what Spark calls them.
_WORDS: Final[Mapping[str, str]] = {
    "array": "lists; leave it out or explode it",
    "map": "maps; leave it out or explode it",
    "struct": "records; leave it out, or give its fields as columns",
    "bin": "bytes; leave it out, or decode it",
    "interval": "intervals; leave it out, or give it as seconds",
    "variant": "values of several types; leave it out, or extract what is compared",
}


def schema_of(given: Any) -> pa.Schema:
    """The Arrow schema of a Spark ``StructType``.

    Raises:
        InputError: for columns of types that have no single value a row, all of them at once, and for several columns
            of one name.
    """
    fields, reasons = [], []
    for field in given.fields:
        said = field.dataType.simpleString()
        found = _type(said)
        if found is None:
            reasons.append(f"column {field.name!r} holds {_words(said)}")
        else:
            fields.append(pa.field(field.name, found))
    names = [field.name for field in given.fields]
    reasons += [f"there are several columns {name!r}; rename all but one" for name in _twice(names)]
    if reasons:
        raise InputError("; ".join(reasons))
    return pa.schema(fields)


def selected(frame: Any, names: Sequence[str]) -> Any:
    """The frame with these columns alone. Without any it keeps its rows, each with a 0."""
    if not names:
        from pyspark.sql import functions

        return frame.select(functions.lit(0).alias("row"))
    return frame.select(*("`" + name.replace("`", "``") + "`" for name in names))


def _type(said: str) -> pa.DataType | None:
    if decimal := _DECIMAL.fullmatch(said):
        return pa.decimal128(int(decimal[1]), int(decimal[2]))
    return pa.string() if _LETTERS.fullmatch(said) else _TYPES.get(said)


def _words(said: str) -> str:
    return next((words for kind, words in _WORDS.items() if said.startswith(kind)), f"{said}; leave it out or cast it")


def _twice(names: Sequence[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})
