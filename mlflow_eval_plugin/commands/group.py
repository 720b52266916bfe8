"""The command and its parts; whatever computes is imported when a part is run."""

from __future__ import annotations

import click

from mlflow_eval_plugin.commands.evaluate import evaluate
from mlflow_eval_plugin.commands.freeze import freeze
from mlflow_eval_plugin.commands.plan import plan
from mlflow_eval_plugin.commands.trend import trend


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mlflow-registry-hooks")
def main() -> None:
    """Evidence of a model from its scored rows: files, folders, URLs and Delta tables of any size.

    The tracking server is MLFLOW_TRACKING_URI, the experiment MLFLOW_EXPERIMENT_NAME, as for MLflow itself.

    Exit codes: 0 pass; 1 fail; 3 insufficient evidence; 2 wrong usage, or data that cannot be evaluated.

    \b
    Examples:
      evidence evaluate --data 'scored/*.parquet' --target default --predictions score --type classifier
      evidence trend --experiment scoring --kind drift -o drift.html
    """


main.add_command(evaluate)
main.add_command(freeze)
main.add_command(plan)
main.add_command(trend)
