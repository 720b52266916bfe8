"""The benchmark at size, small: its made-up registry is a sound one, and every cell of its tables is filled."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.serving import clean_environment

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "bench_scale.py"
ROWS = {
    "sqlite: status MODEL / get_registered_model": 7,
    "sqlite: plan / get_registered_model": 7,
    "sqlite: rollback / alias flip": 7,
    "sqlite: audit verify, 601 entries": 3,
    "sqlite: history --at, 601 entries": 3,
    "sqlite: status of every model, 601 entries": 3,
    "sqlite: registry-hooks status MODEL": 2,
    "sqlite: registry-hooks history MODEL": 2,
}


@pytest.mark.long
@pytest.mark.timeout(300)
def test_its_tables_are_filled(tmp_path):
    small = ["--models", "6", "--calls", "8", "--runs", "1", "--starts", "1", "--workers", "1", "--writers", "1"]
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *small, "--seconds", "0.5", "--databases", "sqlite"],
        env=clean_environment(tmp_path), cwd=tmp_path, capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    for name, cells in ROWS.items():
        (row,) = re.findall(rf"^\| {re.escape(name)} \|(.*)\|$", done.stdout, re.MULTILINE)
        numbers = [float(cell) for cell in row.split("|")]
        assert len(numbers) == cells
        # A look back over so few entries is no hundredth of a second.
        assert all(number > 0 or (number == 0 and "entries" in name) for number in numbers), row
    assert re.search(r"^\| sqlite \| 1 \| \d+ \| - \|$", done.stdout, re.MULTILINE)
