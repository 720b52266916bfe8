"""Who is acting: on Flask's path and on FastAPI's, never mixed up, and nobody where nobody has logged in."""

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.releasing import govern, register, serve
from support.serving import ADMIN, PASSWORDS, Process, Server, clean_environment, free_port, start

from registry_hooks.errors import Unauthenticated
from registry_hooks.identity import Actor, acting_as, current_actor, require_actor

FLASK = "/api/2.0/probe"
NATIVE = ("/ajax-api/3.0/mlflow/assistant/probe", "/ajax-api/3.0/mlflow/assistant/async-probe")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a first start has made the databases and the users, as an operator's would, and has ended."""
    server = start(tmp_path_factory.mktemp("made"), "--workers", "1")
    server.process.stop()
    return server.directory


@pytest.fixture(scope="module", params=["uvicorn", "gunicorn"])
def probe(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, made: Path) -> Iterator[Server]:
    """The app with probes, in one process with several threads, under both kinds of server; it remembers no login."""
    directory: Path = shutil.copytree(made, tmp_path_factory.mktemp("probe") / request.param)
    ini = directory / "registry-hooks-state" / "auth.ini"
    ini.write_text(ini.read_text().replace(str(made), str(directory)))
    port = free_port()
    env = clean_environment(
        directory,
        PYTHONPATH=os.pathsep.join(
            [str(Path(__file__).parents[2] / "support/probes"), os.environ.get("PYTHONPATH", "")]
        ),
        MLFLOW_AUTH_CONFIG_PATH=str(ini),
        MLFLOW_FLASK_SERVER_SECRET_KEY="secret",
        REGISTRY_HOOKS_UNSAFE_ALLOW="assistant",
        _MLFLOW_SGI_NAME=request.param,
        _MLFLOW_SERVER_FILE_STORE="sqlite:///mlflow.db",
        _MLFLOW_SERVER_REGISTRY_STORE="governed:sqlite:///mlflow.db",
        _MLFLOW_SERVER_ARTIFACT_ROOT="mlflow-artifacts:/",
        _MLFLOW_SERVER_ARTIFACT_DESTINATION="./mlartifacts",
        _MLFLOW_SERVER_SERVE_ARTIFACTS="true",
    )
    commands = {
        "uvicorn": ["uvicorn", "--factory", "probe_app:create_app", "--host", "127.0.0.1", "--port", str(port)],
        "gunicorn": ["gunicorn", "--threads", "4", "-b", f"127.0.0.1:{port}", "probe_app:create_app()"],
    }
    process = Process([sys.executable, "-m", *commands[request.param]], env, directory)
    process.wait_until_healthy(f"http://127.0.0.1:{port}")
    yield Server(f"http://127.0.0.1:{port}", directory, process)
    process.stop()


def test_a_deleted_user_is_nobody(probe: Server) -> None:
    probe.mlflow(ADMIN, "POST", "users/create", username="gone", password="gone-long-password")
    PASSWORDS["gone"] = "gone-long-password"
    assert probe.ask("gone", "GET", "health").status_code == 200
    probe.mlflow(ADMIN, "DELETE", "users/delete", username="gone")
    assert probe.ask("gone", "GET", "health").status_code == 401
    del PASSWORDS["gone"]


def paths(server: Server) -> tuple[str, ...]:
    return (FLASK, *NATIVE) if server.directory.name.startswith("uvicorn") else (FLASK,)


def test_the_actor_is_the_user_on_every_path(probe: Server) -> None:
    for path in paths(probe):
        found = probe.ask("raj", "GET", path).json()
        assert (found["before"], found["after"], found["admin"]) == ("raj", "raj", False)
        assert found["how"] == "mlflow-auth"
        assert probe.ask(ADMIN, "GET", path).json()["admin"] is True
        assert probe.ask(None, "GET", path).status_code == 401


def test_no_request_waits_for_a_collection_of_all_that_a_worker_has_loaded(probe: Server) -> None:
    assert probe.ask("raj", "GET", FLASK).json()["uncollected"] > 0.8


def test_users_who_ask_at_once_are_never_mixed_up(probe: Server) -> None:
    asked = [(user, path) for user in ("ana", "raj", "mei", None) for path in paths(probe)] * 8
    random.Random(7).shuffle(asked)

    def ask(user: str | None, path: str) -> tuple[str | None, str | None, str | None, int]:
        if user is None:  # in between, requests without a login, on a path that needs none
            path = "/static-probe"
        found = probe.ask(user, "GET", path).json()
        return user, found["before"], found["after"], found["thread"]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda each: ask(*each), asked))
    assert [answer for answer in answers if len({*answer[:3]}) != 1] == []
    assert len({answer[3] for answer in answers}) < len(answers)  # threads were used again


