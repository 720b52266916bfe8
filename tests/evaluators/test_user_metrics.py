"""Custom metrics in a real evaluate call."""

from __future__ import annotations

import hashlib
import inspect
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score, median_absolute_error, roc_auc_score, top_k_accuracy_score
from support.evaluating import FEATURES, LABEL, World, evidence_of, refused, three
from support.zoo import CLASSES, Zoo

from mlflow_eval_plugin.canonical import canonical
from mlflow_eval_plugin.reports.pages.page import render


def youden(view: Any) -> float:
    return float(view.tp / (view.tp + view.fn) + view.tn / (view.tn + view.fp) - 1)


def ranked(label: Any, score: Any, prediction: Any, weight: Any) -> float:
    return float(roc_auc_score(label, score))


def test_own_metrics_of_slices_with_gaps_and_checks(world: World) -> None:
    config = {
        "slices": ["SEX"], "metrics": {"youden": youden}, "row_metrics": {"ranked": ranked},
        "max_gap": {"youden": 0.01}, "max_metric": {"youden": 0.9},
        "min_metric": {"ranked": 0.5, "calibration_in_the_large": -0.5},
    }  # fmt: skip
    run, result = world.evaluate(evaluators="disaggregated", evaluator_config=config)
    document = evidence_of(world, run, "disaggregated")
    for one in (document.measurements["overall"], *document.measurements["slices"]):
        found, metrics = one["metrics"]["youden"], one["metrics"]
        assert found["value"] == pytest.approx(metrics["recall"]["value"] - metrics["fpr"]["value"])
        assert found["interval"][0] < found["value"] < found["interval"][1]
        assert metrics["ranked"]["value"] == pytest.approx(metrics["auc"]["value"], abs=metrics["auc"]["bound"] + 1e-9)
        width = [metrics[name]["interval"][1] - metrics[name]["interval"][0] for name in ("ranked", "auc")]
        assert width[0] == pytest.approx(width[1], rel=0.5)
    ids = {check.id: check.verdict for check in document.checks}
    assert "gap:youden:complement:SEX=2" in ids
    assert (ids["min:ranked:SEX=1"], ids["max:youden:overall"]) == ("pass", "pass")
    assert ids["min:calibration_in_the_large:SEX=1"] == "pass"
    assert any(gap["metric"] == "youden" for gap in document.measurements["gaps"])
    named = document.config["metrics"]["youden"]
    assert named["function"].endswith("test_user_metrics.youden")
    assert named["source_sha256"] == hashlib.sha256(inspect.getsource(youden).encode()).hexdigest()
    gap = next(check for check in document.checks if check.id == "gap:youden:complement:SEX=2")
    assert result.metrics["disaggregated_worst_gap_youden"] == pytest.approx(abs(gap.value))
    assert "Youden" in render(document)


def test_named_slices_have_own_metrics(world: World) -> None:
    config = {
        "queries": {"old": "AGEP >= 60"}, "slices": ["SEX"], "latency_column": "AGEP",
        "metrics": {"youden": youden}, "row_metrics": {"ranked": ranked},
    }  # fmt: skip
    run, _ = world.evaluate(evaluators="disaggregated", evaluator_config=config)
    measured = evidence_of(world, run, "disaggregated").measurements
    old = next(one for one in measured["slices"] if one["label"] == "old")
    scores = world.model.predict_proba(world.rows[FEATURES])[:, 1]
    mine = (world.rows.AGEP >= 60).to_numpy()
    expected = roc_auc_score(world.rows[LABEL][mine], scores[mine])
    assert old["metrics"]["ranked"]["value"] == pytest.approx(expected)
    assert old["metrics"]["youden"]["value"] == pytest.approx(
        old["metrics"]["recall"]["value"] - old["metrics"]["fpr"]["value"]
    )
    system = next(one for one in measured["system"]["slices"] if one["label"] == "old")
    assert system["n"] == mine.sum()


