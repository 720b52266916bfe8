"""Where the champion's predictions come from: a model that is asked, a column, or the table of another run."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import mlflow
import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException

from mlflow_eval_plugin.engines.arrow import data_digest
from mlflow_eval_plugin.engines.arrow.columns.inputs import (
    column_of,
    require_columns,
)
from mlflow_eval_plugin.evaluators.config.base import Config
from mlflow_eval_plugin.evaluators.config.comparison import Champion
from mlflow_eval_plugin.plugin.asking import lacking, needed_columns
from mlflow_eval_plugin.plugin.data.tables import GivenTable
from mlflow_eval_plugin.plugin.files import digest_at
from mlflow_eval_plugin.plugin.registered import registered_as
from mlflow_eval_plugin.stats.counts.slice import level_label
from mlflow_eval_plugin.stats.errors import InputError

Said = TypeVar("Said")
Found = TypeVar("Found")


@dataclass(frozen=True, eq=False)
class ChampionReader(Generic[Said]):
    """How what models of one kind say is read.

    Attributes:
        of_values: reads a column, given what to call it in messages.
        of_model: asks a model about rows, given the column of its output that the config names.
    """

    of_values: Callable[[Any, str], Said]
    of_model: Callable[[Any, Any, str | None], Said]


@dataclass(frozen=True, eq=False)
class Evaluated:
    """The rows of the call: the table that was given, everything that can be sliced, and the features.

    Attributes:
        own: the column that holds the challenger's predictions, where one of the data does.
    """

    table: GivenTable
    frame: pd.DataFrame
    features: Sequence[str]
    own: str | None


def said_by(
    champion: Champion, config: Config, rows: Evaluated, reader: ChampionReader[Said]
) -> tuple[Said, dict[str, Any]]:
    """Ask the champion, or read what it said; and whose predictions these are, as JSON.

    Raises:
        InputError: when the model or the table cannot be read, lacks a column, or has other rows than the data.
    """
    if champion.model is not None:
        return _of_model(champion.model, champion.column, rows, reader)
    if champion.run is not None:
        return _of_run(champion, config, rows, reader)
    return _of_column(config.column(str(champion.column)), rows, reader)


def _of_column(name: str, rows: Evaluated, reader: ChampionReader[Said]) -> tuple[Said, dict[str, Any]]:
    if name == rows.own:
        raise InputError(f"{name!r} holds the challenger's predictions; name the column of the champion's")
    values = column_of(rows.frame, name, argument="champion").to_numpy()
    source = {"source": "column", "column": name, "model_digest": None}
    return reader.of_values(values, f"column {name!r}"), source


def _of_model(
    uri: str, column: str | None, rows: Evaluated, reader: ChampionReader[Said]
) -> tuple[Said, dict[str, Any]]:
    try:
        model = mlflow.pyfunc.load_model(uri)
    except Exception as error:
        # A store that is down, a model that is not there, a flavour that is not installed: each has errors of its own.
        raise InputError(f"the model {uri!r} cannot be loaded: {error}") from error
    inputs = _inputs(model, uri, rows)
    try:
        said = reader.of_model(model, inputs, column)
    except InputError as error:
        raise InputError(f"the model {uri!r}: {str(error).removeprefix('model: ')}") from error
    document = model.metadata.to_dict()
    source = {"source": "model", "model_uri": uri, "model_id": document.get("model_id")}
    known = registered_as(uri) or registered_as(f"models:/{document['model_id']}" if document.get("model_id") else None)
    registered = {"registered": [vars(one) for one in known]} if known else {}
    return said, {**source, **registered, "model_digest": digest_at(uri, document)}


def _inputs(model: Any, uri: str, rows: Evaluated) -> Any:
    """The rows that the champion is asked about: it may know fewer features than the challenger, or others."""
    needed = needed_columns(model)
    if needed is None or set(needed) <= set(getattr(rows.table.inputs, "columns", ())):
        return rows.table.inputs
    if missing := lacking(needed, list(rows.frame.columns)):
        raise InputError(f"the model {uri!r} needs {missing}. Give what the challenger does not use as slice_data")
    return rows.frame


def _of_run(
    champion: Champion, config: Config, rows: Evaluated, reader: ChampionReader[Said]
) -> tuple[Said, dict[str, Any]]:
    where = f"{champion.path} of run {champion.run}"
    found = _read(str(champion.run), str(champion.path), champion.key)
    require_columns(found, [name for name in (champion.column, champion.key) if name], argument=where)
    given = len(rows.table.given.features)
    if len(found) != given:
        raise InputError(
            f"{where} has {len(found):,} rows, the data {given:,}; both must have the same rows in the same order"
        )
    found = rows.table.taken(found)
    if champion.key is not None:
        _same_order(found[champion.key], rows.frame, config.column(champion.key), where)
    values = found[champion.column].to_numpy()
    columns = [name for name in (champion.key, champion.column) if name]
    return reader.of_values(values, where), {
        "source": "run", "run_id": champion.run, "path": champion.path, "column": champion.column,
        "predictions_digest": data_digest(found[columns]), "model_digest": None,
    }  # fmt: skip


def _same_order(keys: pd.Series[Any], frame: pd.DataFrame, name: str, where: str) -> None:
    require_columns(frame, [name], argument="key")
    ours, theirs = frame[name].reset_index(drop=True), keys.reset_index(drop=True)
    if pd.api.types.is_numeric_dtype(ours):
        same = ours == pd.to_numeric(theirs, errors="coerce")
    elif pd.api.types.is_datetime64_any_dtype(ours):
        # However a file writes them. Without a zone both are taken for UTC, which compares them all the same.
        same = pd.to_datetime(ours, utc=True) == pd.to_datetime(theirs, utc=True, format="mixed", errors="coerce")
    else:
        same = _as_text(ours) == _as_text(theirs)
    differ = ~same.to_numpy(dtype=bool, na_value=False)
    if differ.any():
        first = int(differ.argmax())
        raise InputError(
            f"the rows of {where} are not those of the data in the same order: {int(differ.sum()):,} differ "
            f"in {name!r}, the first at row {first}, {theirs[first]} there and {ours[first]} here; sort both by it"
        )


def _as_text(keys: pd.Series[Any]) -> pd.Series[Any]:
    codes, uniques = pd.factorize(keys, use_na_sentinel=False)
    texts: pd.Series[Any] = pd.Series(np.array([level_label(one) for one in uniques], dtype=object)[codes])
    return texts


def _read(run_id: str, path: str, key: str | None) -> pd.DataFrame:
    try:
        with tempfile.TemporaryDirectory() as folder:
            local = Path(mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=path, dst_path=folder))
            if path.endswith(".parquet"):
                return pd.read_parquet(local)
            # As text: "0007" is another key than 7.
            keys = {key: str} if key else None
            if path.endswith(".csv"):
                return pd.read_csv(local, dtype=keys)
            return pd.read_json(local, orient="split", dtype=keys if keys else True)
    except (MlflowException, OSError, ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{path} of run {run_id} cannot be read: {error}") from error


def of_champion(read: Callable[[], Found]) -> Found:
    """What is read of the champion.

    Raises:
        InputError: what is raised meanwhile, said to be the champion's.
    """
    try:
        return read()
    except InputError as error:
        raise InputError(f"champion: {str(error).removeprefix('champion: ')}") from error
