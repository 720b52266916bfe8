"""The ``evidence-report`` command: pages of Evidence files, without a run, a server or the data."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

if TYPE_CHECKING:
    from mlflow_eval_plugin.evidence import Evidence

_EXISTING = click.Path(exists=True, dir_okay=False, path_type=Path)
_OUTPUT = click.option(
    "-o", "--output", required=True, metavar="OUT.html", help="Where to write the page; - is standard output."
)


OF_TREND = click.option(
    "-o", "--output", required=True, metavar="OUT.html|OUT.png",
    help="Where to write the page, or the picture where it ends in .png; - is the page on standard output.",
)  # fmt: skip


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mlflow-registry-hooks")
def main() -> None:
    """Pages of Evidence documents: one file each, which needs no network.

    Exit codes: 0 written; 1 a file is not Evidence, or the page cannot be drawn or written; 2 wrong usage.

    \b
    Examples:
      evidence-report page evidence/calibration.json -o calibration.html
      evidence-report page evidence/*.json -o report.html
      evidence-report diff march/drift.json april/drift.json -o drift.html
      evidence-report trend march/drift.json april/drift.json may/drift.json -o drift.html
    """


@main.command()
@click.argument("files", nargs=-1, required=True, type=_EXISTING, metavar="FILE...")
@_OUTPUT
def page(files: tuple[Path, ...], output: str) -> None:
    """Write the page of FILE, or one page that joins several.

    \b
    Examples:
      evidence-report page evidence/calibration.json -o calibration.html
      evidence-report page evidence/*.json -o report.html
    """
    from mlflow_eval_plugin.reports import render_joined

    write(render_joined([_read(file) for file in files]).encode(), output)


@main.command()
@click.argument("before", type=_EXISTING)
@click.argument("after", type=_EXISTING)
@_OUTPUT
def diff(before: Path, after: Path, output: str) -> None:
    """Write a page of what changed from BEFORE to AFTER.

    Both are documents of one kind.

    \b
    Example:
      evidence-report diff march/drift.json april/drift.json -o drift.html
    """
    from mlflow_eval_plugin.canonical import EvidenceError
    from mlflow_eval_plugin.reports import render_diff

    documents = _read(before), _read(after)
    try:
        text = render_diff(*documents)
    except EvidenceError as error:
        _refuse(f"{before} and {after}: {error}")
    write(text.encode(), output)


@main.command()
@click.argument("files", nargs=-1, required=True, type=_EXISTING, metavar="FILE FILE...")
@OF_TREND
def trend(files: tuple[Path, ...], output: str) -> None:
    """Write a page, or a picture, of every Check over time.

    FILEs are documents of one kind.

    \b
    Examples:
      evidence-report trend march/drift.json april/drift.json may/drift.json -o drift.html
      evidence-report trend */calibration.json -o calibration.png
    """
    from mlflow_eval_plugin.canonical import EvidenceError

    documents = [_read(file) for file in files]
    try:
        content = drawn_trend(documents, output)
    except EvidenceError as error:
        _refuse(f"{', '.join(map(str, files))}: {error}")
    write(content, output)


def drawn_trend(documents: Sequence[Evidence], output: str) -> bytes:
    """The page of a trend, or its picture where the name of the file says so.

    Raises:
        EvidenceError: for documents of several kinds or tasks.
    """
    if output.lower().endswith(".png"):
        from mlflow_eval_plugin.reports.png.trend import trend_figure

        return trend_figure(documents)
    from mlflow_eval_plugin.reports import render_trend

    return render_trend(documents).encode()


def _read(file: Path) -> Evidence:
    from mlflow_eval_plugin.canonical import EvidenceError
    from mlflow_eval_plugin.evidence import load

    try:
        return load(file)
    except EvidenceError as error:
        _refuse(str(error))
    except OSError as error:
        _refuse(f"{file}: {error}")


def write(content: bytes, output: str) -> None:
    """Write a page to a file, whose name is told, or to standard output.

    Raises:
        ClickException: when it cannot be written.
    """
    if output == "-":
        sys.stdout.buffer.write(content)
        return
    try:
        Path(output).write_bytes(content)
    except OSError as error:
        _refuse(f"the page cannot be written: {error}")
    click.echo(output)


def _refuse(message: str) -> NoReturn:
    raise click.ClickException(message)
