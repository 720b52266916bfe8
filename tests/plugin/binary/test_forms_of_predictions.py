"""Predictions as people have them: classes by any two names, rounded probabilities, and whatever a function gives."""

from __future__ import annotations

import json
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.metrics import accuracy_score, brier_score_loss, log_loss
from sklearn.svm import LinearSVC
from support.evaluating import FEATURES, LABEL, World, refused
from support.zoo import COLUMNS, Zoo

CODES = [(1, 2), (1.0, 2.0), ("1", "2"), (2, 5), (-1, 1), (0.5, 1.5), ("no", "yes"), (False, True)]
ONLY: dict[str, Any] = {"evaluators": "disaggregated", "evaluator_config": {"slices": ["SEX"]}}


def accuracy(world: World, run: Any) -> float:
    found = mlflow.artifacts.load_dict(f"runs:/{run.info.run_id}/evidence/disaggregated.json")
    return float(found["measurements"]["overall"]["metrics"]["accuracy"]["value"])


@pytest.fixture(scope="module")
def few(world: World) -> pd.DataFrame:
    rows = world.rows.head(1500)
    return rows.assign(p=world.model.predict_proba(rows[FEATURES])[:, 1])


@pytest.mark.parametrize("codes", CODES, ids=str)
def test_any_two_labels_are_classes(world: World, few: pd.DataFrame, codes: tuple[Any, Any]) -> None:
    """Of the challenger, and of the champion in a column."""
    said = pd.Series(np.array(codes, dtype=object)[(few.p >= 0.5).astype(int)], index=few.index)
    other = pd.Series(np.array(codes, dtype=object)[(few.p >= 0.6).astype(int)], index=few.index)
    label = pd.Series(np.array(codes, dtype=object)[few[LABEL].astype(int)], index=few.index)
    data = few.assign(**{LABEL: label.infer_objects(), "p": said.infer_objects(), "q": other.infer_objects()})
    config: dict[str, Any] = {
        "disaggregated": {"slices": ["SEX"], "pos_label": codes[1]},
        "comparison": {"champion": "q", "pos_label": codes[1]},
    }
    run, result = world.evaluate(
        data, model=None, predictions="p", evaluators=list(config), evaluator_config=config
    )  # fmt: skip
    exact = accuracy_score(few[LABEL], few.p >= 0.5)
    assert accuracy(world, run) == pytest.approx(exact)
    change = exact - accuracy_score(few[LABEL], few.p >= 0.6)
    assert result.metrics["comparison_change_accuracy"] == pytest.approx(change)


def test_a_model_without_probabilities_predicts_classes_of_any_code(world: World) -> None:
    train, rows = (
        world.train.assign(**{LABEL: world.train[LABEL] + 1}),
        world.rows.assign(**{LABEL: world.rows[LABEL] + 1}),
    )
    model = LinearSVC().fit(train[FEATURES], train[LABEL])
    uri = mlflow.sklearn.log_model(model, name="svc", pip_requirements=["scikit-learn"]).model_uri
    run, _ = world.evaluate(
        rows, model=uri, evaluators="disaggregated", evaluator_config={"slices": ["SEX"], "pos_label": 2}
    )
    assert accuracy(world, run) == pytest.approx(accuracy_score(rows[LABEL], model.predict(rows[FEATURES])))


