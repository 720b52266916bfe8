"""The CI examples: the very shell steps of both files, against a real server."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.serving import ADMIN, Server

ROOT = Path(__file__).parents[2]
CI = ROOT / "examples" / "ci"
POLICY = """
schema: registry-hooks/policy/1
name: {model}
models: [{model}]
roles:
  data-science: [ana]
  risk: [raj, mei]
nominate: {{by: [data-science]}}
promote:
  by: [data-science]
  evidence: [{{kind: calibration}}]
  approvals: [{{role: risk, count: 1}}]
rollback: {{by: [risk]}}
"""


def of_github() -> tuple[list[str], dict[str, str]]:
    job = yaml.safe_load((CI / "github.yaml").read_text())["jobs"]["request"]
    return [step["run"] for step in job["steps"] if "run" in step], {"CHANGE": "0123abc"}


def of_gitlab() -> tuple[list[str], dict[str, str]]:
    job = yaml.safe_load((CI / "gitlab.yaml").read_text())["request-promotion"]
    return [*job["before_script"], *job["script"]], {"CI_COMMIT_SHA": "0123abc"}


def steps_of(read: Callable[[], tuple[list[str], dict[str, str]]], server: Server, model: str, folder: Path) -> Any:
    """Run the steps as a runner does: each in a shell that ends at the first error, until one fails."""
    steps, variables = read()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = server.env("ana", PATH=path, MODEL=model, PYTHONWARNINGS="ignore", **variables)
    told = ""
    for step in steps:
        if step.startswith("pip install"):
            assert step == "pip install mlflow-registry-hooks"  # it is installed here
            continue
        done = subprocess.run(
            ["bash", "-e", "-c", step], env=env, cwd=folder, capture_output=True, text=True, timeout=300
        )
        told += done.stdout + done.stderr
        if done.returncode:
            return done.returncode, told
    return 0, told


@pytest.mark.parametrize("read", [of_github, of_gitlab])
def test_a_merge_requests_a_promotion_and_people_decide(
    governed: Server, tmp_path: Path, read: Callable[[], Any]
) -> None:
    model = f"late-payment-{read.__name__.replace('_', '-')}"
    governed.mlflow("ana", "POST", "registered-models/create", name=model)
    applied = governed.ask(ADMIN, "POST", "policy/apply", json={"yaml": POLICY.format(model=model)})
    assert applied.ok, applied.text
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    code, told = steps_of(read, governed, model, tmp_path)
    assert code == 0, told
    assert "raj" in told  # the plan says whose approval is missing
    history = governed.json("ana", "history", model)["entries"]
    assert [entry["action"] for entry in history][-2:] == ["nominated", "requested"]
    assert "0123abc" in str(history[-1])
    done = governed.cli("raj", "approve", model, "1", "--comment", "read it")
    assert done.returncode == 0, done.stderr
    assert governed.cli("ana", "promote", model, "1").returncode == 0


@pytest.mark.parametrize("read", [of_github, of_gitlab])
def test_a_model_whose_evidence_fails_fails_the_job_with_the_reasons_of_the_plan(
    governed: Server, tmp_path: Path, read: Callable[[], Any]
) -> None:
    model = f"late-payment-bad-{read.__name__.replace('_', '-')}"
    governed.mlflow("ana", "POST", "registered-models/create", name=model)
    governed.ask(ADMIN, "POST", "policy/apply", json={"yaml": POLICY.format(model=model)})
    folder = tmp_path / "examples" / "ci"
    folder.mkdir(parents=True)
    # Trained on labels that were late: the model is calibrated for another world than it is held against.
    text = (CI / "train.py").read_text().replace('default=0.0, help="how wrong', 'default=2.0, help="how wrong')
    assert "default=2.0" in text
    (folder / "train.py").write_text(text)
    code, told = steps_of(read, governed, model, tmp_path)
    assert code == 1, told
    assert "1. evidence" in told and "fail" in told
    assert "requested" not in [entry["action"] for entry in governed.json("ana", "history", model)["entries"]]
