"""The import contracts of setup.cfg hold: what stands where it may not is found, and named, wherever it is put.

Both packages are copied; files are added to the copy, one to a folder, the linter runs with the real configuration,
and the files go again. Nothing imports such a file, so that each is named for what it does itself, whatever stands
beside it. The linter only reads: nothing of the copy is ever imported.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("mlflow_eval_plugin", "registry_hooks")
FOLDERS = sorted(
    {str(path.parent.relative_to(ROOT)) for package in PACKAGES for path in (ROOT / package).rglob("*.py")}
)

# Folders whose files stand in a list of floors each: there a new file is an error by itself, whatever it imports.
LISTED = (
    "mlflow_eval_plugin", "mlflow_eval_plugin/engines", "mlflow_eval_plugin/engines/arrow",
    "mlflow_eval_plugin/engines/parts", "mlflow_eval_plugin/engines/spark",
    "mlflow_eval_plugin/evaluators", "mlflow_eval_plugin/plugin", "mlflow_eval_plugin/reports",
    "mlflow_eval_plugin/stats", "registry_hooks", "registry_hooks/app", "registry_hooks/cli", "registry_hooks/client",
    "registry_hooks/desk", "registry_hooks/mlflow_surface", "registry_hooks/rules", "registry_hooks/storage",
)  # fmt: skip

# What a folder may not import beside its upper floors; the first of them is tried in the folders within it too.
FORBIDDEN: dict[str, tuple[str, ...]] = {
    "mlflow_eval_plugin/stats": ("pandas", "pyarrow", "sklearn", "matplotlib", "pydantic", "mlflow"),
    "mlflow_eval_plugin/engines": ("mlflow", "registry_hooks.records"),
    "mlflow_eval_plugin/evaluators": (
        "mlflow", "pandas", "pyarrow", "polars", "duckdb", "pyspark", "numpy", "mlflow_eval_plugin.engines.arrow",
        "mlflow_eval_plugin.engines.parts",
    ),
    "mlflow_eval_plugin/reports": (
        "mlflow", "pandas", "pyarrow", "mlflow_eval_plugin.engines", "mlflow_eval_plugin.stats",
        "mlflow_eval_plugin.evaluators",
    ),
    "mlflow_eval_plugin/plugin": ("pandas", "polars", "pyarrow", "duckdb", "registry_hooks.errors"),
    "registry_hooks/app": ("sqlalchemy", "alembic", "numpy", "registry_hooks.store"),
    "registry_hooks/app/guards": ("sqlalchemy",),
    "registry_hooks/cli": ("sqlalchemy", "flask", "pandas", "registry_hooks.desk"),
    "registry_hooks/cli/commands": ("sqlalchemy", "registry_hooks.desk", "registry_hooks.store"),
    "registry_hooks/client": ("mlflow", "pandas", "numpy", "pydantic", "click", "registry_hooks.records"),
    "registry_hooks/desk": ("sqlalchemy", "alembic", "mlflow", "flask", "mlflow_eval_plugin.stats"),
    "registry_hooks/desk/grounds": ("sqlalchemy", "mlflow"),
    "registry_hooks/mlflow_surface": ("flask", "pandas"),
    "registry_hooks/notify": ("flask", "registry_hooks.desk"),
    "registry_hooks/rules": ("mlflow", "sqlalchemy", "flask", "requests", "time", "os", "registry_hooks.storage"),
    "registry_hooks/rules/approval": ("time", "os", "mlflow"),
    "registry_hooks/rules/governing": ("time", "sqlalchemy"),
    "registry_hooks/rules/grounds": ("time", "sqlalchemy"),
    "registry_hooks/rules/log": ("time", "sqlalchemy"),
    "registry_hooks/storage": ("flask", "pandas", "mlflow_eval_plugin.evaluators", "mlflow_eval_plugin.reports"),
}  # fmt: skip

# Runs in a process of its own, so that the packages are those of the copy: {file: text} in, (exit code, words) out.
LINTING = """
import contextlib, io, json, pathlib, sys
from importlinter import cli

config, *_ = sys.argv[1:]
found = []
for rogues in json.load(sys.stdin):
    for name, text in rogues.items():
        pathlib.Path(name).write_text(text)
    with contextlib.redirect_stdout(io.StringIO()) as said:
        code = cli.lint_imports(config_filename=config, cache_dir="cache", no_logo=True)
    for name in rogues:
        pathlib.Path(name).unlink()
    found.append([code, said.getvalue()])
print(json.dumps(found))
"""


def _cases() -> Iterator[tuple[str, str]]:
    """Folder, and what the file in it imports; nothing where its mere being there is the fault."""
    for folder in FOLDERS:
        doors = ("registry_hooks.cli.group", "registry_hooks.app.startup", "mlflow_eval_plugin.commands.group")
        upper = [each for each in doors if not each.replace(".", "/").startswith(folder + "/")]
        yield folder, upper[0] if folder.startswith("registry_hooks") else upper[-1]
        within = [FORBIDDEN[str(each)][:1] for each in Path(folder).parents if str(each) in FORBIDDEN]
        yield from ((folder, each) for each in FORBIDDEN.get(folder, within[0] if within else ()))
        if folder in LISTED:
            yield folder, ""


CASES = tuple(_cases())


def _rounds() -> list[dict[str, str]]:
    """What the file in each folder imports, round by round: every case once, at most one file in a folder."""
    of_folder = {folder: [module for each, module in CASES if each == folder] for folder in FOLDERS}
    rounds = zip_longest(*of_folder.values())
    return [
        {folder: module for folder, module in zip(of_folder, modules, strict=True) if module is not None}
        for modules in rounds
    ]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], tuple[int, str]]:
    """What the linter says of the copy with each case's file, and of the copy as it is under ("", "")."""
    copy = tmp_path_factory.mktemp("copy")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
    rounds = _rounds()
    files: list[dict[str, str]] = [{}]
    files += [
        {f"{at}/rogue.py": f"import {module}\n" if module else "" for at, module in each.items()} for each in rounds
    ]
    done = subprocess.run(
        [sys.executable, "-c", LINTING, str(ROOT / "setup.cfg")],
        cwd=copy, env={"PYTHONPATH": str(copy), "COLUMNS": "1000"}, input=json.dumps(files), text=True,
        capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    asked = [{"": ""}, *rounds]
    return {
        case: (code, words)
        for cases, (code, words) in zip(asked, json.loads(done.stdout), strict=True)
        for case in cases.items()
    }


def test_the_copy_passes_as_it_is(found: dict[tuple[str, str], tuple[int, str]]) -> None:
    code, words = found["", ""]
    assert code == 0, words
    assert " 0 broken" in words


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}-{case[1] or 'empty'}")
def test_a_file_where_it_may_not_be_is_named(
    found: dict[tuple[str, str], tuple[int, str]], case: tuple[str, str]
) -> None:
    code, words = found[case]
    assert code == 1, words
    _kept, broken = words.split("Broken contracts")
    assert f"{case[0].replace('/', '.')}.rogue" in broken


def test_every_floor_has_its_case() -> None:
    assert set(FORBIDDEN) | set(LISTED) <= set(FOLDERS)
    assert {folder for folder, _module in CASES} == set(FOLDERS)
