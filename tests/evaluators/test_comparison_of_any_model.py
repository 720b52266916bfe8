"""Whole ``mlflow.models.evaluate`` calls that compare models of three or more classes, and regressions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk
from sklearn.linear_model import LinearRegression, LogisticRegression
from support.evaluating import World, refused
from support.zoo import CLASSES, COLUMNS, FEATURES, Zoo

from mlflow_eval_plugin.evidence import Evidence, loads
from mlflow_eval_plugin.model_files import model_digest_at
from mlflow_eval_plugin.reports import render

FEW = FEATURES[:2]


def compared(world: World, data: pd.DataFrame, config: dict[str, Any], **arguments: Any) -> tuple[Evidence, Any]:
    given = {"model_type": "classifier", "evaluators": ["comparison"], **arguments}
    with mlflow.start_run() as run:
        result = mlflow.models.evaluate(data=data, evaluator_config={"comparison": config}, **given)
    path = mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path="evidence/comparison.json")
    return loads(Path(path).read_bytes()), result


def logged(model: Any, rows: pd.DataFrame) -> str:
    uri: str = mlflow.sklearn.log_model(
        model, name="champion", input_example=rows.head(2), pip_requirements=["scikit-learn"]
    ).model_uri
    return uri


@pytest.fixture(scope="module")
def champion(zoo: Zoo) -> tuple[str, Any]:
    """A model of three classes and two of the features."""
    model = LogisticRegression().fit(zoo.train[FEW], zoo.train.y)
    return logged(model, zoo.train[FEW]), model.predict_proba(zoo.rows[FEW])


def classes_of(probability: Any) -> Any:
    return np.array(CLASSES)[probability.argmax(axis=1)]


def test_models_of_three_classes(zoo: Zoo, champion: tuple[str, Any]) -> None:
    uri, first = champion
    config = {
        "champion": uri, "slices": ["x4"], "superiority": {"log_loss": 0},
        "slice_non_inferiority": {"recall[emu]": 0.1},
        "costs": {one: {other: 1.0 for other in CLASSES if other != one} for one in CLASSES},
        "non_inferiority": {"balanced_accuracy": 0.01, "f1[cat]": 0.05, "cost": 0.01, "auc": 0.05},
    }  # fmt: skip
    evidence, result = compared(zoo.world, zoo.rows, config, model=zoo.uri, targets="y")
    measured, y = evidence.measurements, zoo.rows.y
    metrics = measured["overall"]["metrics"]
    said = classes_of(first), classes_of(zoo.probability)
    for name, of in {
        "accuracy": sk.accuracy_score, "balanced_accuracy": sk.balanced_accuracy_score,
        "f1": lambda y, p: sk.f1_score(y, p, average="macro"), "cost": lambda y, p: (y != p).mean(),
    }.items():  # fmt: skip
        assert metrics[name]["champion"] == pytest.approx(of(y, said[0]), abs=1e-9), name
        assert metrics[name]["challenger"] == pytest.approx(of(y, said[1]), abs=1e-9), name
    loss = metrics["log_loss"]["difference"]["value"]
    assert loss == pytest.approx(sk.log_loss(y, zoo.probability) - sk.log_loss(y, first), abs=1e-8)
    assert result.metrics["comparison_change_log_loss"] == loss
    assert [check.id for check in evidence.checks] == [
        "non_inferiority:balanced_accuracy:overall", "non_inferiority:f1[cat]:overall", "non_inferiority:cost:overall",
        "non_inferiority:auc:overall", "superiority:log_loss:overall",
        "non_inferiority:recall[emu]:x4=0", "non_inferiority:recall[emu]:x4=1",
    ]  # fmt: skip
    by_id = {check.id: check for check in evidence.checks}
    assert by_id["superiority:log_loss:overall"].verdict == "pass" and evidence.failed == ()
    assert by_id["non_inferiority:cost:overall"].maximum == 0.01
    moves = pd.crosstab(*(pd.Series(one) for one in said))
    for move in measured["moves"]:
        assert move["n"] == moves.loc[move["champion"], move["challenger"]]
    assert sum(move["n"] for move in measured["moves"]) == (said[0] != said[1]).sum()
    assert evidence.champion_digest == model_digest_at(Path(mlflow.artifacts.download_artifacts(uri)))
    page = render(evidence)
    assert "Where decisions moved" in page and "Both models by class" in page and "McNemar p" in page
    assert "Change in recall of emu" in page and len(page.encode()) < 500_000


def test_a_champion_that_does_not_know_a_class(zoo: Zoo) -> None:
    old = zoo.train[zoo.train.y != "emu"]
    model = LogisticRegression().fit(old[FEATURES], old.y)
    evidence, _ = compared(
        zoo.world, zoo.rows, {"champion": logged(model, old[FEATURES])}, model=zoo.uri, targets="y"
    )  # fmt: skip
    emu = evidence.measurements["by_class"]["emu"]
    assert emu["recall"]["champion"] == 0 and emu["precision"]["champion"] is None
    assert evidence.measurements["overall"]["metrics"]["log_loss"]["champion"] > 5
    assert evidence.verdict == "pass"


@pytest.mark.parametrize("from_run", [False, True])
def test_classes_in_a_column_or_the_table_of_a_run(
    zoo: Zoo, champion: tuple[str, Any], from_run: bool, tmp_path: Path
) -> None:
    old, new = classes_of(champion[1]), classes_of(zoo.probability)
    rows = zoo.rows.assign(new=new)
    config: dict[str, Any] = {"champion": "old", "slice_data": {"old": old}}
    if from_run:
        pd.DataFrame({"old": old}).to_parquet(tmp_path / "said.parquet")
        with mlflow.start_run() as run:
            mlflow.log_artifact(str(tmp_path / "said.parquet"))
        config = {"champion": {"run": run.info.run_id, "path": "said.parquet", "column": "old"}}
    weights = np.where(rows.x4 == 1, 2.0, 1.0)
    config["sample_weights"] = weights
    evidence, result = compared(zoo.world, rows, config, model=None, targets="y", predictions="new")
    measured = evidence.measurements
    assert measured["probabilities"] is False and measured["weighted"] is True and evidence.champion_digest is None
    assert "log_loss" not in measured["overall"]["metrics"] and "auc" not in measured["by_class"]["cat"]
    expected = [sk.accuracy_score(rows.y, one, sample_weight=weights) for one in (old, new)]
    assert result.metrics["comparison_change_accuracy"] == pytest.approx(expected[1] - expected[0], abs=1e-9)
    assert measured["champion"]["source"] == ("run" if from_run else "column")


def test_probabilities_of_the_champion_have_the_names_that_the_config_gives(
    zoo: Zoo, champion: tuple[str, Any]
) -> None:
    rows = zoo.static
    config = {"champion": champion[0], "probability_columns": COLUMNS}
    evidence, _ = compared(zoo.world, rows, config, model=None, targets="y")
    loss = evidence.measurements["overall"]["metrics"]["log_loss"]
    assert loss["champion"] == pytest.approx(sk.log_loss(rows.y, champion[1]), abs=1e-8)
    assert loss["challenger"] == pytest.approx(sk.log_loss(rows.y, zoo.probability), abs=1e-8)


OF_CLASSES = [
    ({"threshold": 0.3}, "comparison: threshold is for two classes: the class of the largest probability is predicted"),
    ({"champion_threshold": 0.3}, "comparison: champion_threshold is for two classes"),
    ({"superiority": {"average_precision": 0}}, "superiority names 'average_precision', which is for two classes"),
    ({"superiority": {"recall[cow]": 0}}, "superiority names 'recall[cow]', and the classes are 'cat', 'dog', 'emu'"),
    ({"superiority": {"brier[cat]": 0}}, "there is no metric with a margin 'brier'"),
    ({"costs": {"fp": 1, "fn": 5}}, "costs: those of false positives and negatives are for two classes"),
    ({"costs": {"cat": {"dog": 1}}}, "costs: there is no cost of 'cat' taken for 'emu'"),
    ({"superiority": {"cost": 0}}, "'superiority' of 'cost' needs 'costs'"),
    ({"champion": "x0"}, "champion: column 'x0': expected a class a row, found numbers that are not whole"),
    (
        {"champion": "codes", "slice_data": {"codes": np.arange(1200) % 3}},
        "it knows the classes '0', '1', '2', the data",
    ),
    ({"champion": "gaps", "slice_data": {"gaps": ["cat", None] * 600}}, "column 'gaps': 600 rows are (first at row 1)"),
    ({"label_list": CLASSES, "champion": "old", "slice_data": {"old": ["cat", "cow"] * 600}}, "and not 'cow'"),
    ({"champion": "nobody"}, "champion: no column 'nobody'"),
]


@pytest.mark.parametrize(("given", "message"), OF_CLASSES, ids=[message for _, message in OF_CLASSES])
def test_what_three_classes_cannot_be_compared_by(
    zoo: Zoo, champion: tuple[str, Any], given: dict[str, Any], message: str
) -> None:
    config = {"champion": champion[0], **given}
    found = refused(
        zoo.world, zoo.rows, model=zoo.uri, targets="y", evaluators=["comparison"],
        evaluator_config={"comparison": config},
    )  # fmt: skip
    assert message in found


def test_what_needs_probabilities_or_one_of_three_classes_is_refused(zoo: Zoo, champion: tuple[str, Any]) -> None:
    def message(rows: pd.DataFrame, config: dict[str, Any], **given: Any) -> str:
        arguments = {"model": zoo.uri, "targets": "y", **given}
        return refused(
            zoo.world, rows, evaluators=["comparison"], evaluator_config={"comparison": config}, **arguments
        )  # fmt: skip

    blind = zoo.rows.assign(old=classes_of(champion[1]))
    given = {"champion": "old", "superiority": {"auc[cat]": 0}, "slice_data": blind[["old"]]}
    assert "superiority names 'auc[cat]', which needs the probabilities of both models" in message(zoo.rows, given)
    column = {"champion": {"model": champion[0], "column": "p"}}
    assert "are not in one column; leave out 'column'" in message(zoo.rows, column)
    two = zoo.static.assign(y=(zoo.rows.y == "cat").astype(int))[["x4", "p_cat", "p_dog", "y"]]
    given = {"champion": "p_dog", "superiority": {"recall[cat]": 0}}
    found = message(two, given, model=None, predictions="p_cat")
    assert "a metric of one of three or more classes; leave out the class" in found
    by_class = {"champion": "p_dog", "costs": {"cat": {"dog": 1.0}, "dog": {"cat": 1.0}}}
    assert "costs by class are for three or more classes" in message(two, by_class, model=None, predictions="p_cat")


def houses(n: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    area, age = rng.gamma(6, 20, n), rng.integers(0, 80, n).astype(float)
    price = 1000 * area - 500 * age + 20_000 * rng.normal(size=n) + 50_000
    return pd.DataFrame({"area": area, "age": age, "price": price, "town": rng.choice(["A", "B"], n)})


TRAIN, ROWS = houses(2000, 0), houses(3000, 1)
BOTH = ["area", "age"]
REGRESSOR = {"targets": "price", "model_type": "regressor"}


@pytest.fixture(scope="module")
def house_models(world: World) -> tuple[str, str, Any, Any]:
    """A champion of one feature and a challenger of two, with their predictions."""
    models = [LinearRegression().fit(TRAIN[names], TRAIN.price) for names in (["area"], BOTH)]
    uris = [logged(model, TRAIN[names]) for model, names in zip(models, (["area"], BOTH), strict=True)]
    return uris[0], uris[1], models[0].predict(ROWS[["area"]]), models[1].predict(ROWS[BOTH])


def test_regressions(world: World, house_models: tuple[str, str, Any, Any]) -> None:
    champion, challenger, first, second = house_models
    config = {
        "champion": champion, "slices": ["town"], "slice_data": ROWS[["town"]], "queries": {"old": "age >= 40"},
        "superiority": {"rmse": 500, "mae": 0}, "slice_non_inferiority": {"rmse": 1000},
    }  # fmt: skip
    rows = ROWS[[*BOTH, "price"]]
    evidence, result = compared(world, rows, config, model=challenger, **REGRESSOR)
    measured = evidence.measurements
    overall = measured["overall"]
    of = {"mae": sk.mean_absolute_error, "rmse": sk.root_mean_squared_error, "r2": sk.r2_score}
    for name, expected in of.items():
        both = [expected(ROWS.price, one) for one in (first, second)]
        metric = overall["metrics"][name]
        assert [metric["champion"], metric["challenger"]] == pytest.approx(both, rel=1e-9), name
        assert result.metrics[f"comparison_change_{name}"] == pytest.approx(both[1] - both[0], rel=1e-9), name
    assert result.metrics["comparison_distance"] == pytest.approx(np.abs(second - first).mean(), rel=1e-9)
    assert overall["challenger_closer"] == (np.abs(second - ROWS.price) < np.abs(first - ROWS.price)).sum()
    assert [check.id for check in evidence.checks] == [
        "non_inferiority:r2:overall", "superiority:rmse:overall", "superiority:mae:overall",
        "non_inferiority:rmse:town=A", "non_inferiority:rmse:town=B", "non_inferiority:rmse:old",
    ]  # fmt: skip
    assert evidence.verdict == "pass" and evidence.checks[1].maximum == -500 and evidence.checks[0].minimum == -0.01
    assert evidence.champion_digest == model_digest_at(Path(mlflow.artifacts.download_artifacts(champion)))
    page = render(evidence)
    assert "Whose predictions are closer, and for whom" in page and "Sign test p" in page and "Named slices" in page


def test_a_worse_regression_fails_and_says_for_whom(world: World, house_models: tuple[str, str, Any, Any]) -> None:
    second = house_models[3]
    worse = second + np.where(ROWS.town == "B", 15_000 * np.sin(np.arange(len(ROWS))), 0.0)
    rows = ROWS.assign(new=worse, w=np.where(ROWS.age > 40, 2.0, 1.0))
    config = {
        "champion": "old", "slices": ["town"], "slice_data": {"old": second}, "sample_weights": "w",
        "non_inferiority": {"mae": 20_000}, "slice_non_inferiority": {"mae": 500, "r2": 0.02},
    }  # fmt: skip
    evidence, _ = compared(world, rows, config, model=None, predictions="new", **REGRESSOR)
    assert {check.id for check in evidence.failed} == {"non_inferiority:mae:town=B", "non_inferiority:r2:town=B"}
    assert evidence.measurements["weighted"] is True
    part = rows.town == "B"
    found = next(one for one in evidence.measurements["slices"] if one["label"] == "town=B")
    expected = sk.mean_absolute_error(rows.price[part], rows.new[part], sample_weight=rows.w[part])
    assert found["metrics"]["mae"]["challenger"] == pytest.approx(expected, rel=1e-9)


OF_REGRESSIONS = [
    ({}, "comparison: key 'champion' is required"),
    ({"champion": "old", "superiority": {"bias": 0}}, "there is no metric with a margin 'bias'"),
    ({"champion": "old", "superiority": {"accuracy": 0}}, "there is no metric with a margin 'accuracy'"),
    ({"champion": "old", "threshold": 0.5}, "comparison: key 'threshold' is for classifiers"),
    ({"champion": "old", "pos_label": 1}, "'pos_label' is for classifiers"),
    ({"champion": "town"}, "champion: column 'town': expected numbers"),
    ({"champion": "new"}, "champion: 'new' holds the challenger's predictions"),
    ({"champion": "old", "slice_non_inferiority": {"r2": 0}}, "'slice_non_inferiority' has no effect without 'slices'"),
]


@pytest.mark.parametrize(("config", "message"), OF_REGRESSIONS, ids=[message for _, message in OF_REGRESSIONS])
def test_what_regressions_cannot_be_compared_by(
    world: World, house_models: tuple[str, str, Any, Any], config: dict[str, Any], message: str
) -> None:
    rows = ROWS.assign(new=house_models[3])
    given = {"slice_data": {"old": house_models[2]}, **config}
    found = refused(
        world, rows, model=None, predictions="new", evaluators=["comparison"], evaluator_config={"comparison": given},
        **REGRESSOR,
    )  # fmt: skip
    assert message in found


def test_a_flat_config_gives_each_evaluator_of_a_regression_its_keys(
    world: World, house_models: tuple[str, str, Any, Any]
) -> None:
    rows = ROWS.assign(new=house_models[3], low=house_models[3] - 30_000, high=house_models[3] + 30_000)
    config = {
        "champion": "old", "slice_data": {"old": house_models[2]}, "quantiles": {0.1: "low", 0.9: "high"},
        "max_mae": 1e6, "log_model_explainability": False,
    }  # fmt: skip
    with mlflow.start_run() as run:
        mlflow.models.evaluate(data=rows, predictions="new", evaluator_config=config, **REGRESSOR)
    found = {item.path for item in world.client.list_artifacts(run.info.run_id, "evidence")}
    assert found == {"evidence/calibration.json", "evidence/comparison.json"}


class _Mean(mlflow.pyfunc.PythonModel):  # type: ignore[name-defined, misc]
    """A model of two outputs, under names of its own."""

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> pd.DataFrame:
        return pd.DataFrame({"prediction": model_input["area"] * 1000.0, "spread": 1.0})


def test_the_names_of_the_challengers_columns_are_asked_of_no_champion(
    world: World, zoo: Zoo, house_models: tuple[str, str, Any, Any], champion: tuple[str, Any]
) -> None:
    rows = ROWS.assign(new=house_models[3], third=0.0)
    given = {"model": None, "model_type": "regressor", "targets": "price"}
    config = {"champion": house_models[0], "prediction_column": "new"}
    evidence, _ = compared(world, rows, config, **given)
    expected = sk.mean_absolute_error(rows.price, house_models[2])
    assert evidence.measurements["overall"]["metrics"]["mae"]["champion"] == pytest.approx(expected, rel=1e-9)
    info = mlflow.pyfunc.log_model(name="two", python_model=_Mean(), pip_requirements=["mlflow"])
    evidence, _ = compared(world, rows, {**config, "champion": info.model_uri}, **given)
    expected = sk.mean_absolute_error(rows.price, rows.area * 1000)
    assert evidence.measurements["overall"]["metrics"]["mae"]["champion"] == pytest.approx(expected, rel=1e-9)
    # Whose predictions they are, the key says before MLflow's argument.
    own = {"prediction_column": "new", "champion": "new"}
    message = refused(
        world, rows, evaluators=["comparison"], evaluator_config={"comparison": own}, predictions="third", **given
    )
    assert "champion: 'new' holds the challenger's predictions" in message


class _Letters(mlflow.pyfunc.PythonModel):  # type: ignore[name-defined, misc]
    """Probabilities of the zoo's classes, by their names."""

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> pd.DataFrame:
        return pd.DataFrame({"cat": 0.5, "dog": 0.3, "emu": 0.2}, index=range(len(model_input)))


