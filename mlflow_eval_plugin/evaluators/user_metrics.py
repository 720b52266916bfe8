"""The part of the ``disaggregated`` evaluator that knows a user's own metrics."""

from __future__ import annotations

from typing import Any

import numpy as np

from mlflow_eval_plugin.engines import slice_rows
from mlflow_eval_plugin.evaluators.config import DisaggregatedConfig
from mlflow_eval_plugin.evaluators.rows import Rows, as_json
from mlflow_eval_plugin.evaluators.slicing import cuts_of
from mlflow_eval_plugin.stats.estimate import Estimate, estimates
from mlflow_eval_plugin.stats.gaps import SliceTable
from mlflow_eval_plugin.stats.user_metrics import Maker, SliceRows, counted_metric, row_metric


def own_metrics(config: DisaggregatedConfig, rows: Rows) -> dict[str, Maker]:
    """The metrics of the config, for a ``SliceTable``; rows are sorted when the first of ``row_metrics`` is asked."""
    kept: list[SliceRows] = []

    def rows_of(table: SliceTable) -> SliceRows:
        if not kept:
            kept.append(_rows(config, rows, table))
        return kept[0]

    counted = {name: counted_metric(name, function) for name, function in config.metrics.items()}
    return {**counted, **{name: row_metric(name, function, rows_of) for name, function in config.row_metrics.items()}}


def measured_metrics(config: DisaggregatedConfig, table: SliceTable) -> dict[str, dict[str, Any]]:
    """By the label of every slice, "overall" among them: name → estimate of the user's metrics."""
    found: dict[str, dict[str, Any]] = {one.label: {} for one in table.summary.slices}
    for name in (*config.metrics, *config.row_metrics):
        for label, one in zip(found, estimates(table.metric(name)), strict=True):
            found[label][name] = as_json(_told(one))
    return found


def _told(one: Estimate) -> Estimate:
    if one.value is None or one.interval is not None:
        return one
    return Estimate(one.value, None, 0.0, "resamples of these rows do not vary, or have no value of the metric")


def _rows(config: DisaggregatedConfig, rows: Rows, table: SliceTable) -> SliceRows:
    called = rows.prediction if rows.score is None else np.asarray(rows.score) >= config.threshold
    return slice_rows(
        rows.frame,
        table.summary.slices,
        label=np.asarray(rows.label),
        score=None if rows.score is None else np.asarray(rows.score),
        prediction=np.asarray(called).astype(np.uint8),
        weight=None if rows.weight is None else np.asarray(rows.weight),
        **cuts_of(config),
    )
