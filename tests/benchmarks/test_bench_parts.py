"""The benchmark of rows in parts counts all rows and slices, and says what it took."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "bench_parts.py"


def test_all_rows_of_all_files_are_counted(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--rows", "30000", "--files", "3", "--keep", str(tmp_path / "files")],
        capture_output=True, text=True, timeout=300, check=True,
    )  # fmt: skip
    said = dict(line.split(maxsplit=1) for line in done.stdout.strip().splitlines())
    assert (said["rows"], said["slices"]) == ("30,000.0", "401.0")
    assert float(said["cpu_s"]) > 0
    assert len(list((tmp_path / "files").glob("*.parquet"))) == 3
