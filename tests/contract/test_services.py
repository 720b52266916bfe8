"""Every RPC, route, query and mutation of MLflow is in the table of ways in, and the writes end where it says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.attacking import OLDEST
from support.serving import clean_environment

from registry_hooks.app.startup import require_known_routes, routes_of
from registry_hooks.mlflow_surface.endings import GRAPHQL, NOT_SERVED, SERVED, SURFACE, ends_in
from registry_hooks.mlflow_surface.http_routes import EFFECTS, effect_of, plain_path, unknown_routes
from registry_hooks.mlflow_surface.store_methods import CLOSURE

PROBE = Path(__file__).parents[1] / "support/probes/surface_probe.py"
# The job needs a language model. What it registers, `mlflow.genai.register_prompt` registers.
NOT_DRIVEN = {("POST", "/mlflow/prompt-optimization/jobs")}
READS = {name for name, kind in CLOSURE.items() if kind == "read"}


def requests_below(api: str, model: str) -> list[tuple[str, str, dict[str, Any]]]:
    """A request for every way in, in an order in which each succeeds."""
    webhook = f"{api}/mlflow/webhooks/<webhook_id>"
    named, first = {"name": model}, {"name": model, "version": "1"}
    tag = {"key": "k", "value": "v"}
    event = {"entity": "REGISTERED_MODEL", "action": "CREATED"}
    steps: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", "registered-models/create", named),
        ("PATCH", "registered-models/update", {**named, "description": "d"}),
        ("GET", "registered-models/get", named),
        ("GET", "registered-models/search", {}),
        ("POST", "registered-models/set-tag", {**named, **tag}),
        ("DELETE", "registered-models/delete-tag", {**named, "key": "k"}),
        ("POST", "model-versions/create", {**named, "source": "s3://models/x"}),
        ("PATCH", "model-versions/update", {**first, "description": "d"}),
        ("GET", "model-versions/get", first),
        ("GET", "model-versions/search", {}),
        ("GET", "model-versions/get-download-uri", first),
        ("POST", "model-versions/set-tag", {**first, **tag}),
        ("DELETE", "model-versions/delete-tag", {**first, "key": "k"}),
        (
            "POST",
            "model-versions/transition-stage",
            {**first, "stage": "Production", "archive_existing_versions": True},
        ),
        ("POST", "registered-models/get-latest-versions", named),
        ("GET", "registered-models/get-latest-versions", named),
        ("POST", "registered-models/alias", {**first, "alias": "champion"}),
        ("GET", "registered-models/alias", {**named, "alias": "champion"}),
        ("DELETE", "registered-models/alias", {**named, "alias": "champion"}),
        ("DELETE", "model-versions/delete", first),
        ("POST", "registered-models/rename", {**named, "new_name": model + "-2"}),
        ("DELETE", "registered-models/delete", {"name": model + "-2"}),
        ("POST", "webhooks", {"name": model, "url": "https://127.0.0.1:9/x", "events": [event]}),
        ("GET", "webhooks", {}),
    ]
    found = [(verb, f"{api}/mlflow/{path}", body) for verb, path, body in steps]
    return [*found, ("GET", webhook, {}), ("PATCH", webhook, {"description": "d"}), ("DELETE", webhook, {})]


REQUESTS = [
    *requests_below("/api/2.0", "by-rest"),
    *requests_below("/ajax-api/2.0", "by-page"),
    ("POST", "/ajax-api/3.0/mlflow/demo/generate", {"features": ["prompts"]}),
    ("POST", "/ajax-api/3.0/mlflow/demo/delete", {}),
    ("POST", "/graphql", {"query": '{mlflowSearchModelVersions(input:{filter:""}){modelVersions{name}}}'}),
]


def probe(folder: Path, *added: str, prefix: str = "") -> subprocess.CompletedProcess[str]:
    """Start a governed app in a process of its own, which writes ``told.json``."""
    database = f"sqlite:///{folder / 'mlflow.db'}"
    (folder / "requests.json").write_text(json.dumps(REQUESTS))
    (folder / "auth.ini").write_text(
        f"[mlflow]\ndefault_permission = READ\ndatabase_uri = sqlite:///{folder / 'auth.db'}\nadmin_username = admin\n"
        "admin_password = a-long-password\nauth_cache_ttl_seconds = 600\n"
    )
    env = clean_environment(
        folder, MLFLOW_AUTH_CONFIG_PATH=str(folder / "auth.ini"), MLFLOW_AUTH_ADMIN_PASSWORD="a-long-password",
        MLFLOW_FLASK_SERVER_SECRET_KEY="for a test", _MLFLOW_SERVER_FILE_STORE=database, _MLFLOW_SGI_NAME="uvicorn",
        _MLFLOW_SERVER_REGISTRY_STORE=f"governed:{database}", _MLFLOW_SERVER_ARTIFACT_ROOT="mlflow-artifacts:/",
        _MLFLOW_SERVER_SERVE_ARTIFACTS="true", _MLFLOW_SERVER_ARTIFACT_DESTINATION=str(folder / "artifacts"),
        MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS="true", _MLFLOW_STATIC_PREFIX=prefix,
        REGISTRY_HOOKS_UNSAFE_ALLOW="webhooks,demo",
    )  # fmt: skip
    command = [sys.executable, str(PROBE), str(folder / "requests.json"), str(folder / "told.json"), *added]
    return subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a governed app told of itself."""
    folder = tmp_path_factory.mktemp("surface")
    done = probe(folder)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads((folder / "told.json").read_text())
    return found


