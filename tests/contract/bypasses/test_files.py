"""What serves is pulled away by nobody: runs, logged models and files that versions rest on, by every route there is.

The model has a champion, a challenger, a fallback, an ``earlier`` champion to go back to, ``once``, which served and
was deleted from the registry since, and ``fresh``, on which nothing rests. Its owner tries, and an administrator.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.attacking import AJAX, MLFLOW, Attacker, Attempt
from support.releasing import POLICY, go, govern, register, serve
from support.serving import ADMIN, Server

FILES, AJAX_FILES = "/api/2.0/mlflow-artifacts/artifacts/", "/ajax-api/2.0/mlflow-artifacts/artifacts/"
UPLOAD = "/ajax-api/2.0/mlflow/upload-artifact?"
ROLES = {"champion": "is champion", "challenger": "is challenger", "fallback": "is fallback",
         "earlier": "was champion, and a rollback may go back to it", "once": "was champion"}  # fmt: skip
BOTH = ("ana", "admin")


def _each(name: str, method: str, path: str, body: object = None, **more: object) -> list[Attempt]:
    """The attempt on every version that is guarded, by the owner and by an administrator."""
    return [
        Attempt(f"{name} of the {role}, by {user}", method, path.replace("ROLE", role),
                {k: str(v).replace("ROLE", role) for k, v in body.items()} if isinstance(body, dict) else body,
                user, f"version ${role} of $model, which {told}", **more)
        for role, told in ROLES.items() for user in BOTH
    ]  # fmt: skip


def _write(name: str, method: str, path: str, said: str = "which is champion", **more: object) -> list[Attempt]:
    return [Attempt(f"{name}, by {u}", method, path, None, u, said, text=b"x", **more) for u in BOTH]


DELETIONS = [
    *_each("the run", "POST", "runs/delete", {"run_id": "$ROLE_run"}),
    *_each("the experiment", "POST", "experiments/delete", {"experiment_id": "$ROLE_experiment"}),
    Attempt("the run, by the route of pages", "POST", AJAX + "runs/delete", {"run_id": "$champion_run"},
            said="which is champion"),
    Attempt("the run, in camel case", "POST", "runs/delete", {"runId": "$champion_run"}),
    Attempt("the experiment, as a number", "POST", "experiments/delete",
            text='{"experiment_id": $champion_experiment}', user="admin"),
    Attempt("the experiment, with a zero in front", "POST", "experiments/delete",
            {"experiment_id": "0$champion_experiment"}, "admin", "which is champion"),
    Attempt("the logged model", "DELETE", "logged-models/$logged", said="of $logged_name, which is champion"),
    Attempt("the logged model, by an administrator", "DELETE", "logged-models/$logged", user="admin",
            said="of $logged_name, which is champion"),
    Attempt("the logged model, by the route of pages", "DELETE", AJAX + "logged-models/$logged",
            said="of $logged_name, which is champion"),
    Attempt("the experiment of the logged model", "POST", "experiments/delete",
            {"experiment_id": "$logged_experiment"}, "admin", "of $logged_name, which is champion"),
]  # fmt: skip

ARTIFACTS = [
    *_each("Evidence overwritten", "PUT", FILES + "$ROLE_root/evidence/calibration.json", text=b"{}"),
    *_each("Evidence removed", "DELETE", FILES + "$ROLE_root/evidence/calibration.json"),
    *_each("a file below the Evidence", "PUT", FILES + "$ROLE_root/evidence/calibration.json/x", text=b"x"),
    *_write("a file overwritten", "PUT", FILES + "$champion_root/model/MLmodel"),
    *_write("a file overwritten, by the route of pages", "PUT", AJAX_FILES + "$champion_root/model/MLmodel"),
    *_write("a file of the fallback overwritten", "PUT", FILES + "$fallback_root/model/MLmodel", "which is fallback"),
    *_write("a file of the challenger", "PUT", FILES + "$challenger_root/model/MLmodel", "which is challenger"),
    *_write("a file of an earlier champion", "PUT", FILES + "$earlier_root/model/MLmodel", "a rollback may go back"),
    *_write("a file added", "PUT", FILES + "$champion_root/model/code/sitecustomize.py"),
    *_write("a file in place of the folder", "PUT", FILES + "$champion_root/model"),
    *_write("a file of the logged model", "PUT", FILES + "$logged_root/MLmodel", "of $logged_name, which is champion"),
    *_write("a file with the slash escaped", "PUT", FILES + "$champion_root%2Fmodel%2FMLmodel"),
    *_write("a file with letters escaped", "PUT", FILES + "$champion_root/%6dodel/%4dLmodel"),
    *_write("a file with letters escaped twice", "PUT", FILES + "$champion_root/%256dodel/MLmodel", ""),
    *_write("a file by a path with ..", "PUT", FILES + "$champion_root/x/../model/MLmodel", ""),
    *_write("a file by a path with .. escaped", "PUT", FILES + "$champion_root/x/%2e%2e/model/MLmodel", ""),
    *_write("a file by a path with two slashes", "PUT", FILES + "$champion_root//model//MLmodel", ""),
    *_write("a file by a path with a dot", "PUT", FILES + "$champion_root/./model/./MLmodel", ""),
    *_write("a file of another run's folder, through mine", "PUT",
            FILES + "$fresh_root/../../../$champion_root/model/MLmodel", ""),
    *_write("a file by upload-artifact", "POST", UPLOAD + "run_uuid=$champion_run&path=model/MLmodel"),
    *_write("Evidence by upload-artifact", "POST", UPLOAD + "run_uuid=$champion_run&path=evidence/calibration.json"),
    *_write("a file by upload-artifact, by ..", "POST", UPLOAD + "run_uuid=$champion_run&path=x/../model/MLmodel", ""),
    *_write("a file removed", "DELETE", FILES + "$champion_root/model/MLmodel"),
    *_write("its folder removed", "DELETE", FILES + "$champion_root/model"),
    *_write("its folder removed, with a slash behind", "DELETE", FILES + "$champion_root/model/", ""),
    *_write("all of the run removed", "DELETE", FILES + "$champion_root"),
    *_write("the run's folder removed", "DELETE", FILES + "$champion_experiment/$champion_run"),
    *_write("the experiment's folder removed", "DELETE", FILES + "$champion_experiment", ""),
    *_write("the folder of the Evidence removed", "DELETE", FILES + "$once_root/evidence", "which was champion"),
    *_write("the folder of logged models removed", "DELETE", FILES + "$logged_experiment/models", "of $logged_name"),
    Attempt("everything removed", "DELETE", FILES, user="admin"),
    Attempt("everything removed, by a dot", "DELETE", FILES + "%2e", user="admin"),
    *_write("a multipart upload begun", "POST",
            "/api/2.0/mlflow-artifacts/mpu/create/$champion_root/model?path=MLmodel&num_parts=1", ""),
]  # fmt: skip
ATTEMPTS = [*DELETIONS, *ARTIFACTS]

STILL_POSSIBLE = [
    ("PUT", FILES + "$champion_root/evidence/drift.json", None),
    ("PUT", FILES + "$champion_root/model-notes/README", None),
    ("PUT", FILES + "$champion_root/plots/roc.png", None),
    ("DELETE", FILES + "$champion_root/plots", None),
    ("POST", UPLOAD + "run_uuid=$champion_run&path=notes.txt", None),
    ("POST", MLFLOW + "runs/log-metric", {"run_id": "$champion_run", "key": "auc", "value": 1, "timestamp": 1}),
    ("PUT", FILES + "$once_root/model/MLmodel", None),
    ("PUT", FILES + "$fresh_root/evidence/calibration.json", None),
    ("DELETE", FILES + "$fresh_root/model", None),
    ("POST", MLFLOW + "runs/delete", {"run_id": "$fresh_run"}),
    ("POST", MLFLOW + "experiments/delete", {"experiment_id": "$fresh_experiment"}),
]
"""What asks nothing of a version that counts, in this order."""


def _names(server: Server, role: str, run_id: str) -> dict[str, str]:
    info = server.mlflow("ana", "GET", f"runs/get?run_id={run_id}")["run"]["info"]
    root = info["artifact_uri"].removeprefix("mlflow-artifacts:/")
    return {f"{role}_run": run_id, f"{role}_root": root, f"{role}_experiment": info["experiment_id"]}


def _logged_model(server: Server) -> dict[str, str]:
    """A governed model whose champion is a logged model of ana's, in that role since before it was governed."""
    experiment = server.mlflow("ana", "POST", "experiments/create", name="logged-models")["experiment_id"]
    made = server.mlflow("ana", "POST", "logged-models", experiment_id=experiment, name="m")["model"]["info"]
    root = made["artifact_uri"].removeprefix("mlflow-artifacts:/")
    assert server.ask("ana", "PUT", f"{FILES}{root}/MLmodel", data=b"flavors: {}").ok
    name = "logged-" + made["model_id"]
    server.mlflow("ana", "POST", "registered-models/create", name=name)
    source = f"models:/{made['model_id']}"
    server.mlflow("ana", "POST", "model-versions/create", name=name, source=source, model_id=made["model_id"])
    server.mlflow("ana", "POST", "registered-models/alias", name=name, alias="champion", version="1")
    answer = server.ask(ADMIN, "POST", "policy/apply", json={"yaml": POLICY.format(name=name, model=name)})
    assert answer.ok, answer.text
    return {"logged": made["model_id"], "logged_name": name, "logged_root": root, "logged_experiment": experiment}


