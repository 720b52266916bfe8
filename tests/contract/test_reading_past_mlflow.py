"""What our routes answer to somebody who may READ a model and not its runs, or not the model: nothing more than MLflow.

Nobody has a permission here that was not given: ``guest`` may READ one model, and none of the experiments.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator

import pytest
from support.probes.pace import patience
from support.releasing import POLICY, go, register, sealed, write_past
from support.serving import ADMIN, PASSWORDS, Server, start

from mlflow_eval_plugin.evidence import Subject

OPEN, SHUT = "credit-open", "credit-shut"
METRIC, DATA, PERSON = "secret_profit_metric", "secret_clients_of_2015", "secret-laptop-of-ana"
LENDING = POLICY + "delegation: {{longest: 3d}}\n"
BOTH = LENDING.format(name="both", model=f"{OPEN}, {SHUT}").replace("data-science: [ana]", "data-science: [ana, guest]")
HIDDEN = LENDING.format(name="hidden", model="payroll")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    options = ("--workers", "1", "--auth-cache-seconds", "600", "--default-permission", "NO_PERMISSIONS")
    running = start(tmp_path_factory.mktemp("shut"), *options)
    yield running
    running.process.stop()


def grant(server: Server, user: str, kind: str, resource: str, permission: str = "READ") -> None:
    body = {"username": user, "resource_type": kind, "resource_id": resource, "permission": permission}
    answer = server.ask(ADMIN, "POST", "/api/3.0/mlflow/users/permissions/grant", json=body)
    assert answer.ok, answer.text


@pytest.fixture(scope="module")
def secrets(server: Server) -> dict[str, str]:
    """Two governed models of ana's, each with a nominated version; what must not be told, by what it is."""
    runs = {}
    for model in (OPEN, SHUT, "payroll"):
        server.mlflow("ana", "POST", "registered-models/create", name=model)
    for text in (BOTH, HIDDEN):
        assert server.ask(ADMIN, "POST", "policy/apply", json={"yaml": text}).ok
    grant(server, "guest", "registered_model", OPEN)
    for user in ("raj", "mei"):
        for model in (OPEN, SHUT):
            grant(server, user, "registered_model", model)
    for model in (OPEN, SHUT):
        version, run = register(server, model, "insufficient" if model == SHUT else "pass")
        tags = [{"key": "mlflow.user", "value": PERSON}]
        data = {"name": DATA, "digest": "d1", "source_type": "local", "source": "{}"}
        metric = {"key": METRIC, "value": 3.5, "timestamp": 0, "step": 0}
        server.mlflow("ana", "POST", "runs/log-batch", run_id=run, metrics=[metric], tags=tags)
        server.mlflow("ana", "POST", "runs/log-inputs", run_id=run, datasets=[{"dataset": data, "tags": []}])
        runs[model] = run
        if model == OPEN:
            go(server, model, version, "ana nominate", "ana request")
    assert server.ask("mei", "POST", "delegate", json={"policy": "both", "role": "risk", "to": "oncall", "lasts": "2d",
                                                       "reason": "holiday"}).ok  # fmt: skip
    assert server.ask("mei", "POST", "delegate", json={"policy": "hidden", "role": "risk", "to": "oncall",
                                                       "lasts": "2d", "reason": "a secret leave"}).ok  # fmt: skip
    return {"metric": METRIC, "data": DATA, "person": PERSON, "run": runs[OPEN], "other": runs[SHUT],
            "path": "evidence/calibration.json", "model": SHUT, "hidden": "payroll",
            "leave": "a secret leave"}  # fmt: skip


READS = [
    ("GET", f"lineage?model={OPEN}&version=1"),
    ("GET", f"status?model={OPEN}"),
    ("GET", "status"),
    ("GET", f"plan?model={OPEN}&version=1"),
    ("GET", f"history?model={OPEN}"),
    ("GET", f"history?model={OPEN}&at=2100-01-01T00:00:00Z"),
    ("GET", f"policy?model={OPEN}"),
    ("GET", "policy"),
    ("GET", "delegate"),
    ("GET", "key"),
    ("GET", "audit/verify"),
    ("GET", "health"),
]


