"""The packages keep to their measures: rooms, files and functions that are read in one go."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("mlflow_eval_plugin", "registry_hooks")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
FOLDERS = sorted({path.parent for path in [*MODULES, *(ROOT / "tests").rglob("*.py")]})
TASKS = ("binary", "multiclass", "regression")


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("folder", FOLDERS, ids=name_of)
def test_a_folder_has_at_most_fifteen_modules(folder: Path) -> None:
    assert len(list(folder.glob("*.py"))) <= 15
    assert folder.name not in ("utils", "util", "common", "helpers", "misc")


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_a_file_has_at_most_400_lines_and_a_function_40(module: Path) -> None:
    text = module.read_text()
    assert len(text.splitlines()) <= 400
    assert [name for name, lines in functions(ast.parse(text)) if lines > 40] == []


def functions(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Every function with its lines, from ``def`` to its end."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
            yield node.name, node.end_lineno - node.lineno + 1


def test_statistics_have_at_most_twelve_rooms_and_modules_at_the_top() -> None:
    entries = [path for path in (ROOT / "mlflow_eval_plugin" / "stats").iterdir() if path.name != "__pycache__"]
    assert len(entries) <= 12


def test_a_type_of_arrays_has_one_home() -> None:
    homes: dict[str, set[str]] = {}
    for path in MODULES:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.value).startswith("NDArray["):
                homes.setdefault(ast.unparse(node.targets[0]), set()).add(name_of(path))
    assert "FloatArray" in homes
    assert {name: sorted(at) for name, at in homes.items() if len(at) > 1} == {}


# What each task has, by the same name under each: a new task is a folder with these.
@pytest.mark.parametrize(
    ("floor", "ideas"),
    [
        ("stats", {"summary", "metrics", "disaggregated", "paired", "comparison"}),
        ("engines/arrow", {"rows", "errors", "paired", "slices", "scores"}),
        ("evaluators", {"rows", "calibration", "disaggregated", "comparison"}),
        ("plugin", {"rows", "champion"}),
    ],
)
def test_an_idea_has_the_same_name_under_each_task(floor: str, ideas: set[str]) -> None:
    for task in TASKS:
        folder = ROOT / "mlflow_eval_plugin" / floor / task
        assert ideas <= {path.stem for path in folder.iterdir()}, folder
