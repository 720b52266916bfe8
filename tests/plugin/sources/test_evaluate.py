"""Our own ``evaluate``: what it leaves in the run is what MLflow's call leaves, whatever holds the rows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import mlflow
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from mlflow.exceptions import MlflowException
from pyarrow import dataset
from support.evaluating import World

import mlflow_eval_plugin as evidence

CONFIG = {
    "calibration": {"max_ece": 0.2},
    "disaggregated": {"slices": ["region", "grade"]},
    "drift": {},
}


def scored(rows: int = 3000, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    score = rng.random(rows)
    return pd.DataFrame(
        {
            "income": rng.normal(30, 9, rows),
            "children": rng.integers(0, 5, rows),
            "region": rng.choice(["north", "south", "west"], rows),
            "grade": rng.integers(1, 4, rows),
            "score": score,
            "default": (rng.random(rows) < score).astype(int),
        }
    )


def call(data: Any, **changes: Any) -> tuple[Any, Any]:
    """The result and the run of a call with all evaluators that need no model."""
    given = {
        "targets": "default",
        "predictions": "score",
        "model_type": "classifier",
        "evaluators": list(CONFIG),
        "evaluator_config": {**CONFIG, "drift": {"reference": scored(2000, seed=2)}},
        **changes,
    }
    with mlflow.start_run() as run:
        result = evidence.evaluate(data, **given)
    return result, mlflow.get_run(run.info.run_id)


def documents(result: Any) -> dict[str, Any]:
    """The Evidence of a call but for the run and the time."""
    found = {name: one.content for name, one in result.artifacts.items() if name.endswith("_evidence")}
    kept = {name: json.loads(json.dumps(one)) for name, one in found.items()}
    for one in kept.values():
        del one["created_at"], one["digest"], one["subject"]["run_id"]
    return kept


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return scored()


@pytest.fixture(scope="module")
def in_memory(world: World, frame: pd.DataFrame) -> dict[str, Any]:
    return documents(call(frame)[0])


def test_the_run_has_what_the_call_of_mlflow_leaves(world: World, frame: pd.DataFrame) -> None:
    config = {**CONFIG, "drift": {"reference": scored(2000, seed=2)}}
    with mlflow.start_run() as of_mlflow:
        theirs = mlflow.models.evaluate(
            data=frame, targets="default", predictions="score", model_type="classifier", evaluators=list(CONFIG),
            evaluator_config=config,
        )  # fmt: skip
    ours, run = call(frame)
    assert documents(ours) == documents(theirs)
    assert ours.metrics == theirs.metrics
    assert set(ours.artifacts) == set(theirs.artifacts)
    before = mlflow.get_run(of_mlflow.info.run_id)
    assert run.data.metrics == before.data.metrics
    tags = {name for name in before.data.tags if name.startswith("mlflow_eval_plugin")}
    assert tags <= set(run.data.tags)
    names = [sorted(one.dataset.name for one in each.inputs.dataset_inputs) for each in (run, before)]
    assert names[0] == names[1] == ["dataset", "reference"]
    shared = (each.inputs.dataset_inputs for each in (run, before))
    schemas = [{one.dataset.name: one.dataset.schema for one in each} for each in shared]
    assert schemas[0] == schemas[1]


def test_a_model_is_asked_as_mlflow_asks_it(world: World) -> None:
    given: dict[str, Any] = {
        "targets": "employed", "model": world.model_uri, "model_type": "classifier", "evaluators": "calibration",
    }  # fmt: skip
    with mlflow.start_run() as first:
        theirs = mlflow.models.evaluate(data=world.rows, **given)
    with mlflow.start_run() as second:
        ours = evidence.evaluate(world.rows, **given)
    assert documents(ours) == documents(theirs)
    runs = [world.client.get_run(one.info.run_id) for one in (first, second)]
    assert runs[0].data.metrics == runs[1].data.metrics
    models = [[one.model_id for one in each.inputs.model_inputs] for each in runs]
    assert models[0] == models[1]
    model_id = models[1][0]
    metrics = world.client.get_logged_model(model_id).metrics
    ours_logged = [one for one in metrics if one.run_id == second.info.run_id]
    assert {one.key for one in ours_logged} == set(ours.metrics)
    assert all(one.dataset_name == "dataset" for one in ours_logged)


def written(frame: pd.DataFrame, folder: Path, parts: int = 3) -> Path:
    for part, rows in enumerate(np.array_split(np.arange(len(frame)), parts)):
        frame.iloc[rows].to_parquet(folder / f"part-{part}.parquet", index=False)
    return folder


def as_delta(frame: pd.DataFrame, folder: Path) -> Path:
    write_deltalake(folder / "table", pa.Table.from_pandas(frame, preserve_index=False))
    return folder / "table"


GIVEN: dict[str, Callable[[pd.DataFrame, Path], Any]] = {
    "pandas": lambda frame, folder: frame,
    "polars": lambda frame, folder: pl.from_pandas(frame),
    "lazy frame": lambda frame, folder: pl.from_pandas(frame).lazy(),
    "scanned by polars": lambda frame, folder: pl.scan_parquet(written(frame, folder) / "*.parquet"),
    "arrow table": lambda frame, folder: pa.Table.from_pandas(frame, preserve_index=False),
    "arrow data set": lambda frame, folder: dataset.dataset(written(frame, folder), format="parquet"),
    "glob": lambda frame, folder: str(written(frame, folder) / "*.parquet"),
    "folder": written,
    "list of paths": lambda frame, folder: [str(one) for one in sorted(written(frame, folder).glob("*.parquet"))],
    "file url": lambda frame, folder: (written(frame, folder, 1) / "part-0.parquet").as_uri(),
    "duckdb": lambda frame, folder: duckdb.read_parquet(str(written(frame, folder) / "*.parquet")),
    "delta": lambda frame, folder: DeltaTable(as_delta(frame, folder)),
    "path of a delta table": as_delta,
    "callable": lambda frame, folder: lambda: pa.Table.from_pandas(frame, preserve_index=False).to_reader(),
    "mlflow": lambda frame, folder: mlflow.data.from_pandas(frame, targets="default", predictions="score"),
}


@pytest.mark.parametrize("kind", list(GIVEN))
def test_one_table_gives_the_same_evidence_whatever_holds_it(
    kind: str, world: World, frame: pd.DataFrame, in_memory: dict[str, Any], tmp_path: Path
) -> None:
    own: dict[str, Any] = {"targets": None, "predictions": None} if kind == "mlflow" else {}
    result, run = call(GIVEN[kind](frame, tmp_path), **own)
    assert documents(result) == in_memory
    assert run.info.status == "FINISHED"


def test_what_is_wrong_is_told_at_once_and_leaves_no_run(world: World, tmp_path: Path) -> None:
    before = len(mlflow.search_runs())
    with pytest.raises(MlflowException) as refused:
        evidence.evaluate(
            str(tmp_path / "*.parquet"), targets="default", predictions="score", model_type="classifier",
            evaluators=["calibration"], evaluator_config={"calibration": {"max_ecee": 1}},
        )  # fmt: skip
    assert refused.value.error_code == "INVALID_PARAMETER_VALUE"
    assert "there is no key 'max_ecee'; did you mean 'max_ece'?" in refused.value.message
    assert f"there are no files; looked for files whose path matches '{tmp_path}/*.parquet'" in refused.value.message
    assert len(mlflow.search_runs()) == before


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model_type": "ranker"}, "model_type: expected 'classifier' or 'regressor', found 'ranker'"),
        ({"evaluators": ["calibratoin"]}, "there is no evaluator 'calibratoin'; did you mean 'calibration'?"),
        ({"evaluators": ["default"]}, "'default' is MLflow's own; ask mlflow.models.evaluate for it"),
        ({"evaluators": None, "evaluator_config": None}, "evaluators: expected some of calibration, "),
        ({"evaluators": ["calibration"]}, "'disaggregated' is none of the evaluators asked for, calibration"),
        ({"targets": "defaults"}, "targets: no column 'defaults', did you mean 'default'?"),
        ({"predictions": "scores"}, "predictions: no column 'scores', did you mean 'score'?"),
        ({"predictions": "default"}, "predictions: 'default' holds the labels"),
        ({"targets": None}, "targets: expected the column of labels, found nothing"),
        ({"model": 7}, "model: expected a URI, a pyfunc model or a function, found int"),
    ],
)
def test_arguments_that_cannot_be_used(changes: dict[str, Any], said: str, world: World, frame: pd.DataFrame) -> None:
    with pytest.raises(MlflowException) as refused:
        call(frame, **changes)
    assert said in refused.value.message


def test_evaluators_that_are_configured_are_run(world: World, frame: pd.DataFrame) -> None:
    result, _ = call(frame, evaluators=None, evaluator_config={"calibration": {}})
    assert {name for name in result.artifacts if name.endswith("_evidence")} == {"calibration_evidence"}
