"""The run that a command logs to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import mlflow
from mlflow.exceptions import MlflowException

Refusal = MlflowException
"""What MLflow, its server and our evaluators raise."""


@contextmanager
def in_run(run_id: str | None, experiment: str | None) -> Iterator[None]:
    """Within a run that is there, which is active meanwhile; or with an experiment for the new one.

    Raises:
        MlflowException: when there is no such run, or the experiment cannot be made.
    """
    if experiment is not None:
        mlflow.set_experiment(experiment)
    if run_id is None:
        yield
        return
    with mlflow.start_run(run_id=run_id):
        yield
