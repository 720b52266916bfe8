"""Registers versions with sealed Evidence over HTTP, as a data scientist's client would."""

from __future__ import annotations

import hashlib
import itertools
import uuid
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import requests
import yaml
from support.serving import ADMIN, PASSWORDS, Server

from mlflow_eval_plugin.evidence import Check, Data, Inference, Producer, Subject, dumps, seal
from mlflow_eval_plugin.model_files import model_digest

POLICY = """
schema: registry-hooks/policy/1
name: {name}
models: [{model}]
roles:
  data-science: [ana]
  risk: [raj, mei]
  oncall: [oncall]
nominate: {{by: [data-science]}}
promote:
  by: [data-science, risk]
  evidence: [{{kind: calibration}}]
  approvals: [{{role: risk, count: 2}}]
rollback: {{by: [oncall]}}
"""
_numbers = itertools.count(1)


def govern(server: Server, name: str = "churn") -> str:
    """Make a registered model of ana's with a policy of its own; returns its name, which begins with ``name``."""
    model = f"{name}-{uuid.uuid4().hex[:8]}"
    server.mlflow("ana", "POST", "registered-models/create", name=model)
    answer = server.ask(ADMIN, "POST", "policy/apply", json={"yaml": POLICY.format(name=model, model=model)})
    assert answer.ok, answer.text
    return model


def register(
    server: Server, model: str, verdict: str = "pass", evidence: Callable[[Subject], bytes] | None = None
) -> tuple[int, str]:
    """Register one more version of ``model`` by ana, with calibration Evidence in its run; (version, run id).

    ``evidence`` makes another document for the subject than one with that verdict; an empty one is not uploaded.
    """
    experiment = server.mlflow("ana", "POST", "experiments/create", name=uuid.uuid4().hex)["experiment_id"]
    run = server.mlflow("ana", "POST", "runs/create", experiment_id=experiment, start_time=0)["run"]["info"]
    document = {"model_uuid": uuid.uuid4().hex, "flavors": {"python_function": {"loader_module": "none"}}}
    mlmodel = yaml.safe_dump(document).encode()
    upload(server, run["artifact_uri"], "model/MLmodel", mlmodel)
    files = {"MLmodel": (len(mlmodel), hashlib.sha256(mlmodel).hexdigest())}
    subject = Subject(run_id=run["run_id"], model_digest=model_digest(files))
    content = evidence(subject) if evidence else sealed(subject, verdict)
    if content:
        upload(server, run["artifact_uri"], "evidence/calibration.json", content)
    made = server.mlflow(
        "ana", "POST", "model-versions/create", name=model, source=f"{run['artifact_uri']}/model", run_id=run["run_id"]
    )
    return int(made["model_version"]["version"]), run["run_id"]


def sealed(subject: Subject, verdict: str) -> bytes:
    """A calibration document with one Check of that verdict."""
    check = Check.model_validate(
        {"id": "ece", "claim": "ECE is at most 0.05", "metric": "ece", "scope": "overall", "n": 1000, "maximum": 0.05,
         "verdict": verdict, "reason": "made for a test"}
    )  # fmt: skip
    evidence = seal(
        kind="calibration", subject=subject, config={}, reference=None, checks=[check], measurements={},
        data=Data(name="held-out", digest="sha256:" + "0" * 64, rows=1000, columns=("x",)),
        inference=Inference(method="holm", alpha=0.05, family_size=1),
        producer=Producer(name="test", version=str(next(_numbers))),
        created_at=datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    )  # fmt: skip
    return dumps(evidence)


def serve(server: Server, model: str) -> int:
    """Register one more version and take it all the way to champion; returns its number."""
    version, _run = register(server, model)
    go(server, model, version, "ana nominate", "ana request", "raj approve", "mei approve", "ana promote")
    return version


def go(server: Server, model: str, version: int, *steps: str) -> dict[str, Any]:
    """Take steps such as ``raj approve``, each of which must succeed; what the last one answered."""
    answer: dict[str, Any] = {}
    for step in steps:
        user, verb = step.split()
        more = {"comment": "read it"} if verb in ("approve", "reject") else {}
        told = server.ask(user, "POST", verb, json={"model": model, "version": version, **more})
        assert told.ok, told.text
        answer = told.json()
    return answer


def upload(server: Server, artifact_uri: str, path: str, content: bytes) -> None:
    """Put a file where a run of ana's keeps its artifacts, as her."""
    root = artifact_uri.removeprefix("mlflow-artifacts:/")
    url = f"{server.uri}/api/2.0/mlflow-artifacts/artifacts/{root}/{path}"
    answer = requests.put(url, data=content, auth=("ana", PASSWORDS["ana"]), timeout=60)
    assert answer.ok, answer.text


def write_past(server: Server, artifact_uri: str, path: str, content: bytes) -> None:
    """Put a file where a run keeps its artifacts, on the disk itself: the server lets nobody do so once it is held."""
    file = server.directory / "mlartifacts" / artifact_uri.removeprefix("mlflow-artifacts:/") / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
