"""A Spark frame is judged where it lies, and leaves the bytes that a frame in memory leaves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlflow.exceptions import MlflowException
from support.documents.judged import CASES, documents, scored
from support.evaluating import World
from support.shards.spark_session import spark  # noqa: F401

import mlflow_eval_plugin as evidence


@pytest.fixture
def frame(spark: Any, tmp_path: Path) -> Any:  # noqa: F811
    scored().to_parquet(tmp_path / "rows.parquet", index=False, coerce_timestamps="us", allow_truncated_timestamps=True)
    return spark.read.parquet(str(tmp_path / "rows.parquet")).repartition(3)


@pytest.mark.parametrize("case", ["three evaluators", "a champion in a column", "a search"])
def test_a_spark_frame_gives_what_a_frame_gives(case: str, world: World, frame: Any) -> None:
    config, changes = CASES[case]
    if "drift" in config:
        config = {**config, "drift": {**config["drift"], "reference": scored(seed=5)}}
    assert documents(frame, config, **changes) == documents(scored(), config, **changes)


def test_what_needs_rows_in_memory_is_refused_and_nothing_is_collected(world: World, frame: Any) -> None:
    asked: dict[str, Any] = {"targets": "default", "predictions": "score", "model_type": "classifier"}
    with pytest.raises(
        MlflowException, match=r"the rows of a Spark frame are not collected: .*'sample_weights' are an"
    ):
        evidence.evaluate(frame, **asked, evaluator_config={"calibration": {"sample_weights": np.ones(2500)}})


def test_columns_that_hold_lists_are_refused_by_name(world: World, frame: Any) -> None:
    with pytest.raises(MlflowException, match=r"data: column 'tags' holds lists; leave it out or explode it"):
        evidence.evaluate(
            frame.selectExpr("*", "array(1) as tags"), targets="default", predictions="score",
            model_type="classifier", evaluators=["calibration"],
        )  # fmt: skip
