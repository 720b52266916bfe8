"""Many clients at once on a few models over HTTP, whose every call and answer is written down for `linearizing`.

The clients know the versions and the state that they saw last, and mostly ask for what may succeed then; by the time
it arrives another one was there. One call is one request on a connection that stays open: server and clients share
the processors of one machine.
"""

from __future__ import annotations

import base64
import http.client
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from support.faults.linearizing import Op, anomalies
from support.releasing import POLICY, register
from support.serving import ADMIN, API, PASSWORDS, Server, start

from registry_hooks.records import Entry

MLFLOW = "/api/2.0/mlflow/"
GONE = (OSError, http.client.HTTPException)
# Ana may do all that a client of MLflow can ask for, so that its own calls are rollbacks as well.
HAMMERED = POLICY.replace("oncall: [oncall]", "oncall: [oncall, ana]")


@dataclass
class Playground:
    """The models that all clients play with, and what was last seen of each."""

    models: dict[str, dict[str, Any]]
    runs: dict[str, dict[str, str]]
    versions: dict[str, list[int]]
    base: int


def playground(server: Server, models: int) -> Playground:
    """Make governed models with two versions each; further versions are registrations of the same files."""
    ground = Playground({}, {}, {}, 0)
    for number in range(models):
        name = f"played-{number}"
        server.mlflow("ana", "POST", "registered-models/create", name=name)
        policy = HAMMERED.format(name=name, model=name)
        assert server.ask(ADMIN, "POST", "policy/apply", json={"yaml": policy}).ok
        _version, run_id = register(server, name)
        run = server.mlflow("ana", "GET", f"runs/get?run_id={run_id}")["run"]["info"]
        source = {"name": name, "source": f"{run['artifact_uri']}/model", "run_id": run_id}
        server.mlflow("ana", "POST", "model-versions/create", **source)
        ground.models[name], ground.runs[name], ground.versions[name] = {}, source, [1, 2]
    ground.base = server.ask(ADMIN, "GET", "audit/verify").json()["size"]
    return ground


@dataclass
class Client:
    """One client with one connection to one server; plays until its share of calls is made or it is stopped."""

    uri: str
    ground: Playground
    chance: random.Random
    name: str
    ops: list[Op] = field(default_factory=list)
    connection: http.client.HTTPConnection | None = None

    def play(self, calls: int, stopped: threading.Event) -> None:
        """Make ``calls`` calls, one after another."""
        for number in range(calls):
            if stopped.is_set():
                return
            model = self.chance.choice(list(self.ground.models))
            op = self.choose(model, f"{self.name}.{number}")
            self.ops.append(op)
            self.make(op)

    def choose(self, model: str, token: str) -> Op:
        """The next call on ``model``: a read, a likely step, or anything."""
        seen, versions = self.ground.models[model], self.ground.versions[model]
        dice, any_version = self.chance.random(), self.chance.choice(versions[-6:])
        if dice < 0.2 or not seen:
            return Op("status", model, "mei", token)
        if dice < 0.28:
            return Op("aliases", model, "mei", token)
        if dice < 0.34:
            return Op("register", model, "ana", token)
        pair = seen["pair"]
        if dice < 0.40:
            expected = self.chance.choice([pair["champion"], None])
            to = self.chance.choice([None, None, any_version])
            return Op("rollback", model, "oncall", token, to=to, expected=expected)
        if dice < 0.50:
            kind = self.chance.choice(["champion", "production", "challenger", "staging", "archive"])
            version = self.chance.choice([pair["fallback"], pair["challenger"], any_version]) or any_version
            return Op(kind, model, "ana", token, version)
        if dice < 0.53:
            return Op("delete", model, "ana", token, any_version)
        if dice < 0.60:
            kind = self.chance.choice(["nominate", "request", "approve", "reject", "promote"])
            return Op(kind, model, "raj" if kind in ("approve", "reject") else "ana", token, any_version)
        return self._likely(model, seen, token)

    def _likely(self, model: str, seen: dict[str, Any], token: str) -> Op:
        """The step that the state seen last asks for."""
        pair, versions = seen["pair"], self.ground.versions[model]
        for proposal in seen["proposals"]:
            if proposal["version"] == pair["challenger"] and proposal["state"] in ("open", "approved"):
                signed = {approval["actor"] for approval in proposal["approvals"]}
                missing = [name for name in ("raj", "mei") if name not in signed]
                if missing:
                    return Op("approve", model, self.chance.choice(missing), token, proposal["version"])
                return Op("promote", model, "ana", token, proposal["version"])
        if pair["challenger"] and pair["challenger"] not in seen["condemned"] and self.chance.random() < 0.7:
            return Op("request", model, "ana", token, pair["challenger"])
        fresh = [v for v in versions[-4:] if v != pair["champion"] and v not in seen["condemned"]]
        return Op("nominate", model, "ana", token, self.chance.choice(fresh or versions[-4:]))

    def make(self, op: Op) -> None:
        """Make the call, and write down its times and its answer."""
        user, method, path, body = request_of(op, self.ground)
        op.begin = time.monotonic()
        try:
            status, answer = self._ask(user, method, path, body)
        except GONE:
            self._forget()
            return
        op.end = time.monotonic()
        if status >= 500:
            op.end, op.answer = float("inf"), {"5xx": f"{status} {answer}"}
            return
        op.status, op.answer = status, answer
        if op.done and op.kind == "status":
            self.ground.models[op.model] = answer["models"][0]
        elif op.done and op.kind == "register":
            op.version = int(answer["model_version"]["version"])
            self.ground.versions[op.model].append(op.version)

    def _ask(self, user: str, method: str, path: str, body: Any) -> tuple[int, dict[str, Any]]:
        if self.connection is None:
            address = urlsplit(self.uri)
            self.connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=120)
        login = base64.b64encode(f"{user}:{PASSWORDS[user]}".encode()).decode()
        headers = {"Authorization": f"Basic {login}", "Content-Type": "application/json"}
        self.connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        response = self.connection.getresponse()
        text = response.read()
        try:
            return response.status, json.loads(text) if text else {}
        except ValueError:
            return response.status, {"text": text.decode(errors="replace")}

    def _forget(self) -> None:
        if self.connection is not None:
            self.connection.close()
        self.connection = None


