"""The store and a small model of the pair side by side, for so many steps: ``soak_stateful.py 100000``."""

import os
import sys
from pathlib import Path

import pytest

if __name__ == "__main__":
    os.environ["REGISTRY_HOOKS_STATEFUL_STEPS"] = sys.argv[1] if len(sys.argv) > 1 else "100000"
    tests = Path(__file__).parents[1] / "tests/registry_hooks/desk/test_stateful.py"
    sys.exit(pytest.main([str(tests), "--timeout=0", "--durations=1", "-s"]))
