"""``evidence evaluate``: one evaluation of files, whose verdict is the exit code."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Any

import click

from mlflow_eval_plugin.commands.asking import asked_of, data_options, told_plainly
from mlflow_eval_plugin.verdicts import Verdict

if TYPE_CHECKING:
    from mlflow_eval_plugin.plugin.evaluate import Done

EXITS: dict[Verdict, int] = {"pass": 0, "fail": 1, "insufficient": 3}


@click.command()
@data_options
@click.option("--run", "run_id", metavar="ID", help="The run to log to; a new one by default.")
@click.option("--experiment", metavar="NAME", help="The experiment of a new run; else MLflow's own setting.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
def evaluate(run_id: str | None, experiment: str | None, as_json: bool, **asked: Any) -> None:
    """Evaluate data, and log Evidence, report and metrics to a run.

    What is evaluated and logged is what `mlflow.models.evaluate` does with these evaluators.

    Exit codes: 0 pass; 1 fail; 3 insufficient evidence; 2 wrong usage, or data that cannot be evaluated; 130
    interrupted, and the run KILLED.

    \b
    Example:
      evidence evaluate --data 'scored/*.parquet' --target default --predictions score \\
          --type classifier --config eval.yaml
    """
    from mlflow_eval_plugin.plugin.evaluate import run
    from mlflow_eval_plugin.plugin.run.choosing import in_run

    if run_id and experiment:
        raise click.UsageError("--run has an experiment already: give --run or --experiment, not both.")
    with told_plainly(), _quiet(as_json), in_run(run_id, experiment):
        done = run(*asked_of(**asked))
    outcome = _outcome(done)
    if as_json:
        click.echo(json.dumps(outcome, indent=2))
    raise SystemExit(EXITS[outcome["verdict"]])


@contextmanager
def _quiet(as_json: bool) -> Iterator[None]:
    """With JSON on standard output, whatever else is told goes to standard error."""
    if not as_json:
        yield
        return
    with redirect_stdout(sys.stderr):
        yield


def _outcome(done: Done) -> dict[str, Any]:
    """Verdicts, and where everything is."""
    call, found = done.call, done.result.artifacts
    each = {
        kind: {
            "verdict": one.verdict,
            "checks": {verdict: sum(check.verdict == verdict for check in one.checks) for verdict in EXITS},
            "digest": one.digest,
            "evidence": found[f"{call.configs[kind].metric_prefix}{kind}_evidence"].uri,
        }
        for kind, one in call.evidence.items()
    }
    return {
        "verdict": done.verdict,
        "run_id": call.request.run_id,
        "rows": next(iter(call.evidence.values())).data.rows,
        "evidence": each,
        "not_judged": dict(call.not_judged),
    }
