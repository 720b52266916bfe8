"""What the champion says of the evaluated rows: a model that is asked, a column, or the table of another run."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
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
from mlflow_eval_plugin.stats.summaries import level_label


def champion_rows(config: ComparisonConfig, table: Table, rows: Rows) -> ChampionRows:
    """Ask the champion, or read what it said.

    Raises:
        InputError: when the model or the table cannot be read, lacks a column, or has other rows than the data; what is
            wrong with its predictions is said to be the champion's.
    """
    champion = config.champion
    try:
        if champion.model is not None:
            return _of_model(champion.model, config, table, rows)
        if champion.run is not None:
            return _of_run(champion, config, rows)
        return _of_column(config.column(str(champion.column)), config, table, rows)
    except InputError as error:
        raise InputError(f"champion: {str(error).removeprefix('champion: ')}") from error


def _of_column(name: str, config: ComparisonConfig, table: Table, rows: Rows) -> ChampionRows:
    own = table.predictions_name if config.probability_column is None else config.column(config.probability_column)
    if name == own and (table.predictions is not None or config.probability_column is not None):
        raise InputError(f"{name!r} holds the challenger's predictions; name the column of the champion's")
    values = column_of(rows.frame, name, argument="champion").to_numpy()
    source = {"source": "column", "column": name, "model_digest": None}
    return _scored(column_scores(values, rows.pos_label, f"column {name!r}"), source)


def _of_model(uri: str, config: ComparisonConfig, table: Table, rows: Rows) -> ChampionRows:
    try:
        model = mlflow.pyfunc.load_model(uri)
    except Exception as error:
        # A store that is down, a model that is not there, a flavour that is not installed: each has errors of its own.
        raise InputError(f"the model {uri!r} cannot be loaded: {error}") from error
    inputs = _inputs(model, uri, table, rows)
    try:
        scores = model_scores(model, inputs, rows.pos_label, config.champion.column or config.probability_column)
    except InputError as error:
        raise InputError(f"the model {uri!r}: {str(error).removeprefix('model: ')}") from error
    except Exception as error:
        # A model of somebody else, asked about rows that it may never have seen the like of.
        raise InputError(f"the model {uri!r} failed on these rows: {type(error).__name__}: {error}") from error
    document = model.metadata.to_dict()
    source = {"source": "model", "model_uri": uri, "model_id": document.get("model_id")}
    return _scored(scores, {**source, "model_digest": digest_at(uri, document)}, len(rows.frame))


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
            f"the model {uri!r} needs "
            + "; ".join(f"{name!r}, which the data lack{nearest(name, known)}" for name in missing)
            + ". Give what the challenger does not use as slice_data"
        )
    return rows.frame[list(names)]


def _of_run(champion: Champion, config: ComparisonConfig, rows: Rows) -> ChampionRows:
    where = f"{champion.path} of run {champion.run}"
    found = _read(str(champion.run), str(champion.path), champion.key)
    require_columns(found, [name for name in (champion.column, champion.key) if name], argument=where)
    if len(found) != len(rows.frame):
        raise InputError(
            f"{where} has {len(found):,} rows, the data {len(rows.frame):,}; both must have the same rows in "
            "the same order"
        )
    if champion.key is not None:
        _same_order(found[champion.key], rows.frame, config.column(champion.key), where)
    values = found[champion.column].to_numpy()
    columns = [name for name in (champion.key, champion.column) if name]
    return _scored(column_scores(values, rows.pos_label, where), {
        "source": "run", "run_id": champion.run, "path": champion.path, "column": champion.column,
        "predictions_digest": data_digest(found[columns]), "model_digest": None,
    })  # fmt: skip


def _same_order(keys: pd.Series[Any], frame: pd.DataFrame, name: str, where: str) -> None:
    require_columns(frame, [name], argument="key")
    ours, theirs = frame[name].reset_index(drop=True), keys.reset_index(drop=True)
    if pd.api.types.is_numeric_dtype(ours):
        same = ours == pd.to_numeric(theirs, errors="coerce")
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
            return pd.read_csv(local, dtype=keys) if path.endswith(".csv") else pd.read_json(local, orient="split")
    except (MlflowException, OSError, ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{path} of run {run_id} cannot be read: {error}") from error


def _scored(scores: Scores, source: dict[str, Any], rows: int | None = None) -> ChampionRows:
    if scores.probability is not None:
        checked_scores(pd.Series(scores.probability, copy=False))
    given = scores.prediction if scores.probability is None else scores.probability
    if rows is not None and given is not None and len(given) != rows:
        raise InputError(f"its output has {len(given):,} values, the data {rows:,} rows; expected one a row")
    return ChampionRows(scores.probability, scores.prediction, source)
