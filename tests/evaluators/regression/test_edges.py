"""Data at the edges of what a regression can be: a verdict, no NaN in the document, no warning on the way."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pandas as pd
import pytest

from mlflow_eval_plugin.engines.arrow import predicted_rows
from mlflow_eval_plugin.engines.arrow.regression.rows import ArrowRegressionRows
from mlflow_eval_plugin.engines.arrow.rows import ArrowRows
from mlflow_eval_plugin.evaluators.config.regression import RegressionCalibrationConfig, RegressionDisaggregatedConfig
from mlflow_eval_plugin.evaluators.document import About
from mlflow_eval_plugin.evaluators.regression.rows import RegressionRows
from mlflow_eval_plugin.evaluators.scalars import scalars
from mlflow_eval_plugin.evidence import Data, Evidence, Producer, Subject
from mlflow_eval_plugin.plugin.tasks import TASKS
from mlflow_eval_plugin.reports import render

ABOUT = About(Subject(run_id="r"), Producer(name="p", version="1"), "2026-01-01T00:00:00Z", "regression")
NOISE = np.random.default_rng(0).normal(size=(2, 50))
CASES = {
    "one row": ([1.0], [2.0]),
    "one row, right": ([1.0], [1.0]),
    "two rows, one prediction": ([1.0, 2.0], [2.0, 2.0]),
    "all the same": ([5.0] * 10, [5.0] * 10),
    "constant target": ([5.0] * 50, NOISE[0]),
    "constant prediction": (NOISE[0], [0.0] * 50),
    "perfect": (NOISE[0], NOISE[0]),
    "huge": (NOISE[0] * 1e69, NOISE[1] * 1e69),
    "tiny": (NOISE[0] * 1e-300, NOISE[1] * 1e-300),
    "one outlier": ([*NOISE[0], 1e15], [*NOISE[1], 0.0]),
    "whole numbers": (np.arange(60) % 3, np.arange(60) % 4),
    "booleans": (NOISE[0] > 0, np.abs(NOISE[1])),
}
WEIGHTS = {
    "none": lambda n: None,
    "half are 0": lambda n: np.arange(n) % 2 + float(n == 1),
    "tiny": lambda n: np.full(n, 1e-300),
    "one has nearly all": lambda n: np.array([1e12, *np.ones(n - 1)]),
}


def documents(target: np.ndarray, prediction: np.ndarray, weight: np.ndarray | None) -> list[Evidence]:
    low, high = prediction.astype(float) - 1, prediction + 1.0
    frame = pd.DataFrame({"y": target, "p": prediction, "g": np.where(np.arange(len(target)) % 3, "a", "b")})
    predicted = predicted_rows(
        frame, target="y", prediction="p", weight=weight, quantiles={0.1: low, 0.9: high},
        intervals=[("80 %", 0.8, low, high)],
    )  # fmt: skip
    data = Data(name="edge", digest="sha256:" + "0" * 64, rows=len(frame), columns=("g", "p", "y"))
    rows = RegressionRows(data, ArrowRegressionRows(frame, predicted), ("g",), "y", "p", (), ArrowRows(frame))
    common = {"quantiles": {0.1: "low", 0.9: "high"}}
    limits = {"max_bias": 1, "max_mae": 1, "max_rmse": 1, "max_mean_error": 1}
    slices = {"slices": ["g"], "min_count": 1, "max_gap": {"mae": 1, "r2": 0.1}, "min_ratio": {"rmse": 0.5}}
    configs = [RegressionCalibrationConfig(**common, **limits)]
    configs += [
        RegressionDisaggregatedConfig(**common, **slices, gap_versus=versus, min_metric={"r2": 0, "bias": -1})
        for versus in ("complement", "best", "overall")
    ]
    return [TASKS["regression"].evaluate[config.kind](config, rows, None, ABOUT) for config in configs]


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("case", CASES)
def test_a_verdict_without_a_warning(case: str, weights: str) -> None:
    target, prediction = map(np.asarray, CASES[case])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Evidence takes no NaN and no infinity, so a document that is there holds none.
        found = documents(target, prediction, WEIGHTS[weights](len(target)))
        pages = [render(one) for one in found]
    assert all(one.verdict in ("pass", "fail", "insufficient") for one in found)
    assert all(np.isfinite(list(scalars(one, TASKS["regression"].scalars[one.kind]).values())).all() for one in found)
    assert not any(re.search(r"(?<![a-z])nan(?![a-z])", page.partition("<script")[0].lower()) for page in pages)
    if case == "one row":
        assert {check.verdict for one in found for check in one.checks if check.metric == "mae"} <= {"insufficient"}
