"""Kill a governed server 200 times in the middle of promotions (or as many times as the first argument says)."""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from killing import kill_loop

if __name__ == "__main__":
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    with tempfile.TemporaryDirectory() as folder:
        promotions = kill_loop(Path(folder), kills, seed=2, tell=lambda line: print(line, flush=True))
    print(f"{kills} kills, {promotions} promotions: registry, stages and ledger agreed after each")
