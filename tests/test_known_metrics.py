"""One record says of a metric what people call it, which way is harm and what it can be; all that read it follow."""

from __future__ import annotations

from math import inf

import pytest

from mlflow_eval_plugin.evaluators.config.tolerances import beyond, span_of
from mlflow_eval_plugin.known_metrics import LESS, METRICS, MORE, SHARE, Metric, metric_of, way
from mlflow_eval_plugin.reports.sentences.wording import in_order, metric_label
from mlflow_eval_plugin.stats.regression.names import can_be_best, can_be_divided, metric_names


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
