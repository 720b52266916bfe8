"""The search of weak slices beside the package sliceline, on the same errors: the same slices, time and memory.

    python benchmarks/bench_slices.py [--rows 50000] [--columns 30] [--depth 3] [--min-support 2500] [--top 10]

Prints a markdown table. Each of the two runs in a process of its own, so that its memory is its own: the highest
resident size of the search, less that at its start, with the data there. Ours begins with a data frame, sliceline with
the codes that it asks for. At depth 3 a smaller minimum of rows can ask more memory of sliceline than a machine has.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEVELS = (2, 3, 4, 5, 6, 8, 10, 10, 10, 10)
WEIGHT = 0.95
Codes = NDArray[np.int64]
Floats = NDArray[np.float64]
Found = list[tuple[dict[str, str], int, float]]


def people(rows: int, columns: int) -> tuple[Codes, Floats, Codes]:
    """Codes of columns, scores, and labels that some slices turn round."""
    rng = np.random.default_rng(0)
    codes = np.column_stack([rng.integers(0, LEVELS[i % len(LEVELS)], rows) for i in range(columns)])
    score = rng.beta(1, 2, rows)
    wrong = (codes[:, 1] == 1) & (codes[:, 2] == 2)
    wrong |= (codes[:, 0] == 1) & (codes[:, 3] == 2) & (rng.random(rows) < 0.6)
    wrong |= (codes[:, 10] == 0) & (codes[:, 11] == 0) & (codes[:, 12] == 3)
    label = (rng.random(rows) < np.where(wrong, 1 - score, score)).astype(np.int64)
    return codes, score, label


def ours(options: argparse.Namespace) -> tuple[float, float, Found]:
    import pandas as pd

    from mlflow_eval_plugin.engines.arrow.binary.errors import error_counts
    from mlflow_eval_plugin.engines.arrow.search import searched_columns
    from mlflow_eval_plugin.stats.slices.weak import weak_slices

    codes, score, label = people(options.rows, options.columns)
    frame = pd.DataFrame({f"c{i:03d}": column for i, column in enumerate(codes.T)}).assign(label=label)
    del codes

    def search() -> Found:
        columns, _ = searched_columns(
            frame, list(frame.columns[:-1]), edges={}, quantiles={}, bands=10, max_levels=100, as_given=True
        )
        counts = error_counts(frame, columns, label="label", score=score, error="brier", threshold=0.5)
        found = weak_slices(counts, depth=options.depth, top=options.top, minimum=options.min_support, weight=WEIGHT)
        return [(dict(one.slice), one.n, one.score) for one in found.slices]

    return measured(search)


def sliceline(options: argparse.Namespace) -> tuple[float, float, Found]:
    from sliceline.slicefinder import Slicefinder

    codes, score, label = people(options.rows, options.columns)
    errors = (score - label) ** 2

    def search() -> Found:
        finder = Slicefinder(
            alpha=WEIGHT, k=options.top, max_l=options.depth, min_sup=options.min_support, verbose=False
        ).fit(codes, errors)
        slices = (
            {f"c{i:03d}": str(level) for i, level in enumerate(cell) if level is not None}
            for cell in finder.top_slices_
        )
        known = finder.top_slices_statistics_
        return [(one, int(s["slice_size"]), s["slice_score"]) for one, s in zip(slices, known, strict=True)]

    return measured(search)


def measured(search: Callable[[], Found]) -> tuple[float, float, Found]:
    """Seconds, MiB beyond those at the start, and what was found."""
    before = _peak(again=True)
    start = time.perf_counter()
    found = search()
    return time.perf_counter() - start, _peak() - before, found


def _peak(*, again: bool = False) -> float:
    """The highest resident size so far, in MiB; ``again`` begins anew from the present one, where Linux can."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    if again:
        Path("/proc/self/clear_refs").write_text("5")
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 2**10


def in_a_process(name: str) -> tuple[float, float, Found]:
    command = [sys.executable, __file__, *sys.argv[1:], "--only", name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["killed"])[-1]
        raise SystemExit(f"{name} did not end: {last}")
    seconds, memory, found = json.loads(done.stdout)
    return seconds, memory, [(one, n, score) for one, n, score in found]


def agree(first: Found, second: Found) -> bool:
    """Whether both found the same: slices of one score may come in either order."""

    def key(one: tuple[dict[str, str], int, float]) -> tuple[Any, ...]:
        return (-round(one[2], 6), sorted(one[0].items()), one[1])

    return [key(one) for one in sorted(first, key=key)] == [key(one) for one in sorted(second, key=key)]


def main() -> None:
    parser = argparse.ArgumentParser(description="The search of weak slices beside sliceline.")
    for name, default in (("rows", 50_000), ("columns", 30), ("depth", 3), ("min-support", 2500), ("top", 10)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--only", choices=["ours", "sliceline"], help="one of the two, as JSON")
    options = parser.parse_args()
    if options.only:
        warnings.simplefilter("ignore")
        print(json.dumps({"ours": ours, "sliceline": sliceline}[options.only](options)))
        return
    seconds, memory, found = in_a_process("ours")
    print(f"| {options.rows:,} rows x {options.columns} columns, depth {options.depth}, at least "
          f"{options.min_support:,} rows | |")  # fmt: skip
    print("|---|---|")
    print(f"| ours | {seconds:.2f} s, {memory:.0f} MiB, {len(found)} slices |")
    if find_spec("sliceline") is None:
        print("| sliceline | not installed; `pip install sliceline` to compare |")
        return
    their_seconds, their_memory, theirs = in_a_process("sliceline")
    print(f"| sliceline | {their_seconds:.2f} s, {their_memory:.0f} MiB, {len(theirs)} slices |")
    print(f"| the same slices | {'yes' if agree(found, theirs) else 'NO'} |")
    print(
        f"| ours to sliceline | {seconds / their_seconds:.3f} of the time, {memory / their_memory:.3f} of the memory |"
    )
    if not agree(found, theirs):
        raise SystemExit(f"ours: {found}\nsliceline: {theirs}")


if __name__ == "__main__":
    main()
