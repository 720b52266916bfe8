"""Whole ``mlflow.models.evaluate`` calls with a real model on census rows."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
import yaml
from mlflow.models import EvaluationResult, MetricThreshold
from mlflow.models.evaluation.validation import ModelValidationFailedException
from scipy import special
from sklearn.metrics import brier_score_loss
from support.evaluating import FEATURES, LABEL, World, evidence_of

from mlflow_eval_plugin.evidence import loads
from mlflow_eval_plugin.model_files import model_digest_at
from mlflow_eval_plugin.plugin import CalibrationEvaluator, DisaggregatedEvaluator, DriftEvaluator
from mlflow_eval_plugin.reports import render_joined

ALL = ["calibration", "disaggregated", "drift"]
KINDS = dict(zip(ALL, (CalibrationEvaluator, DisaggregatedEvaluator, DriftEvaluator), strict=True))


def paths(world: World, run: Any) -> set[str]:
    listed = [*world.client.list_artifacts(run.info.run_id, "evidence")]
    return {item.path for item in [*listed, *world.client.list_artifacts(run.info.run_id, "reports")]}


def configs(world: World, **changes: dict[str, Any]) -> dict[str, Any]:
    given: dict[str, Any] = {
        "calibration": {"max_ece": 0.3, "max_calibration_in_the_large": 0.3},
        "disaggregated": {"slices": ["SEX"]},
        "drift": {"reference": world.train, "reference_name": "ma-2015"},
    }
    return {kind: {**config, **changes.get(kind, {})} for kind, config in given.items()}


@pytest.fixture(scope="module")
def three(world: World) -> tuple[Any, Any]:
    quiet = {"default": {"log_model_explainability": False}}
    return world.evaluate(evaluators=["default", *ALL], evaluator_config={**quiet, **configs(world)})


def test_three_evaluators_beside_the_default(world: World, three: tuple[Any, Any]) -> None:
    run, result = three
    assert paths(world, run) == {
        "evidence/calibration.json", "evidence/disaggregated.json", "evidence/drift.json",
        "reports/calibration.html", "reports/calibration-reliability.png",
        "reports/disaggregated.html", "reports/disaggregated-forest.png",
        "reports/drift.html", "reports/drift-overview.png", "reports/report.html",
    }  # fmt: skip
    assert "roc_auc" in result.metrics  # MLflow's own
    assert "calibration_curve_plot" in result.artifacts and "calibration_reliability" in result.artifacts


def test_the_numbers_are_those_of_scikit_learn(world: World, three: tuple[Any, Any]) -> None:
    run, result = three
    scores = world.model.predict_proba(world.rows[FEATURES])[:, 1]
    labels = world.rows[LABEL].to_numpy()
    assert result.metrics["calibration_brier"] == pytest.approx(brier_score_loss(labels, scores), abs=1e-9)
    document = evidence_of(world, run, "disaggregated")
    women = (world.rows.SEX == 2).to_numpy()
    fpr = ((scores >= 0.5) & (labels == 0) & women).sum() / ((labels == 0) & women).sum()
    found = next(s for s in document.measurements["slices"] if s["label"] == "SEX=2")
    assert found["metrics"]["fpr"]["value"] == pytest.approx(fpr, abs=1e-12)
    drift = evidence_of(world, run, "drift")
    assert [column["role"] for column in drift.measurements["columns"]][-2:] == ["score", "label"]


def test_evidence_names_model_and_data(world: World, three: tuple[Any, Any]) -> None:
    run, _ = three
    documents = [evidence_of(world, run, kind) for kind in ALL]
    local = Path(mlflow.artifacts.download_artifacts(world.model_uri))
    for document in documents:
        assert document.subject.model_digest == model_digest_at(local)
        assert document.subject.model_uri == world.model_uri
        assert document.subject.run_id == run.info.run_id
        assert document.data.rows == len(world.rows)
    assert len({document.data.digest for document in documents}) == 1
    assert documents[2].reference is not None and documents[2].reference.name == "ma-2015"
    assert documents[2].reference.digest != documents[2].data.digest


def test_evidence_names_the_files_of_a_model_only_where_they_are_those_that_were_loaded(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Saved and not logged, a model says nowhere where it is; one that says it is another is not believed."""
    saved, copied = tmp_path / "saved", tmp_path / "copied"
    mlflow.sklearn.save_model(world.model, saved, pip_requirements=["scikit-learn"])
    shutil.copytree(mlflow.artifacts.download_artifacts(world.model_uri), copied)
    mlmodel = yaml.safe_load((copied / "MLmodel").read_text())
    (copied / "MLmodel").write_text(yaml.safe_dump({**mlmodel, "model_uuid": "0" * 32}))

    def named(folder: Path, **config: str) -> str | None:
        settings = {"slices": ["SEX"], **config}
        run, _ = world.evaluate(model=str(folder), evaluators="disaggregated", evaluator_config=settings)
        return evidence_of(world, run, "disaggregated").subject.model_digest

    assert named(saved) is None
    assert named(saved, model_uri=saved.as_uri()) == model_digest_at(saved)
    assert "are not those of the model that was evaluated" not in caplog.text
    assert named(copied) is None
    assert "are not those of the model that was evaluated" in caplog.text
    assert named(saved, model_uri=(tmp_path / "nowhere").as_uri()) is None
    assert "cannot be read" in caplog.text


