"""What the default tolerances of ``drift`` find and how often they are wrong, beside the defaults of others.

    DRIFT_PEERS=.venv-drift-peers/bin/python python benchmarks/soak_drift_defaults.py [--share 1]

Prints a markdown table; ends with 1 where a promise is broken. Evidently comes with the project; NannyML needs an
environment of its own, and its column is empty without one. All three see the same draws.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[1]))
import numpy as np
import pandas as pd
from evidently.legacy.calculations.stattests import get_stattest
from support.simulating_drift import CHANGES, Found, ours, reference, window

from mlflow_eval_plugin.engines.arrow import drift_binning

# Rows of the window, of the reference, and how many windows; NannyML wants several chunks of the reference.
SIZES = ((200, 20_000, 100), (2_000, 20_000, 60), (20_000, 120_000, 20), (100_000, 300_000, 6))
SEED = 15
LEAST_FOUND = 0.95  # of every kind of change, in windows of 20,000 rows and more
NAMES = ("ours", "Evidently", "NannyML")


def ours_found(rows: int, before: int, draws: int) -> Found:
    """Our defaults."""
    found, summary = Found(), drift_binning(reference(SEED, before))
    for draw in range(draws):
        found.add(*ours(summary, window(SEED, rows, draw)))
    return found


def evidently_found(rows: int, before: int, draws: int) -> Found:
    """The tests that its DataDriftPreset chooses, column by column; its reports would take a minute each."""
    found, known = Found(), reference(SEED, before)
    for draw in range(draws):
        current = window(SEED, rows, draw)
        found.add(name for name in current.columns if evidently_drifted(known[name], current[name]))
    return found


def evidently_drifted(before: pd.Series, after: pd.Series) -> bool:
    kind = "cat" if before.dtype == object or isinstance(before.dtype, pd.StringDtype) else "num"
    # As the library does, before anything else.
    before, after = (side.replace([-np.inf, np.inf], np.nan).dropna() for side in (before, after))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return bool(get_stattest(before, after, kind, None)(before, after, kind, None).drifted)


def nannyml_found(rows: int, before: int, draws: int) -> Found | None:
    """NannyML's alerts; None where it is not installed."""
    python = os.environ.get("DRIFT_PEERS", "")
    if not python or not Path(python).exists():
        return None
    found = Found()
    with tempfile.TemporaryDirectory() as folder:
        first, second = (Path(folder) / name for name in ("reference.parquet", "windows.parquet"))
        reference(SEED, before).to_parquet(first)
        pd.concat([window(SEED, rows, draw) for draw in range(draws)], ignore_index=True).to_parquet(second)
        script = Path(__file__).with_name("drift_nannyml.py")
        done = subprocess.run(
            [python, str(script), first, second, str(rows)], capture_output=True, text=True, check=True
        )
    for alerts in json.loads(done.stdout.splitlines()[-1]):
        found.add(alerts)
    return found


def shares(found: Found | None, count: Callable[[Found], int]) -> str:
    """``97 %``, or an en dash."""
    return "–" if found is None else f"{count(found) / found.draws:.0%}"


def lines(rows: int, all_found: tuple[Found | None, ...]) -> list[str]:
    """The table's lines of one size of window."""
    size = f"{rows:,}"
    out = [f"| {size} | any false alarm | " + " | ".join(shares(one, lambda f: f.windows) for one in all_found) + " |"]
    own = all_found[0]
    out.append(f"| {size} | whole window passes | {shares(own, lambda f: f.passed)} | | |")
    for name in CHANGES:
        cells = [shares(one, lambda f, name=name: f.changes[name]) for one in all_found]
        if name.startswith("infinite") and all_found[2] is not None:
            cells[2] = "stops"
        out.append(f"| {size} | {name} | " + " | ".join(cells) + " |")
    return out


def broken(rows: int, own: Found, others: tuple[Found | None, ...]) -> list[str]:
    """The promises that do not hold at one size."""
    out = []
    limit = 0.05 + 2 * np.sqrt(0.05 * 0.95 / own.draws)
    if own.windows / own.draws > limit:
        out.append(f"{rows:,} rows: {own.windows} of {own.draws} windows have a false alarm")
    for name, count in own.changes.items():
        if rows >= 20_000 and count / own.draws < LEAST_FOUND:
            out.append(f"{rows:,} rows: {name} is found in {count} of {own.draws}")
    for other, known in zip(NAMES[1:], others, strict=True):
        if known is not None and known.windows < own.windows:
            out.append(f"{rows:,} rows: {other} has fewer false alarms")
        behind = [name for name in CHANGES if known is not None and known.changes[name] > own.changes[name]]
        if rows >= 20_000 and behind:
            out.append(f"{rows:,} rows: {other} finds more of {', '.join(behind)}")
    return out


def main() -> int:
    parser = argparse.ArgumentParser(description="What the default tolerances of drift find, beside those of others.")
    parser.add_argument("--share", type=float, default=1.0, help="how much of the draws")
    share = parser.parse_args().share
    failures: list[str] = []
    print("| rows | what | ours | Evidently | NannyML |\n|---|---|---|---|---|")
    with ProcessPoolExecutor(2) as processes:
        for rows, before, full in SIZES:
            draws = max(2, round(full * share))
            jobs = [processes.submit(one, rows, before, draws) for one in (ours_found, evidently_found, nannyml_found)]
            own, *others = [job.result() for job in jobs]
            print("\n".join(lines(rows, (own, *others))), flush=True)
            failures += broken(rows, own, tuple(others))
    print("\n".join(failures) or "Every promise holds.")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
