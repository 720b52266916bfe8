"""A model of three classes, for every evaluator's tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression

from mlflow_eval_plugin.evidence import KNOWN_KINDS

FEATURES = [f"x{i}" for i in range(5)]
CLASSES = ["cat", "dog", "emu"]
COLUMNS = {"cat": "p_cat", "dog": "p_dog", "emu": "p_emu"}


@dataclass(frozen=True)
class Zoo:
    """A logged model of three classes, rows it was not fitted on, and its scores in columns."""

    world: Any
    uri: str
    train: pd.DataFrame
    rows: pd.DataFrame
    probability: Any

    @property
    def static(self) -> pd.DataFrame:
        scores = pd.DataFrame(self.probability, columns=list(COLUMNS.values()))
        return pd.concat([self.rows, scores], axis=1)

    def measured(self, data: pd.DataFrame | None = None, model: bool = True, **given: Any) -> dict[str, Any]:
        """The Evidence of a call, by kind."""
        config = {kind: value for kind, value in given.items() if kind in KNOWN_KINDS}
        further = {key: value for key, value in given.items() if key not in config}
        with mlflow.start_run() as run:
            mlflow.models.evaluate(
                self.uri if model else None, self.rows if data is None else data, targets="y",
                model_type="classifier", evaluators=list(config), evaluator_config=config, **further,
            )  # fmt: skip
        uri = f"runs:/{run.info.run_id}"
        found = {kind: mlflow.artifacts.load_dict(f"{uri}/evidence/{kind}.json") for kind in config}
        found["metrics"] = self.world.client.get_run(run.info.run_id).data.metrics
        found["pages"] = {kind: mlflow.artifacts.load_text(f"{uri}/reports/{kind}.html") for kind in config}
        return found


def zoo_of(world: Any) -> Zoo:
    """Log the model of the zoo."""
    numbers, codes = make_classification(
        2400, len(FEATURES), n_informative=4, n_redundant=0, n_classes=3, n_clusters_per_class=1, class_sep=0.7,
        random_state=3,
    )  # fmt: skip
    data = pd.DataFrame(numbers, columns=FEATURES).assign(y=np.array(CLASSES)[codes])
    data["x4"] = np.random.default_rng(0).integers(0, 2, len(data)).astype(float)
    train, rows = data[:1200].reset_index(drop=True), data[1200:].reset_index(drop=True)
    model = LogisticRegression().fit(train[FEATURES], train.y)
    with mlflow.start_run():
        uri = mlflow.sklearn.log_model(
            model, name="zoo", input_example=train[FEATURES].head(2), pip_requirements=["scikit-learn"]
        ).model_uri
    return Zoo(world, uri, train, rows, model.predict_proba(rows[FEATURES]))
