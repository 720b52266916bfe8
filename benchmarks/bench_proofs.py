"""Proofs from a log of a million entries: one entry's, its growth's, a checkpoint, the copy as static files.

A governed server stands on a database with such a log. Proofs are asked for over HTTP in turn with MLflow's own reading
of a registered model on the same server, so that the ratio holds when the machine's speed drifts.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import requests
import sqlalchemy as sa

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1]))
from bench_registry import session_of, timed
from bench_scale import quantile
from populating import canonical, put
from support.databases import database_server
from support.serving import API, start

from registry_hooks.identity import Actor
from registry_hooks.rules.log.merkle import Growing, leaf_hash
from registry_hooks.storage import schema
from registry_hooks.storage.log import outside
from registry_hooks.store import GovernedStore

AIMS = {"proof of one entry": 50.0, "proof of growth": 50.0, "checkpoint": 50.0}  # ms
COPY_AIM = 60.0  # s
MODEL = "/api/2.0/mlflow/registered-models/get?name=proven"


def entries(size: int, tree: Growing) -> Iterator[tuple[Any, ...]]:
    """Rows of a sound log of accounts, of the length that entries have (some 600 bytes)."""
    at = datetime.now(timezone.utc).isoformat().replace("+00:00", "Z")
    for seq in range(1, size + 1):
        body = {"user": f"user-{seq:08}", "why": "x" * 300}
        document = {"schema": "registry-hooks/entry/1", "seq": seq, "at": at, "actor": "admin",
                    "authenticated_by": "basic-auth", "action": "user-created", "model": None, "version": None,
                    "body": body, "tree": tree.root.hex()}  # fmt: skip
        text = canonical(document)
        leaf = leaf_hash(text)
        tree.append(leaf)
        yield seq, ":accounts", "user-created", text.decode(), leaf.hex()


def populate(engine: sa.Engine, size: int) -> None:
    """Fill a database that has its tables."""
    tree = Growing()
    with engine.begin() as connection:
        put(connection, schema.ledger, ("seq", "model", "action", "entry", "leaf_hash"), entries(size, tree))
        frontier = ",".join(node.hex() for node in tree.frontier)
        connection.execute(sa.update(schema.head).values(size=tree.size, frontier=frontier))


def asked(first: Callable[[], requests.Response], calls: int, plain: Callable[[], requests.Response]) -> list[float]:
    """p50 and p99 of one call in ms, and how they stand to those of a plain one made in turn."""
    both: tuple[list[float], list[float]] = ([], [])
    for _ in range(calls):
        for times, call in zip(both, (first, plain), strict=True):
            times.append(timed(call))
    ours, theirs = ([quantile(times, share) for share in (0.5, 0.99)] for times in both)
    return [ours[0], ours[0] / theirs[0], ours[1], ours[1] / theirs[1]]


def over_http(kind: str, server: Any, size: int, calls: int) -> list[str]:
    """Lines of the table of calls."""
    session, chance = session_of("admin"), random.Random(5)

    def get(path: str, **query: int) -> requests.Response:
        return session.get(server.uri + path, params=query, timeout=60)

    questions: dict[str, Callable[[], requests.Response]] = {
        "proof of one entry": lambda: get(f"{API}audit/prove", seq=chance.randint(1, size)),
        "proof of growth": lambda: get(f"{API}audit/consistency", old=chance.randint(1, size)),
        "checkpoint": lambda: get(f"{API}audit/checkpoint"),
    }
    lines = []
    for name, call in questions.items():
        call().raise_for_status()
        numbers = asked(call, calls, lambda: get(MODEL))
        lines.append(f"| {kind}: {name} | {' | '.join(f'{each:.2f}' for each in numbers)} | {AIMS[name]:g} |")
    return lines


def copies(kind: str, server: Any, folder: Path) -> list[str]:
    """Lines of the table of seconds: the whole copy, and one to which nothing is to be added."""
    lines = []
    for name in ("copied as static files", "copied again, nothing new"):
        begun = time.perf_counter()
        done = server.cli("admin", "audit", "tiles", str(folder), "--timeout", "600")
        assert done.returncode == 0, done.stderr
        lines.append(f"| {kind}: {name} | {time.perf_counter() - begun:.1f} | {COPY_AIM:g} |")
    return lines


@contextmanager
def signing(store: GovernedStore, *, signs: bool) -> Iterator[None]:
    """The job beside requests, four times as often as on a server; or none."""
    ended = threading.Event()

    def work() -> None:
        while not ended.wait(0.25):
            store.desk.checkpointing.keep()

    thread = threading.Thread(target=work)
    if signs:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        if signs:
            thread.join()


def beside_signing(kind: str, store: GovernedStore, turns: int) -> str:
    """One line: what an entry costs while checkpoints are signed beside it, and while none are."""
    admin, times = Actor("admin", "bench", is_admin=True), {True: list[float](), False: list[float]()}
    for turn in range(10):
        with signing(store, signs=bool(turn % 2)):
            for _ in range(turns // 10):
                begun = time.perf_counter()
                store.desk.keeping.account_change(admin, "permission-changed", {"user": "a", "permission": "READ"})
                times[bool(turn % 2)].append((time.perf_counter() - begun) * 1000)
    cells = [f"{quantile(times[True], share):.1f} | {quantile(times[False], share):.1f}" for share in (0.5, 0.99)]
    return f"| {kind}: an entry with and without signing | {' | '.join(cells)} |"


def measure(kind: str, uri: str, folder: Path, arguments: argparse.Namespace) -> tuple[list[str], list[str], str]:
    """The lines of the three tables."""
    os.environ[outside.KEY], os.environ[outside.DIRECTORY] = str(folder / "log.key"), str(folder / "checkpoints")
    store = GovernedStore(f"governed:{uri}")
    populate(store.engine, arguments.entries)
    begun = time.perf_counter()
    store.desk.checkpointing.fill()
    seconds = [f"| {kind}: hashes added to a log without them | {time.perf_counter() - begun:.1f} | - |"]
    server = start(folder / "server", "--workers", "1", "--auth-cache-seconds", "600", "--backend-store-uri", uri,
                   **{name: os.environ[name] for name in (outside.KEY, outside.DIRECTORY)})  # fmt: skip
    try:
        server.mlflow("admin", "POST", "registered-models/create", name="proven")
        calls = over_http(kind, server, arguments.entries, arguments.calls)
        seconds += copies(kind, server, folder / "copy")
    finally:
        server.process.stop()
    beside = beside_signing(kind, store, arguments.turns)
    store.engine.dispose()
    return calls, seconds, beside


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--turns", type=int, default=1000)
    parser.add_argument("--databases", default="sqlite,postgresql")
    arguments = parser.parse_args()
    calls, seconds, beside = list[str](), list[str](), list[str]()
    for kind in arguments.databases.split(","):
        with (
            tempfile.TemporaryDirectory(prefix="registry-hooks-") as folder,
            database_server(kind, Path(folder) / "database") as new,
        ):
            (Path(folder) / "bench" / "server").mkdir(parents=True)
            told = measure(kind, new(), Path(folder) / "bench", arguments)
            calls += told[0]
            seconds += told[1]
            beside.append(told[2])
    heads = {
        f"{arguments.entries} entries, over HTTP | p50, ms | of a read of MLflow | p99, ms | ratio | aim, ms": calls,
        f"{arguments.entries} entries | s | aim, s": seconds,
        "beside | signing p50, ms | without p50, ms | signing p99, ms | without p99, ms": beside,
    }
    for head, lines in heads.items():
        print(f"| {head} |\n|{'---|' * (head.count('|') + 1)}")
        print("\n".join(lines), end="\n\n")
    print(f"Load of the machine: {', '.join(f'{load:.1f}' for load in os.getloadavg())}")


if __name__ == "__main__":
    main()
