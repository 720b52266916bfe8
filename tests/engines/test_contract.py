"""Whoever keeps to the contract is an engine, however many parts its rows are in."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import reduce
from operator import add
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlflow_eval_plugin.engines.arrow import data_digest, predicted_rows
from mlflow_eval_plugin.engines.arrow import rows as arrow_rows
from mlflow_eval_plugin.engines.arrow.binary.rows import ArrowBinaryRows
from mlflow_eval_plugin.engines.arrow.multiclass.inputs import ClassScored
from mlflow_eval_plugin.engines.arrow.multiclass.rows import ArrowMulticlassRows
from mlflow_eval_plugin.engines.arrow.regression.rows import ArrowRegressionRows
from mlflow_eval_plugin.engines.slicing import Slicing
from mlflow_eval_plugin.evaluators.binary import calibration, disaggregated
from mlflow_eval_plugin.evaluators.binary.rows import Rows
from mlflow_eval_plugin.evaluators.config import regression as regression_config
from mlflow_eval_plugin.evaluators.config.keys import parse
from mlflow_eval_plugin.evaluators.document import About
from mlflow_eval_plugin.evaluators.multiclass import disaggregated as multiclass_disaggregated
from mlflow_eval_plugin.evaluators.multiclass.rows import MulticlassRows
from mlflow_eval_plugin.evaluators.regression import disaggregated as regression_disaggregated
from mlflow_eval_plugin.evaluators.regression.rows import RegressionRows
from mlflow_eval_plugin.evidence import Data, Producer, Subject, dumps

ABOUT = About(Subject(run_id="r"), Producer(name="mlflow-registry-hooks", version="0"), "2026-01-01T00:00:00Z")
SLICES = {"slices": ["g", {"column": "age", "edges": [20, 30, 40]}], "depth": 2, "min_count": 5}


class Parts:
    """An engine that has rows in parts: it answers with the sum of what each part answers, and has nothing else."""

    def __init__(self, *parts: Any) -> None:
        self._parts = parts

    def __getattr__(self, name: str) -> Any:
        found = [getattr(one, name) for one in self._parts]
        if not callable(found[0]):
            (only,) = set(found)
            return only
        return lambda *given, **named: reduce(add, [ask(*given, **named) for ask in found])


def people(n: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(7)
    score = rng.random(n)
    return pd.DataFrame(
        {
            "g": rng.choice(["a", "b", "c"], n),
            "age": rng.integers(18, 50, n),
            "ms": rng.lognormal(3, 1, n),
            "score": score,
            "label": (rng.random(n) < score).astype(int),
        }
    )


def halves(frame: pd.DataFrame, held: Callable[[pd.DataFrame], Any]) -> tuple[Any, Any]:
    """All rows in one, and the same rows in two parts of different length."""
    return held(frame), Parts(held(frame.iloc[:90]), held(frame.iloc[90:]))


def data_of(frame: pd.DataFrame) -> Data:
    return Data(name="people", digest=data_digest(frame), rows=len(frame), columns=tuple(frame.columns))


def binary(frame: pd.DataFrame) -> ArrowBinaryRows:
    return ArrowBinaryRows(frame[["g", "age", "ms"]], label=frame["label"].to_numpy(), score=frame["score"].to_numpy())


CALIBRATION = {"slices": ["g"], "min_count": 5, "max_brier": 0.3, "max_ece": 0.1}
DISAGGREGATED = {**SLICES, "max_gap": {"fnr": 0.2}, "latency_column": "ms", "max_latency": {"p95": 90}}


@pytest.mark.parametrize(
    ("evaluator", "config"),
    [
        (calibration, parse("calibration", CALIBRATION)),
        (disaggregated, parse("disaggregated", DISAGGREGATED)),
    ],
)
def test_two_classes_in_two_parts_give_the_same_evidence(evaluator: Any, config: Any) -> None:
    frame = people()
    whole, parts = (
        Rows(data_of(frame), held, "1", ("g", "age", "ms"), "label", "score", held) for held in halves(frame, binary)
    )
    assert dumps(evaluator.evaluate(config, parts, None, ABOUT)) == dumps(
        evaluator.evaluate(config, whole, None, ABOUT)
    )


def test_three_classes_in_two_parts_give_the_same_evidence() -> None:
    frame = people()
    probability = np.random.default_rng(8).dirichlet([1, 1, 1], len(frame))
    frame[["x", "y", "z"]] = probability

    def held(part: pd.DataFrame) -> ArrowMulticlassRows:
        given = part[["x", "y", "z"]].to_numpy()
        label = (part["age"] % 3).to_numpy()
        scored = ClassScored(("x", "y", "z"), label, given.argmax(axis=1), given, None)
        return ArrowMulticlassRows(part[["g", "age", "ms"]], scored)

    config = parse("disaggregated", {**SLICES, "max_gap": {"recall": 0.2}})
    whole, parts = (MulticlassRows(data_of(frame), ("g", "age"), one) for one in halves(frame, held))
    assert dumps(multiclass_disaggregated.evaluate(config, parts, None, ABOUT)) == dumps(
        multiclass_disaggregated.evaluate(config, whole, None, ABOUT)
    )


def test_a_regression_in_two_parts_gives_the_same_evidence() -> None:
    frame = people()
    frame["target"] = frame["score"] + np.random.default_rng(9).normal(0, 0.3, len(frame))
    scale = predicted_rows(frame, target="target", prediction="score").scale

    def held(part: pd.DataFrame) -> ArrowRegressionRows:
        return ArrowRegressionRows(
            part[["g", "age", "ms"]], predicted_rows(part, target="target", prediction="score", scale=scale)
        )

    config = regression_config.RegressionDisaggregatedConfig(**SLICES, max_gap={"mae": 0.1})
    whole, parts = (
        RegressionRows(data_of(frame), one, ("g", "age"), "target", "score", (), one) for one in halves(frame, held)
    )
    assert dumps(regression_disaggregated.evaluate(config, parts, None, ABOUT)) == dumps(
        regression_disaggregated.evaluate(config, whole, None, ABOUT)
    )


def test_columns_are_coded_once_for_all_that_is_counted_by_them(monkeypatch: pytest.MonkeyPatch) -> None:
    coded: list[Slicing] = []
    code = arrow_rows.sliced_columns

    def counted(frame: pd.DataFrame, slicing: Slicing, **options: Any) -> Any:
        coded.append(slicing)
        return code(frame, slicing, **options)

    monkeypatch.setattr(arrow_rows, "sliced_columns", counted)
    frame = people()
    held = binary(frame)
    rows = Rows(data_of(frame), held, "1", ("g", "age", "ms"), "label", "score", held)
    spread = {"spread": lambda label, score, prediction, weight: float((score - label).std())}
    config = parse("disaggregated", {**DISAGGREGATED, "row_metrics": spread})
    disaggregated.evaluate(config, rows, None, ABOUT)
    assert len(coded) == 1


def test_the_contract_brings_no_engine() -> None:
    script = (
        "import sys, mlflow_eval_plugin.engines.contract\n"
        "print(sorted({'pandas', 'pyarrow', 'mlflow_eval_plugin.engines.arrow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
