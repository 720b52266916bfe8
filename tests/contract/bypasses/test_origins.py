"""Requests of pages of other origins, with which a browser sends a visitor's login: they change and read nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from support.attacking import AJAX, Attacker, Attempt, release
from support.serving import ADMIN, Server, clean_environment, free_port, run

from registry_hooks.app.guards.origins import refused
from registry_hooks.errors import Invalid
from registry_hooks.mlflow_surface.loosening import origins_in, warnings

OURS = "/ajax-api/2.0/registry-hooks/"
TYPE = {"Content-Type": "application/json"}
PROMOTE = {"model": "$model", "version": 4}
ALIAS = {"name": "$model", "alias": "champion", "version": "$challenger"}
FOREIGN = [
    "http://localhost:3000", "http://localhost", "https://localhost:8443", "http://127.0.0.1:1", "http://[::1]:5000",
    "null", "", "file://", "https://evil.example", "http://localhost:$port.evil.example", "http://127.0.0.1:$port0",
    "http://127.0.0.1:$port@evil.example", "http://evil.example/127.0.0.1:$port", "http://127.0.0.1:$port/",
    "http://127.0.0.1:$port, http://evil.example", "ftp://127.0.0.1:$port", "127.0.0.1:$port", "http://", "*",
    "chrome-extension://abcdefghijklmnop", "http://0.0.0.0:$port", "http://127.1:$port", "http://2130706433:$port",
]  # fmt: skip


def page(name: str, method: str, path: str, body: object = None, user: str = "ana", **headers: str) -> Attempt:
    return Attempt(name, method, path, body, user, "another origin", headers=TYPE | headers)


ATTEMPTS = [
    *(page(f"promotion from {origin or 'nowhere'}", "POST", f"{OURS}promote", PROMOTE, Origin=origin)
      for origin in FOREIGN),
    *(page(f"{verb} from localhost", "POST", f"{OURS}{verb}", PROMOTE, Origin="http://localhost:3000")
      for verb in ("nominate", "request", "approve", "reject", "withdraw", "rollback", "break-glass", "reconcile")),
    page("a policy from localhost", "POST", f"{OURS}policy/apply", {"yaml": "x"}, ADMIN, Origin="http://localhost:3000"),
    page("a loan by the path of clients", "POST", "/api/2.0/registry-hooks/delegate", PROMOTE, Origin="http://localhost:3000"),
    page("a promotion by MLflow's alias", "POST", "registered-models/alias", ALIAS, "raj", Origin="http://localhost:3000"),
    page("its alias by the path of pages", "POST", f"{AJAX}registered-models/alias", ALIAS, Origin="null"),
    page("a run deleted", "POST", f"{AJAX}runs/delete", {"run_id": "$run"}, Origin="http://localhost:3000"),
    page("a password changed", "PATCH", f"{AJAX}users/update-password", {"username": "ana"}, Origin="http://localhost:9"),
    page("a file put", "PUT", "/ajax-api/2.0/mlflow-artifacts/artifacts/$files/MLmodel", Origin="http://localhost:3000"),
    page("a file deleted", "DELETE", "/ajax-api/2.0/mlflow-artifacts/artifacts/$files/MLmodel", Origin="null"),
    page("a form, as a page may send one without asking", "POST", f"{AJAX}runs/delete", Origin="http://localhost:3000",
         **{"Content-Type": "text/plain"}),
    page("an MCP server", "POST", "/ajax-api/3.0/mlflow/mcp-servers", {"name": "a/b"}, Origin="http://localhost:3000"),
    page("GraphQL", "POST", "/graphql", {"query": "{ test }"}, Origin="http://localhost:3000"),
    page("a verb that few know", "PROPFIND", f"{OURS}promote", PROMOTE, Origin="http://localhost:3000"),
    page("a page told by its site alone", "POST", f"{OURS}promote", PROMOTE, **{"Sec-Fetch-Site": "cross-site"}),
    page("a page of another port of this host", "POST", f"{OURS}promote", PROMOTE, **{"Sec-Fetch-Site": "same-site"}),
    page("a host that a proxy would tell", "POST", f"{OURS}promote", PROMOTE, Origin="http://localhost:3000",
         **{"X-Forwarded-Host": "localhost:3000", "Forwarded": "host=localhost:3000"}),
    page("what our routes tell", "GET", f"{OURS}status?model=$model", Origin="http://localhost:3000"),
    page("the policy", "GET", f"{OURS}policy", Origin="null"),
]  # fmt: skip


@pytest.fixture(scope="module")
def attacker(governed: Server) -> Iterator[Attacker]:
    made = Attacker(governed, release(governed) | {"port": str(urlsplit(governed.uri).port)})
    yield made
    made.close()


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=str)
def test_a_page_of_another_origin_is_refused_at_once_and_changes_nothing(attacker: Attacker, attempt: Attempt) -> None:
    attacker.refused(attempt)


def test_the_servers_own_pages_and_clients_that_are_no_browser_are_served(governed: Server) -> None:
    yaml = {"yaml": "schema: registry-hooks/policy/1"}
    for headers in ({}, {"Origin": governed.uri}, {"Origin": governed.uri, "Sec-Fetch-Site": "same-origin"}):
        answer = governed.ask("guest", "POST", "policy/check", json=yaml, headers=headers)
        assert "another origin" not in answer.text
        found = governed.ask("guest", "POST", "/ajax-api/2.0/mlflow/experiments/search", json={"max_results": 1},
                             headers=headers)  # fmt: skip
        assert found.ok, found.text
    asked = governed.ask("guest", "GET", "/ajax-api/2.0/mlflow/experiments/get?experiment_id=0",
                         headers={"Origin": "http://localhost:3000"})  # fmt: skip
    assert asked.ok  # what MLflow shows to whom is MLflow's to say


@pytest.mark.parametrize(
    ("origin", "host", "scheme", "own"),
    [
        ("https://registry.example", "registry.example", "https", True),
        ("https://registry.example", "registry.example", "http", True),  # a proxy does TLS
        ("https://Registry.Example", "registry.example:443", "https", True),
        ("http://registry.example", "registry.example", "https", False),
        ("http://registry.example:80", "registry.example", "http", True),
        ("https://registry.example:80", "registry.example", "http", False),
        ("https://registry.example:8443", "registry.example", "https", False),
        ("https://sub.registry.example", "registry.example", "https", False),
        ("https://", "", "https", False),
        ("http://[::1]:5000", "[::1]:5000", "http", True),
    ],
)
def test_an_origin_is_scheme_host_and_port(origin: str, host: str, scheme: str, own: bool) -> None:
    found = refused("POST", f"{OURS}promote", {"origin": origin, "host": host}, scheme)
    assert (found is None) == own


def test_an_operator_lets_an_origin_in_by_name_and_is_warned(tmp_path: Path) -> None:
    allowed = origins_in("https://Portal.example, http://localhost:3000")
    assert refused("POST", f"{OURS}promote", {"origin": "https://portal.example", "host": "r"}, "http", allowed) is None
    assert refused("POST", f"{OURS}promote", {"origin": "https://portal.example:1", "host": "r"}, "http", allowed)
    assert (
        warnings((), allowed)[1] == "UNSAFE: pages of https://portal.example may act here with their visitors' logins"
    )
    for wrong in ("*", "null", "https://*.example", "portal.example", "https://portal.example/", "https://a b"):
        with pytest.raises(Invalid, match="names what is none"):
            origins_in(wrong)
    command = ["server", "--unsafe-allow-origin", "*", "--port", str(free_port())]
    done = run(*command, env=clean_environment(tmp_path, REGISTRY_HOOKS_UNSAFE_ALLOW="x"), cwd=tmp_path)
    assert done.returncode == 2 and "origins such as" in done.stderr
