"""The registry at size: ten thousand models of a hundred versions, a million ledger entries, SQLite and PostgreSQL.

Ours and MLflow's own server stand on one database, each with basic auth and its credential cache on, and are asked in
turn, so that the ratios hold when the machine's speed drifts. MLflow's alias flips and reads are of a model that no
policy governs. Governed writes are rollbacks at desks in several processes, each on models of its own: lock, decide,
roles, stages, ledger entry, commit.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests
import sqlalchemy as sa

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1]))
from bench_registry import session_of, timed
from populating import CHALLENGER, PLAIN, Population, name_of
from support.databases import database_server
from support.serving import API, Server, run, start, start_plain

from registry_hooks.identity import Actor, acting_as
from registry_hooks.store import GovernedStore

MLFLOW = "/api/2.0/mlflow/"
SECONDS_AIM = {"audit verify": 30.0, "history --at": 1.0, "status of every model": 60.0}


def quantile(values: list[float], share: float) -> float:
    """The value below which that share of them lies."""
    return statistics.quantiles(values, n=100, method="inclusive")[round(share * 100) - 1]


def row(kind: str, name: str, ours: list[float], plain: list[float], aim: float) -> str:
    """One line of the table: p50 and p99 of ours and of plain MLflow beside it, and their ratios."""
    numbers = [(quantile(ours, share), quantile(plain, share)) for share in (0.5, 0.99)]
    cells = [f"{one:.1f} | {other:.1f} | {one / other:.2f}" for one, other in numbers]
    return f"| {kind}: {name} | {' | '.join(cells)} | {aim:g} |"


def folder_in(folder: Path, name: str) -> Path:
    """A new folder."""
    (folder / name).mkdir()
    return folder / name


class Client:
    """Calls of ours and of plain MLflow, each by one client whose connection stays open."""

    def __init__(self, ours: Server, plain: Server, models: int) -> None:
        self.ours, self.plain = ours, plain
        self.oncall, self.ana, self.admin = session_of("oncall"), session_of("ana"), session_of("admin")
        self.raj, self.guest = session_of("raj"), session_of("guest")
        self.names = itertools.cycle(name_of(number) for number in range(models))
        self.turn, self.champion = 0, dict[str, int]()

    def rollback(self) -> requests.Response:
        """The next model back to the other of its two newest champions."""
        name = next(self.names)
        here = self.champion.get(name, CHALLENGER - 1)
        self.champion[name] = to = 2 * CHALLENGER - 3 - here
        body = {"model": name, "reason": "bench", "to": to}
        return self.oncall.post(self.ours.uri + API + "rollback", json=body)

    def flip(self) -> requests.Response:
        """The plain model's alias to the other of two versions."""
        self.turn += 1
        body = {"name": PLAIN, "alias": "champion", "version": str(self.turn % 2 + 1)}
        return self.admin.post(self.plain.uri + MLFLOW + "registered-models/alias", json=body)

    def status(self) -> requests.Response:
        """What the next model's status is."""
        return self.ana.get(self.ours.uri + API + "status", params={"model": next(self.names)})

    def plan(self) -> requests.Response:
        """What a promotion of the next model's challenger would meet."""
        params = {"model": next(self.names), "version": CHALLENGER}
        return self.ana.get(self.ours.uri + API + "plan", params=params)

    def inbox(self) -> requests.Response:
        """The page of an approver who has signed what waits in every model."""
        return self.raj.get(self.ours.uri + "/registry-hooks/")

    def full_inbox(self) -> requests.Response:
        """The page of an approver for whom a Proposal waits in every model, of which it shows 15."""
        return self.guest.get(self.ours.uri + "/registry-hooks/")

    def proposal(self) -> requests.Response:
        """The page of the next model's Proposal."""
        params = {"model": next(self.names), "version": CHALLENGER}
        return self.raj.get(self.ours.uri + "/registry-hooks/proposal", params=params)

    def get(self) -> requests.Response:
        """A plain model as MLflow gives it."""
        return self.admin.get(self.plain.uri + MLFLOW + "registered-models/get", params={"name": PLAIN})


