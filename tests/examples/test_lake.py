"""``examples/lake.py``: a month of Parquet, a baseline without its rows, and the day of the bug."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from support.serving import clean_environment

EXAMPLE = Path(__file__).parents[2] / "examples" / "lake.py"


def test_the_day_of_the_planted_bug_is_named(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLE), "--folder", str(tmp_path / "lake")],
        capture_output=True, text=True, check=False, env=clean_environment(tmp_path),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lake = tmp_path / "lake" / "scored"
    assert list((lake / "2026-10").iterdir()) == []
    assert len(list((lake / "2026-11").glob("*.parquet"))) == 30
    said = done.stdout.splitlines()
    assert "November: 30 days, 45,000 rows, verdict fail." in said
    dates = [line for line in said if " changed on " in line]
    assert dates == ["amount changed on 2026-11-19 (with confidence 2026-11-19 to 2026-11-19), by new_share."]
