"""Slopes, slices and changes since a reference, in the Evidence of a real evaluate call."""

from __future__ import annotations

from typing import Any

import pytest
import statsmodels.api as sm
from scipy.special import logit
from support.evaluating import FEATURES, LABEL, World, evidence_of

from mlflow_eval_plugin.reports.pages.page import render


@pytest.fixture(scope="module")
def document(world: World) -> Any:
    config = {
        "slices": ["SEX", "DIS"], "depth": 2, "min_count": 50,
        "min_calibration_slope": 0.8, "max_calibration_slope": 1.25,
        "reference": world.train, "max_change": {"brier": 0.1, "calibration_in_the_large": 0.001},
    }  # fmt: skip
    run, result = world.evaluate(evaluators="calibration", evaluator_config=config)
    found = evidence_of(world, run, "calibration")
    assert result.metrics["calibration_slope"] == found.measurements["metrics"]["calibration_slope"]["value"]
    return found


def test_the_slope_is_that_of_statsmodels(world: World, document: Any) -> None:
    scores = logit(world.model.predict_proba(world.rows[FEATURES])[:, 1])
    fit = sm.Logit(world.rows[LABEL], sm.add_constant(scores)).fit(disp=0)
    assert document.measurements["metrics"]["calibration_slope"]["value"] == pytest.approx(fit.params.iloc[1], abs=1e-6)
    (check,) = [check for check in document.checks if check.metric == "calibration_slope"]
    assert (check.minimum, check.maximum, check.id) == (0.8, 1.25, "calibration_slope:overall")


def test_every_slice_has_its_checks_in_the_one_family(document: Any) -> None:
    labels = [one["label"] for one in document.measurements["slices"]]
    assert labels[:2] == ["DIS=1", "DIS=2"] and "SEX=2 & DIS=1" in labels and len(labels) == 8
    for metric in ("ece", "calibration_in_the_large"):
        scopes = [check.scope for check in document.checks if check.metric == metric and check.scope != "overall"]
        assert scopes == labels
    assert document.inference.family_size == len(document.checks)
    assert document.measurements["slices"][0]["slice"] == {"DIS": "1"}
    assert document.config["slices"] == ["SEX", "DIS"] and document.config["min_count"] == 50


def test_changes_since_the_reference(document: Any) -> None:
    now, then = document.measurements["metrics"], document.measurements["reference"]["metrics"]
    for name, change in document.measurements["change"].items():
        assert change["value"] == pytest.approx(now[name]["value"] - then[name]["value"], abs=1e-12)
    checks = {check.metric: check for check in document.checks if check.metric.startswith("change_")}
    assert checks["change_brier"].verdict == "pass" and checks["change_brier"].minimum is None
    assert checks["change_calibration_in_the_large"].minimum == -0.001


def test_the_report_shows_them(document: Any) -> None:
    page = render(document)
    for words in (
        "Calibration by slice",
        "Change since then",
        "Calibration slope",
        "Spiegelhalter",
        "SEX=2 &amp; DIS=1",
    ):
        assert words in page


@pytest.mark.parametrize(
    ("config", "claim"),
    [
        ({"min_calibration_slope": 0.8}, "the calibration slope is at least 0.8"),
        ({"max_calibration_slope": 1.3}, "the calibration slope is at most 1.3"),
    ],
)
def test_a_slope_may_have_one_end(world: World, config: dict[str, float], claim: str) -> None:
    run, _ = world.evaluate(evaluators="calibration", evaluator_config=config)
    assert claim in [check.claim for check in evidence_of(world, run, "calibration").checks]


def test_named_slices_alone_are_measured_too(world: World) -> None:
    run, _ = world.evaluate(evaluators="calibration", evaluator_config={"queries": {"old": "AGEP >= 60"}})
    found = evidence_of(world, run, "calibration")
    (old,) = found.measurements["slices"]
    assert (old["label"], old["query"], old["n"]) == ("old", "AGEP >= 60", (world.rows.AGEP >= 60).sum())
    assert "old" in [check.scope for check in found.checks if check.metric == "ece"]
    page = render(found)
    assert "Named slices" in page and "AGEP &gt;= 60</td>" in page


def test_without_slices_and_reference_there_are_none(world: World) -> None:
    run, _ = world.evaluate(evaluators="calibration", evaluator_config={"bins": 10})
    found = evidence_of(world, run, "calibration")
    assert (found.measurements["slices"], found.measurements["change"]) == ([], None)
    assert {check.scope for check in found.checks} == {"overall"}
