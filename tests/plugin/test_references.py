"""A reference of any library, or as a data set of MLflow, is the same reference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from mlflow.data.evaluation_dataset import EvaluationDataset
from support.evaluating import FEATURES, LABEL, World, refused


class Stream:
    """A table that has no conversion of its own, as a relation of DuckDB has none to pandas by that name."""

    def __init__(self, held: Any) -> None:
        self.held = held

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.held.__arrow_c_stream__(requested_schema)


FORMS: dict[str, Callable[[pd.DataFrame], Any]] = {
    "mapping": lambda rows: {name: rows[name].to_numpy() for name in rows},
    "polars": pl.from_pandas,
    "polars, lazy": lambda rows: pl.from_pandas(rows).lazy(),
    "arrow": lambda rows: pa.Table.from_pandas(rows, preserve_index=False),
    "an Arrow stream": lambda rows: Stream(pa.Table.from_pandas(rows, preserve_index=False)),
    "an Arrow stream, read once": lambda rows: Stream(
        pa.Table.from_pandas(rows, preserve_index=False).to_reader(max_chunksize=100)
    ),
    "MLflow, pandas": lambda rows: mlflow.data.from_pandas(rows, targets="y", name="m"),
    "MLflow, polars": lambda rows: mlflow.data.from_polars(pl.from_pandas(rows), targets="y", name="m"),
    "MLflow, to evaluate": lambda rows: EvaluationDataset(rows, targets="y", name="m"),
}


def named(rows: pd.DataFrame) -> pd.DataFrame:
    """The label under another name, which a data set of MLflow tells."""
    return rows.rename(columns={LABEL: "y"})


@pytest.fixture(scope="module")
def plain(world: World) -> dict[str, Any]:
    return measured(world, world.train)


def measured(world: World, reference: Any, data: Any = None, **given: Any) -> dict[str, Any]:
    config = {"calibration": {"reference": reference}, "drift": {"reference": reference}}
    run, _ = world.evaluate(data, evaluators=list(config), evaluator_config=config, **given)
    uri = f"runs:/{run.info.run_id}/evidence"
    found = {kind: mlflow.artifacts.load_dict(f"{uri}/{kind}.json")["measurements"] for kind in config}
    inputs = [one.dataset.name for one in run.inputs.dataset_inputs if {tag.value for tag in one.tags} == {"reference"}]
    return {"reference": found["calibration"]["reference"], "columns": found["drift"]["columns"], "names": inputs}


@pytest.mark.parametrize("form", sorted(FORMS))
def test_every_form_is_the_same_reference(world: World, plain: dict[str, Any], form: str) -> None:
    of_mlflow = form.startswith("MLflow")
    found = measured(world, FORMS[form](named(world.train) if of_mlflow else world.train))
    assert found["reference"] == plain["reference"]
    assert {one["name"]: one["metrics"] for one in found["columns"]} == {
        one["name"]: one["metrics"] for one in plain["columns"]
    }
    assert found["names"] == ["m" if of_mlflow else "reference"]


def test_arrays_of_mlflow(world: World) -> None:
    raw = world.model
    given: dict[str, Any] = {"model": lambda rows: raw.predict_proba(pd.DataFrame(rows, columns=FEATURES))[:, 1]}
    reference = mlflow.data.from_numpy(world.train[FEATURES].to_numpy(), targets=world.train[LABEL].to_numpy())
    data, targets = world.rows[FEATURES].to_numpy(), world.rows[LABEL].to_numpy()
    found = measured(world, reference, data, targets=targets, **given)
    assert found["reference"] == measured(world, world.train, **given)["reference"]
    assert len(found["columns"]) == len(FEATURES) + 2


def test_further_columns_of_any_library(world: World) -> None:
    group = np.arange(len(world.rows)) % 2
    table = pa.table({"group": group})
    for given in (pl.DataFrame({"group": group}), table, Stream(table), {"group": pl.Series(group)}):
        _, result = world.evaluate(
            evaluators="disaggregated", evaluator_config={"slices": ["group"], "slice_data": given}
        )
        assert result.metrics["disaggregated_slices"] == 2.0


@pytest.mark.parametrize("given", [3, "train.csv", [1, 2], object()])
def test_what_is_no_table_is_named(world: World, given: Any) -> None:
    message = refused(world, evaluators=["drift"], evaluator_config={"drift": {"reference": given}})
    assert "reference: expected a data frame (pandas, polars, pyarrow or Spark)" in message


def test_a_stream_of_something_else_than_rows_is_refused(world: World) -> None:
    stream = Stream(pa.chunked_array([[1, 2], [3]]))
    message = refused(world, evaluators=["drift"], evaluator_config={"drift": {"reference": stream}})
    assert "reference: it cannot be read as a table" in message
