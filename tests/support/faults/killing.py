"""Kills governed servers in the middle of their work, again and again, and holds what is left against itself.

Clients play over HTTP as in `hammering`; server processes (`zygote`: the real app, forked) are killed with SIGKILL at a
random moment, one of two or both, and started again. After each kill the database is opened as the next server would:
roles, stages, the state of every model and the ledger must agree. In the end the whole history is held against the
ledger by `linearizing`: what was acknowledged is there, proposals and approvals among it, what was refused is not, and
what had no answer is there in full or not at all.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from support.faults.hammering import Client, Playground, counted, ledger_of, playground
from support.faults.linearizing import Op, anomalies
from support.serving import ADMIN, Server, free_port, start

from registry_hooks.identity import Actor, acting_as
from registry_hooks.store import GovernedStore

CLIENTS, MODELS, ALL_OF_IT = 6, 3, 20  # the whole ledger is verified after every so many kills
LONGEST_START = 60.0


@dataclass
class Servers:
    """The living server processes of one zygote; ``ended`` counts those that ended by themselves."""

    zygote: subprocess.Popen[str]
    uri: str
    living: list[int]
    ended: int = 0

    def start(self, number: int) -> None:
        """Bring the number of living processes up to ``number``."""
        assert self.zygote.stdin is not None and self.zygote.stdout is not None
        alive = [pid for pid in self.living if Path(f"/proc/{pid}").exists()]
        self.ended += len(self.living) - len(alive)
        self.living = alive
        while len(self.living) < number:
            self.zygote.stdin.write("one more\n")
            self.zygote.stdin.flush()
            self.living.append(int(self.zygote.stdout.readline()))

    def kill(self, number: int) -> None:
        """Kill ``number`` of them, and return when they are gone."""
        for _ in range(number):
            pid = self.living.pop(0)
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                self.ended += 1
            while Path(f"/proc/{pid}").exists():
                time.sleep(0.001)


@contextmanager
def zygote(directory: Path, environment: dict[str, str]) -> Iterator[Servers]:
    """A zygote whose servers have the environment of a real one's workers."""
    port, log = free_port(), directory / "zygote.log"
    command = [sys.executable, str(Path(__file__).with_name("zygote.py")), str(port), str(log)]
    with log.open("ab") as file:
        process = subprocess.Popen(
            command,
            env=environment,
            cwd=directory,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=file,
            text=True,
        )
    servers = Servers(process, f"http://127.0.0.1:{port}", [])
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "listening\n", log.read_text()
        yield servers
    finally:
        for pid in servers.living:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.kill()
        process.wait()


def prepared(directory: Path, database_uri: str, **env: str) -> tuple[Server, Playground, dict[str, str]]:
    """Start a real server once, make users and models, end it; with its workers' environment."""
    options = ["--workers", "1", "--auth-cache-seconds", "3600", "--backend-store-uri", database_uri]
    server = start(directory, *options, PYTHONPATH=os.pathsep.join(sys.path), **env)
    try:
        ground = playground(server, MODELS)
        for pid in server.process.members():
            if b"uvicorn" in Path(f"/proc/{pid}/cmdline").read_bytes():
                text = Path(f"/proc/{pid}/environ").read_bytes().decode()
                environment = dict(item.split("=", 1) for item in text.split("\0") if item)
                return server, ground, environment
        raise AssertionError("the server has no uvicorn process")
    finally:
        server.process.stop()


@dataclass
class Players:
    """Clients that play until they are told to stop."""

    clients: list[Client]
    threads: list[threading.Thread]
    stopped: threading.Event

    @classmethod
    def begin(cls, uri: str, ground: Playground, seed: int) -> Players:
        """Start them."""
        stopped = threading.Event()
        clients = [Client(uri, ground, random.Random(seed * 1000 + n), f"k{n}") for n in range(CLIENTS)]
        threads = [threading.Thread(target=c.play, args=(10**9, stopped), daemon=True) for c in clients]
        for thread in threads:
            thread.start()
        return cls(clients, threads, stopped)

    @property
    def ops(self) -> list[Op]:
        """All calls so far."""
        return [op for client in self.clients for op in client.ops]

    def answered(self) -> int:
        """How many calls were answered so far."""
        return sum(len(client.ops) for client in self.clients)

    def end(self) -> list[Op]:
        """Stop them; all calls."""
        self.stopped.set()
        for thread in self.threads:
            thread.join(150)
        return self.ops


