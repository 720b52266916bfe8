"""What ana does with the census data: two models, and what is measured of them; governed_release.py tells why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, SplineTransformer

DATA = Path(__file__).parent / "data" / "acs_employment_ma.parquet"
FEATURES = ["AGEP", "SCHL", "MAR", "DIS", "CIT", "SEX", "RAC1P"]
LABEL, SCORE = "employed", "predicted_probability"
SLICES = ["SEX", "RAC1P", {"column": "AGEP", "edges": [25, 45, 65]}, ["SEX", "RAC1P"]]
ROWS = 12_000  # of 2015 that are held out, and half of those to train on: a demonstration should be quick


def load() -> dict[str, pd.DataFrame]:
    """Training and held-out rows of 2015, and what came in production from 2016 to 2018, by its year."""
    rows = pd.read_parquet(DATA)
    for name in ("SCHL", "MAR", "DIS", "CIT", "SEX", "RAC1P"):
        rows[name] = rows[name].astype("int64")
    rows["AGEP"] = rows["AGEP"].astype("float64")
    rows[LABEL] = rows[LABEL].astype("int64")
    year = rows["year"]
    production = {str(each): rows[year == each] for each in (2016, 2017, 2018)}
    return {**split(rows[year == 2015]), **production}


def split(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Some of the rows of a year, to train on and to hold out."""
    drawn = rows.sample(3 * ROWS, random_state=7)
    return {"train": drawn[: 2 * ROWS], "held-out": drawn[2 * ROWS :]}


def baseline() -> Any:
    """A logistic regression on age and education."""
    columns = make_column_transformer(
        (SplineTransformer(n_knots=6), ["AGEP"]), (OneHotEncoder(handle_unknown="ignore"), ["SCHL"])
    )
    return make_pipeline(columns, LogisticRegression(max_iter=500))


def better() -> Any:
    """Boosted trees on all columns."""
    encode = make_column_transformer(
        (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), FEATURES[1:]), remainder="passthrough"
    )
    return make_pipeline(encode, HistGradientBoostingClassifier(max_iter=60, learning_rate=0.08, random_state=7))


def train_and_evaluate(
    name: str, model: Any, data: dict[str, pd.DataFrame], champion: str | None = None, year: str = "2015"
) -> tuple[str, str, dict[str, float]]:
    """Fit, log and evaluate a model in one run, beside the champion if there is one; gives URI, run id and metrics.

    ``year`` is that of the data.
    """
    train, held_out = data["train"], data["held-out"]
    compared = {} if champion is None else {"comparison": {"champion": champion, "slices": SLICES}}
    model.fit(train[FEATURES], train[LABEL])
    with mlflow.start_run(run_name=name) as run:
        logged = mlflow.sklearn.log_model(
            model, name="model", input_example=train[FEATURES].head(2), pip_requirements=["scikit-learn"],
            serialization_format="cloudpickle",
        )  # fmt: skip
        result = mlflow.models.evaluate(
            logged.model_uri,
            mlflow.data.from_pandas(held_out[[*FEATURES, LABEL]], name=f"acs-{year}-held-out", targets=LABEL),
            model_type="classifier",
            evaluators=["default", "calibration", "disaggregated", "drift", *compared],
            evaluator_config={
                "default": {"log_model_explainability": False},
                "calibration": {"max_ece": 0.05},
                "disaggregated": {"slices": SLICES, "max_gap": {"calibration_in_the_large": 0.05}},
                "drift": {"reference": train[[*FEATURES, LABEL]], "reference_name": f"acs-{year}-train"},
                **compared,
            },
        )
    return logged.model_uri, run.info.run_id, result.metrics


def score(model_uri: str, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with the probability that the model gives each, as a serving log would hold them."""
    model = mlflow.sklearn.load_model(model_uri)
    return rows[[*FEATURES, LABEL]].assign(**{SCORE: model.predict_proba(rows[FEATURES])[:, 1]})


def evaluate_production(year: str, served: pd.DataFrame, reference: pd.DataFrame) -> tuple[str, dict[str, float]]:
    """Evaluate what was served, from the log alone and without the model; gives the run's id and the metrics.

    A year has six times the rows that were held out, which resolve tolerances that are so much tighter.
    """
    with mlflow.start_run(run_name=f"production-{year}") as run:
        result = mlflow.models.evaluate(
            model=None,
            data=mlflow.data.from_pandas(served, name=f"acs-{year}", targets=LABEL, predictions=SCORE),
            model_type="classifier",
            evaluators=["calibration", "disaggregated", "drift"],
            evaluator_config={
                "calibration": {"max_ece": 0.05, "max_calibration_in_the_large": 0.005, "reference": reference},
                "disaggregated": {"slices": SLICES, "max_gap": {"calibration_in_the_large": 0.02}},
                "drift": {"reference": reference, "reference_name": "acs-2015-held-out"},
            },
        )
    return run.info.run_id, result.metrics
