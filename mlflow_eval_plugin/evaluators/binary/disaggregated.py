"""The ``disaggregated`` evaluator: does the model serve every slice as well as the others?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from mlflow_eval_plugin.engines.contract import ErrorCounts, Sought
from mlflow_eval_plugin.evaluators.binary.rows import Rows
from mlflow_eval_plugin.evaluators.claims import (
    MOST_FULLY_COMPARED,
    comparisons_of,
    cost_claims,
    gap_claims,
    limit_in_words,
    metric_claims,
)
from mlflow_eval_plugin.evaluators.config.costs import costs_of_two
from mlflow_eval_plugin.evaluators.config.disaggregated import DisaggregatedConfig
from mlflow_eval_plugin.evaluators.document import About, as_json, document, slice_json
from mlflow_eval_plugin.evaluators.search import Prepared, error_of_classes, search_of, weakest
from mlflow_eval_plugin.evaluators.slice_changes import SliceChanges, of_reference
from mlflow_eval_plugin.evaluators.slicing import slice_columns, slicing_of, wanted_labels, wanted_subsets
from mlflow_eval_plugin.evaluators.system import measured_system, system_claims, system_of
from mlflow_eval_plugin.evaluators.unchecked import gaps_of_two
from mlflow_eval_plugin.evaluators.user_metrics import add_own_metrics, metrics_of_rows
from mlflow_eval_plugin.evidence import Evidence
from mlflow_eval_plugin.stats.binary.costs import SliceCost, cost_bounds, slice_costs
from mlflow_eval_plugin.stats.binary.disaggregated import (
    DEFAULT_GAP_METRICS,
    Disaggregated,
    SliceReport,
    disaggregate,
    fairness_bounds,
)
from mlflow_eval_plugin.stats.binary.metrics import OF_SCORES
from mlflow_eval_plugin.stats.binary.pooling import POOLED, pooled
from mlflow_eval_plugin.stats.binary.table import SliceTable
from mlflow_eval_plugin.stats.binary.user_metrics import Maker, counted_metric
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.inference.checks import Claim
from mlflow_eval_plugin.stats.inference.costs import Costs
from mlflow_eval_plugin.stats.inference.estimate import Estimate
from mlflow_eval_plugin.stats.slices.gaps import MetricTable
from mlflow_eval_plugin.stats.slices.user_metrics import RowMaker, SliceRows

_NO_SCORES = Estimate(None, None, 0.0, "predictions are classes, not probabilities")


def evaluate(config: DisaggregatedConfig, rows: Rows, reference: Rows | None, about: About) -> Evidence:
    """Measure every slice and judge the gaps, and what has changed since the reference.

    Raises:
        InputError: for a slice column that is missing or has too many levels, or labels, scores or weights that
            cannot be evaluated.
    """
    _needs_scores(config, rows)
    costs = costs_of_two(config.costs)
    searching = _prepared(config, rows)
    table = SliceTable(rows.scored.sliced(slicing_of(config), config.threshold), _own_metrics(config, rows))
    found = disaggregate(table, minimum_count=config.min_count, **_compared(config, rows, table))
    labels = wanted_labels(config, table.summary.slices)
    system = system_of(config, rows.scored)
    changes = _changes(config, table, rows, reference, labels)
    claims = [*_claims(config, table, labels), *system_claims(config, system, labels), *changes.claims()]
    if costs is not None:
        bounds = {label: cost_bounds(table, costs, label) for label in ("overall", *labels)}
        claims += cost_claims(config, bounds)
    shown = set(labels)
    measurements: dict[str, Any] = {
        **_measured(config, rows, found, shown),
        "costs": None if costs is None else _costs(costs, rows, table, shown),
        "system": measured_system(config, system, shown),
        "weak_slices": weakest(searching),
        "unchecked": gaps_of_two(table, labels, claims, config.alpha, scores=rows.scored.has_scores),
        "change": changes.measured(),
        "pooled": [as_json(one) for one in pooled(table, _pooled(config, table)) if one.label in shown],
    }
    add_own_metrics(config, table, (measurements["overall"], *measurements["slices"]))
    return document(config, rows, claims, measurements, about, reference=reference.data if reference else None)


def _changes(
    config: DisaggregatedConfig, table: SliceTable, rows: Rows, reference: Rows | None, labels: Sequence[str]
) -> SliceChanges:
    before: SliceTable | None = None
    if reference is not None and reference.scored.has_labels and reference.scored.has_predictions:
        counted = of_reference(lambda: reference.scored.sliced(slicing_of(config), config.threshold))
        before = SliceTable(counted, _own_metrics(config, reference))
    usual = [metric for metric in DEFAULT_GAP_METRICS if _known(metric, rows)]
    return SliceChanges(config, table, before, labels, usual)


def _compared(config: DisaggregatedConfig, rows: Rows, table: SliceTable) -> dict[str, list[str]]:
    usual = [metric for metric in DEFAULT_GAP_METRICS if _known(metric, rows)]
    return comparisons_of(config, len(table.summary.slices), usual)


def _pooled(config: DisaggregatedConfig, table: SliceTable) -> list[str]:
    asked = {*config.max_gap, *config.min_ratio, *config.min_metric, *config.max_metric}
    few = len(table.summary.slices) <= MOST_FULLY_COMPARED
    return [metric for metric in POOLED if few or metric in asked]


def _known(metric: str, rows: Rows) -> bool:
    return rows.scored.has_scores or metric not in OF_SCORES


def _needs_scores(config: DisaggregatedConfig, rows: Rows) -> None:
    if not rows.scored.has_predictions:
        raise InputError(
            "disaggregated: there is neither a model nor a column of predictions; give mlflow 'predictions'"
        )
    for key in ("max_gap", "min_ratio", "min_metric", "max_metric", "max_slice_change"):
        blind = [metric for metric in getattr(config, key) if not _known(metric, rows)]
        if blind:
            raise InputError(
                f"disaggregated: {key} names {', '.join(map(repr, blind))}, which needs probabilities, and the "
                "predictions are classes; give probabilities or leave it out"
            )


def _measured(config: DisaggregatedConfig, rows: Rows, found: Disaggregated, labels: set[str]) -> dict[str, Any]:
    return {
        "threshold": config.threshold if rows.scored.has_scores else None,
        "probabilities": rows.scored.has_scores,
        "pos_label": rows.pos_label,
        "slice_columns": slice_columns(config),
        "minimum_count": config.min_count,
        "weighted": found.weighted,
        "overall": _report(found.overall, rows),
        "slices": [_report(report, rows) for report in found.slices if report.label in labels],
        "gaps": [as_json(one) for one in found.gaps if one.label in labels],
        "fairness": {one.column: _without(as_json(one), "column") for one in found.fairness},
    }


def _costs(costs: Costs, rows: Rows, table: SliceTable, labels: set[str]) -> dict[str, Any]:
    found: list[SliceCost] = [one for one in slice_costs(table, costs) if one.label in {"overall", *labels}]
    if not rows.scored.has_scores:  # classes have no other threshold
        found = [replace(one, best_threshold=None, cost_at_best=None) for one in found]
    threshold = costs.threshold_if_calibrated
    return {**as_json(costs), "threshold_if_calibrated": threshold, "slices": as_json(found)}


def _report(report: SliceReport, rows: Rows) -> dict[str, Any]:
    if not rows.scored.has_scores:
        blank = dict.fromkeys(OF_SCORES, _NO_SCORES)
        report = replace(report, metrics=replace(report.metrics, **blank))
    return slice_json(report)


def _without(record: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name != key}


def _claims(config: DisaggregatedConfig, table: SliceTable, labels: Sequence[str]) -> Iterator[Claim]:
    yield from gap_claims(config, table, labels)
    for label in ("overall", *labels):
        yield from metric_claims(config, table, label)
    columns = sorted({next(iter(subset)) for subset in wanted_subsets(config) if len(subset) == 1})
    for column in columns:
        for name, limit in config.max_fairness.items():
            yield _fairness_claim(config, table, column, name, maximum=limit)
        for name, limit in config.min_fairness.items():
            yield _fairness_claim(config, table, column, name, minimum=limit)


def _fairness_claim(
    config: DisaggregatedConfig,
    table: SliceTable,
    column: str,
    name: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
) -> Claim:
    return Claim(
        id=f"fairness:{name}:{column}",
        claim=f"{name.replace('_', ' ')} of {column} is {limit_in_words(minimum, maximum)}",
        metric=name,
        scope=column,
        bounds=fairness_bounds(table, column, name, minimum_count=config.min_count),
        minimum=minimum,
        maximum=maximum,
    )


def _prepared(config: DisaggregatedConfig, rows: Rows) -> Prepared | None:
    """The search that the config asks for; None where it asks for none.

    Raises:
        InputError: for a column that is missing or has too many levels, columns or a depth that make too many slices,
            or an error that needs probabilities where there are none.
    """
    error = error_of_classes(config, hard=not rows.scored.has_scores)

    def counted(sought: Sought) -> ErrorCounts:
        return rows.scored.errors(sought, error, config.threshold)

    return search_of(config, rows, error, counted)


def _own_metrics(config: DisaggregatedConfig, rows: Rows) -> dict[str, Maker | RowMaker]:
    """The metrics of the config, for a ``SliceTable``."""

    def told(table: MetricTable) -> SliceRows:
        return rows.scored.slice_rows(table.slices, slicing_of(config), config.threshold)

    counted = {name: counted_metric(name, function) for name, function in config.metrics.items()}
    return {**counted, **metrics_of_rows(config, told)}
