"""The one schema of several files, and columns that no evaluator can read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
from pyarrow import types

from mlflow_eval_plugin.stats.errors import InputError

_MOST_TOLD = 12


@dataclass
class _Column:
    """A column as the files so far have it, and by which file each type came first."""

    type: pa.DataType
    first: dict[pa.DataType, str]


def one_schema(schemas: Mapping[str, pa.Schema]) -> tuple[pa.Schema, list[str]]:
    """The schema of all files, by file, in the order of the first; and why they have none in common.

    Integers are widened to floats where another file has floats, and a column without a value has the type of the
    others. How text is held (with long offsets, as a dictionary) makes no difference. Nothing else is changed.
    """
    columns: dict[str, _Column] = {}
    reasons = []
    for file, schema in schemas.items():
        for field in schema:
            _see(columns, field, file)
        reasons += _lacking(columns, schema, file, next(iter(schemas)))
    for name, column in columns.items():
        found = list(column.first.items())
        differing = [one for one in found if not _held_as(one[0], column.type)]
        if differing:
            (first, of_first), (other, of_other) = found[0], differing[0] if differing[0] != found[0] else found[1]
            reasons.append(f"column {name!r} is {first} in {of_first} and {other} in {of_other}; write one type")
    return pa.schema([(name, column.type) for name, column in columns.items()]), _few(reasons)


def unreadable(schema: pa.Schema) -> list[str]:
    """Why columns of some types cannot be evaluated, each with the way out."""
    reasons = []
    for field in schema:
        what = next((said for is_of, said in _REFUSED.items() if is_of(_values(field.type))), None)
        if what is not None:
            way = "leave it out or explode it" if "list" in what or "map" in what else "leave it out"
            reasons.append(f"column {field.name!r} holds {what}; {way}")
    names = schema.names
    reasons += [f"there are several columns {name!r}; rename all but one" for name in _twice(names)]
    return _few(reasons)


def require_readable(schema: pa.Schema, told: str) -> None:
    """Refuse a schema with columns that cannot be evaluated.

    Raises:
        InputError: names all of them.
    """
    if reasons := unreadable(schema):
        raise InputError(f"{told}: {'; '.join(reasons)}")


def cast(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """A part in the schema of all.

    Raises:
        ValueError: for a whole number that no float is equal to, in a column that is one of floats elsewhere.
    """
    if batch.schema.equals(schema):
        return batch
    arrays = [
        batch.column(field.name) if _as_held(batch.schema.field(field.name).type, field.type)
        else batch.column(field.name).cast(field.type)
        for field in schema
    ]  # fmt: skip
    return pa.record_batch(arrays, schema=schema)


def _see(columns: dict[str, _Column], field: pa.Field, file: str) -> None:
    known = columns.get(field.name)
    if known is None:
        columns[field.name] = _Column(field.type, {field.type: file})
        return
    known.first.setdefault(field.type, file)
    if not _held_as(field.type, known.type) and _held_as(known.type, field.type):
        known.type = field.type


def _lacking(columns: Mapping[str, _Column], schema: pa.Schema, file: str, first: str) -> list[str]:
    have = set(schema.names)
    missing = [f"column {name!r} is in {_any(column)} and not in {file}" for name, column in columns.items()
               if name not in have]  # fmt: skip
    added = [f"column {name!r} is in {file} and not in {first}" for name, column in columns.items()
             if file != first and list(column.first.values()) == [file]]  # fmt: skip
    return missing + added


def _any(column: _Column) -> str:
    return next(iter(column.first.values()))


def _held_as(one: pa.DataType, wide: pa.DataType) -> bool:
    """Whether values of one type are values of another, unchanged."""
    return (
        _as_held(one, wide)
        or bool(types.is_null(one))
        or bool(types.is_integer(one) and types.is_float64(wide))
        or _text(one, wide)
    )


def _as_held(one: pa.DataType, wide: pa.DataType) -> bool:
    return bool(one.equals(wide))


def _text(one: pa.DataType, other: pa.DataType) -> bool:
    return _is_text(_values(one)) and _is_text(_values(other)) and not types.is_dictionary(other)


def _values(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if types.is_dictionary(kind) else kind


def _is_text(kind: pa.DataType) -> bool:
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _twice(names: Sequence[str]) -> list[str]:
    return sorted({name for name in names if list(names).count(name) > 1})


def _few(reasons: list[str]) -> list[str]:
    further = len(reasons) - _MOST_TOLD
    return reasons if further <= 0 else [*reasons[:_MOST_TOLD], f"and {further} more"]


_REFUSED: Mapping[Callable[[pa.DataType], bool], str] = {
    types.is_map: "maps",
    types.is_struct: "structs",
    types.is_nested: "lists",
    types.is_binary: "bytes",
    types.is_large_binary: "bytes",
    types.is_binary_view: "bytes",
    types.is_fixed_size_binary: "bytes",
    types.is_interval: "intervals",
    types.is_union: "values of several types",
}
