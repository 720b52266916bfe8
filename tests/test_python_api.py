"""The Python API of Evidence: what it names, what importing it takes, and the examples of its page."""

from __future__ import annotations

import doctest
import inspect
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.serving import clean_environment

import mlflow_eval_plugin

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "api-evidence.md").read_text()


def test_everything_that_it_names_is_there_documented_and_on_its_page() -> None:
    for name in mlflow_eval_plugin.__all__:
        assert inspect.getdoc(getattr(mlflow_eval_plugin, name)), name
        assert re.search(rf"\b{name}\b", PAGE), name
    assert set(mlflow_eval_plugin.__all__) <= set(dir(mlflow_eval_plugin))
    with pytest.raises(AttributeError, match="no attribute 'renders'"):
        _ = mlflow_eval_plugin.renders


def test_importing_it_imports_nothing_until_it_is_used(tmp_path: Path) -> None:
    program = (
        "import sys, mlflow_eval_plugin\n"
        "assert not {'mlflow', 'pandas', 'numpy', 'pydantic'} & sys.modules.keys()\n"
        "from mlflow_eval_plugin import load\n"
        "assert not {'mlflow', 'pandas', 'numpy', 'matplotlib'} & sys.modules.keys()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=clean_environment(tmp_path), cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_the_examples_of_its_page_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for month in ("march", "april"):
        (tmp_path / month).mkdir()
        shutil.copy(ROOT / "tests" / "golden" / "calibration-v1.json", tmp_path / month / "calibration.json")
    told: list[str] = []
    runner = doctest.DocTestRunner(verbose=False)
    blocks = "\n".join(re.findall(r"```pycon\n(.*?)```", PAGE, re.DOTALL))
    runner.run(doctest.DocTestParser().get_doctest(blocks, {}, "docs/api-evidence.md", None, 0), out=told.append)
    assert runner.summarize(verbose=False).attempted > 10
    assert not told, "".join(told)
