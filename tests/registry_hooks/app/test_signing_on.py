"""Servers that sign people on by a header, of both kinds: whom they let in, by which path, and what the log says."""

from __future__ import annotations

import http.client
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from support.releasing import POLICY
from support.serving import SCRIPT, Process, Server, clean_environment, free_port, run

SECRET = "s" * 48
NATIVE = "/api/3.0/mlflow/traces/search"  # MLflow answers some routes in FastAPI, others in Flask
FLASK = "/api/2.0/mlflow/users/current"


def launch(folder: Path, *options: str, kind: str = "registry-hooks", **env: str) -> Server:
    (folder / "proxy.secret").write_text(SECRET + "\n")
    port = free_port()
    environment = clean_environment(folder, MLFLOW_AUTH_ADMIN_USERNAME="admin", **env)
    if kind == "registry-hooks":
        command = [str(SCRIPT), "server", "--port", str(port), "--workers", "1", *options]
    else:
        (folder / "auth.ini").write_text(
            "[mlflow]\ndefault_permission = READ\ndatabase_uri = sqlite:///auth.db\nadmin_username = admin\n"
            "admin_password = a-password-that-nobody-needs\n"
            "authorization_function = registry_hooks.app.people.sso:authenticate\n"
        )
        environment |= {"MLFLOW_AUTH_CONFIG_PATH": str(folder / "auth.ini"), "MLFLOW_FLASK_SERVER_SECRET_KEY": "x" * 32}
        command = [
            str(Path(sys.executable).parent / "mlflow"),
            "server",
            "--app-name",
            "registry-hooks",
            "--workers",
            "1",
        ]
        command += ["--port", str(port), "--backend-store-uri", "sqlite:///mlflow.db"]
        command += ["--registry-store-uri", "governed:sqlite:///mlflow.db", *options]
    server = Server(f"http://127.0.0.1:{port}", folder, Process(command, environment, folder))
    try:
        server.process.wait_until_healthy(server.uri)
    except BaseException:
        server.process.stop()
        raise
    return server


def ask(
    server: Server, user: str | None, path: str = FLASK, verb: str = "GET", secret: str | None = SECRET, **more: object
) -> requests.Response:
    """One request as the proxy makes it for ``user``."""
    headers = {"X-Forwarded-User": user, "X-Registry-Hooks-Proxy": secret}
    kept = {name: value.encode() for name, value in headers.items() if value is not None}
    return requests.request(verb, server.uri + path, headers=kept, timeout=60, **more)  # type: ignore[arg-type]


