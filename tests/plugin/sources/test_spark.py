"""A Spark frame is judged where it lies, and leaves the bytes that a frame in memory leaves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException
from support.documents.judged import CASES, MADE, documents, scored
from support.evaluating import World
from support.shards.spark_session import spark  # noqa: F401

import mlflow_eval_plugin as evidence


@pytest.fixture
def frame(spark: Any, tmp_path: Path) -> Any:  # noqa: F811
    return spread(scored(), spark, tmp_path)


def spread(rows: pd.DataFrame, spark: Any, folder: Path) -> Any:  # noqa: F811
    place = folder / "rows.parquet"
    rows.to_parquet(place, index=False, coerce_timestamps="us", allow_truncated_timestamps=True)
    return spark.read.parquet(str(place)).repartition(3)


@pytest.mark.parametrize(
    "case",
    [
        "three evaluators", "a champion in a column", "a search",
        "three evaluators of a regression", "a champion of a regression in a column",
        "three classes", "a champion of three classes",
    ],
)  # fmt: skip
def test_a_spark_frame_gives_what_a_frame_gives(case: str, world: World, spark: Any, tmp_path: Path) -> None:  # noqa: F811
    config, changes = CASES[case]
    rows = MADE[case]
    if "drift" in config:
        config = {**config, "drift": {**config["drift"], "reference": rows(seed=5)}}
    assert documents(spread(rows(), spark, tmp_path), config, **changes) == documents(rows(), config, **changes)


def test_what_needs_rows_in_memory_is_refused_and_nothing_is_collected(world: World, frame: Any) -> None:
    asked: dict[str, Any] = {"targets": "default", "predictions": "score", "model_type": "classifier"}
    with pytest.raises(
        MlflowException, match=r"the rows of a Spark frame are not collected: .*'sample_weights' are an"
    ):
        evidence.evaluate(frame, **asked, evaluator_config={"calibration": {"sample_weights": np.ones(2500)}})


def test_a_baseline_is_not_made_of_the_first_rows_alone(world: World, frame: Any) -> None:
    before = len(mlflow.search_runs(search_all_experiments=True))
    with pytest.raises(MlflowException, match="of a Spark frame are not collected; write them as Parquet, and give"):
        evidence.freeze(frame, targets="default", predictions="score")
    assert len(mlflow.search_runs(search_all_experiments=True)) == before


def test_columns_that_hold_lists_are_refused_by_name(world: World, frame: Any) -> None:
    with pytest.raises(MlflowException, match=r"data: column 'tags' holds lists; leave it out or explode it"):
        evidence.evaluate(
            frame.selectExpr("*", "array(1) as tags"), targets="default", predictions="score",
            model_type="classifier", evaluators=["calibration"],
        )  # fmt: skip