@pytest.mark.parametrize("verb, path", READS, ids=lambda each: each)
def test_a_reader_of_a_model_is_told_nothing_of_its_runs_or_of_other_models(server, secrets, verb, path):
    answer = server.ask("guest", verb, path)
    assert answer.status_code == 200, answer.text
    assert [what for what, text in secrets.items() if text in answer.text] == []
    whole = server.ask("ana", verb, path)
    assert whole.ok, whole.text


def test_who_may_read_is_told(server, secrets):
    lineage = server.ask("ana", "GET", f"lineage?model={OPEN}&version=1").text
    assert all(secrets[what] in lineage for what in ("metric", "data", "person", "run", "path"))
    assert {SHUT, OPEN} <= set(server.ask(ADMIN, "GET", "policy?name=both").json()["policies"][0]["models"])
    shown = server.ask("guest", "GET", "policy?name=both").json()["policies"][0]
    assert shown["models"] == [OPEN] and "raj" in shown["yaml"]  # who approves what they may read, they may know


CHANGES = [
    ("nominate", {"model": OPEN, "version": 1}),
    ("request", {"model": OPEN, "version": 1, "comment": "x"}),
    ("baseline", {"model": OPEN, "version": 1, "address": "runs:/1/baseline", "reason": "x"}),
    ("approve", {"model": OPEN, "comment": "x"}),
    ("reject", {"model": OPEN, "comment": "x"}),
    ("withdraw", {"model": OPEN, "comment": "x"}),
    ("promote", {"model": OPEN, "version": 1}),
    ("break-glass", {"model": OPEN, "version": 1, "reason": "x"}),
    ("rollback", {"model": OPEN, "reason": "x"}),
    ("review/close", {"model": OPEN, "review": "R-1", "finding": "x"}),
    ("reconcile", {"model": OPEN}),
    ("delegate", {"policy": "hidden", "role": "risk", "to": "mei", "lasts": "1d", "reason": "x"}),
    ("delegate", {"policy": "both", "role": "risk", "to": "nobody-at-all", "lasts": "1d", "reason": "x"}),
    ("policy/check", {"yaml": HIDDEN}),
]


@pytest.mark.parametrize("verb, body", CHANGES, ids=lambda each: each if isinstance(each, str) else "")
def test_refusals_tell_nothing_of_them_either(server, secrets, verb, body):
    said = server.ask("guest", "POST", verb, json=body).text
    given = json.dumps(body)
    assert [what for what, text in secrets.items() if text in said and text not in given] == []


def alike(server: Server, there: dict, missing: dict, verb: str, method: str = "POST", user: str = "guest") -> str:
    """The answer to a question about what may not be read, which must be the one about what is not there."""
    answers = []
    for asked in (there, missing):
        sent = {"json": asked} if method == "POST" else {"params": asked}
        answer = server.ask(user, method, verb, **sent)
        assert 400 <= answer.status_code < 500
        names = [each for value in asked.values() for each in (value if isinstance(value, list) else [value])]
        text = answer.text
        for number, name in enumerate(sorted(map(str, names), key=len, reverse=True)):
            text = text.replace(name, f"<{number}>")
        answers.append((answer.status_code, text))
    assert answers[0] == answers[1]
    return answers[0][1]


def test_what_may_not_be_read_and_what_is_not_there_are_answered_alike(server, secrets):
    unread, missing = {"model": SHUT}, {"model": "credit-gone"}
    for verb in ("status", "policy", "history"):
        alike(server, unread, missing, verb, "GET")
    for verb in ("plan", "lineage"):
        alike(server, unread | {"version": 1}, missing | {"version": 1}, verb, "GET")
    alike(server, {"name": "hidden"}, {"name": "hiddem"}, "policy", "GET")
    for verb, more in (("nominate", {"version": 1}), ("promote", {"version": 1}), ("request", {"version": 1}),
                       ("approve", {"comment": "x"}), ("reconcile", {}), ("rollback", {"reason": "x"})):  # fmt: skip
        alike(server, unread | more, missing | more, verb)
    run, no_run = secrets["run"], "f" * 32
    one = {"model": OPEN, "version": 1}
    said = alike(server, one | {"runs": [run]}, one | {"runs": [no_run]}, "nominate")
    assert "there is no run" in said
    lend = {"role": "risk", "to": "raj", "lasts": "1d", "reason": "x"}
    alike(server, {"policy": "hidden"} | lend, {"policy": "hiddem"} | lend, "delegate")
    delegations = server.ask("mei", "GET", "delegate").json()["delegations"]
    hidden = next(each["id"] for each in delegations if each["policy"] == "hidden")
    alike(server, {"delegation": hidden}, {"delegation": "D-9999"}, "delegate/end")


