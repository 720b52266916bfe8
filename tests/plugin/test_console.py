"""After a call: three lines on the console, and tags on the run and the logged model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException
from mlflow.tracking.client import MlflowClient
from support.evaluating import FEATURES, LABEL, World

TAG = "mlflow_eval_plugin"


def ours(written: str) -> list[str]:
    return [line for line in written.splitlines() if line.startswith(("Verdict: ", "Worst: ", "Report: "))]


def test_three_lines_once_for_the_call(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    config: dict[str, Any] = {
        "calibration": {"max_ece": 1e-6},
        "disaggregated": {"slices": ["SEX"], "max_gap": {"fpr": 1.0}},
        "drift": {"reference": world.rows},
    }
    run, _ = world.evaluate(evaluators=list(config), evaluator_config=config)
    verdict, worst, report = ours(capsys.readouterr().out)
    assert verdict == "Verdict: fail (calibration fail, disaggregated pass, drift pass)"
    assert worst.startswith("Worst: ECE (equal-mass bins) for all rows is 0.")
    assert Path(report.removeprefix("Report: ")).read_text().startswith("<!doctype html>")
    assert report.endswith("/reports/report.html")
    tags = {key: value for key, value in run.data.tags.items() if key.startswith(TAG)}
    assert tags == {
        f"{TAG}.calibration.verdict": "fail",
        f"{TAG}.disaggregated.verdict": "pass",
        f"{TAG}.drift.verdict": "pass",
        f"{TAG}.verdict": "fail",
        f"{TAG}.worst": worst.removeprefix("Worst: "),
        f"{TAG}.report": f"runs:/{run.info.run_id}/reports/report.html",
    }
    model = mlflow.get_logged_model(mlflow.models.get_model_info(world.model_uri).model_id)
    assert {key: value for key, value in model.tags.items() if key.startswith(TAG)} == tags
    found = mlflow.search_runs(filter_string=f"tags.`{TAG}.verdict` = 'fail'", output_format="list")
    assert run.info.run_id in {one.info.run_id for one in found}


@pytest.mark.parametrize(
    ("config", "verdict", "worst"),
    [
        ({"max_ece": 0.5, "max_calibration_in_the_large": 0.5}, "pass", "within tolerance"),
        ({"max_ece": None, "max_calibration_in_the_large": None}, "insufficient evidence", "Nothing was checked"),
        ({"max_ece": None, "max_calibration_in_the_large": 0.0}, "insufficient evidence", "Nearest to failing"),
    ],
)
def test_what_is_worst_where_nothing_failed(
    world: World, config: dict[str, Any], verdict: str, worst: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(4)
    data = pd.DataFrame({"p": rng.random(4000)}).assign(y=lambda rows: (rng.random(4000) < rows.p).astype(int))
    world.evaluate(data, model=None, targets="y", predictions="p", evaluators="calibration", evaluator_config=config)
    first, second, third = ours(capsys.readouterr().out)
    assert first == f"Verdict: calibration {verdict}"
    assert worst in second
    assert third.endswith("/reports/calibration.html")


def test_a_prefix_is_in_the_tags(world: World) -> None:
    config = {"metric_prefix": "may_", "slices": ["SEX"]}
    run, _ = world.evaluate(evaluators="disaggregated", evaluator_config=config)
    tags = {key for key in run.data.tags if key.startswith(TAG)}
    assert tags == {f"{TAG}.may_{name}" for name in ("disaggregated.verdict", "verdict", "worst", "report")}


def test_what_a_level_brings_does_not_move_the_cursor(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    rows = world.rows.assign(group=np.where(world.rows[LABEL] == 1, "\x1b[2J\nVerdict: pass\u202e", "b"))
    scores = world.model.predict_proba(rows[FEATURES])[:, 1]
    data = rows.assign(p=np.where(rows[LABEL] == 1, 1 - scores, scores))
    config = {"slices": ["group"], "max_gap": {}, "min_metric": {"accuracy": 0.7}}
    run, _ = world.evaluate(data, model=None, predictions="p", evaluators="disaggregated", evaluator_config=config)
    written = capsys.readouterr().out
    assert len(ours(written)) == 3 and "\x1b" not in written and "\u202e" not in written
    assert run.data.tags[f"{TAG}.worst"].isprintable()


def test_a_model_that_may_not_be_tagged_is_a_warning(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refused(self: Any, model_id: str, tags: Any) -> None:
        raise MlflowException("Permission denied")

    monkeypatch.setattr(MlflowClient, "set_logged_model_tags", refused)
    run, _ = world.evaluate(evaluators="calibration", evaluator_config={"max_ece": None, "max_brier": 1.0})
    assert run.data.tags[f"{TAG}.calibration.verdict"] in ("pass", "fail")
    assert "has no tags of this evaluation: Permission denied" in caplog.text


def test_what_was_not_checked_is_said_beside_what_passes(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    config: dict[str, Any] = {
        "calibration": {"max_ece": 0.5, "max_calibration_in_the_large": None},
        "disaggregated": {"slices": ["SEX"], "max_gap": None},
    }
    world.evaluate(world.rows.assign(SEX=1.0), evaluators=list(config), evaluator_config=config)
    verdict, worst, _ = ours(capsys.readouterr().out)
    assert verdict == "Verdict: insufficient evidence (calibration pass, disaggregated insufficient evidence)"
    assert worst == "Worst: The one check is within tolerance. Nothing was checked in results by group."
