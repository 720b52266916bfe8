"""What the Checks and intervals promise, at full size: familywise error, coverage in small groups, power.

    python benchmarks/soak_statistics.py [--runs 2000]

Prints a markdown table; ends with 1 where a bound is broken. Two processes, some five minutes.
"""

from __future__ import annotations

import argparse
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

# Each process counts on one core.
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[1]))
from support.simulating import (
    Coverage,
    at_most,
    coverage_of_equalized_odds,
    coverage_of_gaps,
    coverage_of_proportions,
    false_fails,
    power,
)

PROCESSES = 2
SIZES = (10, 30, 100)
LEAST_MEAN = 0.94
Row = tuple[str, str, str, bool]


def family(runs: int, threads: ProcessPoolExecutor) -> Row:
    """False fails over exact nulls."""
    parts = [runs // PROCESSES + (i < runs % PROCESSES) for i in range(PROCESSES)]
    false = sum(threads.map(false_fails, parts, range(PROCESSES)))
    upper = at_most(false, runs)
    found = f"{false} of {runs} ({false / runs:.2%}, at most {upper:.2%})"
    return (
        "any false fail, 138 slices x 5 metrics",
        found,
        "≤ 5 %, upper 95 % limit ≤ 6.5 %",
        false / runs <= 0.05 and upper <= 0.065,
    )


def covered(name: str, found: Coverage) -> Row:
    """One line on coverage."""
    text = f"mean {found.mean:.4f}, least {found.least:.4f} at {', '.join(f'{one:g}' for one in found.where)}"
    return (f"coverage of {name}", text, f"mean ≥ {LEAST_MEAN}", found.mean >= LEAST_MEAN)


def coverage(threads: ProcessPoolExecutor) -> list[Row]:
    """Coverage for small groups."""
    rows = [covered(f"a proportion, n = {n}", coverage_of_proportions(n)) for n in SIZES]
    pairs = [(n, m) for n in SIZES for m in SIZES if n <= m]
    for kind in ("difference", "ratio"):
        found = threads.map(coverage_of_gaps, *zip(*pairs, strict=True), [kind] * len(pairs))
        rows += [covered(f"a {kind}, n = {n} and {m}", one) for (n, m), one in zip(pairs, found, strict=True)]
    for groups in (2, 3, 5):
        found = threads.map(coverage_of_equalized_odds, SIZES, [groups] * 3, [4000] * 3, SIZES)
        rows += [
            covered(f"equalized odds, {groups} groups, n = {n} a label", one)
            for n, one in zip(SIZES, found, strict=True)
        ]
    return rows


def powerful(runs: int) -> Row:
    """A planted slice."""
    found = power(runs, 0)
    text = f"{found.ours:.0%}, by five standard deviations {found.five_sigma:.0%}"
    name = f"a slice of {found.rows} rows, scores .05 too low, found among {found.family} slices"
    return (name, text, "≥ 80 %, and more than the rule", found.ours >= 0.8 > found.five_sigma)


def main() -> int:
    parser = argparse.ArgumentParser(description="What the Checks and intervals promise, at full size.")
    parser.add_argument("--runs", type=int, default=2000)
    runs = parser.parse_args().runs
    with ProcessPoolExecutor(PROCESSES) as threads:
        rows = [family(runs, threads), *coverage(threads), powerful(max(runs // 5, 20))]
    print("| simulated | found | bound | |\n|---|---|---|---|")
    for name, found, bound, holds in rows:
        print(f"| {name} | {found} | {bound} | {'holds' if holds else 'BROKEN'} |")
    return 0 if all(row[-1] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