def routes(told: dict[str, Any]) -> list[tuple[str, str]]:
    return [(verb, path) for verb, path in told["routes"]]


def test_every_service_is_known_as_served_or_not(told):
    assert set(told["services"]) == SERVED | NOT_SERVED


def test_every_rpc_that_the_server_answers_is_in_the_table_in_every_version_of_its_path(told):
    rpcs = [(verb, path) for name in SERVED for _, verb, path in told["services"][name]]
    assert len(rpcs) > 350
    assert unknown_routes(rpcs) == []
    for name in ("mlflow.ModelRegistryService", "mlflow.WebhookService"):
        assert [rpc for rpc in told["services"][name] if (rpc[1], plain_path(rpc[2])) not in SURFACE] == []


def test_no_route_belongs_to_a_service_that_is_not_served(told):
    theirs = {(verb, path) for name in NOT_SERVED for _, verb, path in told["services"][name]}
    ours = {(verb, path) for name in SERVED for _, verb, path in told["services"][name]}
    assert set(routes(told)) & (theirs - ours) == set()


def test_every_route_of_flask_and_fastapi_is_in_the_table(told):
    assert len(routes(told)) > 500
    assert {"/api/2.0", "/ajax-api/2.0", "/api/3.0", "/ajax-api/3.0"} <= {
        path[: path.index(".0") + 2] for _, path in routes(told) if ".0" in path
    }
    assert unknown_routes(routes(told)) == []


def test_the_table_names_no_route_that_is_gone(told):
    assert {(verb, plain_path(path)) for verb, path in routes(told)} >= set(SURFACE)


def test_every_query_mutation_and_resolved_field_of_graphql_is_in_the_table(told):
    assert told["graphql"] == sorted(GRAPHQL)


def test_all_that_routes_end_in_is_in_the_closure_table():
    assert {name for ends in (*SURFACE.values(), *GRAPHQL.values()) for name in ends} <= set(CLOSURE)
    assert {name for name, kind in CLOSURE.items() if kind == "gate"} <= {n for e in SURFACE.values() for n in e}


def test_no_route_below_a_prefix_without_registry_opens_the_registry(told):
    opening = {(verb, plain_path(path)) for verb, path in told["opening"]}
    assert len(opening) > 25, "the probe sees no handler open the registry: has MLflow renamed its function?"
    assert {route for route in opening if route not in SURFACE} == set()


def test_the_writes_end_in_the_methods_that_the_table_names(told):
    for (verb, path, _body), answer in zip(REQUESTS, told["driven"], strict=True):
        # MLflow 3.15's auth calls the handler of a demonstration once more when it is done, in a way that fails.
        if not (OLDEST and "/demo/" in path):
            assert answer["status"] == 200, (verb, path, answer["text"])
        expected = set(SURFACE[verb, plain_path(path)])
        if expected & READS:
            assert expected <= set(answer["called"]), (verb, path)
        assert set(answer["called"]) - READS == expected - READS, (verb, path)
    driven = {(verb, plain_path(path)) for verb, path, _ in REQUESTS}
    writes = {route for route, ends in SURFACE.items() if set(ends) - READS}
    assert writes - driven == NOT_DRIVEN


FAKES = [
    ("POST", "/api/2.0/mlflow/registered-models/teleport"),
    ("PUT", "/ajax-api/2.0/mlflow/model-versions/promote"),
    ("PATCH", "/api/4.0/mlflow/prompts/{name}/aliases/{alias}"),
    ("DELETE", "/behind/a/prefix/api/2.0/mlflow/registry/stages"),
    ("POST", "/api/2.0/mlflow/registered-models/alias/bulk"),
    ("PATCH", "/api/2.0/mlflow/registered-models/alias"),
    ("POST", "/ajax-api/3.0/mlflow/webhooks/<webhook_id>/replay"),
    ("POST", "/api/2.0/mlflow/telepathy"),
    ("GET", "/api/2.0/mlflow/registered-models/statistics"),
    ("POST", "/api/4.0/mlflow/runs/create"),
    ("POST", "/behind/a/prefix/api/2.0/mlflow/runs/create"),
    ("GET", "/ajax-api/3.0/mlflow/assistant/files/{path:path}"),
    ("DELETE", "/ajax-api/3.0/mlflow/assistant/config"),
    ("POST", "/our-portal/registered-models/sync"),
    ("WEBSOCKETROUTE", "/gateway/live"),
    ("MOUNT", "/ajax-api/3.0/mlflow/assistant"),
]