def test_metrics_are_logged_once_with_data_set_and_model(world: World, three: tuple[Any, Any]) -> None:
    run, result = three
    ours = {key: value for key, value in result.metrics.items() if key.split("_")[0] in ALL}
    assert all(isinstance(value, float) and np.isfinite(value) for value in ours.values())
    assert all(sum(key.startswith(kind) for key in ours) <= 15 for kind in ALL)
    for key in ours:
        assert len(world.client.get_metric_history(run.info.run_id, key)) == 1
    store = sqlite3.connect(mlflow.get_tracking_uri().removeprefix("sqlite:///"))
    query = "select dataset_name, dataset_digest from logged_model_metrics where metric_name = ? and run_id = ?"
    ((name, digest),) = store.execute(query, ("drift_verdict", run.info.run_id)).fetchall()
    assert name == "dataset" and len(digest) == 8


def test_the_reference_is_an_input_of_the_run(world: World, three: tuple[Any, Any]) -> None:
    run, _ = three
    tagged = [(one.dataset.name, one.dataset.digest) for one in run.inputs.dataset_inputs if one.tags]
    document = evidence_of(world, run, "drift")
    assert document.reference is not None
    assert tagged == [("ma-2015", document.reference.digest.removeprefix("sha256:")[:32])]


def test_the_result_saves_and_loads(world: World, three: tuple[Any, Any], tmp_path: Path) -> None:
    _, result = three
    result.save(str(tmp_path / "saved"))
    names = {path.name for path in (tmp_path / "saved" / "artifacts").iterdir()}
    assert {"calibration.json", "calibration.html", "disaggregated-forest.png"} <= names
    assert loads((tmp_path / "saved" / "artifacts" / "drift.json").read_text()).kind == "drift"
    again = EvaluationResult.load(str(tmp_path / "saved"))
    assert again.artifacts["calibration_evidence"].content == result.artifacts["calibration_evidence"].content
    assert "<h1>" in again.artifacts["drift_report"].content


def test_the_model_is_asked_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    loaded = mlflow.pyfunc.load_model(world.model_uri)
    raw = loaded.get_raw_model()
    scored = type(raw).predict_proba

    def counted(model: Any, rows: Any) -> Any:
        asked.append(len(rows))
        return scored(model, rows)

    monkeypatch.setattr(type(raw), "predict_proba", counted)
    world.evaluate(model=loaded, evaluators=ALL, evaluator_config=configs(world))
    assert sorted(asked) == [len(world.train), len(world.rows)]


