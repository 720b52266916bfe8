"""How long decisions wait while a million old entries are audited, and then purged.

A desk in a process of its own rolls models back, one after another, before, while the log is audited, and while it is
purged. All entries but its own are old enough to go, but for those of what serves.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import os
import sys
import tempfile
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parent))
from bench_scale import quantile
from populating import CHALLENGER, Population, name_of
from support.databases import database_server

from registry_hooks.identity import Actor, acting_as
from registry_hooks.store import GovernedStore

AIM = 1000.0  # ms
AGE = timedelta(days=400)


def decide(uri: str, models: int, pipe: Any) -> None:
    """Roll models back until told to stop; send when each began and how many ms it took."""
    store, times = GovernedStore("governed:" + uri), list[tuple[float, float]]()
    champion = {name_of(number): CHALLENGER - 2 for number in range(models)}
    with acting_as(Actor("oncall", "bench")):
        for name in itertools.cycle(champion):
            if pipe.poll():
                break
            begun = time.monotonic()
            store.desk.rollback(name, "bench", to=champion[name])
            times.append((begun, (time.monotonic() - begun) * 1000))
            champion[name] = 2 * CHALLENGER - 3 - champion[name]
            time.sleep(0.02)
    pipe.send(times)


def line(name: str, seconds: float, waits: list[float]) -> str:
    """One row of the table."""
    return f"| {name} | {seconds:.1f} | {len(waits)} | {quantile(waits, 0.5):.0f} | {max(waits):.0f} | {AIM:g} |"


def measure(kind: str, uri: str, folder: Path, models: int) -> list[str]:
    """The rows of one database."""
    store = GovernedStore("governed:" + uri)
    entries = Population(models, folder / "files", datetime.now(timezone.utc).replace(microsecond=0) - AGE).write(
        store.engine
    )
    print(f"{kind}: {entries} entries are written", file=sys.stderr)
    store.engine.dispose()  # a connection cannot be shared with a process that is forked
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=decide, args=(uri, models, there))
    process.start()
    spans: dict[str, tuple[float, float]] = {}
    with acting_as(Actor("admin", "bench", is_admin=True)):
        for name, work in {
            "nothing beside": lambda: time.sleep(10),
            "audit verify": store.desk.audit_verify,
            "audit purge": lambda: store.desk.purge((datetime.now(timezone.utc) - AGE / 2).isoformat(), "old"),
        }.items():
            begun = time.monotonic()
            done = work()
            spans[name] = begun, time.monotonic()
            print(f"{kind}: {name}: {({} if done is None else done).get('count', '')}", file=sys.stderr)
    here.send("stop")
    times = here.recv()
    process.join()
    assert store.desk.audit_verify()["ok"]
    found = {
        name: [took for at, took in times if at <= ended and at + took / 1000 >= begun]
        for name, (begun, ended) in spans.items()
    }
    return [line(f"{kind}: {name}", spans[name][1] - spans[name][0], waits) for name, waits in found.items()]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=int, default=10_000)
    parser.add_argument("--databases", default="sqlite,postgresql")
    arguments, lines = parser.parse_args(), list[str]()
    for kind in arguments.databases.split(","):
        with (
            tempfile.TemporaryDirectory(prefix="registry-hooks-") as folder,
            database_server(kind, Path(folder) / "database") as new,
        ):
            lines += measure(kind, new(), Path(folder), arguments.models)
    print(f"| {arguments.models} models, 100 entries each; beside | s | decisions | p50, ms | slowest, ms | aim, ms |")
    print("|---|---|---|---|---|---|")
    print("\n".join(lines), end="\n\n")
    print(f"Load of the machine: {', '.join(f'{load:.1f}' for load in os.getloadavg())}")


if __name__ == "__main__":
    main()
