"""The benchmark against other libraries runs; its numbers are for people."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "bench_statistics.py"


def test_a_small_benchmark_prints_its_table_and_says_which_peers_are_missing() -> None:
    command = [sys.executable, str(SCRIPT), "--scale", "0.0001"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    rows = [line.split(" | ") for line in re.findall(r"^\| (.+) \|$", done.stdout, re.M)[1:]]
    peers = {row[3]: row[4] for row in rows}
    assert len(rows) == 9 and all(float(row[2]) < 30 for row in rows)
    assert float(peers["pandas_pairs"]) > 0 and float(peers["sklearn_auc"]) > 0
    assert not [found for found in peers.values() if found.startswith("failed")]
    for name in ("netcal_ece", "relplot_smooth_ece"):
        assert peers[name].startswith("not installed") or float(peers[name]) >= 0