def test_evidence_that_was_replaced_is_told_without_the_run_it_is_in(server, secrets):
    """Where the reader may not see the run, that something is wrong is told, and not what."""
    uri = server.mlflow("ana", "GET", f"runs/get?run_id={secrets['run']}")["run"]["info"]["artifact_uri"]
    before = server.ask("ana", "GET", f"plan?model={OPEN}&version=1").json()
    assert "evidence-changed" not in {reason["rule"] for reason in before["reasons"]}
    write_past(server, uri, "evidence/calibration.json", sealed(Subject(run_id=secrets["run"]), "fail"))
    plan = server.ask("guest", "GET", f"plan?model={OPEN}&version=1")
    assert "evidence-changed" in {reason["rule"] for reason in plan.json()["reasons"]}
    reconciled = server.ask("guest", "POST", "reconcile", json={"model": OPEN})
    for answer in (plan, reconciled):
        assert [what for what, text in secrets.items() if text in answer.text] == []
    assert secrets["run"] in server.ask("ana", "GET", f"plan?model={OPEN}&version=1").text


def test_the_whole_log_is_for_those_who_may_read_everything(server, secrets):
    assert server.ask("guest", "GET", "audit/export").status_code == 403
    assert server.ask(ADMIN, "GET", "audit/export").ok
    server.mlflow(ADMIN, "POST", "users/create", username="auditor", password="auditor-long-password")
    PASSWORDS["auditor"] = "auditor-long-password"
    role = server.ask(ADMIN, "POST", "/api/3.0/mlflow/roles/create", json={"workspace": "default", "name": "audit"})
    role_id = role.json()["role"]["id"]
    rows = "/api/3.0/mlflow/roles/permissions/add"
    assert server.ask(
        ADMIN, "POST", "/api/3.0/mlflow/roles/assign", json={"username": "auditor", "role_id": role_id}
    ).ok
    for kind in ("registered_model", "experiment"):
        assert server.ask("auditor", "GET", "audit/export").status_code == 403
        body = {"role_id": role_id, "resource_type": kind, "resource_pattern": "*", "permission": "READ"}
        assert server.ask(ADMIN, "POST", rows, json=body).ok
    assert server.ask("auditor", "GET", "audit/export").ok
    body = {"role_id": role_id, "resource_type": "experiment", "resource_pattern": "1", "permission": "DENY"}
    if server.ask(ADMIN, "POST", rows, json=body).ok:  # from 3.17 a role can deny
        assert server.ask("auditor", "GET", "audit/export").status_code == 403
    del PASSWORDS["auditor"]


WHOSE = [
    "run's",
    "run's, by other spelling",
    "run's, by its id",
    "logged model's",
    "logged model's, by its id",
    "registered model's",
    "everybody's",
    "run's, in a bucket of its own",
]