def kill_loop(
    directory: Path,
    database_uri: str,
    kills: int,
    seed: int,
    tell: Callable[[str], None] = lambda line: None,
    backends: int = 0,
    beside: Callable[[Server], Callable[[], str]] | None = None,
    **env: str,
) -> int:
    """Kill servers ``kills`` times in the middle of their work; the number of ledger entries in the end.

    Where ``backends`` is 10, every tenth kill is of one of PostgreSQL's own processes instead, after which it recovers.
    ``beside`` is called once servers answer, and what it returns when all clients have ended; ``env`` is the servers'.

    Raises:
        AssertionError: naming what disagreed after which kill.
    """
    chance, begun = random.Random(seed), time.monotonic()
    server, ground, environment = prepared(directory, database_uri, **env)
    store = GovernedStore(f"governed:{database_uri}")
    with zygote(directory, environment) as servers:
        servers.start(2)
        served = Server(servers.uri, directory, server.process)
        ended = beside(served) if beside else lambda: ""
        ground.base = served.ask(ADMIN, "GET", "audit/verify").json()["size"]  # what players do comes behind it
        players = Players.begin(servers.uri, ground, seed)
        try:
            for number in range(1, kills + 1):
                _wait_for_answers(players, CLIENTS // 2, number)
                time.sleep(chance.uniform(0, 0.3))
                if backends and number % backends == 0:
                    _kill_a_backend(store)
                else:
                    servers.kill(chance.choice((1, 1, 2)))
                size = assert_agreement(store, list(ground.models), number, whole=number % ALL_OF_IT == 0)
                servers.start(2)
                if number % ALL_OF_IT == 0:
                    rate = number / (time.monotonic() - begun)
                    tell(f"kill {number} of {kills}: {size} entries, {players.answered()} calls, {rate:.2f} kills/s")
        finally:
            ops = players.end()
        # A server that starts while PostgreSQL recovers ends, and its supervisor would start another.
        most = 2 * (kills // backends) if backends else 0
        assert servers.ended <= most, f"{servers.ended} servers ended by themselves: {directory / 'zygote.log'}"
        tell(ended())
        entries = ledger_of(served)
    assert_agreement(store, list(ground.models), kills, whole=True)
    store.engine.dispose()
    found = anomalies(ops, entries, ground.base)
    doubtful = sum(op.status == 0 for op in ops)
    tell(f"{len(entries)} entries, {len(ops)} calls of which {doubtful} had no answer; {counted(ops)}")
    assert not found, "\n".join(found[:20])
    return len(entries) - ground.base


def _wait_for_answers(players: Players, more: int, number: int) -> None:
    wanted, until = players.answered() + more, time.monotonic() + LONGEST_START
    while players.answered() < wanted:
        assert time.monotonic() < until, f"after kill {number - 1} the server did not come back"
        time.sleep(0.005)


def _kill_a_backend(store: GovernedStore) -> None:
    with store.engine.connect() as connection:
        query = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        found = connection.execute(sa.text(query)).scalars().all()
        until = time.monotonic() + LONGEST_START
        for pid in found[:1]:
            with suppress(ProcessLookupError, sa.exc.DBAPIError):
                os.kill(pid, signal.SIGKILL)
                while time.monotonic() < until:  # it goes on for a moment, until the first process has noticed
                    connection.execute(sa.text("SELECT 1"))
                    time.sleep(0.01)
                raise AssertionError("PostgreSQL did not notice that one of its processes was killed")
    store.engine.dispose()
    while True:
        try:
            with store.engine.connect():
                return
        except sa.exc.OperationalError:  # PostgreSQL ends all connections, and recovers from its log
            assert time.monotonic() < until, "PostgreSQL did not recover"
            time.sleep(0.05)


def assert_agreement(store: GovernedStore, models: list[str], number: int, *, whole: bool) -> int:
    """Registry, stages, states and (``whole``) every entry of the ledger agree; the ledger's size."""
    with acting_as(Actor("mei", "test")):
        for model in models:
            (status,) = store.desk.status(model)["models"]
            assert not status["meddled"], f"after kill {number}: {status['meddled']}"
    with store.engine.connect() as connection:
        head = connection.execute(sa.text("SELECT size FROM registry_hooks_head")).scalar_one()
    if whole:
        found = store.desk.audit_verify()
        assert found["ok"], f"after kill {number}: {found['problems']}"
    return int(head)
