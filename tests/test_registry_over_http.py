"""The registry half of the story over HTTP: on PostgreSQL from end to end, and refusals as clients see them."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import mlflow
import pytest
import requests
from mlflow.exceptions import RestException
from support.probes.pace import patience
from support.releasing import govern, register
from support.serving import PASSWORDS, Server, start


@pytest.fixture(scope="module")
def on_postgres(tmp_path_factory, postgres) -> Server:
    """A governed server with two workers whose tracking, registry and logins live in PostgreSQL."""
    options = ("--workers", "2", "--auth-cache-seconds", "600", "--backend-store-uri", postgres())
    options += ("--auth-database-uri", postgres())
    # A server's own MLFLOW_TRACKING_URI must not lead its workers to another server for the runs.
    folder = tmp_path_factory.mktemp("on-postgres")
    server = start(folder, *options, MLFLOW_TRACKING_URI="http://127.0.0.1:9")
    yield server
    assert server.process.stop() == []


def done(server: Server, user: str, *arguments: str, code: int = 0) -> str:
    """What the command printed; its exit code must be ``code``."""
    finished = server.cli(user, *arguments)
    assert finished.returncode == code, finished.stdout + finished.stderr
    return finished.stdout + finished.stderr


def client_of(server: Server, user: str, monkeypatch: pytest.MonkeyPatch) -> mlflow.MlflowClient:
    """MLflow's own client, logged in."""
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", user)
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", PASSWORDS[user])
    return mlflow.MlflowClient(server.uri, server.uri)


def test_two_releases_and_a_rollback_on_postgresql(on_postgres: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server = on_postgres
    model = govern(server)
    for version in (1, 2):
        assert register(server, model)[0] == version
        number = str(version)
        done(server, "ana", "nominate", model, number)
        assert "may not yet be promoted" in done(server, "ana", "plan", model, number, code=1)
        done(server, "ana", "request", model, number, "--comment", "please")
        assert "four-eyes" in done(server, "ana", "approve", model, number, "--comment", "mine", code=1)
        for name in ("raj", "mei"):
            done(server, name, "approve", model, number, "--comment", "read it")
        done(server, "ana", "promote", model, number)
    client = client_of(server, "ana", monkeypatch)
    aliases = {alias: int(version) for alias, version in client.get_registered_model(model).aliases.items()}
    assert aliases == {"champion": 2, "challenger": 1, "fallback": 1}
    done(server, "oncall", "rollback", model, "--reason", "complaints")
    assert int(client.get_model_version_by_alias(model, "champion").version) == 1
    assert [
        v.current_stage for v in client.search_model_versions(f"name='{model}'", order_by=["version_number ASC"])
    ] == [
        "Production",
        "Archived",
    ]
    assert server.json("mei", "audit", "verify")["ok"]
    assert [e["action"] for e in server.json("mei", "history", model)["entries"]].count("promoted") == 2


def test_the_ledger_names_the_actor_whichever_of_several_workers_answers(on_postgres: Server) -> None:
    model = govern(on_postgres)
    versions = [register(on_postgres, model)[0] for _ in range(2)]
    users = ["ana", "raj", "mei", "guest"] * 6

    def refused(user: str) -> str:
        answer = on_postgres.ask(user, "POST", "rollback", json={"model": model, "reason": "x"})
        return str(answer.json()["reasons"][0]["found"])

    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(refused, users))
    assert [each.split(",")[0] for each in told] == users
    assert versions and on_postgres.json("ana", "history", model)["entries"][-1]["actor"] == "ana"


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_direct_promotion_is_refused_with_every_reason_within_a_second(
    governed: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = govern(governed)
    register(governed, model)
    client = client_of(governed, "ana", monkeypatch)
    client.get_registered_model(model)  # the connection and the login are made
    for call in (
        lambda: client.set_registered_model_alias(model, "champion", "1"),
        lambda: client.transition_model_version_stage(model, "1", "Production"),
    ):
        begun = time.monotonic()
        with pytest.raises(RestException) as caught:
            call()
        assert time.monotonic() - begun < patience(1)
        assert caught.value.error_code == "PERMISSION_DENIED" and caught.value.get_http_status_code() == 403
        for said in (
            "nomination",
            "calibration Evidence",
            "Proposal",
            "2 of risk",
            f"registry-hooks nominate {model} 1",
        ):
            assert said in caught.value.message
    assert client.get_registered_model(model).aliases == {}


def test_the_same_refusal_meets_a_client_that_speaks_rest(governed: Server) -> None:
    model = govern(governed)
    register(governed, model)
    for prefix in ("/api/2.0/mlflow", "/ajax-api/2.0/mlflow"):
        body = {"name": model, "alias": "champion", "version": "1"}
        answer = governed.ask("ana", "POST", f"{prefix}/registered-models/alias", json=body)
        assert answer.status_code == 403 and answer.json()["error_code"] == "PERMISSION_DENIED"
        assert {reason["rule"] for reason in answer.json()["reasons"]} >= {"nomination", "evidence", "approvals"}


def test_the_artifacts_of_a_run_show_in_mlflows_own_listing(governed: Server) -> None:
    model = govern(governed)
    _, run_id = register(governed, model)
    listed = governed.ask("ana", "GET", f"/api/2.0/mlflow/artifacts/list?run_id={run_id}&path=evidence").json()
    assert [Path(file["path"]).name for file in listed["files"]] == ["calibration.json"]


def test_nobody_gets_in_without_a_login(governed: Server) -> None:
    assert (
        requests.post(f"{governed.uri}/api/2.0/mlflow/registered-models/alias", json={}, timeout=20).status_code == 401
    )
