"""``evidence-report``: pages from files alone, and one clear line for what is none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from reports.pages.test_joined import GOLDEN
from support.documents import evidence as documents

from mlflow_eval_plugin.evidence import dumps
from mlflow_eval_plugin.report_cli import main
from mlflow_eval_plugin.reports import render, render_diff, render_joined


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{document.kind}.json" for document in GOLDEN]
    for path, document in zip(paths, GOLDEN, strict=True):
        path.write_bytes(dumps(document))
    return paths


def test_one_file_gives_its_page_and_several_the_joined_one(files: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "out.html"
    assert run("page", files[0], "-o", out).exit_code == 0
    assert out.read_text() == render(GOLDEN[0])
    result = run("page", *files, "-o", out)
    assert (result.exit_code, result.output) == (0, f"{out}\n")
    assert out.read_text() == render_joined(GOLDEN)


def test_a_diff_of_two_files(files: list[Path], tmp_path: Path) -> None:
    later, out = tmp_path / "later.json", tmp_path / "out.html"
    later.write_bytes(dumps(documents.drift()))
    assert run("diff", files[2], later, "-o", out).exit_code == 0
    assert out.read_text() == render_diff(GOLDEN[2], documents.drift())


def test_a_page_goes_to_standard_output_for_a_dash(files: list[Path]) -> None:
    assert run("page", files[2], "--output", "-").output == render(GOLDEN[2])


def test_what_is_no_evidence_is_refused_by_name(files: list[Path], tmp_path: Path) -> None:
    cut = tmp_path / "cut.json"
    cut.write_bytes(files[0].read_bytes()[:1000])
    result = run("page", files[0], cut, "-o", tmp_path / "out.html")
    assert result.exit_code == 1 and f"{cut}: Evidence is not readable JSON" in result.output
    changed = tmp_path / "changed.json"
    changed.write_bytes(files[0].read_bytes().replace(b'"insufficient"', b'"pass"', 1).replace(b'"fail"', b'"pass"'))
    result = run("diff", files[0], changed, "-o", tmp_path / "out.html")
    assert result.exit_code == 1 and f"{changed}: Evidence does not match its digest" in result.output
    assert not (tmp_path / "out.html").exists()


def test_two_kinds_are_refused(files: list[Path], tmp_path: Path) -> None:
    result = run("diff", files[0], files[1], "-o", tmp_path / "out.html")
    assert result.exit_code == 1 and "expected two documents of one kind" in result.output


def test_a_page_that_cannot_be_written_is_one_line(files: list[Path], tmp_path: Path) -> None:
    result = run("page", files[0], "-o", tmp_path / "nowhere" / "out.html")
    assert result.exit_code == 1 and result.output.startswith("Error: the page cannot be written: ")


@pytest.mark.parametrize(
    "arguments", [["page", "-o", "out.html"], ["page", "missing.json", "-o", "out.html"], ["diff", "a"], ["draw"]]
)
def test_wrong_usage_is_2(arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2


@pytest.mark.parametrize("arguments", [[], ["page"], ["diff"]])
def test_help_has_an_example(arguments: list[str]) -> None:
    result = run(*arguments, "--help")
    assert result.exit_code == 0 and "evidence-report" in result.output.split("Example")[1]


def test_the_command_starts_without_mlflow_and_pandas() -> None:
    code = (
        "import sys; from mlflow_eval_plugin.report_cli import main; main(['--help'], standalone_mode=False)\n"
        "assert not {'mlflow', 'pandas', 'scipy', 'jinja2'} & {name.split('.')[0] for name in sys.modules}"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
