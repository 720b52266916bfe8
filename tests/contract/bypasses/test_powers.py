"""Attempts to have the server do more than keep records: run commands, start jobs, send requests. All shut, for all."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from support.attacking import AJAX, Attacker, Attempt, login, release
from support.serving import ADMIN, Server, clean_environment, free_port, run, start

from registry_hooks.mlflow_surface.http_routes import EFFECTS, POWERS

AJAX3 = "/ajax-api/3.0/"
ASSISTANT = f"{AJAX3}mlflow/assistant/"
LOCAL = {"provider": {"name": "claude_code", "model": "default", "permissions": {"full_access": True}}}
CONFIG = {"providers": {"claude_code": {"model": "default", "selected": True, "permissions": {"full_access": True}}}}
LOOPBACK = {"X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1", "Forwarded": "for=127.0.0.1"}
CHAT = {"model": "e", "messages": [{"role": "user", "content": "x"}]}
JOB = {"job_name": "run_online_trace_scorer", "params": {}}
TRACES = {"experiment_id": "0", "trace_ids": ["t"]}
SCORER = {"experiment_id": "0", "name": "s", "sample_rate": 1}
DISK = {"projects": {"0": {"location": "/"}}}
SKILLS = {"type": "custom", "custom_path": "/"}
OVERRIDE = {"X-HTTP-Method-Override": "PUT"}
OPTIMISE = "mlflow/prompt-optimization/jobs"


def shut(power: str, name: str, method: str, path: str, body: object = None, user: str = "guest", **more: object):
    return Attempt(name, method, path, body, user, f"{power} is shut", **more)  # type: ignore[arg-type]


ATTEMPTS = [
    shut("assistant", "configuration of the assistant", "PUT", f"{ASSISTANT}config", CONFIG),
    shut("assistant", "configuration by the administrator", "PUT", f"{ASSISTANT}config", CONFIG, ADMIN),
    shut("assistant", "a project folder of the server", "PUT", f"{ASSISTANT}config", DISK),
    shut("assistant", "configuration read", "GET", f"{ASSISTANT}config"),
    shut("assistant", "a message", "POST", f"{ASSISTANT}message", {"message": "id", "experiment_id": "0"}),
    shut("assistant", "a message as from this host", "POST", f"{ASSISTANT}message", {"message": "x"}, headers=LOOPBACK),
    shut("assistant", "its answer", "GET", f"{ASSISTANT}sessions/1b4e28ba-2fa1-11d2-883f-0016d3cca427/stream"),
    shut("assistant", "a session", "PATCH", f"{ASSISTANT}sessions/x", {"status": "cancelled"}),
    shut("assistant", "leave to use a tool", "POST", f"{ASSISTANT}sessions/x/permission", {"decision": "allow"}),
    shut("assistant", "the result of a tool", "POST", f"{ASSISTANT}sessions/x/permission", {"result": "x"}),
    shut("assistant", "a check of a provider, which runs it", "GET", f"{ASSISTANT}providers/claude_code/health"),
    shut("assistant", "models of a provider", "GET", f"{ASSISTANT}providers/ollama/models?base_url=http://10.0.0.1"),
    shut("assistant", "skills written to disk", "POST", f"{ASSISTANT}skills/install", SKILLS),
    shut("assistant", "a path with escaped letters", "PUT", f"{AJAX3}mlflow/%61ssistant/config", CONFIG),
    shut("assistant", "a path with an escaped slash", "PUT", f"{AJAX3}mlflow%2Fassistant/config", CONFIG),
    shut("assistant", "a verb in another header", "POST", f"{ASSISTANT}config", CONFIG, headers=OVERRIDE),
    shut("assistant", "the verb HEAD", "HEAD", f"{ASSISTANT}providers/claude_code/health"),
    Attempt("a slash behind", "PUT", f"{ASSISTANT}config/", CONFIG, "guest"),
    Attempt("two slashes", "PUT", f"{AJAX3}mlflow//assistant/config", CONFIG, "guest"),
    Attempt("a dot between", "PUT", f"{AJAX3}mlflow/./assistant/config", CONFIG, "guest"),
    Attempt("through static files", "PUT", f"/static-files/..{ASSISTANT}config", CONFIG, None),
    Attempt("through the route of health", "PUT", f"/health/..{ASSISTANT}config", CONFIG, None),
    Attempt("capitals", "PUT", f"{AJAX3}mlflow/Assistant/config", CONFIG, "guest"),
    Attempt("parameters behind a semicolon", "PUT", f"{ASSISTANT}config;a=b", CONFIG, "guest"),
    Attempt("another version of the API", "PUT", "/ajax-api/2.0/mlflow/assistant/config", CONFIG, "guest"),
    Attempt("the API of clients", "PUT", "/api/3.0/mlflow/assistant/config", CONFIG, "guest"),
    Attempt("nobody", "PUT", f"{ASSISTANT}config", CONFIG, None),
    shut("jobs", "a job", "POST", f"{AJAX3}jobs/", JOB),
    shut("jobs", "a job by the administrator", "POST", f"{AJAX3}jobs/", JOB, ADMIN),
    Attempt("a job by a path without its slash", "POST", f"{AJAX3}jobs", JOB, "guest"),
    shut("jobs", "a scorer", "POST", f"{AJAX3}mlflow/scorer/invoke", TRACES | {"serialized_scorer": "{}"}),
    shut("jobs", "an evaluation", "POST", f"{AJAX3}mlflow/genai/evaluate/invoke", TRACES),
    shut("jobs", "a search for issues", "POST", f"{AJAX3}mlflow/issues/invoke", {"experiment_id": "0"}),
    shut("jobs", "an optimisation of prompts", "POST", AJAX3 + OPTIMISE, {"experiment_id": "0"}),
    shut("jobs", "the same by the API of clients", "POST", f"/api/3.0/{OPTIMISE}", TRACES),
    shut("jobs", "scoring from now on", "PUT", f"{AJAX3}mlflow/scorers/online-config", SCORER),
    shut("gateway", "an endpoint", "POST", "/gateway/e/mlflow/invocations", CHAT),
    shut("gateway", "chat", "POST", "/gateway/mlflow/v1/chat/completions", CHAT),
    shut("gateway", "chat by OpenAI's path", "POST", "/gateway/openai/v1/chat/completions", CHAT),
    shut("gateway", "chat by the administrator", "POST", "/gateway/openai/v1/responses", CHAT, ADMIN),
    shut("gateway", "embeddings", "POST", "/gateway/openai/v1/embeddings", CHAT),
    shut("gateway", "messages", "POST", "/gateway/anthropic/v1/messages", CHAT),
    shut("gateway", "content", "POST", "/gateway/gemini/v1beta/models/e:generateContent", CHAT),
    shut("gateway", "any path of a provider", "POST", "/gateway/proxy/e/v1/files", CHAT),
    shut("gateway", "any path, escaped", "POST", "/gateway/proxy/e/%2e%2e/%2e%2e/latest/meta-data", CHAT),
    shut("gateway", "the old proxy", "POST", f"{AJAX}gateway-proxy", {"gateway_path": "gateway/x/invocations"}),
    shut("gateway", "the old proxy by GET", "GET", f"{AJAX}gateway-proxy?gateway_path=api/2.0/endpoints"),
    shut("demo", "example data", "POST", f"{AJAX3}mlflow/demo/generate", {"features": ["prompts"]}),
    shut("demo", "example data removed", "POST", f"{AJAX3}mlflow/demo/delete", {}, ADMIN),
    shut("webhooks", "a webhook", "POST", "webhooks", {"name": "w", "url": "https://x.example", "events": []}),
    shut("webhooks", "a webhook by the administrator", "POST", "webhooks", {"url": "http://[::1]"}, ADMIN),
    shut("webhooks", "another address", "PATCH", f"{AJAX}webhooks/w", {"url": "https://169.254.169.254"}, ADMIN),
    shut("webhooks", "a request now", "POST", "webhooks/w/test", {}, ADMIN),
]  # fmt: skip

TAG = {"key": "mlflow.artifactLocation", "value": "file:///etc"}
ADMINISTRATOR = "ask an administrator"


def place(name: str, location: str, **more: object) -> Attempt:
    body = {"name": "x", "artifact_location": location}
    return Attempt(name, "POST", "experiments/create", body, "guest", ADMINISTRATOR, **more)  # type: ignore[arg-type]


def source(name: str, location: str) -> Attempt:
    return Attempt(
        name, "POST", "model-versions/create", {"name": "$guests", "source": location}, "guest", ADMINISTRATOR
    )


LOCATIONS = [
    place("an experiment on the server's disk", "/etc"),
    place("an experiment on the server's disk, escaped", "file:%2f%2f/etc"),
    place("an experiment on the server's disk, by no host", "file://localhost/etc"),
    place("an experiment on another host", "http://169.254.169.254/latest/meta-data"),
    place("an experiment on a port of this host", "https://127.0.0.1:22"),
    place("an experiment on another host, in capitals", "HTTP://evil.example"),
    place("an experiment on another host, with a tab", "ht\ttp://evil.example"),
    place("an experiment on another host, behind a space", " ftp://evil.example/x"),
    place("an experiment on another server of MLflow", "mlflow-artifacts://evil.example:5000/x"),
    place("an experiment on another file system", "hdfs://evil.example:8020/x"),
    place("an experiment in another's cloud", "abfss://files@evil.example/x"),
    place("an experiment in another's account", "wasbs://files@evil.blob.core.windows.net/x"),
    source("a version on another host", "http://169.254.169.254/latest/meta-data"),
    source("a version on a port of this host", "https://127.0.0.1:22/x"),
    source("a version by file transfer", "sftp://evil.example/x"),
    source("a version in another's cloud", "abfss://files@evil.example/x"),
    *(Attempt(f"the files of a trace on the server's disk, by {api}", "PATCH", f"{api}/mlflow/traces/$trace/tags", TAG,
              "guest", "keeps its files") for api in ("/api/3.0", "/ajax-api/3.0", "/api/2.0", "/ajax-api/2.0")),
    Attempt("the files of a trace, as it ends", "PATCH", "traces/$trace", {"tags": [TAG], "status": "OK"}, "guest",
            "keeps its files"),
    Attempt("the files of a trace, forgotten", "DELETE", "traces/$trace/tags", {"key": TAG["key"]}, "guest",
            "keeps its files"),
]  # fmt: skip


@pytest.fixture(scope="module")
def attacker(governed: Server) -> Iterator[Attacker]:
    names = release(governed)
    guests = names["model"] + "-guests"
    governed.mlflow("guest", "POST", "registered-models/create", name=guests)
    own = governed.mlflow("guest", "POST", "experiments/create", name=guests)["experiment_id"]
    place = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": own}}
    info = {"trace_id": f"tr-{own}", "trace_location": place, "request_time": "2026-01-01T00:00:00Z", "state": "OK"}
    assert governed.ask("guest", "POST", "/api/3.0/mlflow/traces", json={"trace": {"trace_info": info}}).ok
    made = Attacker(governed, names | {"guests": guests, "trace": f"tr-{own}"})
    yield made
    made.close()


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=str)
def test_what_is_shut_is_refused_at_once_and_changes_nothing(attacker: Attacker, attempt: Attempt) -> None:
    if attempt.method == "HEAD":  # whose answer has no text
        assert attacker.changes_nothing(attempt).status == 403
    else:
        attacker.refused(attempt)


@pytest.mark.parametrize("attempt", LOCATIONS, ids=str)
def test_no_location_leads_to_the_servers_disk_or_to_another_host(attacker: Attacker, attempt: Attempt) -> None:
    attacker.refused(attempt)


def test_every_shut_route_is_tried() -> None:
    tried = {attempt.said.removesuffix(" is shut") for attempt in ATTEMPTS} - {""}
    assert tried == set(POWERS)
    assert {kind for verbs in EFFECTS.values() for kind in verbs.values()} >= set(POWERS)


def test_no_web_socket_is_let_in(governed: Server) -> None:
    address = urlsplit(governed.uri)
    for path in ("/", "/gateway/live", f"{ASSISTANT}message"):
        with socket.create_connection((address.hostname, address.port), 10) as connection:
            lines = [f"GET {path} HTTP/1.1", f"Host: {address.netloc}", "Upgrade: websocket", "Connection: Upgrade",
                     f"Authorization: {login(ADMIN)['Authorization']}", "Sec-WebSocket-Version: 13",
                     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]  # fmt: skip
            connection.sendall("\r\n".join([*lines, "", ""]).encode())
            assert 400 <= int(connection.recv(4096).split()[1]) < 500


def test_an_operator_turns_a_power_on_by_name_and_is_warned(tmp_path: Path) -> None:
    port = str(free_port())
    done = run(
        "server", "--unsafe-allow", "everything", "--port", str(port), env=clean_environment(tmp_path), cwd=tmp_path
    )
    assert done.returncode == 2 and "everything" in done.stderr
    env = clean_environment(tmp_path, REGISTRY_HOOKS_UNSAFE_ALLOW="jobs, everythin")
    done = run("server", "--port", port, env=env, cwd=tmp_path)
    assert done.returncode == 2 and "everythin" in done.stderr


def test_behind_a_prefix_doors_are_shut_too_and_what_is_turned_on_by_name_is_warned_of(tmp_path: Path) -> None:
    server = start(tmp_path, "--workers", "1", "--unsafe-allow", "webhooks", "--unsafe-allow-origin",
                   "https://portal.example", users=False, below="/behind")  # fmt: skip
    try:
        told = server.process.told()
        assert "UNSAFE: webhooks is turned on" in told and "UNSAFE: pages of https://portal.example" in told
        for path in (f"{ASSISTANT}config", "/gateway/openai/v1/embeddings", f"{AJAX}gateway-proxy"):
            for verb in ("GET", "PUT", "POST"):
                # 3.15 serves what is FastAPI's own beside the prefix, not behind it.
                found = [server.ask(ADMIN, verb, where, json={}) for where in (f"/behind{path}", path)]
                assert all(each.status_code in (403, 404, 405) for each in found), (verb, path)
                assert any(each.status_code == 405 or "is shut" in each.text for each in found), (verb, path)
        both = {"run_id": "a", "runId": "b", "key": "k", "value": "v"}
        answer = server.ask(ADMIN, "POST", "/behind/api/2.0/mlflow/runs/set-tag", json=both)
        assert answer.status_code == 400 and "each thing once" in answer.text
        ours = "/behind/ajax-api/2.0/registry-hooks/policy"
        for origin, status in (("http://localhost:3000", 403), ("https://portal.example", 200), (server.uri, 200)):
            assert server.ask(ADMIN, "GET", ours, headers={"Origin": origin}).status_code == status
        event = {"entity": "REGISTERED_MODEL", "action": "CREATED"}
        webhook = {"name": "w", "url": "https://hooks.example", "events": [event]}
        made = server.ask(ADMIN, "POST", "/behind/api/2.0/mlflow/webhooks", json=webhook)
        assert "is shut" not in made.text and made.status_code in (200, 400), made.text
    finally:
        server.process.stop()
