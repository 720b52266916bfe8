"""``evidence plan``: what an evaluation takes, from its first pass alone."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from mlflow_eval_plugin.commands.asking import asked_of, data_options, told_plainly

if TYPE_CHECKING:
    from mlflow_eval_plugin.plugin.parted_calls.planning import Plan


@click.command()
@data_options
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
def plan(as_json: bool, **asked: Any) -> None:
    """Read data once, and say what an evaluation of them takes.

    Kinds of columns, levels of slices, passes, memory and time; no run is made.

    \b
    Example:
      evidence plan --data 'scored/*.parquet' --target default --predictions score \\
          --type classifier --config eval.yaml
    """
    from mlflow_eval_plugin.plugin.evaluate import survey

    with told_plainly():
        found = survey(*asked_of(**asked))
    click.echo(json.dumps(asdict(found), indent=2) if as_json else "\n".join(_lines(found)))


def _lines(found: Plan) -> list[str]:
    lines = [f"{found.rows:,} rows, {found.digest}"]
    for one in found.columns:
        ends = "" if one.lowest is None else f", {one.lowest} to {one.highest}"
        missing = found.rows - one.present
        lines.append(f"  {one.name}: {one.kind}{ends}" + (f", {missing:,} missing" if missing else ""))
    for kind, columns in found.slices.items():
        if columns:
            lines.append(f"{kind} slices by " + ", ".join(f"{name} ({n:,} levels)" for name, n in columns.items()))
    lines.append(
        f"Passes: {found.passes}, of about {found.seconds:,.1f} s each, and {found.peak_mebibytes:,} MiB at the peak."
    )
    return lines
