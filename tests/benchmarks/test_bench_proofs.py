"""The benchmark of proofs, small: every cell of its tables is filled."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.serving import clean_environment

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "bench_proofs.py"
ROWS = {
    "sqlite: proof of one entry": 5,
    "sqlite: proof of growth": 5,
    "sqlite: checkpoint": 5,
    "sqlite: copied as static files": 2,
    "sqlite: copied again, nothing new": 2,
    "sqlite: an entry with and without signing": 4,
}


@pytest.mark.long
@pytest.mark.timeout(300)
def test_its_tables_are_filled(tmp_path):
    small = ["--entries", "600", "--calls", "4", "--turns", "20", "--databases", "sqlite"]
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *small],
        env=clean_environment(tmp_path), cwd=tmp_path, capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    for name, cells in ROWS.items():
        (row,) = re.findall(rf"^\| {re.escape(name)} \|(.*)\|$", done.stdout, re.MULTILINE)
        numbers = [float(cell) for cell in row.split("|")]
        assert len(numbers) == cells and all(number > 0 for number in numbers), row
