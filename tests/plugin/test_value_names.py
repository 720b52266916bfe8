"""Names of values that nothing has: of a column they are refused, of a level that is written otherwise a warning."""

from __future__ import annotations

from typing import Any

import mlflow
import pandas as pd
import pytest
from evaluators.test_drift_calls import scored
from support.evaluating import World, refused

ROWS = 600


def warned(caplog: pytest.LogCaptureFixture, config: dict[str, Any], **columns: Any) -> list[str]:
    caplog.clear()
    with mlflow.start_run():
        mlflow.models.evaluate(
            data=scored(1, ROWS, **columns), targets="y", predictions="p", model_type="classifier",
            evaluators=list(config), evaluator_config=config,
        )  # fmt: skip
    return [one.getMessage() for one in caplog.records if one.name.endswith("value_names")]


def test_a_column_that_nothing_has_is_refused_with_near_names(world: World) -> None:
    config = {
        "calibration": {"value_labels": {"SXE": {1: "men"}}},
        "disaggregated": {"slices": ["SEX"], "value_labels": {"age": {"below 25": "the young"}, "SEX": {1: "men"}},
                          "col_mapping": {"age": "AGEPP"}},
    }  # fmt: skip
    message = refused(world, evaluators=list(config), evaluator_config=config)
    assert "value_labels: no column 'SXE', did you mean 'SEX'" in message
    assert "no column 'AGEPP', did you mean 'AGEP'" in message and "'SEX'; " not in message


@pytest.mark.parametrize("form", ["frame", "mapping"])
def test_a_column_of_slice_data_or_of_a_reference_is_enough(
    world: World, caplog: pytest.LogCaptureFixture, form: str
) -> None:
    names = {"town": {"a": "Ayr", "b": "Bath"}, "gone": {1: "one"}, "y": {1: "yes"}, "p": {0.5: "half"}}
    town: dict[str, Any] = {"town": ["a", "b"] * (ROWS // 2)}
    config = {
        "disaggregated": {"slices": ["town"], "slice_data": pd.DataFrame(town) if form == "frame" else town,
                          "value_labels": names},
        "drift": {"reference": scored(0, gone=1), "value_labels": names},
    }  # fmt: skip
    assert warned(caplog, config) == []


def test_levels_that_are_written_otherwise_are_a_warning(world: World, caplog: pytest.LogCaptureFixture) -> None:
    sex = [1, 2, 2] * (ROWS // 3)
    labels = {"value_labels": {"SEX": {"M": "men", "F": "women"}}}
    config = {"disaggregated": {"slices": ["SEX"], **labels}, "drift": {"reference": scored(0, SEX=1), **labels}}
    assert warned(caplog, config, SEX=sex) == ["value_labels: SEX has no 'F' and 'M', and '1' and '2' have no name"]
    for names in (
        {1: "men", 2: "women", 9: "not stated"},  # a list of codes may be longer than what these rows have
        {2: "women"},  # or name one of them
    ):
        assert warned(caplog, {"disaggregated": {"slices": ["SEX"], "value_labels": {"SEX": names}}}, SEX=sex) == []
    band = {"slices": [{"column": "x", "edges": [-1, 1]}], "value_labels": {"x": {"below 0": "low"}}}
    (said,) = warned(caplog, {"disaggregated": band})
    assert said.startswith("value_labels: x has no 'below 0', and ") and "'[-1, 1]'" in said
    band = {**band, "value_labels": {"x": {"below -1": "low", "[-1, 1]": "between", "above 1": "high"}}}
    assert warned(caplog, {"disaggregated": band}) == []


def test_a_value_that_only_a_query_asks_for_is_used(world: World, caplog: pytest.LogCaptureFixture) -> None:
    labels = {"SEX": {1: "men"}, "REGION": {"n": "north"}}
    config = {"disaggregated": {"queries": {"men of the north": "SEX == 1 and REGION == 'n'"}, "value_labels": labels}}
    assert warned(caplog, config, SEX=[1, 2] * (ROWS // 2), REGION=["n", "n", "s"] * (ROWS // 3)) == []
