"""What the two short stories share: a folder, a server, people, and a small model with its Evidence."""

from __future__ import annotations

import argparse
import contextlib
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from governed_release import EXAMPLES, PASSWORDS, Story, acting, clear, free_port, serving

MODEL = "late-payment"


@contextlib.contextmanager
def story(name: str, policy: str, people: tuple[str, ...]) -> Iterator[Story]:
    """A server in ``demo/NAME`` for the length of the block, with those users and that policy in force."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, default=EXAMPLES.parent / "demo" / name)
    parser.add_argument("--port", type=int, default=5000)
    options = parser.parse_args()
    folder = options.folder.resolve()
    clear(folder)
    port = free_port(options.port)
    told = Story(folder, f"http://127.0.0.1:{port}", f"sqlite:///{folder / 'mlflow.db'}")
    with serving(told, port, workers=1):
        _quietly(told.uri)
        told.step("The administrator makes users and puts the policy in force")
        from mlflow.server.auth.client import AuthServiceClient

        with acting(told, "admin"):
            client: Any = AuthServiceClient(told.uri)
            for person in people:
                PASSWORDS.setdefault(person, f"{person}-demo-password")
                client.create_user(person, PASSWORDS[person])
        (folder / "policy.yaml").write_text(policy)
        told.say(policy)
        told.run("admin", "policy", "apply", "policy.yaml")
        yield told


def train(told: Story, seed: int) -> tuple[int, str]:
    """Ana trains and evaluates a model on made-up payments and registers it; gives version number and run id."""
    import mlflow
    import numpy as np
    import pandas as pd
    from sklearn.linear_model import LogisticRegression

    chance = np.random.default_rng(seed)
    days, amount = chance.normal(size=(2, 20_000))
    late = chance.random(20_000) < 1 / (1 + np.exp(-(days + 0.5 * amount)))
    frame = pd.DataFrame({"days": days, "amount": amount, "late": late.astype(int)})
    with acting(told, "ana"):
        mlflow.set_experiment(MODEL)
        with mlflow.start_run() as run:
            fitted = LogisticRegression().fit(frame[["days", "amount"]][:10_000], frame["late"][:10_000])
            logged = mlflow.sklearn.log_model(fitted, name="model", pip_requirements=["scikit-learn"])
            mlflow.log_input(mlflow.data.from_pandas(frame[:10_000], targets="late", name="payments"), "training")
            mlflow.models.evaluate(
                logged.model_uri, frame[10_000:], targets="late", model_type="classifier", evaluators="calibration"
            )
        version = int(mlflow.register_model(logged.model_uri, MODEL).version)
    told.say(f"  ana has trained, evaluated and registered version {version} (run {run.info.run_id})")
    return version, run.info.run_id


def _quietly(uri: str) -> None:
    import logging

    warnings.filterwarnings("ignore")
    os.environ |= {"MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false", "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true"}
    import mlflow

    logging.getLogger("mlflow").setLevel(logging.ERROR)
    mlflow.set_tracking_uri(uri)
