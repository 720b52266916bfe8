"""Where probabilities come from: models of several shapes, and columns."""

from __future__ import annotations

from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from support.evaluating import FEATURES, LABEL, World

from mlflow_eval_plugin.plugin.binary.scores import class_text, column_scores, model_scores
from mlflow_eval_plugin.stats.errors import InputError

X = pd.DataFrame({"x": [0.0, 1.0, 2.0, 3.0]})


class Wrapped:
    """A model as MLflow hands it over: a raw model inside."""

    def __init__(self, raw: Any) -> None:
        self.raw = raw

    def get_raw_model(self) -> Any:
        return self.raw


class Answers:
    """A model without a raw model, whose predict gives what it was told."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def predict(self, rows: Any) -> Any:
        return self.answer


@pytest.mark.parametrize("labels", [[0, 0, 1, 1], [-1, -1, 1, 1], [False, False, True, True], ["0", "0", "1", "1"]])
def test_the_column_of_the_positive_class(labels: list[Any]) -> None:
    raw = LogisticRegression().fit(X, labels)
    found = model_scores(Wrapped(raw), X, "1", None).probability
    assert found is not None and (np.diff(found) > 0).all()
    assert found == pytest.approx(raw.predict_proba(X)[:, 1])


def test_the_positive_class_need_not_be_the_last() -> None:
    raw = LogisticRegression().fit(X, ["yes", "yes", "no", "no"])
    found = model_scores(Wrapped(raw), X, "no", None).probability
    assert found == pytest.approx(raw.predict_proba(X)[:, 0])
    with pytest.raises(InputError, match="the model knows 'no', 'yes', the positive class is 'si'"):
        model_scores(Wrapped(raw), X, "si", None)


def test_three_classes_are_refused() -> None:
    with pytest.raises(InputError, match="expected probabilities of two classes, found 3"):
        model_scores(Wrapped(LogisticRegression().fit(X, [0, 1, 2, 2])), X, "1", None)


def test_outputs_of_other_models() -> None:
    p = np.array([0.1, 0.4, 0.6, 0.9])
    frame = pd.DataFrame({"0": 1 - p, "1": p})
    for answer in (p, list(p), pd.Series(p), p[:, None], np.column_stack([1 - p, p]), frame, frame[["1"]]):
        found = model_scores(Answers(answer), X, "1", None)
        assert found.prediction is None and found.probability == pytest.approx(p)
    assert model_scores(Answers(frame), X, "1", "0").probability == pytest.approx(1 - p)
    with pytest.raises(InputError, match="columns 'a', 'b'; say with 'probability_column'"):
        model_scores(Answers(frame.set_axis(["a", "b"], axis=1)), X, "1", None)


@pytest.mark.parametrize(
    ("values", "positive", "expected"),
    [([0, 1, 1], "1", [0, 1, 1]), ([True, False, True], "1", [1, 0, 1]), (["n", "y", "y"], "n", [1, 0, 0]),
     ([-1.0, 1.0, 1.0], "1", [0, 1, 1])],
)  # fmt: skip
def test_columns_of_classes(values: list[Any], positive: str, expected: list[int]) -> None:
    found = column_scores(np.array(values), positive, "p")
    assert found.probability is None and found.prediction is not None
    assert found.prediction.tolist() == expected


def test_text_that_is_no_class() -> None:
    with pytest.raises(InputError, match="two classes of which 'y' is positive, found 'maybe', 'n'"):
        column_scores(np.array(["y", "n", "maybe"]), "y", "p")


def test_one_class_has_one_text() -> None:
    assert {class_text(one) for one in (1, 1.0, True, np.int8(1), np.bool_(True), "1", "True")} == {"1"}


def test_a_function_as_a_model(world: World) -> None:
    def scores(rows: pd.DataFrame) -> Any:
        return world.model.predict_proba(rows)[:, 1]

    run, by_function = world.evaluate(model=scores, evaluators="calibration", evaluator_config={"max_ece": 0.1})
    _, by_uri = world.evaluate(evaluators="calibration", evaluator_config={"max_ece": 0.1})
    assert by_function.metrics == pytest.approx(by_uri.metrics)
    history = world.client.get_metric_history(run.info.run_id, "calibration_ece")
    assert len(history) == 1  # no model_id: MLflow logs nothing, so that we do


def test_arrays_instead_of_frames(world: World) -> None:
    raw = LogisticRegression(max_iter=1000).fit(world.train[FEATURES].to_numpy(), world.train[LABEL])
    logged = mlflow.sklearn.log_model(raw, name="arrays", pip_requirements=["scikit-learn"])
    config = {"slices": [{"column": "feature_1", "quantiles": 2}]}
    _, result = world.evaluate(
        world.rows[FEATURES].to_numpy(), model=logged.model_uri, targets=world.rows[LABEL].to_numpy(),
        evaluators="disaggregated", evaluator_config=config,
    )  # fmt: skip
    assert result.metrics["disaggregated_slices"] == 2.0