@pytest.fixture(scope="module")
def names(governed: Server) -> dict[str, str]:
    """The versions, their runs, and where they keep their files."""
    model = govern(governed)
    versions = {role: serve(governed, model) for role in ("once", "earlier", "fallback", "champion")}
    runs = {
        role: governed.mlflow("ana", "GET", f"model-versions/get?name={model}&version={version}")["model_version"]
        for role, version in versions.items()
    }
    made = {role: each["run_id"] for role, each in runs.items()}
    for role in ("challenger", "fresh"):
        versions[role], made[role] = register(governed, model)
    go(governed, model, versions["challenger"], "ana nominate")
    governed.mlflow("ana", "DELETE", "model-versions/delete", name=model, version=str(versions["once"]))
    found = {"model": model, **{role: str(version) for role, version in versions.items()}, **_logged_model(governed)}
    for role, run_id in made.items():
        found |= _names(governed, role, run_id)
    return found


@pytest.fixture(scope="module")
def attacker(governed: Server, names: dict[str, str]) -> Iterator[Attacker]:
    """Whoever is logged in, over warm connections."""
    made = Attacker(governed, names)
    yield made
    made.close()


def _digest(folder: Path) -> dict[str, str]:
    files = (each for each in sorted(folder.rglob("*")) if each.is_file())
    return {each.relative_to(folder).as_posix(): hashlib.sha256(each.read_bytes()).hexdigest() for each in files}


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=str)
def test_nothing_that_serves_is_pulled_away(governed: Server, attacker: Attacker, attempt: Attempt) -> None:
    before = _digest(governed.directory / "mlartifacts")
    if attempt.said:
        attacker.refused(attempt)
    else:
        answer = attacker.changes_nothing(attempt)
        assert 400 <= answer.status < 500 or answer.status == 501, f"{answer.status}: {answer.text[:300]}"
        assert answer.seconds < 1
    assert _digest(governed.directory / "mlartifacts") == before