def test_classes_without_probabilities_have_own_metrics_too(world: World) -> None:
    data = world.rows.assign(predicted=world.model.predict(world.rows[FEATURES]))

    def agree(label: Any, score: Any, prediction: Any, weight: Any) -> float:
        assert score is None
        return float((label == prediction).mean())

    run, _ = world.evaluate(
        data, model=None, predictions="predicted", evaluators="disaggregated",
        evaluator_config={"slices": ["SEX"], "metrics": {"youden": youden}, "row_metrics": {"agree": agree}},
    )  # fmt: skip
    overall = evidence_of(world, run, "disaggregated").measurements["overall"]["metrics"]
    assert overall["agree"]["value"] == pytest.approx(overall["accuracy"]["value"])
    assert overall["youden"]["value"] == pytest.approx(overall["recall"]["value"] - overall["fpr"]["value"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"metrics": {"fpr": youden}}, "there is a metric 'fpr' already"),
        ({"metrics": {"youden": "youden"}}, "youden: expected a function, found str"),
        ({"metrics": {"a b": youden}}, "'a b' is no name of letters, digits and underscores"),
        ({"metrics": youden}, "expected functions by name"),
        ({"metrics": {"latency_p95": youden}}, "there is a metric 'latency_p95' already"),
        ({"row_metrics": {"cost": ranked}}, "there is a metric 'cost' already"),
        ({"metrics": {"cost_per_1000": youden}}, "there is a metric 'cost_per_1000' already"),
        ({"metrics": {"gap_auc": youden}}, "'gap_auc' begins like the name of a difference or ratio"),
        ({"row_metrics": {"ratio_auc": ranked}}, "'ratio_auc' begins like the name of a difference or ratio"),
        ({"metrics": {"change_auc": youden}}, "'change_auc' begins like the name of a difference or ratio"),
        ({"metrics": {"own": youden}, "row_metrics": {"own": ranked}}, "there is a metric 'own' already"),
        ({"metrics": {"youden": youden}, "max_gap": {"yuoden": 0.1}}, "did you mean 'youden'"),
        ({"metrics": {"bad": lambda view: view.nothing}}, "metrics: 'bad' failed on slice 'overall'"),
        ({"row_metrics": {"bad": lambda label: 1.0}}, "'bad' failed on slice 'overall': TypeError"),
    ],
)
def test_functions_that_cannot_be_used(world: World, changes: dict[str, Any], message: str) -> None:
    assert message in refused(world, **three(world, disaggregated=changes))


def test_the_order_of_rows_changes_nothing_of_the_evidence(world: World) -> None:
    rows = world.rows.head(2000).assign(p=world.model.predict_proba(world.rows[FEATURES].head(2000))[:, 1])
    rows["ms"] = 10 + rows.AGEP * 3
    config: dict[str, Any] = {
        "disaggregated": {
            "slices": ["SEX", "MAR"], "depth": 2, "metrics": {"youden": youden}, "row_metrics": {"ranked": ranked},
            "latency_column": "ms", "max_gap": {"youden": 0.1, "fnr": 0.1},
        },
        "calibration": {"slices": ["SEX"], "reference": world.train.assign(p=0.4), "max_change": {"brier": 0.1}},
    }  # fmt: skip
    documents = []
    for data in (rows, rows.sample(frac=1, random_state=5).reset_index(drop=True)):
        run, _ = world.evaluate(
            data, model=None, predictions="p", evaluators=["calibration", "disaggregated"], evaluator_config=config
        )
        documents.append([evidence_of(world, run, kind) for kind in ("calibration", "disaggregated")])
    for first, second in zip(*documents, strict=True):
        assert canonical([first.measurements, first.config_digest]) == canonical(
            [second.measurements, second.config_digest]
        )
        assert first.checks == second.checks and first.data.digest == second.data.digest


def kappa(view: Any) -> float:
    """Cohen's (1960), from the confusion matrix."""
    share = view.confusion / view.weight
    by_chance = share.sum(axis=0) @ share.sum(axis=1)
    return float((share.trace() - by_chance) / (1 - by_chance))


