"""Regressions through MLflow: the same call, with model_type="regressor"."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException
from sklearn import metrics as sklearn
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression
from support.evaluating import World

from mlflow_eval_plugin.evidence import Evidence, loads
from mlflow_eval_plugin.reports import render

ALL = ["calibration", "disaggregated", "drift"]
FEATURES = ["area", "age"]
QUANTILES = {0.1: "q10", 0.5: "q50", 0.9: "q90"}


def houses(n: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    area, age = rng.gamma(6, 20, n), rng.integers(0, 80, n).astype(float)
    price = 1000 * area - 500 * age + 30_000 * rng.normal(size=n) + 50_000
    return pd.DataFrame({"area": area, "age": age, "price": price, "town": rng.choice(["A", "B", "C"], n)})


TRAIN, ROWS = houses(3000, 0), houses(3000, 1)


@pytest.fixture(scope="module")
def static() -> pd.DataFrame:
    """Predictions made elsewhere: of the mean, and of three quantiles."""
    data = ROWS.copy()
    data["mean"] = LinearRegression().fit(TRAIN[FEATURES], TRAIN.price).predict(ROWS[FEATURES])
    for level, name in QUANTILES.items():
        model = HistGradientBoostingRegressor(loss="quantile", quantile=level, max_iter=60, max_leaf_nodes=8)
        data[name] = model.fit(TRAIN[FEATURES], TRAIN.price).predict(ROWS[FEATURES])
    return data


@pytest.fixture(scope="module")
def model_uri(world: World) -> str:
    model = LinearRegression().fit(TRAIN[FEATURES], TRAIN.price)
    logged = mlflow.sklearn.log_model(
        model, name="houses", input_example=TRAIN[FEATURES].head(2), pip_requirements=["scikit-learn"]
    )
    uri: str = logged.model_uri
    return uri


def evaluated(world: World, data: pd.DataFrame, **arguments: Any) -> tuple[Any, Any, dict[str, Evidence]]:
    arguments = {"targets": "price", "model_type": "regressor", **arguments}
    with mlflow.start_run() as run:
        result = mlflow.models.evaluate(data=data, **arguments)
    found = {}
    for item in world.client.list_artifacts(run.info.run_id, "evidence"):
        path = mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path=item.path)
        found[Path(path).stem] = loads(Path(path).read_bytes())
    return run, result, found


def configs(**changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "calibration": {},
        "disaggregated": {"slices": ["town", {"column": "age", "edges": [0, 30, 80]}]},
        "drift": {"reference": TRAIN},
    }
    return {kind: {**config, **changes.get(kind, {})} for kind, config in given.items()}


def test_a_model_beside_mlflows_own_evaluator(world: World, model_uri: str) -> None:
    rows = ROWS[[*FEATURES, "price"]]
    given = configs(
        disaggregated={"slice_data": ROWS[["town"]]}, drift={"reference": TRAIN[[*FEATURES, "price"]]}
    )  # fmt: skip
    quiet = {"default": {"log_model_explainability": False}}
    run, result, found = evaluated(
        world, rows, model=model_uri, evaluators=["default", *ALL], evaluator_config={**quiet, **given}
    )
    assert set(found) == set(ALL)
    assert result.metrics["calibration_rmse"] == pytest.approx(result.metrics["root_mean_squared_error"], rel=1e-9)
    assert result.metrics["calibration_mae"] == pytest.approx(result.metrics["mean_absolute_error"], rel=1e-9)
    assert result.metrics["calibration_r2"] == pytest.approx(result.metrics["r2_score"], rel=1e-9)
    assert [one.verdict for one in found.values()] == ["pass", "pass", "pass"]
    columns = {one["name"]: one for one in found["drift"].measurements["columns"]}
    assert {(one["role"], one["kind"]) for one in columns.values()} == {
        ("feature", "numeric"), ("prediction", "numeric"), ("label", "numeric"),
    }  # fmt: skip
    assert result.metrics["drift_prediction_psi"] < 0.1 and result.metrics["drift_label_psi"] < 0.1
    model = found["calibration"].subject
    assert model.model_uri == model_uri and model.model_digest is not None
    logged = world.client.get_run(run.info.run_id).data.metrics
    for kind in ALL:
        assert 3 < sum(name.startswith(kind) for name in logged) <= 15


def test_the_numbers_of_slices_are_those_of_scikit_learn(world: World, static: pd.DataFrame) -> None:
    config = configs(disaggregated={"quantiles": QUANTILES})["disaggregated"]
    _, _, found = evaluated(
        world, static, predictions="mean", evaluators="disaggregated", evaluator_config=config
    )  # fmt: skip
    measured = found["disaggregated"].measurements
    assert found["disaggregated"].task == "regression"
    one = next(one for one in measured["slices"] if one["label"] == "town=A")
    part = static[static.town == "A"]
    values = {name: estimate["value"] for name, estimate in one["metrics"].items()}
    assert values["mae"] == pytest.approx(sklearn.mean_absolute_error(part.price, part["mean"]), rel=1e-9)
    assert values["r2"] == pytest.approx(sklearn.r2_score(part.price, part["mean"]), rel=1e-9)
    assert values["pinball_0.1"] == pytest.approx(sklearn.mean_pinball_loss(part.price, part.q10, alpha=0.1), rel=1e-9)
    inside = ((part.q10 <= part.price) & (part.price <= part.q90)).mean()
    assert values["coverage_80 %"] == pytest.approx(inside, abs=1e-12)
    assert one["mean_target"] == pytest.approx(part.price.mean())
    assert {check.metric for check in found["disaggregated"].checks} == {"ratio_mae"}
    assert "best" not in {gap["versus"] for gap in measured["gaps"] if gap["metric"] == "bias"}


def test_a_named_slice_is_a_slice_of_a_regression(world: World, static: pd.DataFrame) -> None:
    config = {"queries": {"old": "age >= 40"}, "slices": ["town"]}
    _, _, found = evaluated(world, static, predictions="mean", evaluators="disaggregated", evaluator_config=config)
    one = next(one for one in found["disaggregated"].measurements["slices"] if one["label"] == "old")
    old = static[static.age >= 40]
    assert (one["n"], one["query"]) == (len(old), "age >= 40")
    assert one["metrics"]["mae"]["value"] == pytest.approx(
        sklearn.mean_absolute_error(old.price, old["mean"]), rel=1e-9
    )


def test_quantiles_and_intervals_have_coverage_checks(world: World, static: pd.DataFrame) -> None:
    config = {
        "quantiles": {str(level): name for level, name in QUANTILES.items()},
        "intervals": {"central": {"lower": "q10", "upper": "q90", "level": 0.8}},
        "max_mae": 30_000,
        "reference": static.head(1000),
    }
    _, result, found = evaluated(world, static, predictions="mean", evaluators="calibration", evaluator_config=config)
    document = found["calibration"]
    assert {check.scope for check in document.checks if check.metric == "coverage_error"} == {
        "quantile 0.1", "quantile 0.5", "quantile 0.9", "interval 80 %", "interval central",
    }  # fmt: skip
    measured = document.measurements
    assert [(one["level"], one["column"]) for one in measured["quantiles"]] == sorted(QUANTILES.items())
    first, second = measured["intervals"]
    assert (first["name"], second["name"]) == ("80 %", "central")
    assert first["coverage"] == second["coverage"] and first["level"] == pytest.approx(0.8)
    assert sum(measured["pit"]["share"]) == pytest.approx(1) and measured["reference"]["n"] == 1000
    assert document.verdict == "pass" and result.metrics["calibration_worst_coverage_error"] < 0.05


def test_permuted_rows_give_the_same_measurements(world: World, static: pd.DataFrame) -> None:
    config = {"quantiles": QUANTILES, "slices": ["town"], "sample_weights": "age"}
    settings = {
        "predictions": "mean",
        "evaluators": ALL[:2],
        "evaluator_config": {
            "calibration": {key: config[key] for key in ("quantiles", "sample_weights")},
            "disaggregated": config,
        },
    }
    weighted = static.assign(age=static.age + 1)
    _, _, first = evaluated(world, weighted, **settings)
    _, _, second = evaluated(world, weighted.sample(frac=1, random_state=3).reset_index(drop=True), **settings)
    for kind in ALL[:2]:
        assert first[kind].measurements == second[kind].measurements
        assert first[kind].checks == second[kind].checks
        assert first[kind].data.digest == second[kind].data.digest


def test_a_model_whose_output_has_columns(world: World, static: pd.DataFrame) -> None:
    outputs = static.set_index(["area", "age"])[["mean", "q10", "q90"]]

    def predict(rows: pd.DataFrame) -> pd.DataFrame:
        return outputs.loc[list(zip(rows.area, rows.age, strict=True))].reset_index(drop=True)

    rows = ROWS[[*FEATURES, "price"]]
    config = {"prediction_column": "mean", "quantiles": {0.1: "q10", 0.9: "q90"}}
    _, _, found = evaluated(world, rows, model=predict, evaluators="calibration", evaluator_config=config)
    by_mlflow = {"predictions": "mean", "evaluator_config": {"quantiles": config["quantiles"]}}
    _, _, same = evaluated(world, rows, model=predict, evaluators="calibration", **by_mlflow)
    assert same["calibration"].measurements == found["calibration"].measurements
    mae = found["calibration"].measurements["metrics"]["mae"]["value"]
    assert mae == pytest.approx(sklearn.mean_absolute_error(static.price, static["mean"]), rel=1e-9)
    assert "its output has the columns 'mean', 'q10', 'q90'; say with 'prediction_column'" in refused(
        world, rows, model=predict, evaluators="calibration", evaluator_config={"bins": 15}
    )


def test_a_flat_config_means_whoever_has_one_of_its_keys(world: World, static: pd.DataFrame) -> None:
    # MLflow's own evaluator runs too, which takes no text.
    numbers = static.drop(columns="town")
    _, _, found = evaluated(world, numbers, predictions="mean", evaluators=None, evaluator_config={"max_rmse": 1e6})
    assert set(found) == {"calibration"}


def test_drift_takes_late_targets_and_finds_a_shift(world: World, static: pd.DataFrame) -> None:
    late = static.assign(price=static.price.where(static.index % 3 > 0), mean=static["mean"] + 40_000)
    config = {"reference": static, "max_missing_change": None}
    _, _, found = evaluated(world, late, predictions="mean", evaluators="drift", evaluator_config=config)
    assert {check.scope for check in found["drift"].failed} == {"mean"}
    assert found["drift"].task == "regression"


def test_drift_knows_which_columns_hold_predictions(world: World, static: pd.DataFrame) -> None:
    config = {"reference": static, "prediction_column": "mean", "quantiles": {0.1: "q10", 0.9: "q90"}}
    _, result, found = evaluated(
        world, static.assign(mean=static["mean"] + 1e6), evaluators="drift", evaluator_config=config
    )
    assert result.metrics["drift_prediction_psi"] > 5  # that of the mean, whichever others there are
    roles = {one["name"]: one["role"] for one in found["drift"].measurements["columns"]}
    assert roles == {
        "area": "feature", "age": "feature", "town": "feature", "q50": "feature",
        "mean": "prediction", "q10": "prediction", "q90": "prediction", "price": "label",
    }  # fmt: skip
    earlier = static.drop(columns=["mean", "q10"])
    _, _, found = evaluated(world, static, evaluators="drift", evaluator_config={**config, "reference": earlier})
    names = {one["name"] for one in found["drift"].measurements["columns"]}
    assert names == {"area", "age", "town", "q50", "q90", "price"}


def test_drift_of_a_model_whose_output_has_columns(world: World, static: pd.DataFrame) -> None:
    def predict(rows: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame({"mean": rows.area, "q10": rows.area - 1, "q90": rows.area + 1})

    rows = ROWS[[*FEATURES, "price"]]
    config = {"reference": rows, "prediction_column": "mean", "quantiles": {0.9: "q90"}}
    _, _, found = evaluated(world, rows, model=predict, evaluators="drift", evaluator_config=config)
    roles = [(one["name"], one["role"]) for one in found["drift"].measurements["columns"]]
    assert roles == [
        ("area", "feature"), ("age", "feature"), ("prediction", "prediction"), ("q90", "prediction"),
        ("price", "label"),
    ]  # fmt: skip


def refused(world: World, data: pd.DataFrame, **arguments: Any) -> str:
    """The message of the refusal, after looking that the run holds nothing of ours."""
    given = {"targets": "price", "model_type": "regressor", "evaluators": ALL, **arguments}
    with pytest.raises(MlflowException) as caught, mlflow.start_run() as run:
        mlflow.models.evaluate(data=data, **given)
    assert caught.value.error_code == "INVALID_PARAMETER_VALUE"
    assert [item.path for item in world.client.list_artifacts(run.info.run_id)] == []
    assert world.client.get_run(run.info.run_id).data.metrics == {}
    return str(caught.value.message)


BAD_CONFIGS = [
    ({"calibration": {"max_change": {"bias": 1}}}, "'max_change' needs 'reference'"),
    ({"calibration": {"max_change": {"coverage_80 %": 1}, "reference": TRAIN}}, "there is no change 'coverage_80 %'"),
    ({"calibration": {"slices": ["towns"]}}, "no column 'towns', did you mean 'town'"),
    ({"calibration": {"depth": 2}}, "'depth' has no effect without"),
    ({"calibration": {"max_ece": 0.1}}, "calibration: key 'max_ece' is for classifiers, and this model is none"),
    ({"calibration": {"pos_label": 1}}, "'pos_label' is for classifiers"),
    ({"calibration": {"probability_columns": ["a", "b", "c"]}}, "'probability_columns' is for classifiers"),
    ({"drift": {"pos_label": 1}}, "drift: 'pos_label' is for classifiers"),
    ({"drift": {"label_list": [0, 1]}}, "drift: 'label_list' is for classifiers"),
    ({"drift": {"probability_column": "mean"}}, "drift: 'probability_column' is for classifiers"),
    ({"drift": {"prediction_column": "q05"}}, "prediction_column: no column 'q05'"),
    ({"drift": {"reference": TRAIN, "quantiles": {0.1: "q01"}}}, "quantiles: no column 'q01', did you mean 'q10'"),
    ({"calibration": {"max_maee": 0.1}}, "there is no key 'max_maee'; did you mean 'max_mae'?"),
    ({"calibration": {"quantiles": {1.0: "q90"}}}, "calibration: key 'quantiles'"),
    ({"calibration": {"quantiles": {0.1: "q01"}}}, "quantiles: no column 'q01', did you mean 'q10'"),
    ({"calibration": {"intervals": {"i": {"lower": "q10", "upper": "q90"}}}}, "calibration: key 'intervals'"),
    ({"calibration": {"quantiles": {0.1: "q10"}, "intervals": {"0.1": {"lower": "q10", "upper": "q90", "level": 0.8}}}},
     "the interval '0.1' is called like a quantile"),
    ({"calibration": {"intervals": {"i": {"lower": "q90", "upper": "q10", "level": 0.8}}}},
     "with a lower end above the upper one; are the columns swapped?"),
    ({"disaggregated": {"max_gap": {"fpr": 0.1}}}, "there is no metric of max_gap 'fpr'"),
    ({"disaggregated": {"max_metric": {"pinball_0.1": 0.1}}}, "there is no metric of max_metric 'pinball_0.1'"),
    ({"disaggregated": {"max_ratio": {"bias": 2}}}, "'bias' can be negative, so that no ratio of it means anything"),
    ({"disaggregated": {"max_gap": {"bias": 2}, "gap_versus": "best"}}, "there is no best 'bias'"),
    ({"disaggregated": {"slices": []}}, "expected at least one slice column, named slices in 'queries', or a 'search'"),
    ({"disaggregated": {"search": {"error": "brier"}}},
     "the error 'brier' is not one of this model's; expected one of 'squared_error', 'absolute_error'"),
    ({"disaggregated": {"search": True, "sample_weights": "age"}}, "'search' counts rows and knows no weights"),
    ({"disaggregated": {"slices": [], "search": True, "max_ratio": {"mae": 2}}},
     "'max_ratio' has no effect without 'slices'"),
    ({"disaggregated": {"queries": {"old": "age >= 40"}, "gap_versus": "best"}}, "'old' is the only one"),
    ({"disaggregated": {"slices": ["twon"]}}, "no column 'twon', did you mean 'town'"),
    ({"disaggregated": {"threshold": 0.4}}, "key 'threshold' is for classifiers"),
    ({"calibration": {"reference": TRAIN.assign(mean=1.0), "quantiles": {0.1: "q10"}}},
     "reference: quantiles: no column 'q10'"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "message"), BAD_CONFIGS, ids=[message for _, message in BAD_CONFIGS])
def test_a_config_that_is_wrong_names_its_key(
    world: World, static: pd.DataFrame, changes: dict[str, Any], message: str
) -> None:
    given = configs(**{"drift": {"reference": static}, **changes})
    assert message in refused(world, static, predictions="mean", evaluator_config=given)


BAD_DATA = [
    ({"price": np.nan}, "label: 1 row is (first at row 7) missing"),
    ({"price": np.inf}, "target: 1 row is (first at row 7) missing or infinite"),
    ({"mean": np.inf}, "prediction: 1 row is (first at row 7) missing or infinite"),
    ({"q10": np.nan}, "quantile 0.1: 1 row is (first at row 7) missing or infinite"),
    ({"mean": -1e200}, "prediction: 1 row is (first at row 7) beyond 1e+70 in size"),
]


@pytest.mark.parametrize(("changes", "message"), BAD_DATA, ids=[message for _, message in BAD_DATA])
def test_numbers_that_are_none(world: World, static: pd.DataFrame, changes: dict[str, float], message: str) -> None:
    data = static.copy()
    for name, value in changes.items():
        data.loc[7, name] = value
    given = configs(calibration={"quantiles": {0.1: "q10"}}, drift={"reference": static})
    assert message in refused(world, data, predictions="mean", evaluator_config=given)


def test_predictions_that_are_missing_or_of_another_length(world: World) -> None:
    given = configs(drift={"reference": TRAIN})
    assert "there is neither a model nor a column of predictions" in refused(world, ROWS, evaluator_config=given)
    rows = ROWS[[*FEATURES, "price"]]
    config = {"calibration": {}}
    short = refused(world, rows, model=lambda rows: np.zeros(3), evaluators=["calibration"], evaluator_config=config)
    assert "expected 3000 predictions, one a row, found 3" in short
    wide = refused(
        world, rows, model=lambda rows: np.zeros((len(rows), 2)), evaluators=["calibration"], evaluator_config=config
    )
    assert "found an array of shape (3000, 2)" in wide
    none = rows.assign(mean=1.0).head(0)
    assert "no rows" in refused(
        world, none, predictions="mean", evaluators=["calibration"], evaluator_config=config
    )  # fmt: skip


def test_a_constant_target_has_no_r2_and_is_not_failed_for_it(world: World, static: pd.DataFrame) -> None:
    data = static.assign(price=5.0)
    given = {"calibration": {}, "disaggregated": {"slices": ["town"], "min_metric": {"r2": 0.1}, "max_ratio": {}}}
    _, _, found = evaluated(
        world, data, predictions="mean", evaluators=ALL[:2], evaluator_config=given
    )  # fmt: skip
    assert found["disaggregated"].verdict == "insufficient"
    assert all("the target is the same in all rows" in check.reason for check in found["disaggregated"].checks)
    assert found["calibration"].measurements["metrics"]["r2"]["value"] is None


def test_slices_of_a_calibration_keep_to_its_tolerances(world: World, static: pd.DataFrame) -> None:
    off = static.assign(mean=static["mean"] + np.where(static.town == "B", 15_000, 0))
    config = {
        "quantiles": QUANTILES, "slices": ["town"], "queries": {"old": "age >= 40"}, "max_bias": 5000,
        "intervals": {"odd {name}": {"lower": "q10", "upper": "q90", "level": 0.8}},
    }  # fmt: skip
    _, _, found = evaluated(world, off, predictions="mean", evaluators="calibration", evaluator_config=config)
    document = found["calibration"]
    slices = {one["label"]: one for one in document.measurements["slices"]}
    assert set(slices) == {"town=A", "town=B", "town=C", "old"} and slices["old"]["query"] == "age >= 40"
    failed = {check.id for check in document.failed}
    assert {"bias:town=B", "bias_sigma:town=B"} <= failed
    assert not [one for one in failed if one.endswith(("town=A", "town=C"))]
    part = off[off.town == "B"]
    checks = {check.id: check for check in document.checks}
    bias = (part["mean"] - part.price).mean()
    assert checks["bias:town=B"].value == pytest.approx(bias, rel=1e-9)
    assert checks["bias_sigma:town=B"].value == pytest.approx(bias / part.price.std(ddof=0), rel=1e-9)
    share = checks["coverage_80 %:town=B"]
    inside = ((part.q10 <= part.price) & (part.price <= part.q90)).mean()
    assert share.value == pytest.approx(inside) and (share.minimum, share.maximum) == pytest.approx((0.75, 0.85))
    assert checks["coverage_0.5:old"].value == pytest.approx((static.price <= static.q50)[static.age >= 40].mean())
    odd = checks["coverage_odd {name}:town=A"].claim
    assert odd == "the share of targets inside the interval odd {name} in town=A differs from 0.8 by at most 0.05"
    mended = document.measurements["recalibration"]
    assert mended["suggested"] in ("shift", "linear", "isotonic")
    assert mended["methods"][0]["parameters"]["shift"] == pytest.approx((off.price - off["mean"]).mean(), rel=1e-9)
    page = render(document)
    assert "Calibration by slice" in page and "Coverage 0.1" in page
    assert f"On rows not fitted to: {mended['suggested']}" in page and "Change of mean squared error" in page


def test_what_has_changed_since_the_reference(world: World, static: pd.DataFrame) -> None:
    before, now = static[:1500], static[1500:].assign(mean=lambda rows: rows["mean"] + 9000)
    limits = {"bias": 3000, "rmse": 30_000, "r2": 0.0001, "mean_error": 500, "coverage_80 %": 0.2, "slope": 0.5}
    config = {"quantiles": QUANTILES, "reference": before, "max_change": limits}
    _, _, found = evaluated(world, now, predictions="mean", evaluators="calibration", evaluator_config=config)
    document = found["calibration"]
    change, metrics = document.measurements["change"], document.measurements["metrics"]
    of = {
        "bias": lambda rows: (rows["mean"] - rows.price).mean(),
        "mae": lambda rows: sklearn.mean_absolute_error(rows.price, rows["mean"]),
        "rmse": lambda rows: sklearn.root_mean_squared_error(rows.price, rows["mean"]),
        "r2": lambda rows: sklearn.r2_score(rows.price, rows["mean"]),
        "coverage_0.1": lambda rows: (rows.price <= rows.q10).mean(),
    }
    for name, expected in of.items():
        assert change[name]["value"] == pytest.approx(expected(now) - expected(before), rel=1e-9), name
    then = document.measurements["reference"]["metrics"]
    for name in ("mean_error", "slope", "mae"):
        assert change[name]["value"] == pytest.approx(metrics[name]["value"] - then[name]["value"], rel=1e-9), name
    # Of independent samples, by variance recovery (Zou & Donner 2008).
    low = change["mae"]["value"] - np.hypot(
        metrics["mae"]["value"] - metrics["mae"]["interval"][0], then["mae"]["interval"][1] - then["mae"]["value"]
    )
    assert change["mae"]["interval"][0] == pytest.approx(low, rel=1e-9)
    checks = {check.id: check for check in document.checks if check.id.startswith("change:")}
    ends = {id.split(":")[1]: (check.minimum, check.maximum) for id, check in checks.items()}
    assert ends == {
        "bias": (-3000, 3000), "rmse": (None, 30_000), "r2": (-0.0001, None), "mean_error": (None, 500),
        "coverage_80 %": (-0.2, 0.2), "slope": (-0.5, 0.5),
    }  # fmt: skip
    assert checks["change:bias:overall"].verdict == "fail"
    assert "since the reference, r2 has fallen by at most 0.0001" in checks["change:r2:overall"].claim
    assert "The reference rows, and what has changed since" in render(document)
    bare = {"reference": before.drop(columns="price"), "max_change": {"bias": 1}}
    message = refused(world, now, predictions="mean", evaluators="calibration", evaluator_config=bare)
    assert "'max_change' needs targets and predictions in the reference" in message
