"""Drift over windows of time as an evaluator writes it: a month of days with a bad day, two changes and a gap."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mlflow_eval_plugin.engines.arrow import data_digest
from mlflow_eval_plugin.engines.arrow.binary.rows import ArrowBinaryRows
from mlflow_eval_plugin.evaluators import drift
from mlflow_eval_plugin.evaluators.binary.rows import Rows
from mlflow_eval_plugin.evaluators.config.keys import parse
from mlflow_eval_plugin.evaluators.document import About
from mlflow_eval_plugin.evidence import Data, Evidence, Producer, Subject

ABOUT = About(Subject(run_id="r"), Producer(name="mlflow-registry-hooks", version="0"), "2026-12-01T00:00:00Z")
EVIL = "<script>alert(1)</script>"


def month(seed: int, rows: int) -> pd.DataFrame:
    """Rows without a time, and without drift."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "amount": rng.lognormal(3, 1, rows),
            "age": rng.integers(18, 90, rows).astype(float),
            "income": rng.normal(40, 12, rows),
            "land": rng.choice(["1", "2", EVIL], rows, p=[0.5, 0.3, 0.2]),
            "tenure": rng.exponential(4, rows),
            "score": rng.beta(2, 5, rows),
        }
    )


def november(days: int = 30, rows_a_day: int = 400) -> pd.DataFrame:
    """A month in which income rises on the 19th, a land comes on the 23rd, and tenure is missing on the 12th."""
    data, rng = month(1, days * rows_a_day), np.random.default_rng(2)
    data["at"] = pd.Timestamp("2026-11-01") + pd.to_timedelta(rng.uniform(0, days, len(data)), unit="D")
    day = data["at"].dt.day
    data.loc[day >= 19, "income"] += 8
    data.loc[(day >= 23) & (data.index % 8 == 0), "land"] = "3"
    data.loc[(day == 12) & (data.index % 3 > 0), "tenure"] = np.nan
    data.loc[data.index % 500 == 0, "at"] = pd.NaT
    return data[~day.isin([7, 8])].reset_index(drop=True)


def windows(data: pd.DataFrame | None = None, **config: Any) -> Evidence:
    """The document of a month against a baseline."""
    sides = {"november": november() if data is None else data, "baseline": month(0, 10_000)}
    parsed = parse("drift", {"reference": sides["baseline"], "time_column": "at", "window": "day", **config})
    rows, reference = (_rows(name, frame) for name, frame in sides.items())
    return drift.evaluate(parsed, rows, reference, ABOUT)  # type: ignore[arg-type]


def _rows(name: str, frame: pd.DataFrame) -> Rows:
    held = ArrowBinaryRows(frame, score=frame["score"])
    data = Data(name=name, digest=data_digest(frame), rows=len(frame), columns=tuple(frame.columns))
    features = tuple(column for column in frame.columns if column not in ("score", "at"))
    return Rows(data, held, "1", features, "label", "score", held)