@pytest.mark.parametrize(
    ("label", "said", "message"),
    [
        ([0, 1], [0, 2], "of which '1' is positive, found '2', which no label is"),
        ([0, 1], [-1, 1], "found '-1', which no label is"),
        ([-1, 1], [0, 1], "found '0', which no label is"),
        ([0, 1], ["0", "maybe"], "found 'maybe', which no label is"),
        ([0, 1], [12, 73], "found '12', '73', which no label is; name a column of probabilities"),
        ([0, 1], [0, None], "score: 750 rows are (first at row 1) missing"),
        ([0, 1], ["0", None], "750 rows are (first at row 1) missing; expected a predicted class in every row"),
        ([0, 1], [0.2, np.nan], "score: 750 rows are (first at row 1) missing"),
    ],
)
def test_what_is_no_class_is_refused(
    world: World, few: pd.DataFrame, label: list[Any], said: list[Any], message: str
) -> None:
    """It was counted as the negative class."""
    data = few.assign(
        **{LABEL: np.resize(label, len(few)), "p": pd.Series(said * 750, index=few.index).infer_objects()}
    )
    assert message in refused(world, data, model=None, predictions="p", **ONLY)
    champion: dict[str, Any] = {"evaluators": ["comparison"], "evaluator_config": {"comparison": {"champion": "p"}}}
    asked: Any = lambda rows: np.resize(label, len(rows))  # noqa: E731
    assert message.removeprefix("score: ") in refused(world, data, model=asked, **champion)


def test_probabilities_that_rounding_put_outside(world: World, few: pd.DataFrame, zoo: Zoo) -> None:
    """An ulp of single or double precision beyond 0 and 1 is 0 and 1, for two classes and for three."""
    p = few.p.to_numpy().copy()
    p[:4] = [np.nextafter(1.0, 2.0), -5e-324, 1 + 1e-7, -1e-7]
    config: dict[str, Any] = {
        "calibration": {"reference": few.assign(p=p), "max_change": {"brier": 0.1}}, "comparison": {"champion": "q"},
        "drift": {"reference": few.assign(p=p, q=p)}, "disaggregated": {"slices": ["SEX"], "search": True},
    }  # fmt: skip
    _, result = world.evaluate(
        few.assign(p=p, q=p), model=None, predictions="p", evaluators=list(config), evaluator_config=config
    )
    exact = brier_score_loss(few[LABEL], p.clip(0, 1))
    assert result.metrics["calibration_brier"] == pytest.approx(exact, abs=1e-9)
    assert result.metrics["comparison_disagreement"] == 0
    asked, _ = world.evaluate(few.drop(columns="p"), model=lambda rows: p, evaluators="calibration",
                              evaluator_config={"max_ece": 0.2})  # fmt: skip
    assert asked.data.metrics["calibration_brier"] == pytest.approx(exact, abs=1e-9)
    three = zoo.static
    three.loc[:1, list(COLUMNS.values())] = [[1 + 1e-7, 0, 0], [-1e-7, 0, 1 + 1e-7]]
    found = zoo.measured(three, model=False, calibration={"probability_columns": COLUMNS})["calibration"]
    shares = three[list(COLUMNS.values())].to_numpy().clip(0, 1)
    exact = float(((shares - np.eye(3)[pd.Categorical(three.y).codes]) ** 2).sum(axis=1).mean())
    assert found["measurements"]["metrics"]["brier"]["value"] == pytest.approx(exact, abs=1e-9)


def test_probabilities_of_classes_rounded_to_four_decimals(zoo: Zoo) -> None:
    """Rows that sum to .9999 are divided by their sum; with fewer decimals the error says how."""
    names = list(COLUMNS.values())
    rounded = zoo.static.assign(**zoo.static[names].round(4))
    off = (rounded[names].sum(axis=1) - 1).abs()
    assert (off > 5e-5).any()
    found = zoo.measured(rounded, model=False, calibration={"probability_columns": COLUMNS})["calibration"]
    exact = log_loss(rounded.y, rounded[names].div(rounded[names].sum(axis=1), axis=0), labels=sorted(COLUMNS))
    assert found["measurements"]["metrics"]["log_loss"]["value"] == pytest.approx(exact, abs=1e-7)
    coarse = zoo.static.assign(**zoo.static[names].round(2))
    given: dict[str, Any] = {"model": None, "targets": "y", "evaluators": "calibration"}
    config = {"evaluator_config": {"probability_columns": COLUMNS}}
    assert "divide each row by its sum: p.div(p.sum(axis=1), axis=0)" in refused(zoo.world, coarse, **given, **config)
    mended = coarse.assign(**coarse[names].div(coarse[names].sum(axis=1), axis=0))
    zoo.measured(mended, model=False, calibration={"probability_columns": COLUMNS})


