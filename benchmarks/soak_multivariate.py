"""How often columns looked at together are wrong where nothing changed, and find a correlation that changed alone.

    python benchmarks/soak_multivariate.py [--share 1]

Prints a markdown table; ends with 1 where a promise is broken.
"""

from __future__ import annotations

import argparse
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[1]))
from scipy.stats import binom
from support.multivariate.simulating import found_at

ALPHA, TOLERANCE = 0.05, 0.53
FAMILY = 80  # Checks of twenty columns: the level at which the first of them is judged is a part of alpha
SURE = 1e-3  # of a simulation that is wrong by chance


def main() -> int:
    """Draw, count and judge."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--share", type=float, default=1.0, help="of the draws")
    share = parser.parse_args().share
    print("| rows a side | columns | correlation | tolerance | level | found | of | promise |")
    print("|---" * 8 + "|")
    broken = 0
    with ProcessPoolExecutor() as pool:
        for n, columns, rho, tolerance, level, most in (
            (200, 6, 0.0, 0.5, ALPHA, 600), (2_000, 6, 0.0, 0.5, ALPHA, 400), (5_000, 20, 0.0, 0.5, ALPHA, 200),
            (5_000, 2, 0.5, TOLERANCE, ALPHA / FAMILY, 200), (5_000, 10, 0.5, TOLERANCE, ALPHA / FAMILY, 200),
            (5_000, 20, 0.5, TOLERANCE, ALPHA / FAMILY, 100),
        ):  # fmt: skip
            draws = max(int(most * share), 10)
            ask = partial(found_at, rho=rho, n=n, columns=columns, tolerance=tolerance, alpha=level)
            found = sum(pool.map(ask, range(draws), chunksize=5))
            promise = f">= {0.9:.0%}" if rho else f"<= {ALPHA:.0%}"
            # Of false alarms as many are allowed as chance may have of those that are.
            kept = found >= 0.9 * draws if rho else binom.sf(found - 1, draws, ALPHA) > SURE
            broken += not kept
            print(
                f"| {n:,} | {columns} | {rho:g} | {tolerance:g} | {level:.2g} | {found} | {draws} | {promise} |",
                flush=True,
            )
    return int(broken > 0)


if __name__ == "__main__":
    sys.exit(main())
