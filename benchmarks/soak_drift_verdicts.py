"""Drift verdicts of our defaults beside those of Evidently and NannyML, chunk by chunk, on data that NannyML publishes.

    DRIFT_PEERS=.venv-drift-peers/bin/python python benchmarks/soak_drift_verdicts.py [--chunks 3]

Prints a markdown table a data set: by column, in which chunks each of the three says that it drifted, and the largest
distance that we measured. The data come with NannyML, which needs an environment of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import pandas as pd
from soak_drift_defaults import evidently_drifted
from support.simulating_drift import chunk_verdicts

WHERE = "import nannyml; print(nannyml.__path__[0])"


@dataclass(frozen=True)
class Case:
    """A data set: its two files, which columns are no features, and the rows of a chunk."""

    name: str
    before: str
    after: str
    left_out: tuple[str, ...]
    rows: int


CASES = (
    Case("car loan", "synthetic_car_loan_reference.csv", "synthetic_car_loan_analysis.csv",
         ("id", "timestamp", "repaid"), 5_000),
    Case("car loan with bad data", "synthetic_car_loan_dq_reference.csv", "synthetic_car_loan_dq_analysis.csv",
         ("id", "timestamp", "repaid"), 5_000),
    Case("employment in Massachusetts (ACS)", "employment_MA_reference.pq", "employment_MA_analysis.pq",
         ("id", "year", "employed"), 20_000),
    Case("California housing", "california_housing_reference.csv", "california_housing_analysis.csv",
         ("id", "timestamp", "clf_target"), 800),
)  # fmt: skip


def read(folder: Path, name: str, left_out: Iterable[str]) -> pd.DataFrame:
    """The features and predictions of a file."""
    file = folder / name
    frame = pd.read_csv(file) if file.suffix == ".csv" else pd.read_parquet(file)
    frame = frame.drop(columns=[one for one in left_out if one in frame.columns])
    return frame.astype(dict.fromkeys(frame.select_dtypes("category").columns, str))


def nannyml_alerts(python: str, before: pd.DataFrame, after: pd.DataFrame, rows: int) -> list[list[str]]:
    """Of each chunk the columns with an alert."""
    with tempfile.TemporaryDirectory() as folder:
        first, second = (Path(folder) / name for name in ("reference.parquet", "chunks.parquet"))
        before.to_parquet(first)
        after.to_parquet(second)
        script = Path(__file__).with_name("drift_nannyml.py")
        done = subprocess.run(
            [python, str(script), first, second, str(rows)], capture_output=True, text=True, check=True
        )
    found: list[list[str]] = json.loads(done.stdout.splitlines()[-1])
    return found


def said(chunks: Iterable[int], count: int) -> str:
    """``6-10``, ``all``, or an en dash."""
    runs: list[list[int]] = []
    for one in chunks:
        if runs and one == runs[-1][-1] + 1:
            runs[-1].append(one)
        else:
            runs.append([one])
    if runs == [list(range(1, count + 1))]:
        return "all"
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs) or "–"


def table(case: Case, folder: Path, python: str, most: int | None) -> list[str]:
    """The table of a data set."""
    before, after = (read(folder, name, case.left_out) for name in (case.before, case.after))
    count = min(len(after) // case.rows, most or len(after))
    chunks = [after.iloc[at * case.rows : (at + 1) * case.rows] for at in range(count)]
    own = [chunk_verdicts(before, chunk) for chunk in chunks]
    theirs = [{name for name in before.columns if evidently_drifted(before[name], chunk[name])} for chunk in chunks]
    alerts = nannyml_alerts(python, before, after.iloc[: count * case.rows], case.rows)
    out = [
        f"**{case.name}**: {len(before):,} rows of reference, {count} chunks of {case.rows:,}",
        "",
        "| column | largest distance | ours fails | ours cannot tell | Evidently | NannyML |",
        "|---|---|---|---|---|---|",
    ]  # fmt: skip
    for name in before.columns:
        columns = [[at for at, one in enumerate(own, 1) if one[name].verdict == verdict] for verdict in
                   ("fail", "insufficient")]  # fmt: skip
        columns += [[at for at, one in enumerate(found, 1) if name in one] for found in (theirs, alerts)]
        if any(columns):
            far = max((one[name] for one in own), key=lambda one: one.distance)
            cells = [name, f"{far.distance:.3f} {far.unit}", *(said(one, count) for one in columns)]
            out.append(f"| {' | '.join(cells)} |")
    still = [name for name in before.columns if not any(f"| {name} |" in line for line in out)]
    return [*out, "", f"Said by nobody: {', '.join(still) or 'no column'}."]


def main() -> int:
    parser = argparse.ArgumentParser(description="Drift verdicts beside those of Evidently and NannyML.")
    parser.add_argument("--chunks", type=int, help="how many chunks of each data set; all by default")
    most = parser.parse_args().chunks
    python = os.environ.get("DRIFT_PEERS", "")
    if not python or not Path(python).exists():
        print("DRIFT_PEERS names no Python with NannyML, whose data these are: make .venv-drift-peers/.made")
        return 0
    done = subprocess.run([python, "-c", WHERE], capture_output=True, text=True, check=True)
    folder = Path(done.stdout.splitlines()[-1]) / "datasets" / "data"
    for case in CASES:
        print("\n".join(table(case, folder, python, most)), end="\n\n", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