def test_roles_are_those_of_mlflows_rbac(probe: Server) -> None:
    made = probe.ask(ADMIN, "POST", "/api/3.0/mlflow/roles/create", json={"workspace": "default", "name": "risk"})
    assert made.ok, made.text
    assign = {"username": "mei", "role_id": made.json()["role"]["id"]}
    assert probe.ask(ADMIN, "POST", "/api/3.0/mlflow/roles/assign", json=assign).ok
    for path in paths(probe):
        assert probe.ask("mei", "GET", path).json()["roles"] == ["risk"]
        assert probe.ask("raj", "GET", path).json()["roles"] == []


def test_a_client_with_the_databases_own_uri_is_nobody_and_changes_no_role(governed: Server) -> None:
    model = govern(governed)
    version, _run = register(governed, model)
    program = (
        "import mlflow, sys\n"
        "client = mlflow.MlflowClient(registry_uri='governed:sqlite:///mlflow.db', tracking_uri='sqlite:///mlflow.db')\n"
        f"client.set_registered_model_alias({model!r}, 'challenger', {version})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=clean_environment(governed.directory), cwd=governed.directory,
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode != 0 and "no authenticated actor" in done.stderr


def test_nobody_acts_unless_somebody_is_named() -> None:
    assert current_actor() is None
    with pytest.raises(Unauthenticated, match="no authenticated actor"):
        require_actor()
    with acting_as(Actor("ana", "test")):
        with acting_as(None):
            assert current_actor() is None
        assert require_actor().name == "ana"
    assert current_actor() is None


def test_an_actor_given_as_a_function_is_looked_up_only_when_asked_for() -> None:
    asked = []

    def look_up() -> Actor | None:
        asked.append(1)
        return Actor("ana", "test")

    with acting_as(look_up):
        assert asked == []
        assert require_actor().name == "ana"
    assert asked == [1]


def _pieces(text: str) -> Iterator[bytes]:
    yield from (letter.encode() for letter in text)


def test_doors_are_shut_under_both_kinds_of_server(probe: Server) -> None:
    twice = '{"run_id": "a", "runId": "b", "key": "k", "value": "v"}'
    json = {"Content-Type": "application/json"}
    tag, scorer = "/api/2.0/mlflow/runs/set-tag", "/ajax-api/3.0/mlflow/scorer/invoke"
    foreign = json | {"Origin": "http://localhost:3000"}
    for path, body, headers, status, said in (
        (scorer, "{}", json, 403, "jobs is shut"),
        ("/api/2.0/mlflow/webhooks", "{}", json, 403, "webhooks is shut"),
        (tag, twice, json, 400, "each thing once"),
        (tag, _pieces(twice), json, 400, ""),  # in chunks; what of them Flask is given differs between the servers
        (f"{tag}?run_id=a", '{"run_id": "b"}', json, 400, "each thing once"),
        (tag, "{}", foreign, 403, "another origin"),
        ("/api/2.0/registry-hooks/promote", "{}", foreign, 403, "another origin"),
    ):
        answer = probe.ask(ADMIN, "POST", path, data=body, headers=headers)
        assert (answer.status_code, said in answer.text) == (status, True), (path, answer.text)


def test_what_serves_is_not_pulled_away_under_both_kinds_of_server(probe: Server) -> None:
    model = govern(probe)
    serve(probe, model)
    run = probe.mlflow("ana", "GET", f"model-versions/get?name={model}&version=1")["model_version"]["run_id"]
    root = probe.mlflow("ana", "GET", f"runs/get?run_id={run}")["run"]["info"]["artifact_uri"].split(":", 1)[1]
    files = f"/api/2.0/mlflow-artifacts/artifacts{root}"
    for method, path, more in (
        ("POST", "/api/2.0/mlflow/runs/delete", {"json": {"run_id": run}}),
        ("PUT", f"{files}/model/MLmodel", {"data": b"x"}),
        ("PUT", f"{files}/evidence/calibration.json", {"data": b"x"}),
        ("DELETE", f"{files}/model", {}),
        ("POST", f"/ajax-api/2.0/mlflow/upload-artifact?run_uuid={run}&path=model/MLmodel", {"data": b"x"}),
    ):
        for user in ("ana", ADMIN):
            answer = probe.ask(user, method, path, **more)
            assert answer.status_code == 403 and f"version 1 of {model}, which is champion" in answer.text, answer.text
    assert probe.ask("ana", "PUT", f"{files}/notes.txt", data=b"x").ok
    assert probe.json("ana", "status", model)["models"][0]["missing"] == []
