"""Kill governed servers 500 times on SQLite and 500 times on PostgreSQL, or as often as the first argument says."""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from support.databases import database_server
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
