"""The benchmark runs; its numbers are for people."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_search_finds_what_sliceline_finds_in_a_tenth_of_its_time_and_memory() -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "bench_slices.py"), "--rows", "5000", "--columns", "13"]
    done = subprocess.run([*command, "--min-support", "150"], capture_output=True, text=True, check=True, timeout=300)
    rows = dict(re.findall(r"^\| (.+?) \| (.+?) \|$", done.stdout, re.M))
    assert rows["the same slices"] == "yes"
    ratios = [float(part) for part in re.findall(r"[\d.]+(?= of)", rows["ours to sliceline"])]
    assert len(ratios) == 2 and max(ratios) < 0.1


def test_a_small_benchmark_prints_its_table() -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "bench_evaluators.py"), "--rows", "5000"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    rows = dict(re.findall(r"^\| (.+?) \| (.+?) \|$", done.stdout, re.M))
    assert float(rows["three evaluators, beyond scoring"].split()[0]) < 30
    assert "MLflow's default evaluator" in rows and "peak extra memory" in rows