@pytest.fixture(scope="module", params=["registry-hooks", "mlflow"])
def signed_on(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "registry-hooks":
        server = launch(folder, "--sso-secret-file", "proxy.secret", "--sso-unknown-users", "create")
    else:
        server = launch(folder, kind="mlflow", REGISTRY_HOOKS_SSO_SECRET_FILE="proxy.secret",
                        REGISTRY_HOOKS_SSO_UNKNOWN_USERS="create")  # fmt: skip
    yield server
    server.process.stop()


def test_whom_the_proxy_names_is_let_in_and_an_account_is_made_by_the_server(signed_on: Server) -> None:
    answer = ask(signed_on, "mei@example.com")
    assert answer.ok and answer.json()["user"]["username"] == "mei@example.com"
    assert ask(signed_on, "mei@example.com", "/api/2.0/registry-hooks/status").ok
    exported = ask(signed_on, "admin", "/api/2.0/registry-hooks/audit/export").text
    entries = [json.loads(line) for line in exported.splitlines()]
    [made] = [
        each for each in entries if each.get("action") == "user-created" and each["body"]["user"] == "mei@example.com"
    ]
    assert (made["actor"], made["authenticated_by"]) == ("registry-hooks", "system")


@pytest.mark.parametrize(
    "path",
    [FLASK, NATIVE, "/api/2.0/registry-hooks/status", "/registry-hooks/", "/ajax-api/2.0/mlflow/experiments/search"],
)
def test_who_does_not_come_through_the_proxy_is_refused_on_every_path(signed_on: Server, path: str) -> None:
    for secret in (None, "", "s" * 47, "S" * 48, SECRET + "x"):
        answer = ask(signed_on, "admin", path, secret=secret)
        assert answer.status_code == 401, (path, secret, answer.text[:300])
        assert "WWW-Authenticate" not in answer.headers
    login = {"auth": ("admin", "a-password-that-nobody-needs")}
    assert requests.get(signed_on.uri + path, timeout=60, **login).status_code == 401  # no password is a way in


@pytest.mark.parametrize("path", [FLASK, NATIVE])
@pytest.mark.parametrize("second", ["X-Forwarded-User", "x-forwarded-user", "X_Forwarded_User"])
def test_two_names_in_one_request_are_refused_whichever_comes_first(signed_on: Server, path: str, second: str) -> None:
    for names in (("ana", "admin"), ("admin", "ana")):
        connection = http.client.HTTPConnection(signed_on.uri.removeprefix("http://"), timeout=60)
        connection.putrequest("GET", path)
        connection.putheader("X-Registry-Hooks-Proxy", SECRET)
        connection.putheader("X-Forwarded-User", names[0])
        connection.putheader(second, names[1])
        connection.endheaders()
        answer = connection.getresponse()
        assert answer.status == 401, answer.read()
        connection.close()


def test_a_deleted_account_and_one_in_other_letters_are_not_made(signed_on: Server) -> None:
    assert ask(signed_on, "leaver").ok
    gone = ask(signed_on, "admin", "/api/2.0/mlflow/users/delete", "DELETE", json={"username": "leaver"})
    assert gone.ok, gone.text
    answer = ask(signed_on, "leaver")
    assert answer.status_code == 401 and "deleted" in answer.json()["reasons"][0]["found"]
    assert ask(signed_on, "kim").ok
    answer = ask(signed_on, "Kim")
    assert answer.status_code == 401 and "capital letters" in answer.json()["reasons"][0]["found"]


def test_a_policy_that_wants_a_password_once_more_is_refused_where_there_is_none(signed_on: Server) -> None:
    policy = POLICY.format(name="again", model="again").replace("promote:\n", "promote:\n  reauthenticate: true\n")
    answer = ask(signed_on, "admin", "/api/2.0/registry-hooks/policy/apply", "POST", json={"yaml": policy})
    assert answer.status_code == 400 and "logins by sso" in answer.text


def test_with_nothing_set_every_request_is_refused_and_the_log_warns(tmp_path: Path) -> None:
    server = launch(tmp_path, kind="mlflow")
    try:
        for path in (FLASK, NATIVE, "/registry-hooks/"):
            assert ask(server, "admin", path).status_code == 401
        assert "every request is refused" in server.process.told()
    finally:
        server.process.stop()


def test_the_peer_is_the_one_that_connects_and_not_what_a_header_says(tmp_path: Path) -> None:
    server = launch(tmp_path, "--sso-proxies", "10.9.9.9")
    try:
        for claim in ("10.9.9.9", "10.9.9.9:443", "10.9.9.9, 127.0.0.1"):  # which uvicorn believes, from loopback
            headers = {"X-Forwarded-User": "admin", "X-Forwarded-For": claim}
            answer = requests.get(server.uri + FLASK, headers=headers, timeout=60)
            assert answer.status_code == 401 and "127.0.0.1" in answer.json()["reasons"][0]["found"]
    finally:
        server.process.stop()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--sso-secret-file", "nowhere"], "REGISTRY_HOOKS_SSO_SECRET_FILE"),
        (["--sso-proxies", "0.0.0.0/0"], "REGISTRY_HOOKS_SSO_PROXIES"),
        (["--sso-proxies", "10.0.0.1", "--sso-header", "Authorization"], "REGISTRY_HOOKS_SSO_HEADER"),
        (["--app-name", "oidc-auth"], "oauth2-proxy"),
    ],
)
def test_what_cannot_be_safe_is_refused_at_start(tmp_path: Path, options: list[str], told: str) -> None:
    done = run("server", "--port", str(free_port()), *options, env=clean_environment(tmp_path), cwd=tmp_path)
    assert done.returncode == 2 and told in done.stderr and "Traceback" not in done.stderr