def test_thresholds_of_mlflow_can_ask_for_a_pass(world: World, three: tuple[Any, Any]) -> None:
    _, result = three
    thresholds = {"calibration_verdict": MetricThreshold(threshold=1, greater_is_better=True)}
    mlflow.validate_evaluation_results(thresholds, result)
    _, broken = world.evaluate(evaluators="calibration", evaluator_config={"max_ece": 0.0001})
    with pytest.raises(ModelValidationFailedException):
        mlflow.validate_evaluation_results(thresholds, broken)


def test_slice_data_stays_out_of_the_model(world: World, census: pd.DataFrame) -> None:
    race = census[census.year == 2018].head(6000)[["RAC1P"]]  # another index than the rows have
    change = {"disaggregated": {"slices": ["SEX", "RAC1P", ["SEX", "RAC1P"]], "slice_data": race}}
    run, _ = world.evaluate(evaluators=["disaggregated"], evaluator_config={"disaggregated": change["disaggregated"]})
    document = evidence_of(world, run, "disaggregated")
    labels = {one["label"]: one["n"] for one in document.measurements["slices"]}
    assert labels["RAC1P=1"] == int((race.RAC1P.astype(str) == "1").sum())
    both = (race.RAC1P.astype(str) == "2").to_numpy() & (world.rows.SEX == 1).to_numpy()
    assert labels["SEX=1 & RAC1P=2"] == int(both.sum())
    assert "RAC1P" in document.data.columns
    assert document.config["slice_data"] == "given"


def test_a_recalibration_is_suggested_for_scores_that_are_too_sure(world: World) -> None:
    scores = world.model.predict_proba(world.rows[FEATURES])[:, 1]

    def found(p: Any) -> dict[str, Any]:
        data = world.rows.assign(p=p)
        run, _ = world.evaluate(data, model=None, predictions="p", evaluators="calibration", evaluator_config={})
        recalibration: dict[str, Any] = evidence_of(world, run, "calibration").measurements["recalibration"]
        return recalibration

    plain, sure = found(scores), found(special.expit(2 * special.logit(scores)))
    before, after = ({one["method"]: one for one in each["methods"]} for each in (plain, sure))
    assert sure["suggested"] in after
    assert after["temperature"]["brier_change"]["value"] < 0
    # Scores of twice the logit need twice the temperature.
    doubled = 2 * before["temperature"]["parameters"]["temperature"]
    assert after["temperature"]["parameters"]["temperature"] == pytest.approx(doubled, rel=1e-3)


def test_costs_of_decisions(world: World) -> None:
    config = {"slices": ["SEX"], "costs": {"fp": 1, "fn": 4}, "max_cost": 0.01}
    run, _ = world.evaluate(evaluators="disaggregated", evaluator_config=config)
    document = evidence_of(world, run, "disaggregated")
    costs = document.measurements["costs"]
    for report, cost in zip(
        [document.measurements["overall"], *document.measurements["slices"]], costs["slices"], strict=True
    ):
        assert cost["label"] == report["label"]
        assert cost["cost"]["value"] == pytest.approx((report["fp"] + 4 * report["fn"]) / report["n"], rel=1e-12)
        assert cost["cost_at_best"] <= cost["cost"]["value"]
    assert costs["threshold_if_calibrated"] == pytest.approx(0.2)
    assert document.config["costs"] == {"fp": 1.0, "fn": 4.0, "tp": 0.0, "tn": 0.0}
    judged = {check.scope: check.verdict for check in document.checks if check.metric == "cost"}
    assert judged == {"overall": "fail", "SEX=1": "fail", "SEX=2": "fail"}


def test_classes_have_costs_and_no_other_threshold(world: World) -> None:
    data = world.rows.assign(predicted=world.model.predict(world.rows[FEATURES]))
    run, _ = world.evaluate(
        data, model=None, predictions="predicted", evaluators="disaggregated",
        evaluator_config={"slices": ["SEX"], "costs": {"fp": 1, "fn": 4}},
    )  # fmt: skip
    for cost in evidence_of(world, run, "disaggregated").measurements["costs"]["slices"]:
        assert cost["cost"]["value"] > 0
        assert (cost["best_threshold"], cost["cost_at_best"]) == (None, None)


