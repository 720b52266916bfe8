"""Scored rows of all kinds of columns, calls that judge them, and the documents that these leave."""

from __future__ import annotations

import json
from typing import Any

import mlflow
import numpy as np
import pandas as pd

import mlflow_eval_plugin as evidence

ROWS = 2500


def scored(seed: int = 4, rows: int = ROWS) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    score = rng.random(rows)
    frame = pd.DataFrame(
        {
            "income": np.where(rng.random(rows) < 0.1, np.nan, rng.normal(30, 9, rows)),
            "region": rng.choice(np.array(["north", "south", None], dtype=object), rows),
            "opened": pd.Timestamp("2026-11-01") + pd.to_timedelta(rng.integers(0, 40, rows), "D"),
            "member": rng.random(rows) < 0.5,
            "before": np.clip(score + rng.normal(0, 0.1, rows), 0, 1),
            "w": rng.integers(1, 4, rows).astype(float),
            "score": score,
            "default": (rng.random(rows) < score).astype(int),
        }
    )
    return frame.assign(decided=(frame["score"] > 0.5).astype(int), word=np.where(frame["default"] == 1, "bad", "good"))


def documents(data: Any, config: dict[str, Any], **changes: Any) -> dict[str, Any]:
    given = {"targets": "default", "predictions": "score", "model_type": "classifier", "evaluators": list(config)}
    with mlflow.start_run():
        result = evidence.evaluate(data, evaluator_config=config, **{**given, **changes})
    found = {}
    for name, one in result.artifacts.items():
        if name.endswith("_evidence"):
            found[name] = json.loads(json.dumps(one.content))
            del found[name]["created_at"], found[name]["digest"], found[name]["subject"]["run_id"]
    return found


CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "three evaluators": (
        {
            "calibration": {"slices": ["region"]},
            "disaggregated": {
                "slices": ["region", {"column": "income", "quantiles": 4}, "opened"], "max_levels": 60,
                "queries": {"new": "opened > '2026-11-20'"},
            },
            "drift": {},
        },
        {},
    ),
    "weights": ({"calibration": {"sample_weights": "w"}, "disaggregated": {"slices": ["member"]}}, {}),
    "a champion in a column": ({"comparison": {"champion": {"column": "before"}, "slices": ["region"]}}, {}),
    "predicted classes": ({"disaggregated": {"slices": ["region"]}}, {"predictions": "decided"}),
    "probabilities by name": ({"calibration": {"probability_column": "score"}}, {"predictions": "decided"}),
    "text labels": ({"calibration": {"pos_label": "bad"}}, {"targets": "word"}),
    "a search": ({"disaggregated": {"search": {"depth": 2}, "slices": ["region"]}}, {}),
    "drift by a column of time": ({"drift": {"time_column": "opened", "window": "week"}}, {}),
}  # fmt: skip

_PREDICTED = {"targets": "loss", "predictions": "expected", "model_type": "regressor"}
REGRESSIONS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "three evaluators of a regression": (
        {
            "calibration": {"slices": ["region"], "quantiles": {0.1: "low", 0.9: "high"}},
            "disaggregated": {"slices": ["region", {"column": "income", "quantiles": 4}, "opened"], "max_levels": 60},
            "drift": {"quantiles": {0.1: "low", 0.9: "high"}},
        },
        _PREDICTED,
    ),
    "a weighted regression": (
        {
            "calibration": {"sample_weights": "w", "prediction_column": "rival"},
            "disaggregated": {
                "slices": ["member"], "prediction_column": "rival",
                "intervals": {"wide": {"lower": "low", "upper": "high", "level": 0.8}},
            },
        },
        {**_PREDICTED, "predictions": None},
    ),
    "a champion of a regression in a column": (
        {"comparison": {"champion": {"column": "rival"}, "slices": ["region"]}}, _PREDICTED,
    ),
    "a search in a regression": ({"disaggregated": {"search": {"depth": 2}, "slices": ["region"]}}, _PREDICTED),
    "numbers written as text": ({"drift": {}}, {**_PREDICTED, "predictions": "written"}),
}  # fmt: skip


def predicted(seed: int = 4, rows: int = ROWS) -> pd.DataFrame:
    """The rows of ``scored`` with a loss each, what two regressions expect of it, and two quantiles."""
    frame = scored(seed, rows)
    rng = np.random.default_rng(seed + 1)
    expected = 10 * frame["score"].to_numpy() + rng.normal(0, 1, rows)
    loss = expected + rng.normal(0, 2, rows)
    return frame.drop(columns=["score", "default", "decided", "word", "before"]).assign(
        loss=loss,
        expected=expected.astype(np.float32),
        rival=expected + rng.normal(0, 0.5, rows),
        low=expected - 2.6,
        high=expected + 2.6,
        written=[f"{one:.2f}" for one in expected],
    )


_CLASSED = {"targets": "grade", "predictions": None}
_COLUMNS = {"probability_columns": {"a": "of a", "b": "of b", "c": "of c"}}
CLASSES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "three classes": (
        {
            "calibration": {**_COLUMNS, "slices": ["region"]},
            "disaggregated": {**_COLUMNS, "slices": ["region", {"column": "income", "quantiles": 4}]},
        },
        _CLASSED,
    ),
    "weighted classes in the order of a list": (
        {"calibration": {"probability_columns": ["of c", "of a", "of b"], "label_list": ["c", "a", "b"],
                         "sample_weights": "w"}},
        _CLASSED,
    ),
    "predicted classes of three": (
        {"disaggregated": {"slices": ["region"]}}, {**_CLASSED, "predictions": "guess"},
    ),
    "a champion of three classes": (
        {"comparison": {"champion": {"column": "rival"}, "slices": ["region"]}}, {**_CLASSED, "predictions": "guess"},
    ),
    "a search in three classes": ({"disaggregated": {**_COLUMNS, "search": {"depth": 2}}}, _CLASSED),
}  # fmt: skip


def classed(seed: int = 4, rows: int = ROWS) -> pd.DataFrame:
    """The rows of ``scored`` with a grade each of three, its probabilities, and what two models guess."""
    rng = np.random.default_rng(seed + 2)
    names, chance = np.array(["a", "b", "c"], dtype=object), rng.dirichlet([1, 1, 1], rows)
    grade = names[(rng.random(rows)[:, None] > chance.cumsum(axis=1)).sum(axis=1).clip(max=2)]
    guess = names[chance.argmax(axis=1)]
    rival = np.where(rng.random(rows) < 0.2, rng.choice(names, rows), guess)
    frame = scored(seed, rows).drop(columns=["score", "default", "decided", "word", "before"])
    return frame.assign(
        grade=grade, guess=guess, rival=rival, **{f"of {one}": chance[:, k] for k, one in enumerate(names)}
    )


MADE = {
    **dict.fromkeys(CASES, scored), **dict.fromkeys(REGRESSIONS, predicted), **dict.fromkeys(CLASSES, classed),
}  # fmt: skip
CASES |= REGRESSIONS | CLASSES
