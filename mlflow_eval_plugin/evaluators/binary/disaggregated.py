"""The ``disaggregated`` evaluator: does the model serve every slice as well as the others?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from mlflow_eval_plugin.evaluators.config.costs import costs_of_two
from mlflow_eval_plugin.evaluators.config.keys import DisaggregatedConfig
from mlflow_eval_plugin.evaluators.config.regression import RegressionDisaggregatedConfig
from mlflow_eval_plugin.evaluators.document import About, Rows, as_json, document, slice_json
from mlflow_eval_plugin.evaluators.search import prepared, weakest
from mlflow_eval_plugin.evaluators.slicing import slice_columns, slices_of, wanted_labels, wanted_subsets
from mlflow_eval_plugin.evaluators.system import measured_system, system_claims, system_of
from mlflow_eval_plugin.evaluators.unchecked import gaps_of_two
from mlflow_eval_plugin.evaluators.user_metrics import add_own_metrics, own_metrics
from mlflow_eval_plugin.evidence import Evidence
from mlflow_eval_plugin.stats.binary.costs import SliceCost, cost_bounds, slice_costs
from mlflow_eval_plugin.stats.binary.disaggregated import (
    DEFAULT_GAP_METRICS,
    Disaggregated,
    SliceReport,
    disaggregate,
    fairness_bounds,
    gap_bounds,
    metric_bounds,
)
from mlflow_eval_plugin.stats.binary.metrics import OF_SCORES
from mlflow_eval_plugin.stats.binary.pooling import POOLED, pooled
from mlflow_eval_plugin.stats.binary.table import SliceTable
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.inference.checks import Claim
from mlflow_eval_plugin.stats.inference.costs import Costs
from mlflow_eval_plugin.stats.inference.estimate import Estimate, QuantityBounds
from mlflow_eval_plugin.stats.slices.gaps import VERSUS, Table

_MOST_FULLY_COMPARED = 100
AGAINST = {"complement": "that of all other rows", "overall": "that of all rows", "best": "that of the best slice"}
_NO_SCORES = Estimate(None, None, 0.0, "predictions are classes, not probabilities")
GapConfig = DisaggregatedConfig | RegressionDisaggregatedConfig


def evaluate(config: DisaggregatedConfig, rows: Rows, about: About) -> Evidence:
    """Measure every slice and judge the gaps.

    Raises:
        InputError: for a slice column that is missing or has too many levels, or labels, scores or weights that
            cannot be evaluated.
    """
    _needs_scores(config, rows)
    costs = costs_of_two(config.costs)
    searching = prepared(config, rows)
    table = SliceTable(slices_of(config, rows, config.threshold), own_metrics(config, rows))
    found = disaggregate(table, minimum_count=config.min_count, **_compared(config, rows, table))
    labels = wanted_labels(config, table.summary.slices)
    system = system_of(config, rows.frame)
    claims = [*_claims(config, table, labels), *system_claims(config, system, labels)]
    if costs is not None:
        bounds = {label: cost_bounds(table, costs, label) for label in ("overall", *labels)}
        claims += cost_claims(config, bounds)
    shown = set(labels)
    measurements: dict[str, Any] = {
        **_measured(config, rows, found, shown),
        "costs": None if costs is None else _costs(costs, rows, table, shown),
        "system": measured_system(config, system, shown),
        "weak_slices": weakest(searching),
        "unchecked": gaps_of_two(table, labels, claims, config.alpha, scores=rows.score is not None),
        "pooled": [as_json(one) for one in pooled(table, _pooled(config, table)) if one.label in shown],
    }
    add_own_metrics(config, table, (measurements["overall"], *measurements["slices"]))
    return document(config, rows, claims, measurements, about)


def _compared(config: DisaggregatedConfig, rows: Rows, table: SliceTable) -> dict[str, list[str]]:
    usual = [metric for metric in DEFAULT_GAP_METRICS if _known(metric, rows)]
    return compared(config, len(table.summary.slices), usual)


def compared(config: DisaggregatedConfig, slices: int, usual: Sequence[str]) -> dict[str, list[str]]:
    """Which gaps a report holds: those that have a tolerance, and the usual ones unless there are too many slices."""
    chosen = [*config.max_gap, *config.min_ratio]
    if slices > _MOST_FULLY_COMPARED:
        # With hundreds of slices, three comparisons of seven metrics each would be most of the document.
        return {"gap_metrics": sorted(set(chosen)), "versus": [config.gap_versus]}
    return {"gap_metrics": list(dict.fromkeys([*usual, *chosen])), "versus": list(VERSUS)}


def _pooled(config: DisaggregatedConfig, table: SliceTable) -> list[str]:
    asked = {*config.max_gap, *config.min_ratio, *config.min_metric, *config.max_metric}
    few = len(table.summary.slices) <= _MOST_FULLY_COMPARED
    return [metric for metric in POOLED if few or metric in asked]


def _known(metric: str, rows: Rows) -> bool:
    return rows.score is not None or metric not in OF_SCORES


def _needs_scores(config: DisaggregatedConfig, rows: Rows) -> None:
    if rows.score is None and rows.prediction is None:
        raise InputError(
            "disaggregated: there is neither a model nor a column of predictions; give mlflow 'predictions'"
        )
    for key in ("max_gap", "min_ratio", "min_metric", "max_metric"):
        blind = [metric for metric in getattr(config, key) if not _known(metric, rows)]
        if blind:
            raise InputError(
                f"disaggregated: {key} names {', '.join(map(repr, blind))}, which needs probabilities, and the "
                "predictions are classes; give probabilities or leave it out"
            )


def _measured(config: DisaggregatedConfig, rows: Rows, found: Disaggregated, labels: set[str]) -> dict[str, Any]:
    return {
        "threshold": None if rows.score is None else config.threshold,
        "probabilities": rows.score is not None,
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
    if rows.score is None:  # classes have no other threshold
        found = [replace(one, best_threshold=None, cost_at_best=None) for one in found]
    threshold = costs.threshold_if_calibrated
    return {**as_json(costs), "threshold_if_calibrated": threshold, "slices": as_json(found)}


def _report(report: SliceReport, rows: Rows) -> dict[str, Any]:
    if rows.score is None:
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


def cost_claims(config: DisaggregatedConfig, bounds: Mapping[str, QuantityBounds]) -> Iterator[Claim]:
    """That a row of each slice costs at most ``max_cost`` on average; ``bounds`` by label."""
    if config.max_cost is None:
        return
    for label, of_slice in bounds.items():
        yield Claim(
            id=f"max:cost:{label}",
            claim=f"a row of {label} costs at most {config.max_cost:g} on average",
            metric="cost",
            scope=label,
            bounds=of_slice,
            maximum=config.max_cost,
            minimum_count=config.min_count,
        )


def metric_claims(config: GapConfig, table: Table, label: str) -> Iterator[Claim]:
    """The least and largest values that one slice may have."""
    for metric, limit in config.max_metric.items():
        yield _metric_claim(config, table, metric, label, maximum=limit)
    for metric, limit in config.min_metric.items():
        yield _metric_claim(config, table, metric, label, minimum=limit)


def gap_claims(config: GapConfig, table: Table, labels: Sequence[str]) -> Iterator[Claim]:
    """How far every slice may be from what it is compared with."""
    versus = config.gap_versus
    for label in labels:
        for metric, limit in config.max_gap.items():
            yield Claim(
                id=f"gap:{metric}:{versus}:{label}",
                claim=f"{metric} of {label} is within {limit:g} of {AGAINST[versus]}",
                metric=f"gap_{metric}",
                scope=label,
                bounds=gap_bounds(table, metric, label, versus, minimum_count=config.min_count),
                minimum=-limit,
                maximum=limit,
                minimum_count=config.min_count,
            )
        for metric, limit in config.min_ratio.items():
            yield ratio_claim(config, table, metric, label, minimum=limit)


def ratio_claim(
    config: GapConfig,
    table: Table,
    metric: str,
    label: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
) -> Claim:
    """The Claim that a metric of one slice is at most, or at least, so many times what it is compared with."""
    versus = config.gap_versus
    return Claim(
        id=f"{'max_ratio' if maximum is not None else 'ratio'}:{metric}:{versus}:{label}",
        claim=f"{metric} of {label} is {_limit(minimum, maximum)} times {AGAINST[versus]}",
        metric=f"ratio_{metric}",
        scope=label,
        bounds=gap_bounds(table, metric, label, versus, kind="ratio", minimum_count=config.min_count),
        minimum=minimum,
        maximum=maximum,
        minimum_count=config.min_count,
    )


def _metric_claim(
    config: GapConfig,
    table: Table,
    metric: str,
    label: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
) -> Claim:
    """The Claim that a metric of one slice is at most, or at least, so much."""
    return Claim(
        id=f"{'max' if maximum is not None else 'min'}:{metric}:{label}",
        claim=f"{metric} of {label} is {_limit(minimum, maximum)}",
        metric=metric,
        scope=label,
        bounds=metric_bounds(table, metric, label),
        minimum=minimum,
        maximum=maximum,
        minimum_count=config.min_count,
    )


def _limit(minimum: float | None, maximum: float | None) -> str:
    return f"at most {maximum:g}" if maximum is not None else f"at least {minimum:g}"


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
        claim=f"{name.replace('_', ' ')} of {column} is {_limit(minimum, maximum)}",
        metric=name,
        scope=column,
        bounds=fairness_bounds(table, column, name, minimum_count=config.min_count),
        minimum=minimum,
        maximum=maximum,
    )
