"""Train a small model on made-up payments, evaluate it and register it: what a CI job runs on a merge.

Put your own training in its place. What matters is that the run has Evidence, and that the version's number is written
where the next steps find it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression


def main() -> None:
    """Train, evaluate, register; write the version's number."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="the registered model")
    parser.add_argument("--write", type=Path, required=True, metavar="FILE", help="where the version's number goes")
    parser.add_argument("--shift", type=float, default=0.0, help="how wrong the labels of the training are, in logits")
    options = parser.parse_args()

    chance = np.random.default_rng(7)
    days, amount = chance.normal(size=(2, 20_000))
    score = days + 0.5 * amount
    shift = np.where(np.arange(20_000) < 10_000, options.shift, 0.0)
    late = chance.random(20_000) < 1 / (1 + np.exp(-(score + shift)))
    rows = pd.DataFrame({"days": days, "amount": amount, "late": late.astype(int)})
    training, held_out = rows[:10_000], rows[10_000:]

    mlflow.set_experiment(options.model)
    with mlflow.start_run():
        fitted = LogisticRegression().fit(training[["days", "amount"]], training["late"])
        logged = mlflow.sklearn.log_model(fitted, name="model", pip_requirements=["scikit-learn"])
        mlflow.models.evaluate(
            logged.model_uri, held_out, targets="late", model_type="classifier", evaluators="calibration"
        )
    version = mlflow.register_model(logged.model_uri, options.model).version
    options.write.write_text(f"{version}\n")


if __name__ == "__main__":
    main()