def request_of(op: Op, ground: Playground) -> tuple[str, str, str, Any]:
    """User, method, path and body of a call."""
    number = {"name": op.model, "version": str(op.version)}
    match op.kind:
        case "status":
            return op.user, "GET", f"{API}status?model={quote(op.model)}", None
        case "aliases":
            return op.user, "GET", f"{MLFLOW}registered-models/get?name={quote(op.model)}", None
        case "register":
            return op.user, "POST", f"{MLFLOW}model-versions/create", ground.runs[op.model]
        case "delete":
            return op.user, "DELETE", f"{MLFLOW}model-versions/delete", number
        case "champion" | "challenger":
            return op.user, "POST", f"{MLFLOW}registered-models/alias", {**number, "alias": op.kind}
        case "production" | "staging" | "archive":
            stage = {"archive": "Archived"}.get(op.kind, op.kind.capitalize())
            body = {**number, "stage": stage, "archive_existing_versions": False}
            return op.user, "POST", f"{MLFLOW}model-versions/transition-stage", body
        case "rollback":
            also = {name: value for name in ("to", "expected") if (value := getattr(op, name)) is not None}
            return op.user, "POST", f"{API}rollback", {"model": op.model, "reason": op.token, **also}
    body = {"model": op.model, "version": op.version}
    return op.user, "POST", API + op.kind, body if op.kind == "promote" else {**body, "comment": op.token}


def hammer(servers: list[Server], ground: Playground, calls: int, clients: int, seed: int) -> list[Op]:
    """Let ``clients`` clients make ``calls`` calls together, spread over the servers; all that they did."""
    stopped = threading.Event()
    players = [
        Client(servers[n % len(servers)].uri, ground, random.Random(seed * 1000 + n), f"c{seed}-{n}")
        for n in range(clients)
    ]
    share = -(-calls // clients)
    threads = [threading.Thread(target=player.play, args=(share, stopped), daemon=True) for player in players]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    finally:
        stopped.set()
    return [op for player in players for op in player.ops]


def ledger_of(server: Server) -> list[Entry]:
    """Every entry of the ledger, in order."""
    answer = server.ask(ADMIN, "GET", "audit/export")
    assert answer.ok, answer.text
    return [Entry.model_validate_json(line) for line in answer.content.splitlines()]


def counted(ops: list[Op]) -> str:
    """How many calls of each kind were made, and how many of them were done."""
    made, done = Counter(op.kind for op in ops), Counter(op.kind for op in ops if op.done)
    return ", ".join(f"{kind} {done[kind]}/{made[kind]}" for kind in sorted(made))


@dataclass
class Outcome:
    """What came of a run; ``wrong`` is empty when every call is explained.

    ``undone`` counts the transactions that the database undid and that were done again.
    """

    ops: list[Op]
    entries: int
    seconds: float
    wrong: list[str]
    undone: int

    @property
    def unanswered(self) -> list[Op]:
        """Calls that were answered with a 5xx, or not at all."""
        return [op for op in self.ops if op.status == 0]


def play(
    directory: Path,
    database_uri: str,
    *,
    servers: int,
    models: int,
    calls: int,
    clients: int,
    seed: int = 1,
    auth_uri: str | None = None,
    tell: Callable[[str], None] = lambda line: None,
) -> Outcome:
    """Start server processes on one database, play, and hold the history against the ledger."""
    started: list[Server] = []
    options = ["--workers", "2" if servers == 1 else "1", "--auth-cache-seconds", "3600"]
    options += ["--backend-store-uri", database_uri, "--artifacts-destination", str(directory / "artifacts")]
    options += ["--auth-database-uri", auth_uri or f"sqlite:///{directory / 'logins.db'}"]
    try:
        for number in range(servers):
            folder = directory / f"server-{number}"
            folder.mkdir(parents=True)
            started.append(start(folder, *options, users=number == 0))
        ground = playground(started[0], models)
        tell(f"{servers} servers, {models} models, {ground.base} entries; {clients} clients begin")
        ops, begun = [], time.monotonic()
        batch = min(calls, 10_000)
        for number in range(-(-calls // batch)):
            ops += hammer(started, ground, batch, clients, seed + number)
            took = time.monotonic() - begun
            tell(f"{len(ops)} calls in {took:.0f} s ({len(ops) / took:.0f}/s), {sum(o.status == 0 for o in ops)} 5xx")
        took = time.monotonic() - begun
        entries = ledger_of(started[-1])
        verified = started[0].ask(ADMIN, "GET", "audit/verify").json()
        tell(f"{len(entries)} entries; {counted(ops)}")
        wrong = [str(problem) for problem in verified["problems"]] + anomalies(ops, entries, ground.base)
        undone = sum(server.process.told().count("which is done again") for server in started)
        return Outcome(ops, len(entries), took, wrong, undone)
    finally:
        for server in started:
            server.process.stop()
