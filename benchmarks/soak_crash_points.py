"""End a process at every single statement and commit of every kind of unit of work, on SQLite, PostgreSQL, MariaDB."""

import os
import sys
from pathlib import Path

import pytest

if __name__ == "__main__":
    os.environ["REGISTRY_HOOKS_EVERY_CRASH_POINT"] = "1"
    tests = Path(__file__).parents[1] / "tests/registry_hooks/storage/test_crash_points.py"
    sys.exit(pytest.main([str(tests), "--timeout=3600", "--durations=3"]))
