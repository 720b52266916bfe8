"""The model that is judged is the one that serves: asked in the form of its signature, whoever asks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.models import infer_signature
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import brier_score_loss, mean_absolute_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from support.evaluating import FEATURES, LABEL, World, evidence_of, refused
from support.zoo import Zoo

PLAIN = {"pip_requirements": ["scikit-learn"]}
SHUFFLED = [LABEL, *reversed(FEATURES)]
FEW = FEATURES[:3]


class Probability(mlflow.pyfunc.PythonModel):
    """Serves a probability of a model that looks at places and not at names; its ``predict_proba`` serves nobody."""

    def __init__(self, raw: Any) -> None:
        self.raw = raw

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> Any:
        return self.raw.predict_proba(model_input.to_numpy())[:, -1]

    def predict_proba(self, model_input: pd.DataFrame) -> Any:
        return np.full((len(model_input), 2), 0.5)


class Number(Probability):
    """The same of a regression."""

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> Any:
        return self.raw.predict(model_input.to_numpy())


def sklearn_uri(raw: Any, world: World, features: list[str] = FEATURES) -> str:
    rows = world.train[features]
    signature = infer_signature(rows, raw.predict(rows.to_numpy()))
    return str(mlflow.sklearn.log_model(raw, name="places", signature=signature, **PLAIN).model_uri)


def pyfunc_uri(model: Any, world: World, features: list[str] = FEATURES) -> str:
    signature = infer_signature(world.train[features], np.array([0.5]))
    return str(mlflow.pyfunc.log_model(name="places", python_model=model, signature=signature, **PLAIN).model_uri)


@pytest.fixture(scope="module")
def raw(world: World) -> LogisticRegression:
    """Fitted on an array, so that it knows places and no names."""
    return LogisticRegression(max_iter=1000).fit(world.train[FEATURES].to_numpy(), world.train[LABEL])


@pytest.fixture(scope="module")
def straight(world: World) -> LinearRegression:
    return LinearRegression().fit(world.train[FEATURES[1:]].to_numpy(), world.train[FEATURES[0]])


@pytest.fixture(scope="module")
def by_kind(world: World, raw: LogisticRegression) -> dict[str, str]:
    return {"estimator": sklearn_uri(raw, world), "pyfunc": pyfunc_uri(Probability(raw), world)}


def test_two_classes_in_another_order(world: World, raw: LogisticRegression, by_kind: dict[str, str]) -> None:
    exact = brier_score_loss(world.rows[LABEL], raw.predict_proba(world.rows[FEATURES].to_numpy())[:, 1])
    for uri in by_kind.values():
        config = {"max_brier": 0.2, "reference": world.train[[*SHUFFLED[1:], LABEL]]}
        run, result = world.evaluate(world.rows[SHUFFLED], model=uri, evaluators="calibration", evaluator_config=config)
        assert result.metrics["calibration_brier"] == pytest.approx(exact, abs=1e-9)
        seen = evidence_of(world, run, "calibration").measurements["reference"]["metrics"]["brier"]["value"]
        own = raw.predict_proba(world.train[FEATURES].to_numpy())[:, 1]
        assert seen == pytest.approx(brier_score_loss(world.train[LABEL], own), abs=1e-9)


def test_a_champion_in_another_order(world: World, raw: LogisticRegression, by_kind: dict[str, str]) -> None:
    scores = raw.predict_proba(world.rows[FEATURES].to_numpy())[:, 1]
    for uri in by_kind.values():
        run, _ = world.evaluate(
            world.rows[SHUFFLED], evaluators=["comparison"], evaluator_config={"comparison": {"champion": uri}}
        )
        found = evidence_of(world, run, "comparison").measurements["overall"]["metrics"]["brier"]["champion"]
        assert found == pytest.approx(brier_score_loss(world.rows[LABEL], scores), abs=1e-9)


def test_three_classes_in_another_order(world: World) -> None:
    codes = np.digitize(world.rows["AGEP"], [30, 60])
    raw = LogisticRegression(max_iter=300).fit(world.rows[FEATURES].to_numpy(), codes)
    uri = sklearn_uri(raw, world)
    data = world.rows[[*reversed(FEATURES)]].assign(y=codes)
    config = {"calibration": {"reference": data}, "comparison": {"champion": uri}}
    run, _ = world.evaluate(data, model=uri, targets="y", evaluators=list(config), evaluator_config=config)
    right = float((raw.predict(world.rows[FEATURES].to_numpy()) == codes).mean())
    found = evidence_of(world, run, "comparison").measurements["overall"]["metrics"]["accuracy"]
    assert found["challenger"] == found["champion"] == pytest.approx(right)
    measured = evidence_of(world, run, "calibration").measurements
    assert measured["reference"]["metrics"]["brier"] == measured["metrics"]["brier"]


def test_a_regression_in_another_order(world: World, straight: LinearRegression) -> None:
    target, features = FEATURES[0], FEATURES[1:]
    predicted = straight.predict(world.rows[features].to_numpy())
    exact = mean_absolute_error(world.rows[target], predicted)
    for uri in (sklearn_uri(straight, world, features), pyfunc_uri(Number(straight), world, features)):
        config = {"calibration": {"reference": world.rows}, "comparison": {"champion": uri}}
        run, result = world.evaluate(
            world.rows[SHUFFLED], model=uri, targets=target, model_type="regressor", evaluators=list(config),
            evaluator_config=config,
        )  # fmt: skip
        assert result.metrics["calibration_mae"] == pytest.approx(exact)
        assert evidence_of(world, run, "calibration").measurements["reference"]["metrics"]["mae"][
            "value"
        ] == pytest.approx(exact)
        change = evidence_of(world, run, "comparison").measurements["overall"]["metrics"]["mae"]
        assert change["champion"] == pytest.approx(exact)


def test_sensitive_columns_beside_a_signature_are_sliced_and_not_seen(world: World, raw: LogisticRegression) -> None:
    """In the data, in the reference, and beside a champion of fewer columns."""
    data = world.rows.assign(group=np.where(np.arange(len(world.rows)) % 2, "a", "b"))
    config = {
        "calibration": {"slices": ["group"], "reference": world.train},  # the reference lacks what the model never sees
        "disaggregated": {"slices": ["group"]},
        "drift": {"reference": world.train.assign(group="a", other=1)},
        "comparison": {"champion": sklearn_uri(raw, world)},
    }
    run, result = world.evaluate(data, evaluators=list(config), evaluator_config=config)
    plain, _ = world.evaluate(evaluators="calibration", evaluator_config={"reference": world.train})
    wide, narrow = (evidence_of(world, one, "calibration").measurements for one in (run, plain))
    assert wide["metrics"] == narrow["metrics"] and wide["reference"] == narrow["reference"]
    assert result.metrics["disaggregated_slices"] == 2.0
    assert "group" in {one["name"] for one in evidence_of(world, run, "drift").measurements["columns"]}


def test_types_are_cast_as_where_it_serves(world: World) -> None:
    """A signature of whole numbers refuses fractions, and takes smaller whole numbers."""
    raw = LogisticRegression(max_iter=1000).fit(world.train[FEATURES].to_numpy(), world.train[LABEL])
    whole = world.train[FEATURES].astype("int64")
    uri = mlflow.sklearn.log_model(raw, name="whole", signature=infer_signature(whole), **PLAIN).model_uri
    small = world.rows.astype(dict.fromkeys(FEATURES, "int16"))
    _, result = world.evaluate(small, model=uri, evaluators="calibration", evaluator_config={"max_ece": 0.2})
    exact = brier_score_loss(world.rows[LABEL], raw.predict_proba(world.rows[FEATURES].to_numpy())[:, 1])
    assert result.metrics["calibration_brier"] == pytest.approx(exact, abs=1e-9)
    message = refused(world, model=uri, evaluators="calibration", evaluator_config={"max_ece": 0.2})
    assert "its signature refuses these rows" in message and "Can not safely convert float64 to int64" in message
    assert len(message) < 600


def test_an_index_says_nothing(world: World) -> None:
    """Rows that were filtered or put together keep an index with gaps or twice the same; places are what counts."""
    config: dict[str, Any] = {"evaluators": "calibration", "evaluator_config": {"max_ece": 0.2}}
    twice = pd.concat([world.rows.head(2000), world.rows.head(2000)])
    assert world.evaluate(twice, **config)[1].metrics["calibration_brier"] == pytest.approx(
        world.evaluate(world.rows.head(2000), **config)[1].metrics["calibration_brier"]
    )


@pytest.mark.parametrize("kind", ["estimator", "pyfunc"])
def test_missing_columns_are_refused_by_name(world: World, by_kind: dict[str, str], kind: str) -> None:
    config: dict[str, Any] = {"evaluators": "calibration", "evaluator_config": {"max_ece": 0.2}}
    message = refused(world, world.rows.rename(columns={"SCHL": "SCHOOL"}), model=by_kind[kind], **config)
    assert "by its signature it needs 'SCHL', which the data lack, did you mean 'SCHOOL'" in message
    config["evaluator_config"] = {"reference": world.train.drop(columns=["SCHL", "MAR"])}
    message = refused(world, model=by_kind[kind], **config)
    assert "reference: no column 'SCHL'" in message and "no column 'MAR'" in message


def test_without_a_signature_what_the_model_refuses_names_slice_data(world: World) -> None:
    def logged(model: Any) -> str:
        return str(mlflow.sklearn.log_model(model, name="unsigned", **PLAIN).model_uri)

    named = logged(LogisticRegression(max_iter=1000).fit(world.train[FEATURES], world.train[LABEL]))
    config: dict[str, Any] = {"evaluators": "calibration", "evaluator_config": {"max_ece": 0.2}}
    for data in (world.rows.assign(group=1), world.rows[SHUFFLED]):
        message = refused(world, data, model=named, **config)
        assert "failed on these rows: ValueError: The feature names" in message and "'slice_data'" in message
    beside = {
        **config["evaluator_config"],
        "slice_data": {"group": np.arange(len(world.rows)) % 2},
        "slices": ["group"],
    }
    world.evaluate(model=named, evaluators="calibration", evaluator_config=beside)


def test_a_function_is_asked_with_what_was_given(world: World, raw: LogisticRegression) -> None:
    """An array stays an array, whoever is asked: also about the reference."""
    kinds: list[type] = []

    def places(rows: Any) -> Any:
        kinds.append(type(rows))
        return raw.predict_proba(np.asarray(rows))[:, 1]

    asked: Callable[..., Any] = places
    columns = [f"feature_{i + 1}" for i in range(len(FEATURES))]
    reference = world.train[FEATURES].set_axis(columns, axis=1).assign(label=world.train[LABEL])
    _, result = world.evaluate(
        world.rows[FEATURES].to_numpy(), model=asked, targets=world.rows[LABEL].to_numpy(), evaluators="calibration",
        evaluator_config={"reference": reference[reversed(reference.columns)]},
    )  # fmt: skip
    exact = brier_score_loss(world.rows[LABEL], raw.predict_proba(world.rows[FEATURES].to_numpy())[:, 1])
    assert result.metrics["calibration_brier"] == pytest.approx(exact, abs=1e-9)
    assert kinds == [np.ndarray, np.ndarray]


def test_a_refusal_says_that_it_is_of_the_reference(world: World, zoo: Zoo) -> None:
    given: dict[str, Any] = {"evaluators": ["drift"]}
    texts = world.train.assign(AGEP=world.train.AGEP.astype(str))
    message = refused(world, world.rows, evaluator_config={"drift": {"reference": texts}}, **given)
    assert "reference: model: its signature refuses these rows" in message
    texts = zoo.train.assign(x0=zoo.train.x0.astype(str))
    given = {**given, "model": zoo.uri, "targets": "y", "evaluator_config": {"drift": {"reference": texts}}}
    assert "reference: model: its signature refuses these rows" in refused(world, zoo.rows, **given)
    given["evaluator_config"] = {"drift": {"reference": zoo.train}}
    assert "reference" not in refused(world, zoo.rows.assign(x0=texts.x0), **given)


def by_place(world: World, kind: str) -> Any:
    """Fitted on a frame, so that it knows the names of its columns, and looks at their places all the same."""
    estimator: Any = LinearRegression() if kind == "regressor" else LogisticRegression(max_iter=1000)
    model = make_pipeline(FunctionTransformer(np.asarray), estimator)
    return model.fit(world.train[FEATURES[1:]], world.train[LABEL if kind == "classifier" else FEATURES[0]])


def unsigned_uri(model: Any) -> str:
    given: dict[str, Any] = {**PLAIN, "serialization_format": "cloudpickle"}  # the function is no type that skops knows
    return str(mlflow.sklearn.log_model(model, name="unsigned", **given).model_uri)


@pytest.mark.parametrize("kind", ["classifier", "regressor"])
def test_a_model_that_looks_at_places_is_asked_with_the_columns_that_it_was_fitted_on(
    world: World, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Without a signature: evaluated, as champion and about the reference, and it is said that it looks at places."""
    features, model = FEATURES[1:], by_place(world, kind)
    uri = unsigned_uri(model)
    target = LABEL if kind == "classifier" else FEATURES[0]
    data, reference = (rows[[*reversed(features), target]] for rows in (world.rows, world.train))
    config = {
        "calibration": {"reference": reference},
        "comparison": {"champion": uri},
        "drift": {"reference": reference},
    }
    run, result = world.evaluate(
        data, model=uri, targets=target, model_type=kind, evaluators=list(config), evaluator_config=config
    )
    if kind == "classifier":
        exact = brier_score_loss(data[target], model.predict_proba(data[features])[:, 1])
        before = brier_score_loss(reference[target], model.predict_proba(reference[features])[:, 1])
    else:
        exact = mean_absolute_error(data[target], model.predict(data[features]))
        before = mean_absolute_error(reference[target], model.predict(reference[features]))
    metric = "brier" if kind == "classifier" else "mae"
    assert result.metrics[f"calibration_{metric}"] == pytest.approx(exact, abs=1e-9 * max(1, exact))
    seen = evidence_of(world, run, "calibration").measurements["reference"]["metrics"][metric]["value"]
    assert seen == pytest.approx(before, rel=1e-6)
    both = evidence_of(world, run, "comparison").measurements["overall"]["metrics"][metric]
    assert both["champion"] == both["challenger"] == pytest.approx(exact, rel=1e-6)
    assert "looks at the places of columns" in caplog.text and "Log it with a signature" in caplog.text