@pytest.fixture(scope="module")
def sources(server: Server, secrets: dict[str, str]) -> dict[str, str]:
    """What guest could name as the files of a version: a run's, a logged model's and a registered model's of ana's."""
    run = server.mlflow("ana", "GET", f"runs/get?run_id={secrets['run']}")["run"]["info"]
    logged = server.mlflow("ana", "POST", "logged-models", experiment_id=run["experiment_id"], name="logged")
    model = logged["model"]["info"]
    server.mlflow("guest", "POST", "registered-models/create", name="guests")
    experiment = server.mlflow("guest", "POST", "experiments/create", name="guests")["experiment_id"]
    own = server.mlflow("guest", "POST", "runs/create", experiment_id=experiment, start_time=0)["run"]["info"]
    body = {"name": "elsewhere", "artifact_location": "s3://a-bucket/elsewhere"}
    other = server.mlflow(ADMIN, "POST", "experiments/create", **body)["experiment_id"]
    grant(server, "ana", "experiment", other, "EDIT")
    elsewhere = server.mlflow("ana", "POST", "runs/create", experiment_id=other, start_time=0)["run"]["info"]
    return {
        "run's": f"{run['artifact_uri']}/model",
        "run's, by other spelling": run["artifact_uri"].replace("mlflow-artifacts:/", "MLFLOW-ARTIFACTS:///")
        + "/model",
        "run's, by its id": f"runs:/{run['run_id']}/model",
        "logged model's": model["artifact_uri"],
        "logged model's, by its id": f"models:/{model['model_id']}",
        "registered model's": f"models:/{SHUT}/1",
        "everybody's": "mlflow-artifacts:/",
        "run's, in a bucket of its own": f"{elsewhere['artifact_uri']}/model",
        "run elsewhere": elsewhere["run_id"],
        "own": f"{own['artifact_uri']}/model",
        "own run": own["run_id"],
    }


@pytest.mark.parametrize("beside", ["nothing", "a run of one's own"])
@pytest.mark.parametrize("whose", WHOSE)
def test_no_version_has_files_that_its_maker_may_not_read(server, sources, whose, beside):
    """They would be read as the version's: MLflow asks leave for the model, and not for the run."""
    body = {"name": "guests", "source": sources[whose]}
    if beside != "nothing":
        body["run_id"] = sources["own run"]
    answer = server.ask("guest", "POST", "/api/2.0/mlflow/model-versions/create", json=body)
    assert 400 <= answer.status_code < 500 and answer.elapsed.total_seconds() < patience(1), answer.text
    assert (
        server.ask("guest", "GET", "/model-versions/get-artifact?name=guests&version=1&path=MLmodel").status_code >= 400
    )


@pytest.mark.parametrize("source", [".", "../", "%2fetc", "mlartifacts", "file:mlartifacts"])
def test_paths_that_an_older_mlflow_took_for_a_versions_files_are_not_read(server, sources, source):
    model = f"of-old-{source.encode().hex()}"
    server.mlflow("guest", "POST", "registered-models/create", name=model)
    own = {"source": sources["own"], "run_id": sources["own run"]}
    server.mlflow("guest", "POST", "model-versions/create", name=model, **own)
    with sqlite3.connect(server.directory / "mlflow.db", timeout=20) as database:
        database.execute(
            "UPDATE model_versions SET source = ?, storage_location = ? WHERE name = ?", (source, source, model)
        )
    for path in ("mlflow.db", "passwd"):
        of = f"/model-versions/get-artifact?name={model}&version=1&path={path}"
        answer = server.ask("guest", "GET", of)
        assert 400 <= answer.status_code < 500 and "source" in answer.text, answer.text[:200]
    asked = server.ask("guest", "GET", f"/api/2.0/mlflow/model-versions/get-download-uri?name={model}&version=1")
    assert 400 <= asked.status_code < 500


def test_a_version_has_the_files_of_a_run_that_its_maker_may_read(server, sources, secrets):
    for user, source, run in (("guest", "own", sources["own run"]), ("ana", "run's", secrets["run"])):
        model = f"may-read-{user}"
        server.mlflow(user, "POST", "registered-models/create", name=model)
        server.mlflow(user, "POST", "model-versions/create", name=model, source=sources[source], run_id=run)
    for source in ("run's, by its id", "logged model's, by its id"):
        run = {"run_id": secrets["run"]} if source.startswith("run") else {"model_id": sources[source].split("/")[-1]}
        server.mlflow("ana", "POST", "model-versions/create", name="may-read-ana", source=sources[source], **run)
    place = {"source": sources["run's, in a bucket of its own"], "run_id": sources["run elsewhere"]}
    for body in (place, {"source": "s3://a-bucket-of-anas/model"}):
        server.mlflow("ana", "POST", "model-versions/create", name="may-read-ana", **body)
