"""Kill governed servers 500 times on SQLite and 500 times on PostgreSQL, or as often as the first argument says.

At the end 200 times, or as often as the second argument says, with a receiver of webhooks that counts.
"""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[1]))
from support.databases import database_server
from support.faults.hearing import hear_through_kills
from support.faults.killing import kill_loop

if __name__ == "__main__":
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    for kind in ("sqlite", "postgresql"):
        with tempfile.TemporaryDirectory() as folder, database_server(kind, Path(folder) / "db") as new:
            entries = kill_loop(
                Path(folder), new(), kills, seed=2, backends=10 if kind == "postgresql" else 0,
                tell=lambda line, kind=kind: print(f"{kind}: {line}", flush=True),
            )  # fmt: skip
        print(f"{kind}: {kills} kills, {entries} entries: registry, stages, proposals and ledger agreed after each")
    kills = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    for kind in ("sqlite", "postgresql"):
        with tempfile.TemporaryDirectory() as folder, database_server(kind, Path(folder) / "db") as new:
            changes = hear_through_kills(
                Path(folder), new(), kills, seed=3, tell=lambda line, kind=kind: print(f"{kind}: {line}", flush=True)
            )
        print(f"{kind}: {kills} kills, {changes} changes: each was heard of, in order per model, and nothing else")
