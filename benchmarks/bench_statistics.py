"""The statistics against other libraries on the same rows: seconds of both, the ratio, and what is aimed at.

    python benchmarks/bench_statistics.py [--peers PYTHON] [--scale 1.0] [--only NAME]

Prints a markdown table; medians of three, data and imports excluded. Ours is the whole way from the columns of a frame
to estimates with intervals, through the Summary that everything else of a report is made of, too; of AUC, through its
table of ranks alone. Peers run in the
environment PYTHON (that of the variable PEERS, else this one; `make bench` makes one of its own), each in its own
process; one that is not installed is said to be so. ``--scale`` multiplies the numbers of rows.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from peers import GROUPS, LEVELS, SLICES, codes, scored, seconds

from mlflow_eval_plugin.engines.arrow import ranked_slices, score_summary, slice_summary
from mlflow_eval_plugin.engines.slicing import Slicing
from mlflow_eval_plugin.stats.binary.calibration.bin_free import Gaps, smooth_ece
from mlflow_eval_plugin.stats.binary.calibration.bins import calibration_norm, reliability
from mlflow_eval_plugin.stats.binary.calibration.corp import consistency_band, corp_curve
from mlflow_eval_plugin.stats.binary.ranking import auc
from mlflow_eval_plugin.stats.binary.summary import ScoreSummary
from mlflow_eval_plugin.stats.binary.table import SliceTable
from mlflow_eval_plugin.stats.inference.estimate import estimates
from mlflow_eval_plugin.stats.inference.quantities import AucQuantity
from mlflow_eval_plugin.stats.slices.gaps import gap

METRICS = ("accuracy", "precision", "selection_rate", "fpr", "fnr")


@dataclass(frozen=True)
class Line:
    """One comparison.

    Attributes:
        times: by what the peer's seconds are multiplied, since it is given less to do.
        aim: the least ratio aimed at.
    """

    name: str
    peer: str
    rows: int
    ours: Callable[[pd.DataFrame], object]
    aim: float
    times: float = 1.0
    note: str = ""


def _scores(data: pd.DataFrame) -> ScoreSummary:
    return score_summary(data, label="label", score="score")


def _ece(data: pd.DataFrame) -> object:
    return estimates(calibration_norm(reliability(_scores(data), 15), "sum"))


def _smooth_ece(data: pd.DataFrame) -> object:
    return estimates(smooth_ece(Gaps(_scores(data))))


def _diagram(data: pd.DataFrame) -> object:
    summary = _scores(data)
    return reliability(summary).bins(), corp_curve(summary), consistency_band(summary, replicates=200)


def _groups(data: pd.DataFrame) -> object:
    slicing = Slicing(["group"], depth=1, max_levels=GROUPS + 1)
    # No area is asked of anybody.
    table = SliceTable(slice_summary(data, label="label", score="score", slicing=slicing, ranked=False))
    kinds = ("difference", "ratio")
    return [
        (estimates(table.metric(one)), [estimates(gap(table, one, "best", kind, minimum_count=30)) for kind in kinds])
        for one in METRICS
    ]


def _aucs(data: pd.DataFrame) -> float:
    slicing = Slicing(["slice"], depth=1, max_levels=SLICES + 1)
    _, ranks = ranked_slices(data, label="label", score="score", slicing=slicing)
    rows = ranks.totals.astype(np.float64)
    found = auc(ranks.all_entries(), rows)
    made = AucQuantity(found.value, found.standard_error, rows.min(axis=1) - 1, found.bound, ranks.rows, "")
    return max(one.bound for one, n in zip(estimates(made), ranks.rows, strict=True) if n >= 10_000 or n == len(data))


def _pairs(data: pd.DataFrame) -> object:
    names = [f"g{place}" for place in range(len(LEVELS))]
    return slice_summary(data, label="label", score="score", slicing=Slicing(names, depth=2), ranked=False)


TEN, ONE, TENTH = 10_000_000, 1_000_000, 100_000
BANDS = "band of 200 replicates"
LINES = (
    Line("ECE, 15 bins", "netcal_ece", TEN, _ece, 10),
    Line("smooth ECE", "relplot_smooth_ece", TEN, _smooth_ece, 30),
    Line(f"reliability diagram, {BANDS}", "relplot_diagram", TENTH, _diagram, 40),
    Line(f"reliability diagram, {BANDS}", "relplot_diagram", ONE, _diagram, 300),
    Line(f"reliability diagram, {BANDS}", "", TEN, _diagram, 0),
    Line("5 metrics x 52 groups, intervals, gaps", "fairlearn_groups", ONE, _groups, 100),
    Line("the same, peer with 100 replicates", "fairlearn_bootstrap", TENTH, _groups, 1000, 10, "peer: 10, times ten"),
    Line("AUC with interval, 160 slices", "sklearn_auc", TEN, _aucs, 40),
    Line("6 slice columns and their 15 pairs", "pandas_pairs", TEN, _pairs, 20),
)  # fmt: skip


def data_of(rows: int) -> pd.DataFrame:
    """The rows that the peers get, too."""
    score, label = scored(rows)
    columns = {"score": score, "label": label, "group": codes(rows, GROUPS), "slice": codes(rows, SLICES)}
    columns |= {f"g{place}": codes(rows, levels) for place, levels in enumerate(LEVELS)}
    return pd.DataFrame(columns, copy=False)


def of_peer(python: str, line: Line, rows: int) -> float | str:
    """The peer's seconds for the whole, or why there are none."""
    script = Path(__file__).parent / "peers.py"
    done = subprocess.run([python, script, line.peer, str(rows)], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return float(done.stdout.split()[-1]) * line.times
    last = (done.stdout or done.stderr or "ended without a word").strip().splitlines()[-1]
    return last if done.returncode == 3 else f"failed: {last[:80]}"


def compared(line: Line, python: str, scale: float) -> list[str]:
    """The cells of one row of the table."""
    rows = max(int(line.rows * scale), 2000)
    data = data_of(rows)
    ours = seconds(lambda: line.ours(data))
    note = line.note
    if line.ours is _aucs:
        note = f"largest bound of slices of 10,000 rows {_aucs(data):.1e}"
    theirs = of_peer(python, line, rows) if line.peer else "–"
    cells = [line.name, f"{rows:,}", f"{ours:.3f}", line.peer]
    if isinstance(theirs, str):
        return [*cells, theirs, "–", f"{line.aim:g}" if line.aim else "–", note]
    return [*cells, f"{theirs:.2f}", f"{theirs / ours:,.0f}", f"{line.aim:g}", note]


def main() -> None:
    parser = argparse.ArgumentParser(description="The statistics against other libraries.")
    parser.add_argument(
        "--peers", default=os.environ.get("PEERS", sys.executable), help="a Python that has netcal, relplot, fairlearn"
    )
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--only", default="", help="comparisons whose peer or name holds this")
    given = parser.parse_args()
    np.seterr(all="ignore")
    print("| | rows | ours, s | peer | peer, s | ratio | aim | |\n|---|---|---|---|---|---|---|---|")
    for line in LINES:
        if given.only in line.name or given.only in line.peer:
            print(f"| {' | '.join(compared(line, given.peers, given.scale))} |", flush=True)


if __name__ == "__main__":
    main()
