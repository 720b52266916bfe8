"""Which causes of drift are named: each planted one in 90 % of windows, and none in 95 % of those without.

Small in tests/evaluators/drift/test_drift_causes.py; the same draws.
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.simulations.causes import NAMES, named

SIZES = ((2000, 100), (5000, 100), (20_000, 40))  # rows of a window, draws
BEFORE = 20_000
SEED = 18
LEAST = {"none": 0.95}
LEAST_NAMED = 0.90


def main() -> int:
    parser = argparse.ArgumentParser(description="Which causes of drift are named.")
    parser.add_argument("--share", type=float, default=1.0, help="how much of the draws")
    share = parser.parse_args().share
    failures = []
    print(
        "| planted | "
        + " | ".join(f"{n:,} rows" for n, _ in SIZES)
        + " | others, of all windows |\n"
        + "|---" * 5
        + "|"
    )
    with ProcessPoolExecutor(2) as processes:
        for name in NAMES:
            cells, also, windows = [], 0, 0
            for n, full in SIZES:
                draws = max(4, round(full * share * (4 if name == "none" else 1)))
                halves = [processes.submit(named, SEED + half, BEFORE, n, name, draws // 2) for half in range(2)]
                found = [half.result() for half in halves]
                right = sum(one for one, _ in found) / (2 * (draws // 2))
                also, windows = also + sum(others.total() for _, others in found), windows + 2 * (draws // 2)
                cells.append(f"{right:.0%}")
                if right < LEAST.get(name, LEAST_NAMED):
                    failures.append(f"{name}, {n:,} rows: named in {right:.0%}")
            print(f"| {name} | " + " | ".join(cells) + f" | {also / windows:.1%} |", flush=True)
    print("\n".join(failures) or "Every promise holds.")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
