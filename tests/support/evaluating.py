"""Whole ``mlflow.models.evaluate`` calls: a tracking store with a model on census rows, and what comes of a call."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from support.zoo import Zoo, zoo_of

from mlflow_eval_plugin.evidence import Evidence, loads

CENSUS = Path(__file__).parents[2] / "examples" / "data" / "acs_employment_ma.parquet"
FEATURES = ["AGEP", "SCHL", "MAR", "DIS", "SEX", "NATIVITY"]
LABEL = "employed"


@dataclass(frozen=True)
class World:
    """A tracking store of its own, a logged model, and census rows it was not fitted on."""

    client: mlflow.MlflowClient
    model_uri: str
    model: Pipeline
    train: pd.DataFrame
    rows: pd.DataFrame

    def evaluate(self, data: pd.DataFrame | None = None, **arguments: Any) -> tuple[mlflow.entities.Run, Any]:
        """One evaluate call with the model in a run of its own; returns the run and MLflow's result."""
        arguments = {"model": self.model_uri, "targets": LABEL, "model_type": "classifier", **arguments}
        with mlflow.start_run() as run:
            result = mlflow.models.evaluate(data=self.rows if data is None else data, **arguments)
        return self.client.get_run(run.info.run_id), result


@pytest.fixture(scope="session")
def census() -> pd.DataFrame:
    data = pd.read_parquet(CENSUS)
    return data.astype(dict.fromkeys(FEATURES, "float64"))


@pytest.fixture(scope="module")
def world(census: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("mlflow")
    home = Path.cwd()
    os.chdir(folder)
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    try:
        train = census[census.year == 2015].head(6000).reset_index(drop=True)[[*FEATURES, LABEL]]
        rows = census[census.year == 2018].head(6000).reset_index(drop=True)[[*FEATURES, LABEL]]
        model = make_pipeline(StandardScaler(), LogisticRegression()).fit(train[FEATURES], train[LABEL])
        # With its requirements given, MLflow starts no process to find them out.
        logged = mlflow.sklearn.log_model(
            model, name="model", input_example=train[FEATURES].head(2), pip_requirements=["scikit-learn"]
        )
        yield World(mlflow.MlflowClient(), logged.model_uri, model, train, rows)
    finally:
        while mlflow.active_run():
            mlflow.end_run()
        mlflow.set_tracking_uri(before)
        os.chdir(home)


@pytest.fixture(scope="module")
def zoo(world: World) -> Zoo:
    return zoo_of(world)


ALL = ["calibration", "disaggregated", "drift"]


def refused(world: World, data: pd.DataFrame | None = None, **arguments: Any) -> str:
    """The message of the refusal, after looking that the run holds nothing of ours."""
    arguments = {"model": world.model_uri, "targets": LABEL, "model_type": "classifier", **arguments}
    with pytest.raises(MlflowException) as caught, mlflow.start_run() as run:
        mlflow.models.evaluate(data=world.rows if data is None else data, **arguments)
    assert caught.value.error_code == "INVALID_PARAMETER_VALUE"
    after = world.client.get_run(run.info.run_id)
    assert [item.path for item in world.client.list_artifacts(run.info.run_id)] == []
    assert after.data.metrics == {}
    assert not [one for one in after.inputs.dataset_inputs if one.tags]
    return str(caught.value.message)


def three(world: World, **changes: Any) -> dict[str, Any]:
    """Three evaluators, the last of which is given something wrong: the first two must not have logged."""
    given: dict[str, Any] = {
        "calibration": {},
        "disaggregated": {"slices": ["SEX"]},
        "drift": {"reference": world.train},
    }
    return {"evaluators": ALL, "evaluator_config": {kind: {**c, **changes.get(kind, {})} for kind, c in given.items()}}


def evidence_of(world: World, run: Any, name: str) -> Evidence:
    path = mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path=f"evidence/{name}.json")
    return loads(Path(path).read_bytes())