def forms(p: Any) -> dict[str, Any]:
    both = np.column_stack([1 - p, p])
    return {
        "list": list(p), "tuple": tuple(p), "column": p[:, None], "series": pd.Series(p, index=np.arange(len(p)) + 7),
        "mapping": {"p": list(p)}, "mapping of columns": {"0": 1 - p, "1": p}, "mapping of a column": {"p": p[:, None]},
        "rows": [{"p": one} for one in p], "rows of columns": [{0: 1 - one, 1: one} for one in p],
        "lists": both.tolist(), "frame": pd.DataFrame({0: 1 - p, 1.0: p}), "polars": pl.DataFrame({"p": p}),
        "polars series": pl.Series(p), "arrow": pa.table({"0": 1 - p, "1": p}), "serving": {"predictions": list(p)},
    }  # fmt: skip


@pytest.mark.parametrize("form", sorted(forms(np.zeros(1))))
def test_what_a_function_gives(world: World, few: pd.DataFrame, form: str) -> None:
    p = few.p.to_numpy()
    given: dict[str, Any] = {"evaluators": "calibration", "evaluator_config": {"max_ece": 0.2}}
    run, _ = world.evaluate(few.drop(columns="p"), model=lambda rows: forms(p)[form], **given)
    assert run.data.metrics["calibration_brier"] == pytest.approx(brier_score_loss(few[LABEL], p), abs=1e-9)


def test_mappings_of_several_classes_and_of_a_regression(world: World, zoo: Zoo) -> None:
    shares = pd.DataFrame(zoo.probability, columns=["cat", "dog", "emu"])
    by_form = [shares.to_dict("list"), shares.to_dict("records"), pl.from_pandas(shares), json.loads(shares.to_json())]
    measured = []
    for output in by_form[:3]:
        with mlflow.start_run() as run:
            mlflow.models.evaluate(
                lambda rows, output=output: output, zoo.rows, targets="y", model_type="classifier",
                evaluators="calibration", evaluator_config={"max_ece": 0.2},
            )  # fmt: skip
        measured.append(world.client.get_run(run.info.run_id).data.metrics["calibration_brier"])
    exact = float(((zoo.probability - np.eye(3)[pd.Categorical(zoo.rows.y).codes]) ** 2).sum(axis=1).mean())
    assert measured == [pytest.approx(exact, abs=1e-9)] * 3
    target = FEATURES[0]
    number = world.rows[target].to_numpy() + 1.0
    for output in (list(number), {"value": list(number)}, [{"value": one} for one in number], pl.Series(number)):
        _, result = world.evaluate(
            model=lambda rows, output=output: output, targets=target, model_type="regressor", evaluators="calibration",
            evaluator_config={"max_bias": 2.0},
        )  # fmt: skip
        assert result.metrics["calibration_bias"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ({"p": 0.5}, "its output is a mapping that is no table of one row a row"),
        ([{"p": 0.5}, 3], "its output is a list that is no table"),
        ({"p": [0.5, 0.6]}, "expected 6000 predictions, one a row, found 2"),
        (0.5, "expected one prediction a row, found a single float"),
        (None, "expected one prediction a row, found a single NoneType"),
        ([[0.1, 0.9], [0.5]], "found some of other lengths"),
        ({"a": [0.5] * 6000, "b": [0.5] * 6000}, "its output has the columns 'a', 'b'; say with 'probability_column'"),
    ],
)
def test_outputs_that_are_none_are_named(world: World, output: Any, message: str) -> None:
    given: dict[str, Any] = {"evaluators": "calibration", "evaluator_config": {"max_ece": 0.2}}
    assert message in refused(world, model=lambda rows: output, **given)
