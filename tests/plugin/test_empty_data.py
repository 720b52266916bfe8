"""Data and references without rows or columns: one refusal that names which, whoever predicts and whatever is asked."""

from __future__ import annotations

from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from plugin.test_late_labels import TASKS, data
from sklearn.linear_model import LinearRegression, LogisticRegression
from support.evaluating import World

NO_ROWS, NO_COLUMNS = "there are no rows to", "there are no columns"


@pytest.fixture(scope="module", params=TASKS)
def asked(request: pytest.FixtureRequest, world: World) -> tuple[str, str, pd.DataFrame]:
    """A task, a model without a signature, and its rows."""
    rows = data(request.param)
    estimator = LinearRegression() if request.param == "regression" else LogisticRegression()
    logged = mlflow.sklearn.log_model(
        estimator.fit(rows.drop(columns="y"), rows.y), name="m", pip_requirements=["scikit-learn"]
    )
    return request.param, logged.model_uri, rows.assign(p=rows.y if request.param == "multiclass" else 0.5)


def message(task: str, rows: Any, config: dict[str, Any], **given: Any) -> str:
    kind = "regressor" if task == "regression" else "classifier"
    with mlflow.start_run() as run, pytest.raises(mlflow.MlflowException) as caught:
        mlflow.models.evaluate(
            data=rows, model_type=kind, evaluators=list(config), evaluator_config=config, **{"targets": "y", **given}
        )
    assert mlflow.artifacts.list_artifacts(run_id=run.info.run_id) == []
    assert caught.value.error_code == "INVALID_PARAMETER_VALUE"
    return str(caught.value)


@pytest.mark.parametrize("with_model", [True, False])
def test_data_and_references_of_nothing(asked: tuple[str, str, pd.DataFrame], with_model: bool) -> None:
    task, uri, full = asked
    rows = full.drop(columns="p") if with_model else full
    given = {"model": uri} if with_model else {"predictions": "p"}
    kinds: list[dict[str, Any]] = [{"drift": {"reference": rows}}, {"disaggregated": {"slices": ["g"]}},
                                   {"comparison": {"champion": "z"}}]  # fmt: skip
    for config in (*kinds, {**kinds[0], **kinds[1]}):
        assert f"data 'dataset': {NO_ROWS}" in message(task, rows.head(0), config, **given)
    for reference, said in (
        (rows.head(0), NO_ROWS), (pd.DataFrame(), NO_ROWS), (pd.DataFrame(index=range(9)), NO_COLUMNS), ({}, NO_ROWS),
    ):  # fmt: skip
        for kind in ("drift", "calibration"):
            assert f"reference: {said}" in message(task, rows, {kind: {"reference": reference}}, **given)
    nothing = {"targets": np.zeros(0), **{k: v for k, v in given.items() if k == "model"}}
    assert NO_ROWS in message(task, np.zeros((0, 3)), kinds[0], **nothing)


def test_a_model_has_to_see_something_and_given_predictions_need_no_features(
    asked: tuple[str, str, pd.DataFrame],
) -> None:
    task, uri, rows = asked
    for config in ({"drift": {"reference": rows}}, {"disaggregated": {"slices": ["g"]}}, {"calibration": {}}):
        said = message(task, rows[["y"]], config, model=uri)
        assert f"data 'dataset': {NO_COLUMNS} but the labels" in said
    kind = "regressor" if task == "regression" else "classifier"
    alone = rows[["y", "p"]]
    with mlflow.start_run():
        result = mlflow.models.evaluate(
            data=alone, targets="y", predictions="p", model_type=kind, evaluators=["drift"],
            evaluator_config={"drift": {"reference": alone}},
        )  # fmt: skip
    assert result.metrics["drift_verdict"] == 1
