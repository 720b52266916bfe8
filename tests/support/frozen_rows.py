"""Rows of each task, for baselines: what a reference holds, and what is compared with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import mlflow
import numpy as np
import pandas as pd

CLASSES = ("bird", "cat", "dog")
COMPARED = ("checks", "measurements", "verdict", "inference", "data", "task")


@dataclass(frozen=True)
class Case:
    """Rows of one task, and the configs with which they are judged.

    Attributes:
        named: MLflow's arguments, as ``freeze`` takes them too.
        configs: by kind, without the reference; ``later`` are keys that only those who compare give.
    """

    reference: pd.DataFrame
    current: pd.DataFrame
    named: Mapping[str, Any]
    configs: Mapping[str, Mapping[str, Any]]
    later: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def columns(rows: int, seed: int, shift: float = 0.0) -> pd.DataFrame:
    """Numbers with ties, gaps and infinities, text, codes, times, truth values, keys and a column without a value."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"amount": rng.normal(shift, 1, rows), "tied": rng.integers(0, 7, rows) / 4})
    frame["single"] = rng.normal(size=rows).astype("float32")
    frame["town"] = rng.choice(["A", "B", "Å"], rows)
    frame["code"] = pd.Categorical(rng.integers(1, 9, rows))
    frame["age"] = rng.integers(18, 90, rows)
    frame["when"] = pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.integers(0, 10**6, rows), "s")
    frame["truth"] = rng.random(rows) < 0.3
    frame["key"] = np.arange(rows) + seed * 10**6
    frame["empty"] = np.nan
    frame["tags"] = [["x"]] * rows
    frame.loc[frame.index % 11 == 0, "amount"] = np.nan
    frame.loc[frame.index % 97 == 0, "amount"] = np.inf
    return frame


def binary(rows: int = 3000, seed: int = 1, shift: float = 0.0) -> pd.DataFrame:
    """Probabilities that are a little off, against 0 and 1."""
    rng, frame = np.random.default_rng(seed + 100), columns(rows, seed, shift)
    frame["score"] = rng.beta(2, 5, rows)
    frame["default"] = (rng.random(rows) < np.clip(frame.score + shift / 5, 0, 1)).astype(int)
    return frame


def multiclass(rows: int = 2000, seed: int = 1, shift: float = 0.0) -> pd.DataFrame:
    """Probabilities of three classes."""
    rng, frame = np.random.default_rng(seed + 200), columns(rows, seed, shift)
    given = rng.dirichlet([2.0, 1.0 + shift, 1.0], rows)
    for place, name in enumerate(CLASSES):
        frame[f"p_{name}"] = given[:, place]
    frame["animal"] = [CLASSES[rng.choice(3, p=one)] for one in given]
    return frame


def regression(rows: int = 2000, seed: int = 1, shift: float = 0.0) -> pd.DataFrame:
    """Predictions with two quantiles."""
    rng, frame = np.random.default_rng(seed + 300), columns(rows, seed, shift)
    frame["guess"] = rng.normal(100, 10, rows)
    frame["low"], frame["high"] = frame.guess - 10, frame.guess + 10
    frame["price"] = frame.guess + rng.normal(shift, 8, rows)
    return frame


P_OF_CLASSES = {name: f"p_{name}" for name in CLASSES}
QUANTILES = {0.1: "low", 0.9: "high"}
LEFT_OUT = {"exclude_columns": ["tags"]}
CASES = {
    "binary": Case(
        binary(),
        binary(1500, 2, 0.2),
        {"targets": "default", "predictions": "score", "model_type": "classifier"},
        {
            "drift": {},
            "calibration": {},
            "disaggregated": {"slices": ["town", {"column": "age", "edges": [30, 60]}], "depth": 2},
        },
        {
            "calibration": {
                "max_change": {"brier": 0.02, "ece_equal_mass": 0.02},
                "slices": ["town"],
                "max_ece": 0.05,
            },
            "disaggregated": {"max_slice_change": {"recall": 0.05, "auc": 0.05}},
        },
    ),
    "multiclass": Case(
        multiclass(),
        multiclass(1000, 2, 0.5),
        {"targets": "animal", "model_type": "classifier"},
        {
            "drift": {"probability_columns": P_OF_CLASSES},
            "calibration": {"probability_columns": P_OF_CLASSES},
            "disaggregated": {"probability_columns": P_OF_CLASSES, "slices": ["town"]},
        },
        {
            "calibration": {"max_change": {"brier": 0.02}, "max_ece": 0.05},
            "disaggregated": {"max_slice_change": {"f1": 0.05, "recall[cat]": 0.05}},
        },
    ),
    "regression": Case(
        regression(),
        regression(1000, 2, 0.5),
        {"targets": "price", "predictions": "guess", "model_type": "regressor"},
        {
            "drift": {"quantiles": QUANTILES},
            "calibration": {"quantiles": QUANTILES},
            "disaggregated": {"quantiles": QUANTILES, "slices": ["town"], "queries": {"young": "age < 30"}},
        },
        {
            "calibration": {"max_change": {"rmse": 0.5}, "max_bias_sigma": 0.1},
            "disaggregated": {"max_slice_change": {"mae": 0.5, "coverage_0.1": 0.05}},
        },
    ),
}


def evidence(case: Case, reference: Any, **more: Any) -> dict[str, dict[str, Any]]:
    """The Evidence of a case against a reference, by kind."""
    config = {
        kind: {**one, **case.later.get(kind, {}), **more.get(kind, {}), "reference": reference}
        for kind, one in case.configs.items()
    }
    with mlflow.start_run() as run:
        mlflow.models.evaluate(data=case.current, evaluators=list(config), evaluator_config=config, **case.named)
    return {kind: mlflow.artifacts.load_dict(f"runs:/{run.info.run_id}/evidence/{kind}.json") for kind in config}


def said(documents: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """What documents measure and judge, whatever they were held against."""
    return {kind: {name: one.get(name) for name in COMPARED} for kind, one in documents.items()}
