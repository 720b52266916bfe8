"""``evidence trend``: how the Checks of runs went, from the Evidence in them."""

from __future__ import annotations

import click

from mlflow_eval_plugin.commands.asking import refuse, told_plainly
from mlflow_eval_plugin.report_cli import OF_TREND, drawn_trend, write


@click.command()
@click.argument("runs", nargs=-1, metavar="RUN...")
@click.option("--experiment", metavar="NAME", help="All runs of an experiment that hold Evidence, instead of RUNs.")
@click.option("--kind", metavar="KIND", help="Of which evaluator, such as drift; needed where the runs hold several.")
@OF_TREND
def trend(runs: tuple[str, ...], experiment: str | None, kind: str | None, output: str) -> None:
    """Write a page, or a picture, of every Check of RUNs over time.

    \b
    Examples:
      evidence trend 8d0f1c2b3a4e 4f1c99a0b2d3 --kind drift -o drift.html
      evidence trend --experiment scoring -o calibration.png
    """
    from mlflow_eval_plugin.canonical import EvidenceError

    if bool(runs) == bool(experiment):
        raise click.UsageError("Give RUNs, or --experiment: one of the two.")
    with told_plainly():
        from mlflow_eval_plugin.plugin.run.reading import evidence_of, runs_of

        try:
            documents = evidence_of(runs or runs_of(str(experiment)), kind)
            content = drawn_trend(documents, output)
        except EvidenceError as error:
            refuse(str(error))
    write(content, output)