def _others(server: Server, user: str) -> list[dict[str, Any]]:
    """Everybody with their roles and permissions, but one, who has all of what they make."""
    return [each for each in server.mlflow(ADMIN, "GET", "users/list")["users"] if each["username"] != user]


UNASKED = [
    ("DELETE", "datasets/$data/records", {"dataset_record_ids": ["$record"]}),
    ("POST", "datasets/$data/records", {"records": json.dumps([{"inputs": {"x": 2}}])}),
    ("PATCH", "datasets/$data/tags", {"tags": json.dumps({"x": "y"})}),
    ("POST", "datasets/$data/add-experiments", {"experiment_ids": ["$logged_experiment"]}),
    ("POST", "datasets/$data/remove-experiments", {"experiment_ids": ["$logged_experiment"]}),
    ("DELETE", "datasets/$data", {}),
    ("POST", "issues", {"experiment_id": "$logged_experiment", "name": "x", "description": "x",
                        "source_run_id": "$champion_run", "status": "pending"}),
    ("PATCH", "issues/$issue", {"status": "resolved", "name": "y"}),
    ("POST", "gateway/guardrails/create", {"name": "x", "scorer_id": "s", "scorer_version": 1}),
    ("DELETE", "gateway/guardrails/remove-from-endpoint", {"endpoint_id": "e", "guardrail_id": "g"}),
    ("DELETE", "gateway/guardrails/delete", {"guardrail_id": "g"}),
    ("POST", "gateway/secrets/create", {"secret_name": "s", "secret_value": {"api_key": "x"}, "provider": "openai"}),
]  # fmt: skip
"""What MLflow 3.15 asks nobody's leave for, by its path below /api/3.0/mlflow/."""


def test_what_an_older_mlflow_asks_no_leave_for_touches_nothing_that_is_governed(
    governed: Server, attacker: Attacker, names: dict[str, str]
) -> None:
    api, experiment = "/api/3.0/mlflow/", names["logged_experiment"]
    body = {"name": names["model"], "experiment_ids": [experiment]}
    data = governed.ask("ana", "POST", f"{api}datasets/create", json=body).json()["dataset"]["dataset_id"]
    record = {"records": json.dumps([{"inputs": {"x": 1}}])}
    assert governed.ask("ana", "POST", f"{api}datasets/{data}/records", json=record).ok
    body = {"experiment_id": experiment, "name": "x", "description": "x", "status": "pending"}
    issue = governed.ask("ana", "POST", f"{api}issues", json=body).json()["issue"]["issue_id"]
    found = governed.ask("ana", "GET", f"{api}datasets/{data}/records", params={"dataset_id": data}).json()
    record_id = json.loads(found["records"])[0]["dataset_record_id"]
    made = Attacker(governed, names | {"data": data, "issue": issue, "record": record_id})
    before = _digest(governed.directory / "mlartifacts"), _others(governed, "guest")
    for method, path, sent in UNASKED:
        assert made.changes_nothing(Attempt(path, method, api + path, sent, "guest")).status < 500, path
    made.close()
    assert (_digest(governed.directory / "mlartifacts"), _others(governed, "guest")) == before


def test_what_rests_on_nothing_may_still_be_written_and_deleted(governed: Server, attacker: Attacker) -> None:
    for method, path, body in STILL_POSSIBLE:
        more = {"data": b"x"} if body is None else {"json": {k: attacker.fill(str(v)) for k, v in body.items()}}
        answer = governed.ask("ana", method, attacker.fill(path), **more)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
    root = governed.directory / "mlartifacts"
    assert (root / attacker.fill("$champion_root") / "evidence/drift.json").read_bytes() == b"x"
