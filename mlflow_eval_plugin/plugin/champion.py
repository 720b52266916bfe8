"""What the champion says of the evaluated rows: a model that is asked, a column, or the table of another run."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.exceptions import MlflowException

from mlflow_eval_plugin.engines import data_digest
from mlflow_eval_plugin.engines.inputs import checked_scores, column_of, nearest, require_columns
from mlflow_eval_plugin.evaluators.comparison import ChampionRows
from mlflow_eval_plugin.evaluators.config import Champion, ComparisonConfig
from mlflow_eval_plugin.evaluators.rows import Rows
from mlflow_eval_plugin.plugin.files import digest_at
from mlflow_eval_plugin.plugin.scoring import Scores, column_scores, model_scores
from mlflow_eval_plugin.plugin.source import Table
from mlflow_eval_plugin.stats.errors import InputError


def champion_rows(config: ComparisonConfig, table: Table, rows: Rows) -> ChampionRows:
    """Ask the champion, or read what it said.

    Raises:
        InputError: when the model or the table cannot be read, lacks a column, or has other rows than the data.
    """
    champion = config.champion
    if champion.model is not None:
        return _of_model(champion.model, table, rows)
    if champion.run is not None:
        return _of_run(champion, config, rows)
    name = config.column(str(champion.column))
    values = _column(table, rows, name)
    return _scored(column_scores(values, rows.pos_label, f"champion: column {name!r}"), {
        "source": "column", "column": name, "model_digest": None,
    })  # fmt: skip


def _of_model(uri: str, table: Table, rows: Rows) -> ChampionRows:
    try:
        model = mlflow.pyfunc.load_model(uri)
    except Exception as error:
        # A store that is down, a model that is not there, a flavour that is not installed: each has errors of its own.
        raise InputError(f"champion: the model {uri!r} cannot be loaded: {error}") from error
    document = model.metadata.to_dict()
    inputs = _inputs(model, uri, table, rows)
    return _scored(model_scores(model, inputs, rows.pos_label, None), {
        "source": "model", "model_uri": uri, "model_id": document.get("model_id"),
        "model_digest": digest_at(uri, document),
    })  # fmt: skip


def _inputs(model: Any, uri: str, table: Table, rows: Rows) -> Any:
    """The columns that the champion knows: it may have fewer features than the challenger, or others."""
    schema = model.metadata.get_input_schema()
    names = schema.input_names() if schema is not None and schema.has_input_names() else None
    if names is None or list(names) == list(rows.features):
        return table.inputs
    missing = [name for name in names if name not in rows.frame.columns]
    if missing:
        known = [str(name) for name in rows.frame.columns]
        raise InputError(
            f"champion: the model {uri!r} needs "
            + "; ".join(f"{name!r}, which the data lack{nearest(name, known)}" for name in missing)
            + ". Give what the challenger does not use as slice_data"
        )
    return rows.frame[list(names)]


def _of_run(champion: Champion, config: ComparisonConfig, rows: Rows) -> ChampionRows:
    where = f"{champion.path} of run {champion.run}"
    found = _read(str(champion.run), str(champion.path))
    require_columns(found, [name for name in (champion.column, champion.key) if name], argument=f"champion: {where}")
    if len(found) != len(rows.frame):
        raise InputError(
            f"champion: {where} has {len(found):,} rows, the data {len(rows.frame):,}; both must have the same rows in "
            "the same order"
        )
    if champion.key is not None:
        _same_order(found[champion.key], rows.frame, config.column(champion.key), where)
    values = found[champion.column].to_numpy()
    columns = [name for name in (champion.key, champion.column) if name]
    return _scored(column_scores(values, rows.pos_label, f"champion: {where}"), {
        "source": "run", "run_id": champion.run, "path": champion.path, "column": champion.column,
        "predictions_digest": data_digest(found[columns]), "model_digest": None,
    })  # fmt: skip


def _same_order(keys: pd.Series[Any], frame: pd.DataFrame, name: str, where: str) -> None:
    require_columns(frame, [name], argument="champion: key")
    ours, theirs = frame[name].reset_index(drop=True), keys.reset_index(drop=True)
    if not (pd.api.types.is_numeric_dtype(ours) and pd.api.types.is_numeric_dtype(theirs)):
        ours, theirs = ours.astype(str), theirs.astype(str)
    differ = (ours != theirs).to_numpy()
    if differ.any():
        first = int(differ.argmax())
        raise InputError(
            f"champion: the rows of {where} are not those of the data in the same order: {int(differ.sum()):,} differ "
            f"in {name!r}, the first at row {first}, {theirs[first]} there and {ours[first]} here; sort both by it"
        )


def _read(run_id: str, path: str) -> pd.DataFrame:
    try:
        with tempfile.TemporaryDirectory() as folder:
            local = Path(mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=path, dst_path=folder))
            if path.endswith(".parquet"):
                return pd.read_parquet(local)
            return pd.read_csv(local) if path.endswith(".csv") else pd.read_json(local, orient="split")
    except (MlflowException, OSError, ValueError) as error:
        raise InputError(f"champion: {path} of run {run_id} cannot be read: {error}") from error


def _column(table: Table, rows: Rows, name: str) -> Any:
    if name == table.predictions_name and table.predictions is not None:
        raise InputError(f"champion: {name!r} is the challenger's column of predictions; name the champion's")
    return column_of(rows.frame, name, argument="champion").to_numpy()


def _scored(scores: Scores, source: dict[str, Any]) -> ChampionRows:
    try:
        if scores.probability is not None:
            checked_scores(pd.Series(scores.probability, copy=False))
    except InputError as error:
        raise InputError(f"champion: {error}") from error
    return ChampionRows(scores.probability, scores.prediction, source)
