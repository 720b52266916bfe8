"""Calls whose rows are read in parts give the bytes that calls of frames give; what needs rows in memory says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from mlflow.exceptions import MlflowException
from pyarrow import parquet
from support.documents.judged import CASES, MADE, ROWS, classed, documents, predicted, scored
from support.evaluating import World

import mlflow_eval_plugin as evidence
from mlflow_eval_plugin.plugin import evaluate as door


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """The rows in two files, of which the second has rows in small groups."""
    return written(scored(), tmp_path)


def written(frame: pd.DataFrame, folder: Path) -> Path:
    table = pa.Table.from_pandas(frame, preserve_index=False)
    parquet.write_table(table.slice(0, 700), folder / "a.parquet")
    parquet.write_table(table.slice(700), folder / "b.parquet", row_group_size=90)
    return folder


@pytest.fixture
def no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever would evaluate files in memory fails; frames are told by where they come from."""
    whole = door.computed

    def computed(request: Any, asked: Any) -> Any:
        assert request.dataset.origin is None, "files are in memory"
        return whole(request, asked)

    monkeypatch.setattr(door, "computed", computed)


@pytest.mark.parametrize("case", list(CASES))
def test_files_give_what_a_frame_gives(case: str, world: World, tmp_path: Path, no_memory: None) -> None:
    config, changes = CASES[case]
    rows = MADE[case]
    if "drift" in config:
        config = {**config, "drift": {**config["drift"], "reference": rows(seed=5)}}
    assert documents(written(rows(), tmp_path), config, **changes) == documents(rows(), config, **changes)


def test_a_reference_of_files_is_read_in_parts_too(world: World, files: Path, tmp_path: Path, no_memory: None) -> None:
    reference = tmp_path / "reference"
    reference.mkdir()
    scored(seed=5).to_parquet(reference / "a.parquet", index=False)
    config: dict[str, Any] = {"calibration": {"max_ece": 0.2}, "drift": {}}

    def of(given: Any) -> dict[str, Any]:
        return {kind: {**one, "reference": given} for kind, one in config.items()}

    found = documents([str(one) for one in sorted(files.glob("*.parquet"))], of(str(reference / "*.parquet")))
    held = documents(scored(), of(scored(seed=5)))
    for one in (*found.values(), *held.values()):
        del one["config"], one["config_digest"]  # which say where the reference was
    assert found == held