def test_probabilities_have_the_names_that_the_champion_gives_them(zoo: Zoo) -> None:
    info = mlflow.pyfunc.log_model(name="letters", python_model=_Letters(), pip_requirements=["mlflow"])
    config = {"champion": info.model_uri, "probability_columns": COLUMNS}
    evidence, _ = compared(zoo.world, zoo.static, config, model=None, targets="y")
    found = evidence.measurements["overall"]["metrics"]["accuracy"]["champion"]
    assert found == pytest.approx((zoo.rows.y == "cat").mean()) and evidence.measurements["probabilities"] is True


def test_costs_say_which_class_only_the_champion_knows(zoo: Zoo) -> None:
    costs = {one: {other: 1.0 for other in CLASSES if other != one} for one in CLASSES}
    old = np.where(np.arange(1200) % 9, classes_of(zoo.probability), "yak")
    config = {"champion": "old", "slice_data": {"old": old}, "costs": costs}
    message = refused(
        zoo.world, zoo.rows, model=zoo.uri, targets="y", evaluators=["comparison"],
        evaluator_config={"comparison": config},
    )  # fmt: skip
    assert "no cost of 'cat' taken for 'yak'" in message and "only the champion knows 'yak'" in message


def test_a_class_without_a_name_is_a_class(zoo: Zoo) -> None:
    rng = np.random.default_rng(0)
    label = rng.choice(["", "x", "y"], 900)
    rows = pd.DataFrame({"t": label, "g": rng.integers(0, 2, 900)})
    said = {name: np.where(rng.random(900) < right, label, "x") for name, right in (("old", 0.5), ("new", 0.8))}
    config = {"champion": "old", "slices": ["g"], "slice_non_inferiority": {"recall[]": 0.1}, "slice_data": said}
    evidence, _ = compared(
        zoo.world, rows.assign(new=said["new"]), {**config, "slice_data": {"old": said["old"]}}, model=None,
        targets="t", predictions="new",
    )  # fmt: skip
    for g in (0, 1):
        part = (rows.g == g) & (rows.t == "")
        both = [(said[name][part] == "").mean() for name in ("old", "new")]
        check = next(one for one in evidence.checks if one.id == f"non_inferiority:recall[]:g={g}")
        assert check.value == pytest.approx(both[1] - both[0])
