"""Attempts to get past the gate, one HTTP request each, and the models that they are made on."""

from __future__ import annotations

import base64
import http.client
import json
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass, field
from string import Template
from typing import Any
from urllib.parse import quote, urlsplit

import mlflow
from support.probes.pace import patience
from support.releasing import go, govern, register, serve
from support.serving import ADMIN, API, PASSWORDS, Server

MLFLOW = "/api/2.0/mlflow/"
AJAX = "/ajax-api/2.0/mlflow/"
JSON = "application/json"
OLDEST = mlflow.__version__.startswith("3.15.")  # the oldest release that setup.cfg admits


@dataclass(frozen=True)
class Attempt:
    """One request that must be refused; ``$names`` in it stand for what `Targets` has made.

    Args:
        name: what is tried, in words; the test's id.
        method, path: where. A path without a slash in front is MLflow's, below /api/2.0/mlflow/.
        body: sent as JSON; ``text`` is sent as it is.
        user: who tries; ana owns the models, and admin is MLflow's administrator. None is nobody.
        said: what the answer must say, so that it is refused for the reason that is meant.
        on: the model whose roles are held before against after.
        headers: more headers, or others.
    """

    name: str
    method: str
    path: str
    body: Any = None
    user: str | None = "ana"
    said: str = ""
    on: str = "model"
    text: str | bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Answer:
    """What came back, and how long it took."""

    status: int
    text: str
    seconds: float


class Attacker:
    """Sends requests over one warm connection a user, exactly as written: no path is tidied up, no header added."""

    def __init__(self, server: Server, names: dict[str, str]) -> None:
        self._server, self._names = server, names
        self._connections: dict[str | None, http.client.HTTPConnection] = {}
        self._seen: dict[str, dict[str, Any]] = {}

    def perform(self, attempt: Attempt) -> Answer:
        """Make one attempt; a redirect is followed, because clients do."""
        body: str | bytes | None = attempt.text
        if attempt.body is not None:
            body = json.dumps(attempt.body)
        body = self.fill(body) if isinstance(body, str) else body
        more = {name: self.fill(value) for name, value in attempt.headers.items()}
        headers = {"Content-Type": JSON, **login(attempt.user), **more}
        path = self.fill(attempt.path if attempt.path.startswith("/") else MLFLOW + attempt.path)
        connection = self._warm(attempt.user)
        begun = time.monotonic()
        status, text, location = _exchange(connection, attempt.method, path, body, headers)
        if status in (307, 308) and location is not None:
            again = urlsplit(location)
            status, text, _ = _exchange(connection, attempt.method, again.path, body, headers)
        return Answer(status, text, time.monotonic() - begun)

    def refused(self, attempt: Attempt) -> None:
        """Make the attempt: it must be answered 4xx within a second, and change neither roles nor stages nor ledger."""
        answer = self.changes_nothing(attempt)
        assert 400 <= answer.status < 500, f"{answer.status}: {answer.text[:500]}"
        assert self.fill(attempt.said) in answer.text, f"{answer.status}: {answer.text[:800]}"
        assert answer.seconds < patience(1)

    def changes_nothing(self, attempt: Attempt) -> Answer:
        """Make the attempt: whatever the answer, it must change neither roles nor stages nor ledger."""
        model = self.fill(f"${attempt.on}")
        # What the last attempt left is what this one finds: nobody else acts on the server meanwhile.
        before = self._seen.get(model) or standing(self._server, model)
        answer = self.perform(attempt)
        self._seen = {model: standing(self._server, model)}
        assert self._seen[model] == before
        return answer

    def fill(self, text: str) -> str:
        """The text with the names of what was made."""
        return Template(text).safe_substitute(self._names)

    def close(self) -> None:
        """Give the connections back."""
        for connection in self._connections.values():
            connection.close()

    def _warm(self, user: str | None) -> http.client.HTTPConnection:
        # One connection stays with one worker of the server, which so has checked this user's password before.
        if user not in self._connections:
            address = urlsplit(self._server.uri)
            self._connections[user] = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
        connection = self._connections[user]
        try:
            _exchange(connection, "GET", f"{API}health", None, login(user))
        except (http.client.HTTPException, OSError):  # the server closes a connection that was idle
            connection.close()
            _exchange(connection, "GET", f"{API}health", None, login(user))
        return connection


def login(user: str | None) -> dict[str, str]:
    """The header of a user's login; none for nobody."""
    return {"Authorization": basic(user, PASSWORDS[user])} if user is not None else {}


def basic(name: str, password: str) -> str:
    """What a login looks like on the way."""
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def _exchange(
    connection: http.client.HTTPConnection, method: str, path: str, body: str | bytes | None, headers: dict[str, str]
) -> tuple[int, str, str | None]:
    content = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
    connection.request(method, path, content, headers)
    answer = connection.getresponse()
    return answer.status, answer.read().decode(errors="replace"), answer.getheader("Location")


def standing(server: Server, model: str) -> dict[str, Any]:
    """What clients of MLflow see of a model's roles and stages, and how many entries the ledger has."""
    with closing(sqlite3.connect(f"file:{server.directory / 'mlflow.db'}?mode=ro", uri=True)) as database:
        (entries,) = database.execute("SELECT count(*) FROM registry_hooks_ledger").fetchone()
    return {**roles(server, model), "ledger": entries}


def roles(server: Server, model: str) -> dict[str, Any]:
    """What ``models:/model@champion`` resolves to, all aliases of roles, and the stages by each of MLflow's answers."""
    quoted = quote(model)
    champion = _get(server, f"{MLFLOW}registered-models/alias?name={quoted}&alias=champion")
    latest = _get(
        server, f"{MLFLOW}registered-models/get-latest-versions?name={quoted}&stages=Production&stages=Staging"
    )
    found = _get(server, f"{MLFLOW}model-versions/search?max_results=100&filter={quote(f'name={model!r}')}")
    aliases = _get(server, f"{MLFLOW}registered-models/get?name={quoted}")["registered_model"].get("aliases", [])
    return {
        "champion": (champion["model_version"]["version"], champion["model_version"]["source"]),
        "aliases": sorted((a["alias"], a["version"]) for a in aliases if a["alias"] in ("challenger", "fallback")),
        "latest": _staged(latest),
        "searched": _staged(found),
    }


def _staged(answer: dict[str, Any]) -> list[tuple[str, str]]:
    versions = [(v["current_stage"], v["version"]) for v in answer.get("model_versions", [])]
    return sorted(each for each in versions if each[0] in ("Production", "Staging"))


def _get(server: Server, path: str) -> dict[str, Any]:
    answer = server.ask(ADMIN, "GET", path)
    assert answer.ok, answer.text
    found: dict[str, Any] = answer.json()
    return found


def release(server: Server) -> dict[str, str]:
    """A model with versions in every role and beside them, and the names that attempts use for all of it."""
    model = govern(server)
    fallback, champion = serve(server, model), serve(server, model)
    fresh, run = register(server, model)
    challenger, _ = register(server, model)
    failing, _ = register(server, model, "fail")
    proposal = go(server, model, challenger, "ana nominate", "ana request", "raj approve")["id"]
    numbers = {"fallback": fallback, "champion": champion, "fresh": fresh, "challenger": challenger, "failing": failing}
    files = server.mlflow("ana", "GET", f"runs/get?run_id={run}")["run"]["info"]["artifact_uri"]
    made = {"model": model, "MODEL": model.upper(), "proposal": proposal, "run": run}
    made["files"] = files.removeprefix("mlflow-artifacts:/") + "/model"
    return {**made, **{name: str(number) for name, number in numbers.items()}}
