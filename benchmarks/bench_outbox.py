"""What the outbox costs: a decision with a target against one without, and how long a change takes to arrive.

A real server with two workers, and a receiver in a process of its own. Decisions are rollbacks and break-glass
promotions in turn, over HTTP, each an entry that moves roles; with and without a target they alternate in blocks, so
that what else the machine does is shared.
"""

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[1]))
from support.databases import database_server
from support.probes.receiving import LET_IN, Receiver, receiver
from support.releasing import POLICY, register
from support.serving import ADMIN, Server, start

BLOCKS, DECISIONS = 6, 15
MODEL = "measured"
GOVERNED = POLICY.format(name=MODEL, model=MODEL) + "break_glass: {by: [oncall]}\n"


def decide(server: Server, version: int) -> float:
    """Seconds for one break-glass promotion, and when it was answered."""
    begun = time.perf_counter()
    body = {"model": MODEL, "version": version, "reason": "measured"}
    answer = server.ask("oncall", "POST", "break-glass", json=body)
    assert answer.ok, answer.text
    return time.perf_counter() - begun


def measured(server: Server, hook: Receiver) -> tuple[list[float], list[float]]:
    """Seconds of each decision without a target, and with one."""
    times: tuple[list[float], list[float]] = ([], [])
    turn = 0
    for block in range(2 * BLOCKS):
        told = block % 2
        if told:
            body = {"name": "hook", "kind": "webhook", "address": hook.url}
            assert server.ask(ADMIN, "POST", "notify/add", json=body).ok
        for _ in range(DECISIONS):
            turn += 1
            times[told].append(decide(server, 1 + turn % 2))
        if told:
            while server.ask(ADMIN, "GET", "notify").json()["targets"][0]["waiting"]:
                time.sleep(0.05)
            assert server.ask(ADMIN, "POST", "notify/remove", json={"name": "hook"}).ok
    return times


def lags(hook: Receiver) -> list[float]:
    """Seconds from an entry's own time to its arrival."""
    from datetime import datetime

    said = [(each["at"], json.loads(each["body"])["timestamp"]) for each in hook.requests]
    return sorted(at - datetime.fromisoformat(sent.replace("Z", "+00:00")).timestamp() for at, sent in said)


def main() -> None:
    """Measure on SQLite and on PostgreSQL, and hold it against the bounds."""
    for kind in ("sqlite", "postgresql"):
        with tempfile.TemporaryDirectory() as folder, database_server(kind, Path(folder) / "db") as new:
            options = ["--workers", "2", "--auth-cache-seconds", "3600", "--backend-store-uri", new()]
            server = start(Path(folder), *options, **LET_IN)
            try:
                server.mlflow("ana", "POST", "registered-models/create", name=MODEL)
                assert server.ask(ADMIN, "POST", "policy/apply", json={"yaml": GOVERNED}).ok
                for _ in range(2):
                    register(server, MODEL)
                decide(server, 1)
                with receiver(Path(folder) / "hook") as hook:
                    without, told = measured(server, hook)
                    late = lags(hook)
            finally:
                server.process.stop()
        ratio = statistics.median(told) / statistics.median(without)
        p99 = late[min(len(late) - 1, int(len(late) * 0.99))]
        print(f"{kind}: a decision {statistics.median(without) * 1000:.0f} ms without a target, "
              f"{statistics.median(told) * 1000:.0f} ms with one ({ratio:.2f} times); "
              f"{len(late)} messages arrived after {statistics.median(late):.2f} s, p99 {p99:.2f} s")  # fmt: skip
        assert ratio <= 1.3, ratio
        assert p99 <= 2, p99


if __name__ == "__main__":
    main()
