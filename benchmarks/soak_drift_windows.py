"""Drift over twelve windows of time: false alarms over twenty columns, dates of change, and what their intervals hold.

    python benchmarks/soak_drift_windows.py [--share 1]

Prints a markdown table; ends with 1 where a promise is broken. The same runs on a small scale in
tests/evaluators/windows/test_window_simulations.py.
"""

from __future__ import annotations

import argparse
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import reduce
from operator import add
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from scipy import stats
from support.simulating_drift import CHANGES
from support.simulations.windows import FoundOverTime, simulated

# Rows of a window, of the reference, and how many draws.
SIZES = ((200, 20_000, 200), (2_000, 20_000, 100), (20_000, 120_000, 20), (100_000, 300_000, 4))
SEED = 28
ERROR = 0.05
PROMISED = ("mean by 0.3 σ", 2_000, 0.9)  # dated within a window, from so many rows on, so often
PROCESSES = 2


def found_at(rows: int, before: int, draws: int, processes: ProcessPoolExecutor) -> FoundOverTime:
    """All draws of one size, side by side."""
    jobs = [
        processes.submit(simulated, SEED, before, rows, range(start, draws, PROCESSES)) for start in range(PROCESSES)
    ]
    return reduce(add, (job.result() for job in jobs))


def lines(rows: int, found: FoundOverTime) -> list[str]:
    """The table's lines of one size of window."""

    def share(count: int) -> str:
        return f"{count / found.draws:.0%}"

    out = [f"| {rows:,} | any of twenty columns fails | {share(found.failed)} | | |"]
    out.append(f"| {rows:,} | any of twenty columns has a date | {share(found.dated)} | | |")
    for name in CHANGES:
        near = found.near[name]
        held = f"{found.held[name] / near:.0%}" if near else "–"
        out.append(f"| {rows:,} | {name} | {share(near)} | {held} | {share(found.others[name])} |")
    return out


def broken(rows: int, found: FoundOverTime) -> list[str]:
    """The promises that do not hold at one size."""
    most = stats.binom.ppf(0.99, found.draws, ERROR)
    out = [
        f"{rows:,} rows: {count} of {found.draws} draws without a change {what}"
        for what, count in (("fail", found.failed), ("have a date", found.dated))
        if count > most
    ]
    name, least_rows, least = PROMISED
    if rows >= least_rows and found.near[name] < least * found.draws:
        out.append(f"{rows:,} rows: {name} is dated in {found.near[name]} of {found.draws}")
    for name, near in found.near.items():
        if found.held[name] < stats.binom.ppf(0.01, near, 1 - ERROR):
            out.append(f"{rows:,} rows: {name}: {found.held[name]} of {near} intervals hold the window of the change")
    return out


def main() -> int:
    parser = argparse.ArgumentParser(description="False alarms and dates of change over windows of time.")
    parser.add_argument("--share", type=float, default=1.0, help="how much of the draws")
    share = parser.parse_args().share
    failures: list[str] = []
    print("| rows a window | what | in % of draws; within a window | its interval holds the window | further dates |")
    print("|---|---|---|---|---|")
    with ProcessPoolExecutor(PROCESSES) as processes:
        for rows, before, full in SIZES:
            found = found_at(rows, before, max(2, round(full * share)), processes)
            print("\n".join(lines(rows, found)), flush=True)
            failures += broken(rows, found)
    print("\n".join(failures) or "Every promise holds.")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