@pytest.mark.parametrize("route", FAKES)
def test_a_way_in_that_a_new_mlflow_adds_is_found_and_stops_the_start(route):
    assert ends_in(*route) is None
    assert unknown_routes([route]) == [f"{route[0]} {route[1]}"]


def test_a_rpc_route_or_mutation_that_the_table_lacks_fails_the_contract(told):
    told = json.loads(json.dumps(told))
    fake = ("POST", "/api/2.0/mlflow/champions/crown")
    told["services"]["mlflow.ModelRegistryService"].append(["crown", *fake])
    with pytest.raises(AssertionError):
        test_every_rpc_that_the_server_answers_is_in_the_table_in_every_version_of_its_path(told)
    told["routes"].append(fake)
    with pytest.raises(AssertionError):
        test_every_route_of_flask_and_fastapi_is_in_the_table(told)
    told["graphql"].append("Mutation.crownChampion")
    with pytest.raises(AssertionError):
        test_every_query_mutation_and_resolved_field_of_graphql_is_in_the_table(told)
    told["services"]["mlflow.CrownService"] = []
    with pytest.raises(AssertionError):
        test_every_service_is_known_as_served_or_not(told)


def flask_with(verb: str, path: str) -> Any:
    from flask import Flask

    app = Flask("test", static_folder=None)
    app.add_url_rule(path, "fake", lambda: "", methods=[verb])
    return app


@pytest.mark.parametrize("path", ["/api/2.0/mlflow/registered-models/teleport", "/anything/at/all"])
def test_a_server_with_such_a_route_does_not_start(tmp_path: Path, path: str):
    done = probe(tmp_path, path)
    assert done.returncode == 1 and not (tmp_path / "told.json").exists()
    assert "refusing to start" in done.stderr and f"POST {path}" in done.stderr


@pytest.mark.parametrize("prefix", ["/healthcare", "/static"])
def test_a_server_at_which_mlflow_would_ask_for_no_login_does_not_start(tmp_path: Path, prefix: str):
    done = probe(tmp_path, prefix=prefix)
    assert done.returncode == 1 and not (tmp_path / "told.json").exists()
    assert "would ask for no login" in done.stderr and f"such as {prefix}" in done.stderr


def test_such_a_route_is_named():
    app = flask_with("GET", "/api/2.0/mlflow/registered-models/<name>/teleport")
    with pytest.raises(SystemExit, match=r"GET /api/2\.0/mlflow/registered-models/<name>/teleport"):
        require_known_routes(app, app)


def native() -> Any:
    """A FastAPI app with one route in a router within a router, in which nothing is served but by name."""
    from fastapi import APIRouter, FastAPI

    inner, outer, app = APIRouter(), APIRouter(), FastAPI(openapi_url=None)
    inner.add_api_route("/mlflow/model-versions/teleport", lambda: None, methods=["PUT"])
    outer.include_router(inner, prefix="/3.0")
    app.include_router(outer, prefix="/api")
    return app


def test_native_routes_are_seen_however_fastapi_keeps_them():
    flask, app = flask_with("GET", "/version"), native()
    assert ("PUT", "/api/3.0/mlflow/model-versions/teleport") in set(routes_of(flask, app))
    with pytest.raises(SystemExit, match=r"PUT /api/3\.0/mlflow/model-versions/teleport"):
        require_known_routes(flask, app)


def test_a_mount_and_a_web_socket_stop_the_start_too():
    from fastapi import FastAPI

    for add in (lambda app: app.mount("/mlflow/runs", FastAPI()), lambda app: app.add_api_websocket_route("/w", print)):
        app = FastAPI(openapi_url=None)
        add(app)
        with pytest.raises(SystemExit, match=r"MOUNT /mlflow/runs|WEBSOCKETROUTE /w"):
            require_known_routes(flask_with("GET", "/version"), app)


def test_a_static_prefix_is_known_and_no_other(monkeypatch):
    monkeypatch.setenv("_MLFLOW_STATIC_PREFIX", "/behind")
    require_known_routes(*[flask_with("GET", "/behind/get-artifact")] * 2)
    require_known_routes(*[flask_with("POST", "/behind/api/2.0/mlflow/runs/create")] * 2)
    with pytest.raises(SystemExit, match="GET /elsewhere/get-artifact"):
        require_known_routes(*[flask_with("GET", "/elsewhere/get-artifact")] * 2)


def test_every_route_that_touches_the_registry_is_so_classified():
    touching = {(verb, path) for path, verbs in EFFECTS.items() for verb, kind in verbs.items() if kind == "registry"}
    assert touching | {route for route in SURFACE if effect_of(*route) in ("demo", "jobs", "webhooks")} == set(SURFACE)
