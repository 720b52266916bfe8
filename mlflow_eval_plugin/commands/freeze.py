"""``evidence freeze``: a baseline of rows, written into a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mlflow_eval_plugin.commands.asking import config_of, data_options, rows_of, told_plainly


@click.command()
@data_options
@click.option("--name", default="baseline", show_default=True, help="The folder in the run.")
@click.option("--register", metavar="VERSION", help="A version such as models:/churn/3, whose baseline it is to be.")
@click.option("--run", "run_id", metavar="ID", help="The run to write to; a new one by default.")
@click.option("--experiment", metavar="NAME", help="The experiment of a new run; else MLflow's own setting.")
def freeze(run_id: str | None, experiment: str | None, **asked: Any) -> None:
    """Write a baseline of data into a run, and print where it is.

    Evaluators take that address where they take a reference; the rows are not needed afterwards.

    \b
    Example:
      evidence freeze --data 'scored/2026-10/*.parquet' --target default --predictions score \\
          --type classifier
    """
    from mlflow_eval_plugin.plugin.run.choosing import in_run

    with told_plainly(), in_run(run_id, experiment):
        click.echo(_frozen(**asked))


def _frozen(
    *,
    data: tuple[str, ...],
    target: str,
    config_file: Path | None,
    evaluators: tuple[str, ...],
    **further: Any,
) -> str:
    from mlflow_eval_plugin.plugin.baseline.freezing import freeze as write

    config = config_of(config_file)
    given = {name: config.get(name, {}) for name in evaluators or config} or None
    return write(rows_of(data), targets=target, evaluator_config=given, **further)
