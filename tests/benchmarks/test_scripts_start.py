"""Every script of ``benchmarks/`` starts as a person starts it: by its path, with the package installed elsewhere."""

import subprocess
import sys
from pathlib import Path

import pytest
from support.serving import clean_environment

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SCRIPTS = sorted([*BENCHMARKS.glob("bench_*.py"), *BENCHMARKS.glob("soak_*.py")])
# What an editable install does: its finder comes after the path, on which a folder of tests has the package's name.
START = """
import runpy, sys
from importlib.machinery import PathFinder

root, script = sys.argv[1:]
class Installed:
    @staticmethod
    def find_spec(name, path=None, target=None):
        return PathFinder.find_spec(name, [root]) if path is None else None
sys.meta_path.append(Installed)
sys.argv = [script]
sys.path[0] = script.rsplit("/", 1)[0]
runpy.run_path(script, run_name="started")
"""


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_a_script_finds_what_it_imports(script, tmp_path):
    env = {name: value for name, value in clean_environment(tmp_path).items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", START, str(script.parents[1]), str(script)],
        env=env, cwd=tmp_path, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
