"""Evidence is bound and bytes stay condemned, over HTTP: what is swapped in a run, and what comes back, is refused.

Files are changed on the server's disk, as by somebody who has its bucket; through the server nobody may change them.
"""

from __future__ import annotations

import hashlib
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.attacking import Attacker, Attempt
from support.releasing import POLICY, go, govern, register, sealed, serve, upload
from support.serving import ADMIN, Server

from mlflow_eval_plugin.evidence import Subject, loads
from mlflow_eval_plugin.model_files import model_digest

DOCUMENT, PAGE = "evidence/calibration.json", "reports/calibration.html"
Change = Callable[[Path], None]


def _another(run: Path, verdict: str = "pass") -> bytes:
    subject = loads((run / DOCUMENT).read_bytes()).subject
    return sealed(Subject(run_id=subject.run_id, model_digest=subject.model_digest), verdict)


def _replace(file: Path, content: bytes | None) -> None:
    file.unlink()
    if content is not None:
        file.write_bytes(content)


def _folder_instead(run: Path) -> None:
    _replace(run / DOCUMENT, None)
    (run / DOCUMENT).mkdir()


def _link_elsewhere(run: Path) -> None:
    (run / "other.json").write_bytes(_another(run))
    _replace(run / DOCUMENT, None)
    (run / DOCUMENT).symlink_to(run / "other.json")


CHANGES: dict[str, tuple[str, Change]] = {
    "replaced by one that passes": (DOCUMENT, lambda run: _replace(run / DOCUMENT, _another(run))),
    "replaced by one that fails": (DOCUMENT, lambda run: _replace(run / DOCUMENT, _another(run, "fail"))),
    "deleted": (DOCUMENT, lambda run: _replace(run / DOCUMENT, None)),
    "renamed": (DOCUMENT, lambda run: (run / DOCUMENT).rename(run / "evidence/other.json") and None),
    "emptied": (DOCUMENT, lambda run: _replace(run / DOCUMENT, b"")),
    "cut short": (DOCUMENT, lambda run: _replace(run / DOCUMENT, (run / DOCUMENT).read_bytes()[:-9])),
    "a number changed": (
        DOCUMENT, lambda run: _replace(run / DOCUMENT, (run / DOCUMENT).read_bytes().replace(b"1000", b"9000")),
    ),
    "a folder instead": (DOCUMENT, _folder_instead),
    "a link to another": (DOCUMENT, _link_elsewhere),
    "the folder deleted": (DOCUMENT, lambda run: shutil.rmtree(run / "evidence")),
    "the page replaced": (PAGE, lambda run: _replace(run / PAGE, b"<p>All is well</p>")),
    "the page emptied": (PAGE, lambda run: _replace(run / PAGE, b"")),
    "the page deleted": (PAGE, lambda run: _replace(run / PAGE, None)),
    "all pages deleted": (PAGE, lambda run: shutil.rmtree(run / "reports")),
}  # fmt: skip


def _alias(model: str) -> Attempt:
    body = {"name": f"${model}", "alias": "champion", "version": "2"}
    return Attempt("alias", "POST", "registered-models/alias", body, on=model)


def _desk(verb: str, user: str, model: str) -> Attempt:
    more = {"comment": "read it"} if verb == "approve" else {}
    body = {"model": f"${model}", "version": 2, **more}
    return Attempt(verb, "POST", f"/api/2.0/registry-hooks/{verb}", body, user, on=model)


STAGE = Attempt("stage", "POST", "model-versions/transition-stage",
                {"name": "$approved", "version": "2", "stage": "Production", "archive_existing_versions": True},
                on="approved")  # fmt: skip
STEPS = [
    _desk("request", "ana", "nominated"),
    _desk("approve", "mei", "asked"),
    _desk("promote", "ana", "approved"),
    _alias("approved"),
    STAGE,
]


@pytest.fixture(scope="module")
def runs(governed: Server) -> dict[str, tuple[str, Path]]:
    """Models with a champion, whose version 2 is nominated, asked for, and approved; with the folder of its run."""
    found = {}
    for state, steps in (
        ("nominated", ["ana nominate"]),
        ("asked", ["ana nominate", "ana request", "raj approve"]),
        ("approved", ["ana nominate", "ana request", "raj approve", "mei approve"]),
    ):
        model = govern(governed)
        serve(governed, model)
        _, run = register(governed, model)
        info = governed.mlflow("ana", "GET", f"runs/get?run_id={run}")["run"]["info"]
        upload(governed, info["artifact_uri"], PAGE, b"<p>ECE is 0.01</p>")
        go(governed, model, 2, *steps)
        found[state] = (
            model,
            governed.directory / "mlartifacts" / info["artifact_uri"].removeprefix("mlflow-artifacts:/"),
        )
    return found


@pytest.fixture(scope="module")
def attacker(governed: Server, runs: dict[str, tuple[str, Path]]) -> Iterator[Attacker]:
    attacker = Attacker(governed, {state: model for state, (model, _) in runs.items()})
    yield attacker
    attacker.close()


@contextmanager
def changed(run: Path, change: Change) -> Iterator[None]:
    kept = run.with_name(run.name + ".kept")
    shutil.copytree(run, kept)
    change(run)
    try:
        yield
    finally:
        shutil.rmtree(run)
        kept.rename(run)


