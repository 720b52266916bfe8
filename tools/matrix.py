"""Run the contract on the oldest and the newest MLflow that setup.cfg admits, on several Pythons: `make test-matrix`.

At the end the tests of Spark run on Spark Connect and on Spark 3.5.

Each combination has an environment of its own, ``.venv-matrix/<python>-<mlflow>``, made by this script. Needs nothing
but a Python; other interpreters are looked for on PATH, then among pyenv's. ``PYTHONS`` names others, by name or path.
"""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENTS = ROOT / ".venv-matrix"
PYTHONS = ("python3.10", "python3.13")
TESTS = (
    "tests/contract",
    "tests/registry_hooks/desk/test_desk.py",
    "tests/registry_hooks/app/test_identity.py",
    "tests/registry_hooks/mlflow_surface/test_releases.py",
    "tests/plugin/test_calls.py",
    "tests/plugin/test_asking.py",
)
SPARK_TESTS = ("tests/engines/spark", "tests/plugin/sources/test_spark.py")
# How each is asked for, and what is installed for it; `make test` runs the newest as a classic session.
SPARKS = {"Spark Connect": ("connect", None), "Spark 3.5": ("classic", "pyspark[connect]>=3.5,<3.6")}
VERSION = "import sys; print('%d.%d' % sys.version_info[:2])"


def admitted() -> tuple[str, str]:
    """The oldest and the newest minor release of MLflow that setup.cfg admits."""
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    bounds = re.search(r"^mlflow\[auth\]>=3\.(\d+),<3\.(\d+)$", settings["options"]["install_requires"], re.MULTILINE)
    if bounds is None:
        raise SystemExit("setup.cfg has no line mlflow[auth]>=3.x,<3.y")
    return f"3.{bounds[1]}", f"3.{int(bounds[2]) - 1}"


def interpreter(wanted: str) -> str:
    """The path of an interpreter that runs, and its own `venv`."""
    for candidate in _candidates(wanted):
        # pyenv's shims exist for versions that are not active, and then only say so.
        if subprocess.run([candidate, "-c", "import venv"], capture_output=True).returncode == 0:
            return candidate
    raise SystemExit(
        f"there is no {wanted} on PATH, nor among pyenv's: install it (pyenv install {wanted.removeprefix('python')}), "
        "or say which interpreters to use: make test-matrix PYTHONS='/path/to/python3.10 python3.12'"
    )


def _candidates(wanted: str) -> Iterator[str]:
    found = shutil.which(wanted)
    if found:
        yield found
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for home in sorted(pyenv.glob(f"versions/{wanted.removeprefix('python')}*"), reverse=True):
        yield str(home / "bin" / "python")


def environment(python: str, mlflow: str) -> Path:
    """The environment of one combination, made or brought up to date; returns its Python."""
    version = subprocess.run([python, "-c", VERSION], check=True, capture_output=True, text=True).stdout.strip()
    home = ENVIRONMENTS / f"{version}-{mlflow}"
    inside = home / "bin" / "python"
    if not inside.exists():
        subprocess.run([python, "-m", "venv", str(home)], check=True)
    made = home / ".made-from"
    settings = (ROOT / "setup.cfg").read_text()
    if not made.exists() or made.read_text() != settings:
        print(f"== installing into {home.relative_to(ROOT)}", flush=True)
        pip = [str(inside), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "-e", f"{ROOT}[test]", f"mlflow[auth]=={mlflow}.*"], check=True)
        made.write_text(settings)
    return inside


def sparks(python: str, mlflow: str) -> list[str]:
    """Run the tests of Spark on the kinds of it that `make test` does not; returns those that failed."""
    failed = []
    for name, (kind, wanted) in SPARKS.items():
        inside = environment(python, mlflow)
        if wanted is not None:
            pip = [str(inside), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, wanted], check=True)
            (inside.parent.parent / ".made-from").unlink()  # the next run installs what setup.cfg says
        print(f"== {name}", flush=True)
        env = {**os.environ, "SPARK_KIND": kind}
        if subprocess.run([str(inside), "-m", "pytest", *SPARK_TESTS], cwd=ROOT, env=env).returncode:
            failed.append(name)
    return failed


def main() -> int:
    """Run every combination, also after one has failed; returns the number of those that failed."""
    pythons = [interpreter(wanted) for wanted in os.environ.get("PYTHONS", "").split() or PYTHONS]
    failed = []
    for mlflow in admitted():
        for python in pythons:
            inside = environment(python, mlflow)
            print(f"== {inside.parent.parent.name}", flush=True)
            done = subprocess.run([str(inside), "-m", "pytest", "-n", "2", "--dist", "loadfile", *TESTS], cwd=ROOT)
            if done.returncode:
                failed.append(inside.parent.parent.name)
    failed += sparks(interpreter("python3.11"), admitted()[1])
    print(f"failed: {', '.join(failed)}" if failed else "every combination passed")
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
