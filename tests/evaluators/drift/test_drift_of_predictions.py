"""Drift of predicted classes, whatever they are called and whichever is positive, and of scores that are late."""

from __future__ import annotations

from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from sklearn.svm import LinearSVC
from support.evaluating import FEATURES, World, refused

N = 3000
STATIC: dict[str, Any] = {"model": None, "targets": "y", "predictions": "p"}


def column(
    world: World, now: pd.DataFrame, before: pd.DataFrame, **given: Any
) -> tuple[dict[str, Any], dict[str, str]]:
    """The column of predictions, and the verdicts of its Checks by metric."""
    config = {"drift": {"reference": before}}
    run, _ = world.evaluate(now, evaluators=["drift"], evaluator_config=config, **{**STATIC, **given})
    found = mlflow.artifacts.load_dict(f"runs:/{run.info.run_id}/evidence/drift.json")
    (one,) = (each for each in found["measurements"]["columns"] if each["role"] in ("prediction", "score"))
    return one, {check["metric"]: check["verdict"] for check in found["checks"] if check["scope"] == one["name"]}


def said(share: float, names: tuple[Any, Any], seed: int) -> Any:
    return pd.Series(np.array(names, dtype=object)[(np.random.default_rng(seed).random(N) < share).astype(int)])


@pytest.mark.parametrize("names", [("no", "yes"), (2, 5), (1, 2), (0, 1), (-1, 1)], ids=str)
@pytest.mark.parametrize("labels", ["both", "one", "late"])
def test_a_change_of_predicted_classes_is_found(world: World, names: tuple[Any, Any], labels: str) -> None:
    """Classes of which none was positive were compared as if nobody had been predicted to be."""
    label = {"both": said(0.3, names, 1), "one": pd.Series([names[0]] * N), "late": pd.Series([None] * N)}[labels]
    x = np.random.default_rng(9).normal(size=N)
    before = pd.DataFrame({"x": x, "p": said(0.3, names, 2).infer_objects(), "y": said(0.3, names, 1)})
    now = pd.DataFrame({"x": x, "p": said(0.7, names, 3).infer_objects(), "y": label})
    found, verdicts = column(world, now, before)
    assert found["role"] == "prediction" and found["kind"] == "categorical"
    assert set(found["histogram"]["labels"]) == {str(name) for name in names}
    assert verdicts["js"] == "fail"
    assert column(world, now.assign(p=before.p), before)[1]["js"] == "pass"


def test_missing_predictions_are_compared_as_missing(world: World) -> None:
    rng = np.random.default_rng(3)
    scores = pd.DataFrame({"x": rng.normal(size=N), "p": rng.random(N)}).assign(
        y=lambda rows: (rows.p > 0.4).astype(int)
    )
    gone = rng.random(N) < 0.2
    classes = scores.assign(p=np.where(scores.p > 0.5, "yes", "no"))
    for before in (scores, classes):
        found, verdicts = column(world, before.assign(p=before.p.where(~gone)), before)
        assert verdicts["missing_change"] == "fail" and verdicts["js"] == "pass"
        assert found["missing_current"] == pytest.approx(gone.mean())
    message = refused(world, scores.assign(p=scores.p * 100), evaluators=["drift"],
                      evaluator_config={"drift": {"reference": scores}}, **STATIC)  # fmt: skip
    assert "outside [0, 1]" in message


def test_a_model_of_classes_must_know_which_is_positive(world: World) -> None:
    """Its classes are text, it has no probabilities, and nobody says which of them is positive."""
    names = {0: "no", 1: "yes"}
    train, rows = (
        one.assign(y=one["employed"].map(names)).drop(columns="employed") for one in (world.train, world.rows)
    )
    model = LinearSVC().fit(train[FEATURES], train.y)
    uri = mlflow.sklearn.log_model(model, name="words", pip_requirements=["scikit-learn"]).model_uri
    given: dict[str, Any] = {"model": uri, "targets": "y", "evaluators": ["drift"]}
    config = {"drift": {"reference": train}}
    message = refused(world, rows, evaluator_config=config, **given)
    assert "pos_label: '1' is not among 'no', 'yes' in the model's output" in message
    world.evaluate(rows, evaluator_config={"drift": {**config["drift"], "pos_label": "yes"}}, **given)
