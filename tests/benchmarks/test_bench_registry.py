"""The registry's benchmark, small: every cell of its tables is filled by calls that succeeded."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.serving import clean_environment

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "bench_registry.py"


@pytest.mark.early
@pytest.mark.timeout(300)
def test_its_tables_are_filled(tmp_path):
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--calls", "6", "--models", "2", "--runs", "1", "--workers", "1"],
        env=clean_environment(tmp_path), cwd=tmp_path, capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    for name, cells in (("promote", 6), ("rollback", 6), ("registry-hooks --help", 3), ("registry-hooks rollback", 3)):
        (row,) = re.findall(rf"^\| {re.escape(name)} \|(.*)\|$", done.stdout, re.MULTILINE)
        numbers = [float(cell) for cell in row.split("|")]
        assert len(numbers) == cells and all(number > 0 for number in numbers)