def test_only_the_intersections_that_were_asked_for(world: World) -> None:
    config = {"slices": ["SEX", "DIS", "MAR", ["SEX", "DIS"], {"column": "AGEP", "quantiles": 3}]}
    run, _ = world.evaluate(evaluators="disaggregated", evaluator_config=config)
    labels = [one["label"] for one in evidence_of(world, run, "disaggregated").measurements["slices"]]
    columns = {tuple(part.split("=")[0] for part in label.split(" & ")) for label in labels}
    assert columns == {("AGEP",), ("DIS",), ("MAR",), ("SEX",), ("SEX", "DIS")}
    assert sum(label.startswith("AGEP=[") for label in labels) == 3


def test_static_probabilities(world: World) -> None:
    scores = world.model.predict_proba(world.rows[FEATURES])[:, 1]
    data = world.rows.assign(p=scores)
    reference = world.train.assign(p=world.model.predict_proba(world.train[FEATURES])[:, 1])
    run, result = world.evaluate(
        data, model=None, predictions="p", evaluators=ALL,
        evaluator_config=configs(world, drift={"reference": reference}),
    )  # fmt: skip
    assert result.metrics["calibration_brier"] == pytest.approx(brier_score_loss(world.rows[LABEL], scores), abs=1e-9)
    for key in ("calibration_verdict", "drift_verdict"):
        assert len(world.client.get_metric_history(run.info.run_id, key)) == 1
    document = evidence_of(world, run, "drift")
    assert document.subject.model_digest is None
    assert {c["name"]: c["role"] for c in document.measurements["columns"]}["p"] == "score"


def test_a_column_of_probabilities_drifts_once_as_the_score(world: World) -> None:
    def scored(rows: pd.DataFrame, shift: float) -> pd.DataFrame:
        return rows.assign(p=np.clip(world.model.predict_proba(rows[FEATURES])[:, 1] + shift, 0, 1))

    reference = scored(world.train, 0.3)
    config = {"reference": reference, "probability_column": "p"}
    run, _ = world.evaluate(scored(world.rows, 0.0), model=None, evaluators="drift", evaluator_config=config)
    document = evidence_of(world, run, "drift")
    columns = {column["name"]: column["role"] for column in document.measurements["columns"]}
    assert columns == {**dict.fromkeys(FEATURES, "feature"), "p": "score", LABEL: "label"}
    assert "p" in {check.scope for check in document.failed}
    assert "task" not in document.measurements
    # A reference that was never scored is compared as far as it goes.
    unscored = {**config, "reference": world.train}
    run, _ = world.evaluate(scored(world.rows, 0.0), model=None, evaluators="drift", evaluator_config=unscored)
    assert "p" not in {column["name"] for column in evidence_of(world, run, "drift").measurements["columns"]}


def test_static_classes_are_enough_for_slices(world: World) -> None:
    data = world.rows.assign(predicted=world.model.predict(world.rows[FEATURES]))
    config = {"disaggregated": {"slices": ["SEX"]}}
    run, _ = world.evaluate(
        data, model=None, predictions="predicted", evaluators=["disaggregated"], evaluator_config=config
    )
    document = evidence_of(world, run, "disaggregated")
    assert document.measurements["probabilities"] is False
    overall = document.measurements["overall"]["metrics"]
    assert overall["auc"]["value"] is None and "not probabilities" in overall["auc"]["reason"]
    correct = (data.predicted == data[LABEL]).mean()
    assert overall["accuracy"]["value"] == pytest.approx(correct, abs=1e-12)
    with pytest.raises(mlflow.MlflowException, match="no probabilities"):
        world.evaluate(
            data, model=None, predictions="predicted", evaluators="calibration", evaluator_config={"max_ece": 1}
        )