def test_a_column_that_an_unsigned_model_knows_and_the_data_lack_is_a_warning(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    uri = unsigned_uri(by_place(world, "classifier"))
    data = world.rows[[*FEATURES[1:], LABEL]]
    config: dict[str, Any] = {"evaluators": "calibration", "evaluator_config": {"max_ece": 0.2}}
    world.evaluate(data, model=uri, **config)
    assert "signature" not in caplog.text
    world.evaluate(data.rename(columns={"SCHL": "SCHOOL"}), model=uri, **config)
    assert "was fitted on 'SCHL', which the data lack, did you mean 'SCHOOL'" in caplog.text
    caplog.clear()
    world.evaluate(data.rename(columns=lambda name: name if name == LABEL else f"c_{name}"), model=uri, **config)
    assert "fitted on" not in caplog.text


def test_a_model_that_finds_its_columns_by_name_may_have_others_beside_them(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    model = make_pipeline(ColumnTransformer([("own", "passthrough", FEATURES)]), LogisticRegression(max_iter=1000)).fit(
        world.train[FEATURES], world.train[LABEL]
    )
    uri = mlflow.sklearn.log_model(model, name="unsigned", **PLAIN).model_uri
    config: dict[str, Any] = {"evaluators": "calibration", "evaluator_config": {"max_ece": 0.2}}
    _, result = world.evaluate(world.rows[SHUFFLED].assign(group=1), model=uri, **config)
    exact = brier_score_loss(world.rows[LABEL], model.predict_proba(world.rows[FEATURES])[:, 1])
    assert result.metrics["calibration_brier"] == pytest.approx(exact, abs=1e-9)
    assert "signature" not in caplog.text


class AsLightgbm(LogisticRegression):
    """Keeps names as LightGBM does, blanks as underscores, and looks at none of them."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        self.feature_name_ = [name.replace(" ", "_") for name in X.columns]
        return super().fit(np.asarray(X), y)

    def predict_proba(self, X: Any) -> Any:
        return super().predict_proba(np.asarray(X))


def test_names_are_known_as_lightgbm_writes_them(world: World, caplog: pytest.LogCaptureFixture) -> None:
    def blank(rows: pd.DataFrame) -> pd.DataFrame:
        return rows.rename(columns={"SCHL": "years of school"})

    own = [*blank(world.rows[FEATURES]).columns]
    model = AsLightgbm(max_iter=1000).fit(blank(world.train[FEATURES]), world.train[LABEL])
    exact = brier_score_loss(world.rows[LABEL], model.predict_proba(blank(world.rows)[own])[:, 1])
    config: dict[str, Any] = {"evaluators": "calibration", "evaluator_config": {"max_ece": 0.2}}
    for data, told in ((world.rows[[*FEATURES, LABEL]], False), (world.rows[SHUFFLED], True)):
        _, result = world.evaluate(blank(data), model=unsigned_uri(model), **config)
        assert result.metrics["calibration_brier"] == pytest.approx(exact, abs=1e-9)
        assert ("looks at the places of columns" in caplog.text) == told