@pytest.mark.parametrize("name", CHANGES)
def test_what_was_swapped_after_the_nomination_opens_nothing(
    name: str, attacker: Attacker, runs: dict[str, tuple[str, Path]]
) -> None:
    path, change = CHANGES[name]
    for step in STEPS:
        with changed(runs[step.on][1], change):
            answer = attacker.changes_nothing(step)
        assert answer.status == 403 and path in answer.text, f"{step}: {answer.status} {answer.text[:400]}"
        assert answer.seconds < 1


def _register(server: Server, model: str, files: dict[str, bytes], folder: str = "model") -> int:
    """Register files in a run of their own, with Evidence of now."""
    experiment = server.mlflow("ana", "POST", "experiments/create", name=uuid.uuid4().hex)["experiment_id"]
    run = server.mlflow("ana", "POST", "runs/create", experiment_id=experiment, start_time=0)["run"]["info"]
    for path, content in files.items():
        upload(server, run["artifact_uri"], f"{folder}/{path}", content)
    listed = {path: (len(content), hashlib.sha256(content).hexdigest()) for path, content in files.items()}
    listed.pop("registered_model_meta", None)
    subject = Subject(run_id=run["run_id"], model_digest=model_digest(listed))
    upload(server, run["artifact_uri"], DOCUMENT, sealed(subject, "pass"))
    source = f"{run['artifact_uri']}/{folder}"
    made = server.mlflow("ana", "POST", "model-versions/create", name=model, source=source, run_id=run["run_id"])
    return int(made["model_version"]["version"])


def _mlmodel(**more: Any) -> bytes:
    document = {"flavors": {"python_function": {"loader_module": "none"}}, "model_uuid": "0", "run_id": "1", **more}
    return yaml.safe_dump(document).encode()


WEIGHTS = {"MLmodel": _mlmodel(), "model.pkl": b"weights" * 100, "code/prepare.py": b"x = 1\n"}
BACK: dict[str, tuple[dict[str, bytes], str]] = {
    "in another run": (WEIGHTS, "model"),
    "in another folder": (WEIGHTS, "a/b/c"),
    "with another run and uuid": ({**WEIGHTS, "MLmodel": _mlmodel(run_id="2", model_uuid="9")}, "model"),
    "with another time": ({**WEIGHTS, "MLmodel": _mlmodel(utc_time_created="2026-11-30 10:00:00")}, "model"),
    "with another id": ({**WEIGHTS, "MLmodel": _mlmodel(model_id="m-1", artifact_path="x")}, "model"),
    "by another MLflow": ({**WEIGHTS, "MLmodel": _mlmodel(mlflow_version="3.15.0", model_size_bytes=7)}, "model"),
    "with a note of its name": (
        {**WEIGHTS, "registered_model_meta": b"model_name: other\nmodel_version: '9'\n"}, "model",
    ),
    "in another environment": ({**WEIGHTS, "requirements.txt": b"mlflow\n", "conda.yaml": b"name: x\n"}, "model"),
    "with an example": ({**WEIGHTS, "input_example.json": b"{}", "python_env.yaml": b"python: 3.11\n"}, "model"),
    "with metadata": ({**WEIGHTS, "MLmodel": _mlmodel(metadata={"fixed": True})}, "model"),
}  # fmt: skip


@pytest.fixture(scope="module")
def condemned(governed: Server) -> dict[str, tuple[str, int]]:
    """Versions of two models of one policy, each made of the bytes that were rolled back from."""
    model, other = f"m-{uuid.uuid4().hex[:8]}", f"o-{uuid.uuid4().hex[:8]}"
    for name in (model, other):
        governed.mlflow("ana", "POST", "registered-models/create", name=name)
    text = POLICY.format(name=model, model=f"{model}, {other}")
    assert governed.ask(ADMIN, "POST", "policy/apply", json={"yaml": text}).ok
    serve(governed, model), serve(governed, other)
    steps = ("ana nominate", "ana request", "raj approve", "mei approve", "ana promote")
    go(governed, model, _register(governed, model, WEIGHTS), *steps)
    found = {name: (model, _register(governed, model, *back)) for name, back in BACK.items()}
    found["under another name"] = other, _register(governed, other, WEIGHTS)
    source = governed.mlflow("ana", "GET", f"model-versions/get?name={model}&version=2")["model_version"]
    again = {"name": model, "source": source["source"], "run_id": source["run_id"]}
    made = governed.mlflow("ana", "POST", "model-versions/create", **again)["model_version"]
    found["from the same source"] = model, int(made["version"])
    assert governed.ask("oncall", "POST", "rollback", json={"model": model, "reason": "bad"}).ok
    return found


@pytest.mark.parametrize("name", [*BACK, "under another name", "from the same source"])
def test_condemned_bytes_come_back_under_no_other_number_run_or_name(
    name: str, governed: Server, condemned: dict[str, tuple[str, int]]
) -> None:
    model, version = condemned[name]
    attacker = Attacker(governed, {"model": model})
    said = f"version {version} has the files of version 2"
    try:
        body: dict[str, Any] = {"model": model, "version": version}
        attacker.refused(Attempt("nominate", "POST", "/api/2.0/registry-hooks/nominate", body, said=said))
        body = {"name": model, "alias": "challenger", "version": str(version)}
        attacker.refused(Attempt("alias", "POST", "registered-models/alias", body, said=said))
    finally:
        attacker.close()
