"""The part of the ``disaggregated`` evaluator that knows a user's own metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from mlflow_eval_plugin.engines import slice_rows
from mlflow_eval_plugin.engines.arrow.multiclass.summaries import ClassScored
from mlflow_eval_plugin.engines.arrow.regression.summaries import Predicted
from mlflow_eval_plugin.evaluators.config.disaggregated_base import DisaggregatedBase
from mlflow_eval_plugin.evaluators.config.keys import DisaggregatedConfig
from mlflow_eval_plugin.evaluators.document import Frame, Rows, as_json
from mlflow_eval_plugin.evaluators.slicing import cuts_of
from mlflow_eval_plugin.stats.binary.user_metrics import Maker, counted_metric
from mlflow_eval_plugin.stats.inference.estimate import Estimate, estimates
from mlflow_eval_plugin.stats.multiclass.user_metrics import ClassMaker, counted_class_metric
from mlflow_eval_plugin.stats.slices.gaps import Table
from mlflow_eval_plugin.stats.slices.user_metrics import RowMaker, SliceRows, row_metric


def own_metrics(config: DisaggregatedConfig, rows: Rows) -> dict[str, Maker | RowMaker]:
    """The metrics of the config, for a ``SliceTable``."""

    def arrays(table: Table) -> SliceRows:
        called = rows.prediction if rows.score is None else np.asarray(rows.score) >= config.threshold
        return slice_rows(
            rows.frame,
            table.slices,
            label=np.asarray(rows.label),
            score=None if rows.score is None else np.asarray(rows.score),
            prediction=np.asarray(called).astype(np.uint8),
            weight=None if rows.weight is None else np.asarray(rows.weight),
            **cuts_of(config),
        )

    counted = {name: counted_metric(name, function) for name, function in config.metrics.items()}
    return {**counted, **_of_rows(config, arrays)}


def own_class_metrics(
    config: DisaggregatedConfig, frame: Frame, scored: ClassScored
) -> dict[str, ClassMaker | RowMaker]:
    """The same for a ``MulticlassTable``; labels and predictions are told as text, scores by class."""

    def arrays(table: Table) -> SliceRows:
        found = slice_rows(
            frame, table.slices, label=scored.label, score=scored.probability, prediction=scored.prediction,
            weight=scored.weight, **cuts_of(config),
        )  # fmt: skip
        label, score, prediction, weight = found.arrays
        names = np.array(scored.classes, dtype=object)
        return replace(found, arrays=(names[label], score, names[prediction], weight))

    counted = {name: counted_class_metric(name, function) for name, function in config.metrics.items()}
    return {**counted, **_of_rows(config, arrays)}


def own_error_metrics(config: DisaggregatedBase, frame: Frame, predicted: Predicted) -> dict[str, RowMaker]:
    """The same for a ``RegressionTable``: the label is the target, and there is no score."""

    def arrays(table: Table) -> SliceRows:
        return slice_rows(
            frame, table.slices, label=predicted.target, score=None, prediction=predicted.prediction,
            weight=predicted.weight, **cuts_of(config),
        )  # fmt: skip

    return _of_rows(config, arrays)


def add_own_metrics(config: DisaggregatedBase, table: Table, reports: Iterable[Mapping[str, Any]]) -> None:
    """Add the user's metrics to those of the reports of slices of a table."""
    found: dict[str, dict[str, Any]] = {one.label: {} for one in table.slices}
    counted = config.metrics if isinstance(config, DisaggregatedConfig) else {}
    for name in (*counted, *config.row_metrics):
        for label, one in zip(found, estimates(table.metric(name)), strict=True):
            found[label][name] = as_json(_told(one))
    for report in reports:
        report["metrics"].update(found[report["label"]])


def _of_rows(config: DisaggregatedBase, arrays: Callable[[Table], SliceRows]) -> dict[str, RowMaker]:
    kept: list[SliceRows] = []

    def once(table: Table) -> SliceRows:
        # Rows are sorted when the first metric is asked.
        if not kept:
            kept.append(arrays(table))
        return kept[0]

    return {name: row_metric(name, function, once) for name, function in config.row_metrics.items()}


def _told(one: Estimate) -> Estimate:
    if one.value is None or one.interval is not None:
        return one
    return Estimate(one.value, None, 0.0, "resamples of these rows do not vary, or have no value of the metric")
