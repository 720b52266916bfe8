"""The ``disaggregated`` evaluator of a regression: are predictions as near to the targets in every slice?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from mlflow_eval_plugin.engines.contract import ErrorCounts, RegressionErrorKind, Sought
from mlflow_eval_plugin.evaluators.claims import gap_claims, metric_claims, ratio_claim
from mlflow_eval_plugin.evaluators.config.disaggregated_base import DisaggregatedBase
from mlflow_eval_plugin.evaluators.config.regression import RegressionDisaggregatedConfig
from mlflow_eval_plugin.evaluators.document import About, as_json, document, slice_json
from mlflow_eval_plugin.evaluators.regression.rows import RegressionRows
from mlflow_eval_plugin.evaluators.search import Prepared, search_of, weakest
from mlflow_eval_plugin.evaluators.slice_changes import SliceChanges, of_reference
from mlflow_eval_plugin.evaluators.slicing import slice_columns, slicing_of, wanted_labels
from mlflow_eval_plugin.evaluators.system import measured_system, system_claims, system_of
from mlflow_eval_plugin.evaluators.unchecked import gaps_of_regression
from mlflow_eval_plugin.evaluators.user_metrics import add_own_metrics, metrics_of_rows
from mlflow_eval_plugin.evidence import Evidence
from mlflow_eval_plugin.stats.binary.disaggregated import Gap, gaps_of
from mlflow_eval_plugin.stats.inference.checks import Claim
from mlflow_eval_plugin.stats.inference.estimate import Estimate
from mlflow_eval_plugin.stats.regression.disaggregated import regression_slices
from mlflow_eval_plugin.stats.regression.metrics import RegressionTable
from mlflow_eval_plugin.stats.regression.names import OF_ALL, can_be_best, can_be_divided
from mlflow_eval_plugin.stats.slices.gaps import VERSUS, MetricTable
from mlflow_eval_plugin.stats.slices.user_metrics import RowMaker, SliceRows

_MOST_FULLY_COMPARED = 100
_NO_RATIO = Estimate(None, None, 0.0, "the metric can be negative, so that no ratio of it means anything")


def evaluate(
    config: RegressionDisaggregatedConfig, rows: RegressionRows, reference: RegressionRows | None, about: About
) -> Evidence:
    """Measure every slice and judge the gaps, and what has changed since the reference.

    Raises:
        InputError: for slice columns that cannot be evaluated; targets and predictions were found right before.
    """
    searching = _prepared(config, rows)
    summary = rows.known.moments(slicing_of(config))
    table = RegressionTable(summary, _own_metrics(config, rows))
    labels = wanted_labels(config, summary.slices)
    system = system_of(config, rows.known)
    reports = {report.label: slice_json(report) for report in regression_slices(table)}
    add_own_metrics(config, table, reports.values())
    changes = _changes(config, table, reference, labels)
    claims = [*_slice_claims(config, table, labels), *system_claims(config, system, labels), *changes.claims()]
    measurements = {
        "slice_columns": slice_columns(config),
        "minimum_count": config.min_count,
        "weighted": summary.weighted,
        "overall": reports["overall"],
        "slices": [reports[label] for label in labels],
        "gaps": [as_json(one) for one in _gaps(config, table) if one.label in set(labels)],
        "system": measured_system(config, system, set(labels)),
        "weak_slices": weakest(searching),
        "change": changes.measured(),
        "unchecked": gaps_of_regression(table, labels, claims, config.alpha),
    }
    return document(config, rows, claims, measurements, about, reference=reference.data if reference else None)


def _changes(
    config: RegressionDisaggregatedConfig,
    table: RegressionTable,
    reference: RegressionRows | None,
    labels: Sequence[str],
) -> SliceChanges:
    before: RegressionTable | None = None
    if reference is not None and (known := reference.predicted) is not None:
        counted = of_reference(lambda: known.moments(slicing_of(config)))
        before = RegressionTable(counted, _own_metrics(config, reference))
    return SliceChanges(config, table, before, labels, OF_ALL)


def _gaps(config: RegressionDisaggregatedConfig, table: RegressionTable) -> Iterator[Gap]:
    chosen = [*config.max_gap, *config.max_ratio, *config.min_ratio]
    few = len(table.slices) <= _MOST_FULLY_COMPARED
    # With hundreds of slices, three comparisons of every metric would be most of the document.
    for metric in dict.fromkeys([*OF_ALL, *chosen] if few else chosen):
        for versus in VERSUS if few else (config.gap_versus,):
            if versus != "best" or can_be_best(metric):
                for one in gaps_of(table, metric, versus, config.min_count):
                    yield one if can_be_divided(metric) else replace(one, ratio=_NO_RATIO)


def _slice_claims(
    config: RegressionDisaggregatedConfig, table: RegressionTable, labels: Sequence[str]
) -> Iterator[Claim]:
    yield from gap_claims(config, table, labels)
    for label in labels:
        for metric, limit in config.max_ratio.items():
            yield ratio_claim(config, table, metric, label, maximum=limit)
    for label in ("overall", *labels):
        yield from metric_claims(config, table, label)


def _prepared(config: RegressionDisaggregatedConfig, rows: RegressionRows) -> Prepared | None:
    """The search of weak slices that the config asks for, by squared or absolute errors; None without one."""
    asked = config.search.error if config.search else None
    error: RegressionErrorKind = "absolute_error" if asked == "absolute_error" else "squared_error"

    def counted(sought: Sought) -> ErrorCounts:
        return rows.known.errors(sought, error)

    return search_of(config, rows, error, counted)


def _own_metrics(config: DisaggregatedBase, rows: RegressionRows) -> dict[str, RowMaker]:
    """The custom metrics of the config, for a ``RegressionTable``: the label is the target, and there is no score."""

    def told(table: MetricTable) -> SliceRows:
        return rows.known.slice_rows(table.slices, slicing_of(config))

    return metrics_of_rows(config, told)