def test_text_labels_with_pos_label(world: World) -> None:
    words = world.rows.assign(employed=np.where(world.rows[LABEL] == 1, "yes", "no"))
    words["p"] = 1 - world.model.predict_proba(world.rows[FEATURES])[:, 1]
    arguments: dict[str, Any] = {"model": None, "predictions": "p", "evaluators": "calibration"}
    _, result = world.evaluate(words, evaluator_config={"pos_label": "no", "max_ece": 0.1}, **arguments)
    assert result.metrics["calibration_brier"] == pytest.approx(
        brier_score_loss(world.rows[LABEL] == 0, words["p"]), abs=1e-9
    )
    with pytest.raises(mlflow.MlflowException, match="pos_label"):
        world.evaluate(words, evaluator_config={"max_ece": 0.1}, **arguments)


def test_weights_by_array_and_by_column_agree(world: World) -> None:
    weights = np.where(world.rows.SEX == 1, 2.0, 1.0)
    _, by_array = world.evaluate(evaluators="calibration", evaluator_config={"sample_weights": weights, "max_ece": 0.1})
    extra = {"w": weights}
    config = {"sample_weights": "w", "slice_data": extra, "max_ece": 0.1}
    _, by_column = world.evaluate(evaluators="calibration", evaluator_config=config)
    scores = world.model.predict_proba(world.rows[FEATURES])[:, 1]
    expected = brier_score_loss(world.rows[LABEL], scores, sample_weight=weights)
    for result in (by_array, by_column):
        assert result.metrics["calibration_brier"] == pytest.approx(expected, abs=1e-6)


def test_a_prefix_is_in_every_name(world: World) -> None:
    config = {"calibration": {"max_ece": 0.1, "metric_prefix": "val_"}}
    run, result = world.evaluate(evaluators=["calibration"], evaluator_config=config)
    assert paths(world, run) == {
        "evidence/val_calibration.json", "reports/val_calibration.html", "reports/val_calibration-reliability.png",
    }  # fmt: skip
    assert all(key.startswith("val_calibration_") for key in [*result.metrics, *result.artifacts])


def test_one_page_joins_the_kinds_of_a_call(world: World, three: tuple[Any, Any]) -> None:
    run, result = three
    documents = [evidence_of(world, run, kind) for kind in ALL]
    path = mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path="reports/report.html")
    assert Path(path).read_text() == render_joined(documents) == result.artifacts["report"].content


def test_a_joined_page_has_the_prefix_that_all_kinds_share_and_is_never_overwritten(world: World) -> None:
    asked = {"evaluators": ["calibration", "disaggregated"], "model_type": "classifier", "targets": LABEL}

    def logged(run: Any, calibration: str, disaggregated: str) -> set[str]:
        before = paths(world, run)
        config = {
            "calibration": {"metric_prefix": calibration},
            "disaggregated": {"slices": ["SEX"], "metric_prefix": disaggregated},
        }
        mlflow.models.evaluate(world.model_uri, world.rows, evaluator_config=config, **asked)
        return {path for path in paths(world, run) - before if "report" in Path(path).stem}

    with mlflow.start_run() as run:
        assert logged(run, "val_", "val_") == {"reports/val_report.html"}
        assert logged(run, "val_", "val_") == {"reports/val_report-2.html"}
        assert logged(run, "a_", "b_") == {"reports/report.html"}


def test_evidence_is_never_overwritten(world: World) -> None:
    with mlflow.start_run() as run:
        for rows in (world.rows.head(3000), world.rows.tail(3000)):
            mlflow.models.evaluate(
                world.model_uri, rows, targets=LABEL, model_type="classifier", evaluators="calibration",
                evaluator_config={"max_ece": 0.1},
            )  # fmt: skip
    first, second = (evidence_of(world, run, name) for name in ("calibration", "calibration-2"))
    assert first.data.digest != second.data.digest
    assert "reports/calibration-2.html" in paths(world, run)


