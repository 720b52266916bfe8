"""What commands that read data have in common: their options, the config file, and how a refusal ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

if TYPE_CHECKING:  # what a command needs is imported when it runs, so that --help is quick
    from mlflow_eval_plugin.plugin.evaluate import Asking

WRONG = 2
INTERRUPTED = 130  # as shells have it of SIGINT
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
Command = TypeVar("Command", bound=Callable[..., Any])


def data_options(command: Command) -> Command:
    """The options that say what is evaluated, at what, and how."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


_OPTIONS = (
    click.option(
        "--data", required=True, multiple=True, metavar="PATH",
        help="Parquet files: a path, folder, glob or URL; or a Delta table. May be repeated.",
    ),
    click.option("--target", required=True, metavar="COLUMN", help="The column of labels."),
    click.option("--predictions", metavar="COLUMN", help="The column of predictions; with --model, of its output."),
    click.option("--type", "model_type", required=True, type=click.Choice(["classifier", "regressor"])),
    click.option("--model", metavar="URI", help="A model to ask, where the data hold no predictions."),
    click.option("--config", "config_file", type=_FILE, help="The keys of each evaluator, as YAML."),
    click.option(
        "--evaluator", "evaluators", multiple=True, metavar="NAME",
        help="calibration, disaggregated, drift or comparison; may be repeated. By default those of the config.",
    ),
)  # fmt: skip


def config_of(file: Path | None) -> Mapping[str, Any]:
    """The config of the evaluators, by name, from a file of YAML or JSON.

    Raises:
        ClickException: names the file, and where it is no mapping.
    """
    if file is None:
        return {}
    import yaml

    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        refuse(f"--config {file}: it cannot be read as YAML ({' '.join(str(error).split())})")
    if not isinstance(found, dict) or not all(one is None or isinstance(one, dict) for one in found.values()):
        expected = "keys by evaluator, such as 'calibration: {max_ece: 0.05}'"
        refuse(f"--config {file}: expected {expected}, found {found!r:.80}")
    return {str(name): one or {} for name, one in found.items()}


def asked_of(
    *,
    data: tuple[str, ...],
    target: str,
    predictions: str | None,
    model_type: str,
    model: str | None,
    config_file: Path | None,
    evaluators: tuple[str, ...],
) -> tuple[str | list[str], Asking]:
    """What the options name: the data, and what is asked of them."""
    from mlflow_eval_plugin.plugin.evaluate import Asking

    config = config_of(config_file)
    named = list(evaluators or config) or None
    chosen = {name: config.get(name, {}) for name in named or ()}
    return rows_of(data), Asking(target, predictions, model, model_type, named, chosen)


def rows_of(data: tuple[str, ...]) -> str | list[str]:
    """A path by itself where one is given."""
    return data[0] if len(data) == 1 else list(data)


def refuse(message: str) -> NoReturn:
    """End as wrong usage ends."""
    raise _Wrong(message)


class _Wrong(click.ClickException):
    exit_code = WRONG


@contextmanager
def told_plainly() -> Iterator[None]:
    """What MLflow or its server says no to, as one message; an interrupt as a line."""
    from mlflow_eval_plugin.plugin.run.choosing import Refusal

    try:
        yield
    except Refusal as error:
        refuse(str(error.message))
    except KeyboardInterrupt as stopped:
        click.echo(f"Interrupted{f': {stopped}' if str(stopped) else ''}.", err=True)
        raise SystemExit(INTERRUPTED) from stopped
