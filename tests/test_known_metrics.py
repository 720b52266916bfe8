"""One record says of a metric what people call it, which way is harm and what it can be; all that read it follow."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest

from mlflow_eval_plugin.evaluators.config.regression import RegressionCalibrationConfig, RegressionComparisonConfig
from mlflow_eval_plugin.evaluators.config.tolerances import beyond, span_of
from mlflow_eval_plugin.evaluators.regression.calibration import _change_claims
from mlflow_eval_plugin.known_metrics import LESS, METRICS, MORE, SHARE, Metric, metric_of, way
from mlflow_eval_plugin.reports.sentences.wording import in_order, metric_label
from mlflow_eval_plugin.stats.inference.quantities import ProportionQuantity
from mlflow_eval_plugin.stats.regression.names import can_be_best, can_be_divided, changed_names, metric_names


def test_a_new_metric_is_one_record(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (metric_label("npv"), way("npv"), span_of("npv", many=False)) == ("Npv", 0, (-inf, inf))
    assert beyond("max_gap", "npv", 2.0, "difference", many=False) is None
    monkeypatch.setitem(METRICS, "npv", Metric("Negative predictive value", harm=LESS, span=SHARE))  # type: ignore[arg-type]
    assert metric_label("gap_npv[a]") == "Difference in negative predictive value of a"
    assert (way("npv[a]"), span_of("npv[a]", many=True)) == (-1, (0.0, 1.0))
    assert "at most 1 apart" in str(beyond("max_gap", "npv", 2.0, "difference", many=False))
    assert in_order(["zeta", "npv", "brier", "alpha"]) == ["brier", "npv", "alpha", "zeta"]


def test_records_agree_with_themselves() -> None:
    labels = [metric.label for metric in METRICS.values() if metric.label]
    assert len(labels) == len(set(labels)) > 40
    for name, metric in METRICS.items():
        assert metric.harm in (MORE, LESS, 0) and metric.span[0] < metric.span[1], name
    assert span_of("brier", many=True) == (0.0, 2.0) and span_of("brier", many=False) == SHARE


@pytest.mark.parametrize("name", metric_names((0.1, 0.9), ("80 %",)))
def test_what_can_be_best_and_divided_agrees_with_the_record(name: str) -> None:
    assert can_be_best(name) == (way(name) != 0)
    assert can_be_divided(name) == (metric_of(name).span[0] >= 0)
    assert metric_of(name) != Metric()


def test_a_change_of_a_regression_is_harm_by_the_record() -> None:
    known = changed_names((0.1,), ("80 %",))
    assert {name: way(name) for name in known} == {
        "mae": MORE, "rmse": MORE, "mean_error": MORE, "r2": LESS, "bias": 0, "slope": 0, "coverage_0.1": 0,
        "coverage_80 %": 0,
    }  # fmt: skip
    quantity = ProportionQuantity(*(np.ones(1),) * 2, np.ones(1, dtype=np.int64), np.ones(1), "no rows")
    config = RegressionCalibrationConfig(max_change=dict.fromkeys(known, 0.1), reference="given", quantiles={
        0.1: "low", 0.9: "high"})  # fmt: skip
    found = {one.metric: one for one in _change_claims(config, dict.fromkeys(known, quantity))}
    assert found["change_mae"].minimum is None and found["change_mae"].maximum == 0.1
    assert found["change_r2"].maximum is None and found["change_r2"].minimum == -0.1
    assert (found["change_bias"].minimum, found["change_bias"].maximum) == (-0.1, 0.1)
    with pytest.raises(ValueError, match="there is no metric with a margin 'bias'"):
        RegressionComparisonConfig(champion="old", non_inferiority={"bias": 0.1})
