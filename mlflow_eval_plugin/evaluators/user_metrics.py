"""The part of the ``disaggregated`` evaluator that knows custom metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from mlflow_eval_plugin.evaluators.config.disaggregated_base import DisaggregatedBase
from mlflow_eval_plugin.evaluators.document import as_json
from mlflow_eval_plugin.stats.inference.estimate import Estimate, estimates
from mlflow_eval_plugin.stats.slices.gaps import MetricTable
from mlflow_eval_plugin.stats.slices.user_metrics import RowMaker, SliceRows, row_metric


def add_own_metrics(config: DisaggregatedBase, table: MetricTable, reports: Iterable[Mapping[str, Any]]) -> None:
    """Add the user's metrics to those of the reports of slices of a table."""
    found: dict[str, dict[str, Any]] = {one.label: {} for one in table.slices}
    for name in config.custom_metrics:
        for label, one in zip(found, estimates(table.metric(name)), strict=True):
            found[label][name] = as_json(_told(one))
    for report in reports:
        report["metrics"].update(found[report["label"]])


def metrics_of_rows(config: DisaggregatedBase, arrays: Callable[[MetricTable], SliceRows]) -> dict[str, RowMaker]:
    """The metrics of the config that are functions of rows; ``arrays`` gives the rows of a table, and is asked once."""
    kept: list[SliceRows] = []

    def once(table: MetricTable) -> SliceRows:
        # Rows are sorted when the first metric is asked.
        if not kept:
            kept.append(arrays(table))
        return kept[0]

    return {name: row_metric(name, function, once) for name, function in config.row_metrics.items()}


def _told(one: Estimate) -> Estimate:
    if one.value is None or one.interval is not None:
        return one
    return Estimate(one.value, None, 0.0, "resamples of these rows do not vary, or have no value of the metric")