def in_turn(first: Callable[[], requests.Response], second: Callable[[], requests.Response], calls: int) -> Any:
    """Milliseconds of calls of both, made in turn; those that warm up are left out."""
    for _ in range(max(8, calls // 10)):
        timed(first), timed(second)
    pairs = [(timed(first), timed(second)) for _ in range(calls)]
    return [ours for ours, _ in pairs], [plain for _, plain in pairs]


def over_http(kind: str, client: Client, calls: int) -> list[str]:
    """The rows of one database. Reads first: rollbacks change what a plan is about."""
    return [
        row(kind, "status MODEL / get_registered_model", *in_turn(client.status, client.get, calls), 3),
        row(kind, "plan / get_registered_model", *in_turn(client.plan, client.get, calls), 3),
        row(kind, "page of the inbox / get_registered_model", *in_turn(client.inbox, client.get, calls), 3),
        row(kind, "page of a full inbox / get_registered_model", *in_turn(client.full_inbox, client.get, calls), 3),
        row(kind, "page of a Proposal / get_registered_model", *in_turn(client.proposal, client.get, calls), 3),
        row(kind, "rollback / alias flip", *in_turn(client.rollback, client.flip, calls), 2),
    ]


def readings(kind: str, store: GovernedStore, entries: int) -> list[str]:
    """Long reads at a desk, in seconds."""
    asked: dict[str, Callable[[], Any]] = {
        "audit verify": store.desk.audit_verify,
        "history --at": lambda: store.desk.history(name_of(0), at="2100-01-01T00:00:00Z"),
        "status of every model": store.desk.status,
    }
    lines = []
    with acting_as(Actor("ana", "bench")):
        for name, ask in asked.items():
            begun, used = time.perf_counter(), time.process_time()
            answer = ask()
            took, used = time.perf_counter() - begun, time.process_time() - used
            assert answer.get("ok", True), answer
            lines.append(f"| {kind}: {name}, {entries} entries | {took:.2f} | {used:.2f} | {SECONDS_AIM[name]:g} |")
    return lines


def write_for(uri: str, models: list[str], seconds: float, start: Any, written: Any) -> None:
    """Roll models back, one after another, until the time is over; puts how many, or what went wrong."""
    try:
        store = GovernedStore("governed:" + uri)
        champion = dict.fromkeys(models, CHALLENGER - 2)
        done = 0
        with acting_as(Actor("oncall", "bench")):
            first = store.desk.rollback(models[0], "warm up", to=champion[models[0]])
            champion[models[0]] = 2 * CHALLENGER - 3 - first["version"]
            start.wait()
            until = time.monotonic() + seconds
            for model in itertools.cycle(models):
                if time.monotonic() >= until:
                    break
                store.desk.rollback(model, "bench", to=champion[model])
                champion[model] = 2 * CHALLENGER - 3 - champion[model]
                done += 1
        written.put(done)
    except Exception as error:  # noqa: BLE001 (told by the first process)
        start.abort()
        written.put(f"{models[0]} to {models[-1]}: {error!r}")


def writes(uri: str, models: int, processes: int, seconds: float) -> float:
    """Governed writes per second of several processes on different models."""
    context = multiprocessing.get_context("fork")  # MLflow takes seconds to import
    start, written, share = context.Barrier(processes), context.Queue(), max(models // 2 // processes, 1)
    share = min(share, 200)
    # From the last model down: the first half is rolled back over HTTP.
    names = [name_of(models - 1 - number) for number in range(share * processes)]
    started = [
        context.Process(target=write_for, args=(uri, names[n * share : (n + 1) * share], seconds, start, written))
        for n in range(processes)
    ]
    for process in started:
        process.start()
    told = [written.get(timeout=seconds + 60) for _ in started]
    for process in started:
        process.join()
    if wrong := [each for each in told if isinstance(each, str)]:
        raise SystemExit("\n".join(wrong))
    return sum(told) / seconds


def starts(folder: Path, uri: str, auth: str, runs: int, workers: int) -> tuple[Server, Server, str]:
    """Start ours and MLflow's own in turn, to the first healthy answer; the last two stay up."""
    options = ["--backend-store-uri", uri, "--artifacts-destination", str(folder / "artifacts")]
    options += ["--auth-cache-seconds", "600", "--auth-database-uri", auth, "--workers", str(workers)]
    ours, plain, took = folder_in(folder, "ours"), folder_in(folder, "mlflow"), ([], [])  # type: ignore[var-annotated]
    for number in range(runs):
        begun = time.perf_counter()
        governed = start(ours, *options, users=False)
        took[0].append(time.perf_counter() - begun)
        begun = time.perf_counter()
        other = start_plain(plain, "--workers", str(workers), database_uri=uri)
        took[1].append(time.perf_counter() - begun)
        if number < runs - 1:
            governed.process.stop(), other.process.stop()
    governed.make_users()
    one, two = statistics.median(took[0]), statistics.median(took[1])
    return governed, other, f"{one:.1f} | {two:.1f} | {one / two:.2f} | 1.1"


def processes_of(kind: str, server: Server, runs: int) -> list[str]:
    """Whole processes of the command line, in seconds."""
    lines = []
    for name, given in (
        ("status MODEL", ["status", name_of(0)]),
        ("history MODEL", ["history", name_of(0)]),
    ):
        took = []
        for _ in range(runs + 1):
            begun = time.perf_counter()
            done = run(*given, env=server.env("ana"), cwd=server.directory)
            took.append(time.perf_counter() - begun)
            assert done.returncode == 0, done.stderr
        lines.append(f"| {kind}: registry-hooks {name} | {statistics.median(took[1:]):.2f} | {max(took[1:]):.2f} |")
    return lines


def measure(kind: str, uri: str, folder: Path, arguments: argparse.Namespace, tables: dict[str, _Told]) -> None:
    """All figures of one database."""
    store = GovernedStore("governed:" + uri)
    population, begun = Population(arguments.models, folder / "files"), time.perf_counter()
    entries = population.write(store.engine)
    with store.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(sa.text("ANALYZE"))
    took = time.perf_counter() - begun
    print(f"{kind}: {arguments.models} models, {entries} entries written in {took:.0f} s", file=sys.stderr)
    tables["seconds"].tell(readings(kind, store, entries))
    if arguments.writers:
        store.engine.dispose()  # a connection cannot be shared with the processes that are forked
        rate = writes(uri, arguments.models, arguments.writers, arguments.seconds)
        aim = 300 if kind == "postgresql" else "-"
        tables["writes"].tell([f"| {kind} | {arguments.writers} | {rate:.0f} | {aim} |"])
    governed, plain, told = starts(
        folder, uri, f"sqlite:///{folder / 'logins.db'}", arguments.starts, arguments.workers
    )
    try:
        tables["start"].tell([f"| {kind} | {told} |"])
        tables["http"].tell(over_http(kind, Client(governed, plain, arguments.models // 2), arguments.calls))
        tables["process"].tell(processes_of(kind, governed, arguments.runs))
    finally:
        governed.process.stop(), plain.process.stop()


class _Told(list[str]):
    """The lines of a table, each told on standard error when it is known: a whole run takes long."""

    def tell(self, lines: list[str]) -> None:
        self += lines
        print("\n".join(lines), file=sys.stderr, flush=True)


HEADS = {
    "http": "over HTTP, ms | p50 | MLflow p50 | ratio | p99 | MLflow p99 | ratio | aim",
    "seconds": "at a desk | seconds | processor seconds | aim",
    "writes": "governed writes | processes | per second | aim",
    "start": "server start, s | registry-hooks | mlflow basic-auth | ratio | aim",
    "process": "whole process, s | median | slowest",
}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=int, default=10_000)
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--workers", type=int, default=4, help="of each server")
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--writers", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--databases", default="sqlite,postgresql")
    arguments = parser.parse_args()
    tables = {name: _Told() for name in HEADS}
    for kind in arguments.databases.split(","):
        with (
            tempfile.TemporaryDirectory(prefix="registry-hooks-") as folder,
            database_server(kind, Path(folder) / "database") as new,
        ):
            measure(kind, new(), folder_in(Path(folder), "bench"), arguments, tables)
    for name, head in HEADS.items():
        print(f"| {head} |\n|{'---|' * (head.count('|') + 1)}")
        print("\n".join(tables[name]), end="\n\n")
    print(f"Load of the machine: {', '.join(f'{load:.1f}' for load in os.getloadavg())}")


if __name__ == "__main__":
    main()
