"""Summaries as JSON beside a list of arrays, and back: bit by bit what they were.

Only the records that are named here are read. A record's fields are written by name, so that one that gets a further
field with a default still reads what was written before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlflow_eval_plugin.engines.contract import NotCounted, ReferenceColumn
from mlflow_eval_plugin.engines.frozen.columns import FrozenColumn, FrozenRows
from mlflow_eval_plugin.engines.frozen.tasks import FrozenBinaryRows, FrozenMulticlassRows, FrozenRegressionRows
from mlflow_eval_plugin.stats.binary.summary import ScoreSummary, SliceSummary
from mlflow_eval_plugin.stats.counts.ranks import Ranks
from mlflow_eval_plugin.stats.counts.slice import Slice
from mlflow_eval_plugin.stats.drift.quality.keys import KeyCounts
from mlflow_eval_plugin.stats.drift.schema import ColumnType, Lists
from mlflow_eval_plugin.stats.drift.summary import CategoricalColumn, NumericColumn
from mlflow_eval_plugin.stats.drift.watched import Watched
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.multiclass.summary import MulticlassSummary
from mlflow_eval_plugin.stats.regression.summary import Band, MomentSummary, PredictionSummary, RegressionScale

_RECORDS: Mapping[str, type[Any]] = {
    one.__name__: one
    for one in (
        Band, CategoricalColumn, ColumnType, FrozenBinaryRows, FrozenColumn, FrozenMulticlassRows,
        FrozenRegressionRows, FrozenRows, KeyCounts, Lists, MomentSummary, MulticlassSummary, NotCounted, NumericColumn,
        PredictionSummary, Ranks, ReferenceColumn, RegressionScale, ScoreSummary, Slice, SliceSummary,
    )
}  # fmt: skip


def written(value: Any, arrays: list[NDArray[Any]]) -> Any:
    """A Summary as JSON; its arrays are appended to ``arrays``.

    Raises:
        TypeError: for what no Summary holds.
    """
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, np.ndarray):
        arrays.append(value)
        return {"array": len(arrays) - 1}
    if isinstance(value, float):
        return {"float": repr(float(value))}  # JSON has one kind of number, and no infinity
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (tuple, list)):
        return [written(one, arrays) for one in value]
    if isinstance(value, Mapping):
        return {"pairs": [[str(name), written(one, arrays)] for name, one in value.items()]}
    if isinstance(value, Watched):
        return {"watched": _watched(value, arrays)}
    if is_dataclass(value) and _RECORDS.get(type(value).__name__) is type(value):
        held = {one.name: written(getattr(value, one.name), arrays) for one in fields(value)}
        return {"record": type(value).__name__, "fields": held}
    raise TypeError(f"a {type(value).__name__} is not stored")


def _watched(value: Watched, arrays: list[NDArray[Any]]) -> dict[str, Any]:
    """What is counted by name, as a release that looks for more has other places for it."""
    said = value.to_document()
    found = {name: n for name, n in said["sentinels"].items() if n}
    return {**said, "range": written(value.range, arrays), "sentinels": found, "units": list(said["units"]),
            "table": written(value.units, arrays)}  # fmt: skip


def read(document: Any, arrays: Sequence[NDArray[Any]]) -> Any:
    """What ``written`` made JSON of; lists are tuples.

    Raises:
        InputError: for anything else.
    """
    try:
        return _read(document, arrays)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise InputError(f"it holds what this release does not know ({error!r})") from error


def _read(document: Any, arrays: Sequence[NDArray[Any]]) -> Any:
    if isinstance(document, list):
        return tuple(_read(one, arrays) for one in document)
    if not isinstance(document, Mapping):
        return document
    if "array" in document:
        return arrays[document["array"]]
    if "float" in document:
        return float(document["float"])
    if "pairs" in document:
        return {name: _read(one, arrays) for name, one in document["pairs"]}
    if "watched" in document:
        return _read_watched(document["watched"], arrays)
    held = {name: _read(one, arrays) for name, one in document["fields"].items()}
    return _RECORDS[document["record"]](**held)


def _read_watched(document: Mapping[str, Any], arrays: Sequence[NDArray[Any]]) -> Watched:
    table = _read(document["table"], arrays)
    units = dict(zip(document["units"], table.tolist(), strict=True))
    return Watched.from_document(
        {**document, "range": _read(document["range"], arrays), "units": units}, table.shape[1]
    )
