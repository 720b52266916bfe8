"""What is published is whole: the sdist has all that its tests read, and the wheel every module and its data."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOT_SOURCE = shutil.ignore_patterns(
    ".git", ".venv*", ".*_cache", ".hypothesis", "__pycache__", "*.egg-info", "build", "dist", "demo", "mlruns", "*.db",
)  # fmt: skip
PACKAGES = ("mlflow_eval_plugin", "registry_hooks")
FOLDERS = (*PACKAGES, ".ci", "benchmarks", "docs", "examples", "tests", "tools")
FILES = (
    *("CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "README.md", "SECURITY.md"),
    *("MANIFEST.in", "Makefile", "pyproject.toml", "ruff.toml", "setup.cfg"),
)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tree: setuptools leaves its notes beside what it builds, and reads those of before."""
    copy = tmp_path_factory.mktemp("packaging") / "source"
    shutil.copytree(ROOT, copy, ignore=NOT_SOURCE)
    return copy


@pytest.fixture(scope="module")
def built(source: Path) -> Path:
    """The folder of the sdist, and of the wheel that is made from it."""
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(source.parent / "dist"), str(source)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return source.parent / "dist"


def found(source: Path, folders: tuple[str, ...]) -> set[str]:
    files = (path for folder in folders for path in (source / folder).rglob("*") if path.is_file())
    return {path.relative_to(source).as_posix() for path in files}


def test_the_sdist_holds_documents_examples_and_tests(source: Path, built: Path):
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        held = {name.partition("/")[2] for name in opened.getnames()}
    wanted = found(source, FOLDERS) | set(FILES)
    assert {"docs/images/joined-report.png", "tests/golden/drift-v1.json", "examples/policy.yaml"} <= wanted
    assert wanted - held == set()
    assert not {name for name in held if re.search(r"\.pyc$|(^|/)(\.venv|\.git|demo)(/|$)", name)}


def test_the_wheel_holds_every_module_and_its_data_and_nothing_else(source: Path, built: Path):
    (archive,) = built.glob("*.whl")
    with zipfile.ZipFile(archive) as opened:
        held = {name for name in opened.namelist() if ".dist-info/" not in name}
    assert held == found(source, PACKAGES)


def metadata(built: Path) -> Message:
    (archive,) = built.glob("*.whl")
    with zipfile.ZipFile(archive) as opened:
        (name,) = (name for name in opened.namelist() if name.endswith(".dist-info/METADATA"))
        return HeaderParser().parsestr(opened.read(name).decode())


def test_the_metadata_says_who_and_where(built: Path):
    told = metadata(built)
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    home = settings["metadata"]["url"]
    assert home.startswith("https://") and told["Author"] and told["License"] == "Apache-2.0"
    urls = dict(line.split(", ", 1) for line in told.get_all("Project-URL") or [])
    assert {"Documentation", "Changelog", "Issues"} <= set(urls) and all(url.startswith(home) for url in urls.values())


def test_the_package_index_would_take_them(built: Path):
    files = [str(path) for path in built.iterdir()]
    done = subprocess.run([sys.executable, "-m", "twine", "check", "--strict", *files], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.count("PASSED") == len(files) == 2, done.stdout + done.stderr
