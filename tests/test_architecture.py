"""The map is true: what it names is there, it names every room, and its worked examples work."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from support.serving import clean_environment
from test_packaging import NOT_SOURCE

from mlflow_eval_plugin.evidence import KNOWN_TASKS

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text()
PACKAGES = [ROOT / "mlflow_eval_plugin", ROOT / "registry_hooks"]
HOMES = [ROOT, *PACKAGES, *(room for package in PACKAGES for room in package.iterdir() if room.is_dir())]
EXAMPLES = dict(re.findall(r"^## Worked example: (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
MADE = set(re.findall(r"^   \+\+\+ (\S+)$", PAGE, re.MULTILINE))  # some of these are new


def test_there_is_an_example_of_a_statistic_a_route_and_a_key():
    assert [name.split()[-1] for name in EXAMPLES] == ["statistic", "route", "policy"]


def test_every_path_that_is_named_is_there():
    of_all_tasks = [PAGE.replace("<task>", task) for task in KNOWN_TASKS]
    named = set(re.findall(r"`([\w.-]+/[\w./-]*|\w+\.py)`", "\n".join(of_all_tasks))) - MADE
    assert len(named) > 40
    assert {name for name in named if not any((home / name).exists() for home in HOMES)} == set()


def test_every_name_that_is_said_to_be_of_a_file_is_in_it():
    named = re.findall(r"`([\w.]+)` (?:of|in) `([\w./]+\.py)`", PAGE)
    assert len(named) > 8
    for name, path in named:
        texts = [(home / path).read_text() for home in HOMES if (home / path).exists()]
        word = re.escape(name.rpartition(".")[2])
        assert any(re.search(rf"^(class |    def |def )?{word}\b", text, re.MULTILINE) for text in texts), (name, path)


@pytest.mark.parametrize("package", ["mlflow_eval_plugin", "registry_hooks"])
def test_every_room_is_on_the_map(package):
    floors = PAGE.partition("\n## Floors\n")[2].partition("\n## ")[0]
    rooms = {
        path.name for path in (ROOT / package).iterdir() if (path / "__init__.py").exists() or path.suffix == ".py"
    }
    assert {room for room in rooms - {"__init__.py"} if room not in floors} == set()


def make(text: str, home: Path) -> None:
    """Make the changes of an example in ``home``: what stands in the lines without a mark is looked for, once."""
    for block in re.findall(r"^   ```diff\n(.*?)^   ```$", text, re.MULTILINE | re.DOTALL):
        for name, hunks in re.findall(r"^\+\+\+ (\S+)\n(.*?)(?=^\+\+\+ |\Z)", textwrap.dedent(block), re.M | re.S):
            file = home / name
            content = file.read_text() if file.exists() else ""
            for hunk in hunks.split("@@\n"):
                lines = hunk.splitlines(keepends=True)
                before = "".join(line[1:] for line in lines if line[0] in " -")
                after = "".join(line[1:] for line in lines if line[0] in " +")
                if any(line[0] == "-" for line in lines) or name.endswith(".md"):
                    before, after = before.rstrip("\n"), after.rstrip("\n")  # of a long line its beginning will do
                assert before in content, f"{name} has no\n{before}"
                content = content.replace(before, after, 1)
            file.write_text(content)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", EXAMPLES)
def test_a_worked_example_works(name: str, tmp_path: Path):
    home = tmp_path / "house"
    shutil.copytree(ROOT, home, ignore=NOT_SOURCE)
    make(EXAMPLES[name], home)
    env = clean_environment(tmp_path, PYTHONPATH=str(home))
    calls = re.findall(r"^\$ (python|pytest) (.+)$", EXAMPLES[name], re.MULTILINE)
    assert calls
    for program, rest in calls:
        words, _, output = rest.partition(" > ")
        command = [sys.executable, *(["-m", "pytest", "-n0"] if program == "pytest" else []), *shlex.split(words)]
        done = subprocess.run(command, cwd=home, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
        if output:
            (home / output).write_text(done.stdout)