@pytest.mark.parametrize(
    ("config", "changes", "why"),
    [
        ({"calibration": {}}, {"model": "asked"}, "model: it is asked of rows in memory; write the predictions first"),
        (
            {"disaggregated": {"slices": ["region"], "row_metrics": {"m": lambda y, s, p, w: float(y.mean())}}}, {},
            "disaggregated: 'row_metrics' read rows; give 'metrics', functions of a Summary",
        ),
        ({"calibration": {"sample_weights": np.ones(ROWS)}}, {}, "'sample_weights' are an array; name a column"),
        ({"disaggregated": {"slices": ["region"], "missing_labels": "received"}}, {}, "filter the data"),
        (
            {"comparison": {"champion": {"run": "a", "path": "b.parquet", "column": "c"}}}, {},
            "the champion's predictions lie elsewhere; join them to the data by its key, and name the column",
        ),
    ],
)  # fmt: skip
def test_more_rows_than_memory_holds_are_refused_with_the_way_out(
    config: dict[str, Any],
    changes: dict[str, Any],
    why: str,
    world: World,
    files: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(door, "MEMORY_ROWS", 1000)
    before = len(mlflow.search_runs())
    given = {"targets": "default", "predictions": "score", "model_type": "classifier", "evaluators": list(config)}
    with pytest.raises(MlflowException) as refused:
        evidence.evaluate(str(files), evaluator_config=config, **{**given, **changes})
    assert "data: 2,500 rows are not read into memory, of which there may be 1,000: " in refused.value.message
    assert why in refused.value.message
    assert len(mlflow.search_runs()) == before


@pytest.mark.parametrize("kind", ["lazy", "duckdb", "delta"])
def test_rows_that_are_counted_as_they_are_read_are_refused_as_they_become_too_many(
    kind: str, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config: dict[str, Any] = {"calibration": {"sample_weights": np.ones(ROWS)}}
    frame = scored().drop(columns="opened")
    given = uncounted(kind, frame, tmp_path)
    assert documents(given, config) == documents(frame, config)
    monkeypatch.setattr(door, "MEMORY_ROWS", 1000)
    before = len(mlflow.search_runs())
    with pytest.raises(MlflowException) as refused:
        evidence.evaluate(
            given, targets="default", predictions="score", model_type="classifier", evaluators=["calibration"],
            evaluator_config=config,
        )  # fmt: skip
    assert "has more rows than the 1,000 that are read into memory: calibration: 'sample_weights' are an array" in (
        refused.value.message
    )
    assert len(mlflow.search_runs()) == before


def uncounted(kind: str, frame: pd.DataFrame, folder: Path) -> Any:
    """The rows as a table that does not say how many it has."""
    if kind == "lazy":
        return pytest.importorskip("polars").from_pandas(frame).lazy()
    if kind == "duckdb":
        connection = pytest.importorskip("duckdb").connect()
        return connection.from_arrow(pa.Table.from_pandas(frame, preserve_index=False))
    delta = pytest.importorskip("deltalake")
    delta.write_deltalake(str(folder / "table"), pa.Table.from_pandas(frame, preserve_index=False))
    return delta.DeltaTable(str(folder / "table"))


def test_few_rows_are_read_into_memory_where_that_is_needed(world: World, files: Path) -> None:
    config = {"disaggregated": {"slices": ["region"], "row_metrics": {"m": lambda y, s, p, w: float(y.mean())}}}
    assert documents(files, config) == documents(scored(), config)


def test_a_wrong_value_is_told_by_file_and_row(world: World, tmp_path: Path) -> None:
    frame = scored()
    frame.loc[2001, "score"] = 1.5
    frame.loc[2002, "default"] = 2
    frame.iloc[:2000].to_parquet(tmp_path / "a.parquet", index=False)
    frame.iloc[2000:].to_parquet(tmp_path / "b.parquet", index=False)
    config: dict[str, Any] = {"calibration": {"pos_label": 1}}
    with pytest.raises(MlflowException) as refused:
        documents(tmp_path, config)
    assert "label: expected two classes, found 3" in refused.value.message
    assert "1 row is of another, from 2 to 2, the first at row 2" in refused.value.message
    assert f"{tmp_path}/b.parquet" in refused.value.message
    frame["default"] = frame["default"].clip(upper=1)
    frame.iloc[2000:].to_parquet(tmp_path / "b.parquet", index=False)
    with pytest.raises(
        MlflowException, match=r"1 row is out of bounds, from 1.5 to 1.5, the first at row 1 of .*b\.parquet"
    ):
        documents(tmp_path, config)


@pytest.mark.parametrize(
    ("config", "changes", "why"),
    [
        ({"calibration": {}}, {"predictions": None}, "there is neither a model nor a column of predictions"),
        ({"calibration": {"quantiles": {0.1: "lowest"}}}, {}, "quantiles: .*'lowest'"),
        ({"calibration": {"prediction_column": "rivals"}}, {}, "prediction_column: .*'rivals'"),
        ({"calibration": {}}, {"predictions": "region"}, "prediction: expected numbers, found text in column 'region'"),
        (
            {"calibration": {}},
            {"targets": "income"},
            r"target: .* rows are missing, the first at row \d+ of .*a\.parquet",
        ),
        ({"comparison": {"champion": {"column": "expected"}}}, {}, "champion: 'expected' holds the challenger's"),
        ({"comparison": {"champion": {"column": "income"}}}, {}, "champion: prediction: .* rows are missing"),
    ],
)
def test_what_no_regression_is_judged_by_is_refused_by_name(
    config: dict[str, Any], changes: dict[str, Any], why: str, world: World, tmp_path: Path, no_memory: None
) -> None:
    given = {"targets": "loss", "predictions": "expected", "model_type": "regressor", **changes}
    with pytest.raises(MlflowException, match=why):
        documents(written(predicted(), tmp_path), config, **given)


def test_a_reference_that_no_regression_is_held_against_is_told_as_such(
    world: World, tmp_path: Path, no_memory: None
) -> None:
    config = {"calibration": {"reference": predicted(seed=5).assign(expected=np.nan), "max_change": {"rmse": 0.5}}}
    with pytest.raises(MlflowException, match=r"reference: prediction: .* rows are missing"):
        documents(
            written(predicted(), tmp_path), config, targets="loss", predictions="expected", model_type="regressor"
        )


@pytest.mark.parametrize(
    ("config", "changes", "why"),
    [
        ({"calibration": {}}, {"predictions": None}, "there is neither a model nor a column of predictions"),
        ({"calibration": {"probability_column": "of a"}}, {}, "one column cannot hold the probabilities of three"),
        (
            {"disaggregated": {"slices": ["region"]}},
            {"predictions": "of a"},
            "predictions: expected classes, found more",
        ),
        ({"calibration": {"probability_columns": {"a": "of a", "b": "of d", "c": "of c"}}}, {}, "'of d'"),
        (
            {"calibration": {"probability_columns": {"a": "of a", "b": "w", "c": "of c"}}},
            {},
            "probability of 'b': .* out of bounds",
        ),
        ({"disaggregated": {"slices": ["region"], "label_list": ["a", "b", "d"]}}, {}, "it has .* and not 'c'"),
        ({"comparison": {"champion": {"column": "guess"}}}, {}, "champion: 'guess' holds the challenger's"),
        ({"comparison": {"champion": {"column": "of a"}}}, {}, "champion: column 'of a': expected a class a row"),
        ({"comparison": {"champion": {"column": "region"}}}, {}, "champion: column 'region': .* rows are missing"),
    ],
)
def test_what_no_three_classes_are_judged_by_is_refused_by_name(
    config: dict[str, Any], changes: dict[str, Any], why: str, world: World, tmp_path: Path, no_memory: None
) -> None:
    given = {"targets": "grade", "predictions": "guess", **changes}
    with pytest.raises(MlflowException, match=why):
        documents(written(classed(), tmp_path), config, **given)


@pytest.mark.parametrize("whole", [True, False])
def test_three_classes_are_held_against_a_reference_that_may_lack_their_labels(
    whole: bool, world: World, tmp_path: Path, no_memory: None
) -> None:
    columns = {one: f"of {one}" for one in "abc"}
    reference = classed(seed=5) if whole else classed(seed=5).drop(columns="grade")
    config: dict[str, Any] = {"disaggregated": {"slices": ["region"], "probability_columns": columns}}
    config["disaggregated"] |= {"reference": reference, "max_slice_change": {"accuracy": 0.5}}
    given: dict[str, Any] = {"targets": "grade", "predictions": None}
    if whole:
        assert documents(written(classed(), tmp_path), config, **given) == documents(classed(), config, **given)
        return
    for rows in (written(classed(), tmp_path), classed()):
        with pytest.raises(MlflowException, match="reference"):
            documents(rows, config, **given)
