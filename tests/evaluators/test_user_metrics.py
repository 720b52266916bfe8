"""A user's own metrics in a real evaluate call."""

from __future__ import annotations

import hashlib
import inspect
from typing import Any

import pytest
from evaluators.conftest import FEATURES, LABEL, World
from evaluators.test_plugin_calls import evidence_of
from evaluators.test_plugin_refusals import refused, three
from sklearn.metrics import roc_auc_score

from mlflow_eval_plugin.evidence import canonical
from mlflow_eval_plugin.reports.page import render


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
