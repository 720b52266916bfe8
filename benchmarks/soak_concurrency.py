"""Many clients on a few models, held against the ledger: is there an order of single calls that explains it all?

By default 100,000 operations of 64 clients on PostgreSQL behind two server processes, and a tenth of that on SQLite
(one server with two workers) and on MariaDB (two servers).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[1]))
from support.databases import database_server
from support.faults.hammering import play


def soak(database: str, operations: int, clients: int, models: int, seed: int) -> bool:
    """One run on one kind of database; whether nothing was wrong."""

    def tell(line: str) -> None:
        print(f"{database}: {line}", flush=True)

    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        new = stack.enter_context(database_server(database, Path(folder)))
        servers = 1 if database == "sqlite" else 2
        outcome = play(
            Path(folder), new(), servers=servers, models=models, calls=operations, clients=clients, seed=seed,
            auth_uri=new() if database == "postgresql" else None, tell=tell,
        )  # fmt: skip
    for line in outcome.wrong[:50]:
        tell(f"ANOMALY {line}")
    told = Counter(str(op.answer.get("5xx", "no answer"))[:160] for op in outcome.unanswered)
    for line, times in told.most_common(10):
        tell(f"{times} times: {line}")
    rate = len(outcome.ops) / outcome.seconds
    tell(
        f"{len(outcome.ops)} operations of {clients} clients on {models} models in {outcome.seconds:.0f} s "
        f"({rate:.0f}/s), {outcome.entries} entries, {len(outcome.unanswered)} without an answer or 5xx, "
        f"{outcome.undone} transactions done again, "
        f"{len(outcome.wrong)} anomalies"
    )
    return not outcome.wrong


def main() -> None:
    """Run on every database that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--operations", type=int, default=100_000, help="on PostgreSQL; a tenth of it on the others")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--models", type=int, default=32)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database", choices=["sqlite", "postgresql", "mariadb"], help="only this one, in full")
    given = parser.parse_args()
    wanted = [given.database] if given.database else ["postgresql", "sqlite", "mariadb"]
    share = {name: given.operations if given.database or name == "postgresql" else given.operations // 10
             for name in wanted}  # fmt: skip
    sound = [soak(name, share[name], given.clients, given.models, given.seed) for name in wanted]
    raise SystemExit(0 if all(sound) else 1)


if __name__ == "__main__":
    main()
