"""Harm that no Check covers is in the Evidence of every evaluator that slices, whatever the model predicts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from support.evaluating import World, evidence_of

from mlflow_eval_plugin.evaluators.config.disaggregated import DisaggregatedConfig
from mlflow_eval_plugin.evidence import Evidence
from mlflow_eval_plugin.reports import render
from mlflow_eval_plugin.reports.pages import joined

N = 12_000


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """Forty hospitals, of which the one of 356 rows is told the opposite of what is so."""
    rng = np.random.default_rng(0)
    hospital = np.where(np.arange(N) < 356, "H99", rng.choice([f"H{i:02d}" for i in range(40)], N))
    label = (rng.random(N) < 0.4).astype(int)
    noisy = np.where(label == 1, rng.beta(5, 2.2, N), rng.beta(2.2, 5, N))
    wrong = np.where(label == 1, 0.2, 0.8) + rng.uniform(-0.1, 0.1, N)
    score = np.where((hospital == "H99") & (np.arange(N) >= 3), wrong, noisy)
    target = rng.normal(10, 3, N)
    animals = np.array(["cat", "dog", "emu"])
    kind = rng.integers(0, 3, N)
    right = np.where(hospital == "H99", 0.01, 0.8)
    said = np.where(rng.random(N) < right, kind, (kind + rng.integers(1, 3, N)) % 3)
    return pd.DataFrame({
        "hospital": hospital, "SEX": rng.integers(1, 3, N), "y": label, "score": score, "steady": noisy,
        "target": target, "predicted": target + rng.normal(0, 1, N) + np.where(hospital == "H99", 9, 0),
        "level": target + rng.normal(0, 1, N), "animal": animals[kind], "said": animals[said],
        "was said": animals[np.where(rng.random(N) < 0.8, kind, (kind + 1) % 3)],
    })  # fmt: skip


NO_MARGIN: dict[str, Any] = {"non_inferiority": {}, "slice_non_inferiority": {}}
CALLS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "disaggregated": ("disaggregated", {"predictions": "score"}, {"max_gap": {"selection_rate": 0.9}}),
    "disaggregated, classes": ("disaggregated", {"predictions": "said", "targets": "animal"},
                               {"max_gap": {}}),
    "disaggregated, numbers": ("disaggregated", {"predictions": "predicted", "targets": "target"},
                               {"max_ratio": {}, "max_gap": {}}),
    "calibration": ("calibration", {"predictions": "score"}, {"max_ece": None, "max_calibration_in_the_large": None}),
    "calibration, numbers": ("calibration", {"predictions": "predicted", "targets": "target"},
                             {"max_bias_sigma": None}),
    "comparison": ("comparison", {"predictions": "score"}, {"champion": {"column": "steady"}, **NO_MARGIN}),
    "comparison, classes": ("comparison", {"predictions": "said", "targets": "animal"},
                            {"champion": {"column": "was said"}, **NO_MARGIN}),
    "comparison, numbers": ("comparison", {"predictions": "predicted", "targets": "target"},
                            {"champion": {"column": "level"}, **NO_MARGIN}),
}  # fmt: skip


def evidence(world: World, rows: pd.DataFrame, kind: str, call: dict[str, Any], config: dict[str, Any]) -> Evidence:
    model_type = "regressor" if call.get("targets") == "target" else "classifier"
    call = {"model": None, "targets": "y", "model_type": model_type, "evaluators": kind, **call}
    run, _ = world.evaluate(rows, evaluator_config={"slices": ["hospital", "SEX"], **config}, **call)
    return evidence_of(world, run, kind)


@pytest.mark.parametrize("name", CALLS)
def test_a_hospital_that_no_check_covers_is_named_first(world: World, rows: pd.DataFrame, name: str) -> None:
    found = evidence(world, rows, *CALLS[name])
    headline = joined.headline([found])
    assert "Not checked: " in headline and "for hospital=H99 (356 rows) is" in headline
    unchecked = found.measurements["unchecked"]
    assert unchecked["found"][0]["label"] == "hospital=H99"
    assert unchecked["found"][0]["n"] == 356
    assert not any(check.scope == "hospital=H99" and check.verdict == "fail" for check in found.checks)
    page = render(found)
    assert page.index("Worse where nothing was checked") < page.index("hospital=H99</th>") < page.index('id="tables"')


def test_the_accuracy_of_the_hospital_is_told_beside_that_of_all_others(world: World, rows: pd.DataFrame) -> None:
    found = evidence(world, rows, *CALLS["disaggregated"])
    wrong = ((rows.score >= 0.5) == (rows.y == 1))[rows.hospital == "H99"].mean()
    others = ((rows.score >= 0.5) == (rows.y == 1))[rows.hospital != "H99"].mean()
    one = next(one for one in found.measurements["unchecked"]["found"] if one["metric"] == "accuracy")
    assert (one["value"], one["other"]) == (pytest.approx(wrong), pytest.approx(others))
    assert found.verdict == "pass"
    assert f"accuracy for hospital=H99 (356 rows) is {wrong:.4f}; for all other rows it is {others:.3f}." in (
        joined.headline([found])
    )


def test_what_has_a_check_is_not_told_again(world: World, rows: pd.DataFrame) -> None:
    kind, call, config = CALLS["disaggregated"]
    found = evidence(world, rows, kind, call, {**config, "max_gap": {"fnr": 0.9}, "min_metric": {"accuracy": 0.001}})
    told = {one["metric"] for one in found.measurements["unchecked"]["found"] if one["label"] == "hospital=H99"}
    assert told & {"accuracy", "recall", "fnr"} == set() and "fpr" in told


def test_what_follows_the_share_of_positives_alone_is_not_looked_at(world: World, rows: pd.DataFrame) -> None:
    kind, call, config = CALLS["disaggregated"]
    looked = evidence(world, rows, kind, call, config).measurements["unchecked"]["metrics"]
    assert "auc" in looked and "average_precision" not in looked


def test_a_slice_below_the_minimum_count_has_no_check_so_it_is_looked_at(world: World, rows: pd.DataFrame) -> None:
    kind, call, config = CALLS["disaggregated"]
    found = evidence(world, rows, kind, call, {**config, "max_gap": {"accuracy": 0.1}, "min_count": 1000})
    assert {"hospital=H99"} <= {
        one["label"] for one in found.measurements["unchecked"]["found"] if one["metric"] == "accuracy"
    }


def test_values_have_names_on_the_page_and_levels_in_the_evidence(world: World, rows: pd.DataFrame) -> None:
    kind, call, config = CALLS["calibration"]
    names = {"value_labels": {"SEX": {1: "men", 2.0: "women"}, "hospital": {"H99": "the new hospital"}}}
    found = evidence(world, rows, kind, call, {**config, **names})
    assert found.config["value_labels"] == {"SEX": {"1": "men", "2": "women"}, "hospital": {"H99": "the new hospital"}}
    assert {"SEX=1", "SEX=2", "hospital=H99"} <= {one["label"] for one in found.measurements["slices"]}
    assert "for the new hospital (356 rows)" in joined.headline([found])
    page = render(found)
    assert "SEX=men</th>" in page and "SEX=1</th>" not in page


WHOLE, PRINTABLE = "expected the names of values by column", "must be printable text"
APART = "no reader can tell them apart"


@pytest.mark.parametrize(("labels", "message"), [
    (["SEX"], WHOLE), ({"SEX": "men"}, WHOLE), ({"SEX": {1: ""}}, PRINTABLE), ({"SEX": {1: 3}}, PRINTABLE),
    ({"SEX": {1: "m\nen"}}, PRINTABLE), ({"SEX": {1: "m" * 101}}, "more than 100 characters"),
    ({"SEX": {1: "men", 1.5: "men"}}, APART), ({"SEX": {1: "2", 2: "women"}}, APART),
    ({"SEX": {1: "men", "1": "boys"}}, "two names of '1'"),
])  # fmt: skip
def test_names_that_are_none_or_cannot_be_told_apart_are_refused(labels: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        DisaggregatedConfig(slices=("SEX",), value_labels=labels)
