"""Rows of every task, all in one handle and in shards that have other levels, scales and largest errors each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from support.shards import engine

from mlflow_eval_plugin.engines.arrow import predicted_rows
from mlflow_eval_plugin.engines.arrow.binary.rows import ArrowBinaryRows, ArrowPairedBinaryRows
from mlflow_eval_plugin.engines.arrow.columns.inputs import power_of_two
from mlflow_eval_plugin.engines.arrow.multiclass.inputs import ClassScored
from mlflow_eval_plugin.engines.arrow.multiclass.rows import ArrowMulticlassRows, ArrowPairedMulticlassRows
from mlflow_eval_plugin.engines.arrow.regression.rows import ArrowPairedRegressionRows, ArrowRegressionRows

ROWS, PARTS = 900, (slice(0, 300), slice(300, 312), slice(312, None))
FEATURES = ("g", "part", "age", "day", "flag", "seen", "paid", "constant", "keys", "lists", "ms", "price")
CLASSES = ("x", "y", "z")


def people(seed: int = 7) -> pd.DataFrame:
    """Rows whose shards have other levels, scales, kinds of values and largest errors each."""
    rng = np.random.default_rng(seed)
    place, score = np.arange(ROWS), rng.random(ROWS)
    g = rng.choice(np.array(["a", "b", None], dtype=object), ROWS)
    g[place % 50 == 49] = np.where(place[place % 50 == 49] >= 312, "rare", "a")
    return pd.DataFrame(
        {
            "g": g,
            "part": np.where(place < 300, "first", "then"),
            "age": rng.integers(18, 50, ROWS),
            "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 366 * 24, ROWS), "h"),
            "flag": np.where((place >= 300) & (place < 312), 1, rng.integers(0, 2, ROWS)),
            "seen": pd.Series(pd.Timestamp("2024-01-01") + pd.to_timedelta(place % 40, "D")).where(place >= 300),
            "paid": pd.Series(rng.integers(0, 60, ROWS), dtype="Int64").mask((place >= 300) & (place < 312)),
            "constant": 1,
            "keys": [f"k{one}" for one in place],
            "lists": [[one] for one in place],
            "ms": rng.lognormal(3, 1, ROWS),
            "price": rng.random(ROWS) * np.where(place < 312, 1, 40),
            "score": np.where(place % 3 == 0, np.round(score, 1), score),
            "other": np.clip(score + rng.normal(0, 0.2, ROWS), 0, 1),
            "label": np.where((place >= 300) & (place < 312), 1, rng.random(ROWS) < score).astype(int),
            "w": rng.random(ROWS) * np.where(place < 312, 1, 9),
        }
    )


def in_parts(frame: pd.DataFrame) -> list[pd.DataFrame]:
    return [frame.iloc[part] for part in PARTS]


def scale_of(frame: pd.DataFrame, *, weighted: bool) -> float | None:
    return power_of_two(float(frame["w"].max())) if weighted else None


Sides = tuple[tuple[Any, Any], tuple[Any, Any]]  # the rows and their pairs: of one holder, and in shards


def of_two(frame: pd.DataFrame, *, weighted: bool = False, hard: bool = False) -> Sides:
    scale = scale_of(frame, weighted=weighted)

    def held(part: pd.DataFrame) -> ArrowBinaryRows:
        said = {name: part[name].to_numpy() for name in ("label", "score")}
        if hard:
            said["prediction"] = (said.pop("score") >= 0.5).astype(np.uint8)
        weight = part["w"].to_numpy() if weighted else None
        return ArrowBinaryRows(part[list(FEATURES)], **said, weight=weight, weight_scale=scale)

    def pair(part: pd.DataFrame, rows: ArrowBinaryRows) -> ArrowPairedBinaryRows:
        return ArrowPairedBinaryRows(rows, part["other"].to_numpy(), None)

    whole, shards = held(frame), engine.BinaryShards(*map(held, in_parts(frame)))
    pairs = map(pair, in_parts(frame), shards.shards)
    return (whole, pair(frame, whole)), (shards, engine.PairedBinaryShards(shards, *pairs))


def of_three(frame: pd.DataFrame, *, weighted: bool = False, hard: bool = False) -> Sides:
    scale = scale_of(frame, weighted=weighted)

    def scored(part: pd.DataFrame, towards: str) -> ClassScored:
        place = part[towards].to_numpy()
        given = np.stack([1 - place, place / 3, place / 1.5], axis=1)
        label = (part["age"] % 3).to_numpy()
        weight = part["w"].to_numpy() if weighted else None
        return ClassScored(CLASSES, label, given.argmax(axis=1), None if hard else given, weight, scale)

    def held(part: pd.DataFrame) -> ArrowMulticlassRows:
        return ArrowMulticlassRows(part[list(FEATURES)], scored(part, "score"))

    def pair(part: pd.DataFrame, rows: ArrowMulticlassRows) -> ArrowPairedMulticlassRows:
        return ArrowPairedMulticlassRows(rows, scored(part, "other"))

    whole, shards = held(frame), engine.MulticlassShards(*map(held, in_parts(frame)))
    pairs = map(pair, in_parts(frame), shards.shards)
    return (whole, pair(frame, whole)), (shards, engine.PairedMulticlassShards(shards, *pairs))


def of_numbers(frame: pd.DataFrame, *, weighted: bool = False, hard: bool = False) -> Sides:
    del hard
    target = frame["score"] * 10 + np.where(np.arange(len(frame)) < 312, 0.5, 4.0) * (frame["label"] - 0.5)
    frame = frame.assign(target=target, low=frame["score"] * 10 - 2, high=frame["score"] * 10 + 2)
    frame = frame.assign(score=frame["score"] * 10, other=frame["other"] * 12)
    given: dict[str, Any] = {
        "target": "target", "quantiles": {0.1: "low", 0.9: "high"}, "intervals": [("80", 0.8, "low", "high")],
        "weight": "w" if weighted else None,
    }  # fmt: skip
    scales = [predicted_rows(frame, prediction=name, **given).scale for name in ("score", "other")]

    def held(part: pd.DataFrame) -> ArrowRegressionRows:
        return ArrowRegressionRows(
            part[list(FEATURES)], predicted_rows(part, prediction="score", **given, scale=scales[0])
        )

    def pair(part: pd.DataFrame, rows: ArrowRegressionRows) -> ArrowPairedRegressionRows:
        return ArrowPairedRegressionRows(rows, predicted_rows(part, prediction="other", **given, scale=scales[1]))

    whole, shards = held(frame), engine.RegressionShards(*map(held, in_parts(frame)))
    pairs = map(pair, in_parts(frame), shards.shards)
    return (whole, pair(frame, whole)), (shards, engine.PairedRegressionShards(shards, *pairs))


MADE: dict[str, Callable[..., Sides]] = {"binary": of_two, "multiclass": of_three, "regression": of_numbers}