def top_two(label: Any, score: Any, prediction: Any, weight: Any) -> float:
    return float(top_k_accuracy_score(label, score, k=2, sample_weight=weight))


def test_own_metrics_of_three_classes(zoo: Zoo) -> None:
    weight = np.where(zoo.rows.x1 > 0, 2.0, 1.0)
    config = {
        "slices": ["x4"], "metrics": {"kappa": kappa}, "row_metrics": {"top_two": top_two},
        "max_gap": {"kappa": 0.4}, "min_metric": {"top_two": 0.5, "kappa": 0.2}, "sample_weights": weight,
    }  # fmt: skip
    found = zoo.measured(disaggregated=config)
    document, page = found["disaggregated"], found["pages"]["disaggregated"]
    said = np.array(CLASSES)[zoo.probability.argmax(axis=1)]
    one = next(one for one in document["measurements"]["slices"] if one["label"] == "x4=1")
    part = (zoo.rows.x4 == 1).to_numpy()
    expected = cohen_kappa_score(zoo.rows.y[part], said[part], sample_weight=weight[part])
    assert one["metrics"]["kappa"]["value"] == pytest.approx(expected, abs=1e-9)
    expected = top_k_accuracy_score(zoo.rows.y[part], zoo.probability[part], k=2, sample_weight=weight[part])
    assert one["metrics"]["top_two"]["value"] == pytest.approx(expected, abs=1e-9)
    low, high = one["metrics"]["top_two"]["interval"]
    assert low < expected < high
    checks = {check["id"]: check["verdict"] for check in document["checks"]}
    assert checks["min:top_two:x4=1"] == "pass" and "gap:kappa:complement:x4=0" in checks
    assert "Kappa" in page and "Top two" in page
    mixed = zoo.rows.assign(w=weight).sample(frac=1, random_state=1).reset_index(drop=True)
    again = zoo.measured(
        mixed.drop(columns="w"), disaggregated={**config, "sample_weights": mixed.w.to_numpy()}
    )  # fmt: skip
    assert again["disaggregated"]["measurements"] == document["measurements"]


def median_error(label: Any, score: Any, prediction: Any, weight: Any) -> float:
    assert score is None
    return float(median_absolute_error(label, prediction))


def test_own_metrics_of_a_regression(world: World) -> None:
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"p": rng.normal(50, 10, 2000), "g": rng.integers(0, 2, 2000)})
    rows["y"] = rows.p + rng.normal(size=2000) * np.where(rows.g == 1, 4, 2)
    config = {
        "slices": ["g"], "row_metrics": {"median_error": median_error}, "max_ratio": {"median_error": 1.5},
        "max_metric": {"median_error": 2.0},
    }  # fmt: skip
    given = {"targets": "y", "predictions": "p", "model_type": "regressor", "evaluators": "disaggregated"}
    with mlflow.start_run() as run:
        mlflow.models.evaluate(data=rows, evaluator_config=config, **given)
    document = evidence_of(world, world.client.get_run(run.info.run_id), "disaggregated")
    one = next(one for one in document.measurements["slices"] if one["label"] == "g=1")
    part = rows[rows.g == 1]
    expected = median_absolute_error(part.y, part.p)
    assert one["metrics"]["median_error"]["value"] == pytest.approx(expected, rel=1e-9)
    assert {check.id for check in document.failed} == {
        "max_ratio:median_error:complement:g=1", "max:median_error:g=1",
    }  # fmt: skip
    for name, message in (("mae", "there is a metric 'mae' already"), ("coverage_me", "'coverage_me' already")):
        bad = {"slices": ["g"], "row_metrics": {name: median_error}}
        assert message in refused(world, rows, model=None, evaluator_config=bad, **given)
    bad = {"slices": ["g"], "row_metrics": [median_error]}
    assert "expected functions by name" in refused(world, rows, model=None, evaluator_config=bad, **given)
