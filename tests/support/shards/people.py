"""Rows of every task, all in one handle and in shards that have other levels, scales and largest errors each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from mlflow_eval_plugin.engines.arrow import predicted_rows
from mlflow_eval_plugin.engines.arrow.binary.rows import ArrowBinaryRows, ArrowPairedBinaryRows
from mlflow_eval_plugin.engines.arrow.digest import digested
from mlflow_eval_plugin.engines.arrow.multiclass.inputs import ClassScored
from mlflow_eval_plugin.engines.arrow.multiclass.rows import ArrowMulticlassRows, ArrowPairedMulticlassRows
from mlflow_eval_plugin.engines.arrow.regression.rows import ArrowPairedRegressionRows, ArrowRegressionRows
from mlflow_eval_plugin.engines.arrow.sampling import sampled
from mlflow_eval_plugin.engines.parts.asking import Asking
from mlflow_eval_plugin.engines.parts.binary import BinaryReading, PartedBinaryRows, PartedPairedBinaryRows
from mlflow_eval_plugin.engines.parts.multiclass import ClassReading, PartedMulticlassRows, PartedPairedMulticlassRows
from mlflow_eval_plugin.engines.parts.passes import Kernel
from mlflow_eval_plugin.engines.parts.regression import (
    GivenInterval,
    PartedPairedRegressionRows,
    PartedRegressionRows,
    RegressionReading,
)
from mlflow_eval_plugin.engines.parts.rows import PartedRows
from mlflow_eval_plugin.engines.parts.shown import Shown, ShownColumn

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


@dataclass(frozen=True, eq=False)
class Shards:
    """Passes over a table in shards, each a part, whatever its size, and none without rows."""

    table: pa.Table
    parts: Sequence[slice]
    name: str = "shards"

    @property
    def schema(self) -> pa.Schema:
        return self.table.schema

    def count(self, kernels: Sequence[Kernel[Any]]) -> tuple[Any, ...]:
        ends = (one.indices(self.table.num_rows)[:2] for one in self.parts)
        parts = [self.table.slice(start, stop - start) for start, stop in ends]
        return tuple(reduce(add, (one(part.select(list(one.columns))) for part in parts)) for one in kernels)


def asking_of(frame: pd.DataFrame, **columns: Any) -> Asking:
    """The rows in shards, with further columns that are no features."""
    table = pa.Table.from_pandas(frame.assign(**columns), preserve_index=False)
    return Asking(Shards(table, PARTS), Shown.given(tuple(frame.columns)))


Sides = tuple[tuple[Any, Any], tuple[Any, Any]]  # the rows and their pairs: of one holder, and in shards


def of_two(frame: pd.DataFrame, *, weighted: bool = False, hard: bool = False) -> Sides:
    said: dict[str, Any] = {"label": frame["label"].to_numpy(), "score": frame["score"].to_numpy()}
    decided = (frame["score"] >= 0.5).to_numpy().astype(np.uint8)
    if hard:
        said["prediction"] = (said.pop("score") >= 0.5).astype(np.uint8)
    weight = frame["w"].to_numpy() if weighted else None
    whole = ArrowBinaryRows(frame[list(FEATURES)], **said, weight=weight, digests=digested(frame).lane)
    pair = ArrowPairedBinaryRows(whole, frame["other"].to_numpy(), None)
    column = ShownColumn("score", "decided", "class", "1") if hard else ShownColumn("score", "score", "score")
    reading = BinaryReading("label", None, column, "w" if weighted else None)
    rows = PartedBinaryRows(asking_of(frame, decided=decided), Shown.given(FEATURES), reading)
    return (whole, pair), (rows, PartedPairedBinaryRows(rows, ShownColumn("other", "other", "score")))


def of_three(frame: pd.DataFrame, *, weighted: bool = False, hard: bool = False) -> Sides:
    label = (frame["age"] % 3).to_numpy()
    columns: dict[str, Any] = {"class": np.array(CLASSES, dtype=object)[label]}
    readings, scored = [], []
    for towards in ("score", "other"):
        place = frame[towards].to_numpy()
        given = np.stack([1 - place, place / 3, place / 1.5], axis=1)
        columns |= {f"{towards} {one}": given[:, at] for at, one in enumerate(CLASSES)}
        columns[f"{towards} said"] = np.array(CLASSES, dtype=object)[given.argmax(axis=1)]
        weight = frame["w"].to_numpy() if weighted else None
        scored.append(ClassScored(CLASSES, label, given.argmax(axis=1), None if hard else given, weight))
        readings.append(
            ClassReading(
                "class",
                () if hard else tuple((one, f"{towards} {one}") for one in CLASSES),
                f"{towards} said" if hard else None,
                weight="w" if weighted else None,
            )
        )
    whole = ArrowMulticlassRows(frame[list(FEATURES)], scored[0], digests=digested(frame).lane)
    rows = PartedMulticlassRows(asking_of(frame, **columns), Shown.given(FEATURES), readings[0])
    return (whole, ArrowPairedMulticlassRows(whole, scored[1])), (rows, PartedPairedMulticlassRows(rows, readings[1]))


def of_numbers(frame: pd.DataFrame, *, weighted: bool = False, hard: bool = False) -> Sides:
    del hard
    target = frame["score"] * 10 + np.where(np.arange(len(frame)) < 312, 0.5, 4.0) * (frame["label"] - 0.5)
    frame = frame.assign(target=target, low=frame["score"] * 10 - 2, high=frame["score"] * 10 + 2)
    frame = frame.assign(score=frame["score"] * 10, other=frame["other"] * 12)
    given: dict[str, Any] = {
        "target": "target", "quantiles": {0.1: "low", 0.9: "high"}, "intervals": [("80", 0.8, "low", "high")],
        "weight": "w" if weighted else None,
    }  # fmt: skip
    by_row = digested(frame).lane
    given["sample"] = sampled(by_row)
    first, second = (predicted_rows(frame, prediction=name, **given) for name in ("score", "other"))
    whole = ArrowRegressionRows(frame[list(FEATURES)], first, digests=by_row)
    readings = [
        RegressionReading(
            Shown.given(tuple(frame.columns)), "target", name, ((0.1, "low"), (0.9, "high")),
            (GivenInterval("80", 0.8, "low", "high"),), "w" if weighted else None,
        )
        for name in ("score", "other")
    ]  # fmt: skip
    rows = PartedRegressionRows(asking_of(frame), Shown.given(FEATURES), readings[0])
    return (whole, ArrowPairedRegressionRows(whole, second)), (rows, PartedPairedRegressionRows(rows, readings[1]))


def of_any(frame: pd.DataFrame) -> PartedRows:
    """Rows of no task in shards, as drift compares them."""
    return PartedRows(asking_of(frame), Shown.given(tuple(frame.columns)))


MADE: dict[str, Callable[..., Sides]] = {"binary": of_two, "multiclass": of_three, "regression": of_numbers}