def test_a_flat_config_without_named_evaluators(world: World) -> None:
    flat = {"slices": ["SEX"], "log_model_explainability": False}
    run, result = world.evaluate(evaluators=None, evaluator_config=flat)
    assert {path for path in paths(world, run) if path.startswith("evidence")} == {"evidence/disaggregated.json"}
    assert "roc_auc" in result.metrics


def test_a_nested_config_without_named_evaluators(world: World) -> None:
    nested = {"calibration": {}, "drift": {"reference": world.train}, "default": {"log_model_explainability": False}}
    run, _ = world.evaluate(evaluators=None, evaluator_config=nested)
    assert {path for path in paths(world, run) if path.startswith("evidence")} == {
        "evidence/calibration.json", "evidence/drift.json",
    }  # fmt: skip


def test_one_named_evaluator_takes_a_nested_config_and_none(world: World) -> None:
    run, _ = world.evaluate(evaluators="calibration", evaluator_config={"calibration": {"bins": 20}})
    assert evidence_of(world, run, "calibration").config["bins"] == 20
    run, _ = world.evaluate(evaluators="calibration")
    assert evidence_of(world, run, "calibration").config["bins"] == 15


def test_nothing_configured_means_nothing_of_ours(world: World) -> None:
    quiet = {"log_model_explainability": False}
    run, _ = world.evaluate(evaluators=None, evaluator_config=quiet)
    assert paths(world, run) == set()
    for evaluator in KINDS.values():
        assert not evaluator.can_evaluate(model_type="classifier", evaluator_config={})
        assert not evaluator.can_evaluate(model_type="classifier", evaluator_config=quiet)
        assert not evaluator.can_evaluate(model_type="classifier", evaluator_config=None)
    assert DriftEvaluator.can_evaluate(model_type="classifier", evaluator_config={"reference": world.train})
    assert not DriftEvaluator.can_evaluate(model_type="question-answering", evaluator_config={"reference": world.train})


def test_the_deprecated_name_is_the_same_call(world: World) -> None:
    with mlflow.start_run() as run, pytest.warns(FutureWarning):
        mlflow.evaluate(
            world.model_uri, world.rows, targets=LABEL, model_type="classifier", evaluators="calibration",
            evaluator_config={"max_ece": 0.1},
        )  # fmt: skip
    assert evidence_of(world, run, "calibration").kind == "calibration"


def test_evidently_is_attached_and_harmless(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    config = {"drift": {"reference": world.train, "evidently": True}}
    run, _ = world.evaluate(evaluators=["drift"], evaluator_config=config)
    assert "reports/drift-evidently.html" in paths(world, run)
    monkeypatch.setitem(sys.modules, "evidently.presets", None)
    with pytest.warns(UserWarning, match="Evidently's report is missing"):
        broken, _ = world.evaluate(evaluators=["drift"], evaluator_config=config)
    assert "reports/drift-evidently.html" not in paths(world, broken)
    assert "Evidently" in broken.data.tags["mlflow_eval_plugin.drift.warning"]
    assert evidence_of(world, broken, "drift").verdict == evidence_of(world, run, "drift").verdict


def test_importing_the_door_is_light() -> None:
    code = (
        "import sys, mlflow.models; before = set(sys.modules)\n"
        "import mlflow_eval_plugin.plugin as door\n"
        "[one() for one in (door.CalibrationEvaluator, door.DisaggregatedEvaluator, door.DriftEvaluator)]\n"
        "new = {name.split('.')[0] for name in set(sys.modules) - before}\n"
        "print(sorted(new & {'matplotlib', 'evidently', 'scipy', 'pandas', 'sklearn', 'jinja2', 'pydantic'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.replace("'", '"')) == []


def test_mlflow_finds_the_three_without_warnings() -> None:
    code = (
        "import warnings; warnings.filterwarnings('error', 'Failure attempting to register')\n"
        "import mlflow; print(mlflow.models.list_evaluators())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert all(f"'{kind}'" in done.stdout for kind in ALL)
