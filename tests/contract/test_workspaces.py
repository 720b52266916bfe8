"""Workspaces are off on a governed server, and whatever names one changes neither what serves nor a decision."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow.exceptions import MlflowException
from support.releasing import govern, register, serve
from support.serving import ADMIN, PASSWORDS, Process, Server, clean_environment, free_port

HEADER = "X-MLFLOW-WORKSPACE"
NAMED = ["other", "default", "Default", " other ", "o" * 10_000, "other, default", "../default"]
UNNAMED = ["", " ", "\t"]


@pytest.fixture(scope="module")
def model(governed: Server) -> str:
    """A governed model whose champion is version 1, with a version 2 that nobody has approved."""
    name = govern(governed)
    assert serve(governed, name) == 1
    assert register(governed, name)[0] == 2
    return name


@pytest.fixture(autouse=True)
def unchanged(governed: Server, model: str) -> Any:
    """After every attempt the champion is version 1, its stage says so, and the ledger agrees."""
    yield
    found = governed.mlflow("ana", "GET", f"registered-models/alias?name={model}&alias=champion")["model_version"]
    assert (found["version"], found["current_stage"]) == ("1", "Production")
    assert governed.json(ADMIN, "audit", "verify")["ok"] is True


def attempts(model: str) -> list[tuple[str, str, dict[str, Any]]]:
    """Writes that would make version 2 the champion, take the champion away, or decide something."""
    champion = {"name": model, "version": "2", "alias": "champion"}
    stage = {"name": model, "version": "2", "stage": "Production", "archive_existing_versions": True}
    return [
        ("POST", "/api/2.0/mlflow/registered-models/alias", champion),
        ("POST", "/ajax-api/2.0/mlflow/model-versions/transition-stage", stage),
        ("DELETE", "/api/2.0/mlflow/registered-models/alias", {"name": model, "alias": "champion"}),
        ("DELETE", "/api/2.0/mlflow/registered-models/delete", {"name": model}),
        ("POST", "/api/2.0/registry-hooks/promote", {"model": model, "version": 2}),
    ]


@pytest.mark.parametrize("workspace", NAMED)
def test_a_request_that_names_a_workspace_is_refused_whatever_it_asks(governed: Server, model: str, workspace: str):
    headers = {HEADER: workspace.strip()}
    read = governed.ask(
        "ana", "GET", f"/api/2.0/mlflow/registered-models/alias?name={model}&alias=champion", headers=headers
    )
    assert read.status_code == 400 and "no workspaces" in read.json()["message"]
    for verb, path, body in attempts(model):
        answer = governed.ask(ADMIN, verb, path, json=body, headers=headers)
        assert answer.status_code == 400, (path, answer.text)
    # A route that FastAPI serves natively, and the one by which clients ask whether there are workspaces.
    assert governed.ask(ADMIN, "GET", "/ajax-api/3.0/jobs/1", headers=headers).status_code == 400
    assert governed.ask(ADMIN, "GET", "/api/3.0/mlflow/server-info", headers=headers).status_code == 200


@pytest.mark.parametrize("workspace", UNNAMED)
def test_an_empty_workspace_is_none(governed: Server, model: str, workspace: str):
    headers = {HEADER: workspace.strip()}
    path = f"/api/2.0/mlflow/registered-models/alias?name={model}&alias=champion"
    assert governed.ask("ana", "GET", path, headers=headers).json()["model_version"]["version"] == "1"
    for verb, path, body in attempts(model):
        answer = governed.ask("ana", verb, path, json=body, headers=headers)
        assert answer.status_code == 403, (path, answer.text)


@pytest.mark.parametrize("prefix", ["/workspaces/other", "/workspaces/default", "/other"])
def test_no_path_leads_into_a_workspace(governed: Server, model: str, prefix: str):
    for verb, path, body in attempts(model):
        version = path[: path.index(".0/") + 2]
        rest = path.removeprefix(version)
        for led in (prefix + path, version + prefix + rest, f"{version}/mlflow{prefix}{rest.removeprefix('/mlflow')}"):
            answer = governed.ask(ADMIN, verb, led, json=body)
            assert answer.status_code in (404, 405), (led, answer.text)


def test_fields_that_name_a_workspace_say_nothing(governed: Server, model: str):
    for verb, path, body in attempts(model):
        for query in ("", "?workspace=other"):
            answer = governed.ask("ana", verb, path + query, json={**body, "workspace": "other"})
            assert 400 <= answer.status_code < 500, (path, answer.text)
    path = f"/api/2.0/mlflow/registered-models/alias?name={model}&alias=champion&workspace=other"
    assert governed.ask("ana", "GET", path).json()["model_version"]["version"] == "1"


def test_nobody_makes_a_workspace(governed: Server):
    for verb, path in [("POST", ""), ("PATCH", "/other"), ("DELETE", "/default"), ("GET", "")]:
        answer = governed.ask(ADMIN, verb, f"/api/3.0/mlflow/workspaces{path}", json={"name": "other"})
        assert 400 <= answer.status_code < 600 and answer.status_code != 500, answer.text


def test_mlflows_client_with_a_workspace_of_its_own_is_refused(governed: Server, model: str, monkeypatch):
    for name, value in {
        "MLFLOW_TRACKING_USERNAME": "ana", "MLFLOW_TRACKING_PASSWORD": PASSWORDS["ana"], "MLFLOW_WORKSPACE": "other",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    client = mlflow.MlflowClient(governed.uri, governed.uri)
    with pytest.raises(MlflowException, match="orkspace"):
        client.set_registered_model_alias(model, "champion", "2")
    with pytest.raises(MlflowException, match="orkspace"):
        client.get_model_version_by_alias(model, "champion")
    monkeypatch.delenv("MLFLOW_WORKSPACE")
    assert client.get_model_version_by_alias(model, "champion").version in (1, "1")


def test_mlflows_own_command_does_not_start_a_governed_registry_with_workspaces(tmp_path: Path):
    command = [
        str(Path(sys.executable).parent / "mlflow"),
        "server",
        "--app-name",
        "registry-hooks",
        "--enable-workspaces",
        "--port",
        str(free_port()),
    ]
    command += ["--app-name", "registry-hooks"]
    command += ["--backend-store-uri", "sqlite:///mlflow.db", "--registry-store-uri", "governed:sqlite:///mlflow.db"]
    process = Process(command, clean_environment(tmp_path, MLFLOW_FLASK_SERVER_SECRET_KEY="secret"), tmp_path)
    try:
        assert process.process.wait(90) != 0
        assert "does not support workspace-aware operations" in process.told()
    finally:
        process.stop()
