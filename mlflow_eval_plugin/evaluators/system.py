"""The part of the ``disaggregated`` evaluator that asks what slices wait and cost: latency and cost columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from mlflow_eval_plugin.engines.contract import RowData
from mlflow_eval_plugin.evaluators.claims import limit_claim
from mlflow_eval_plugin.evaluators.config.disaggregated_base import DisaggregatedBase
from mlflow_eval_plugin.evaluators.document import as_json
from mlflow_eval_plugin.evaluators.slicing import slicing_of
from mlflow_eval_plugin.stats.inference.checks import Claim
from mlflow_eval_plugin.stats.slices.system import COST, SystemSummary, system_bounds, system_reports


def system_of(config: DisaggregatedBase, rows: RowData) -> SystemSummary | None:
    """Latencies and costs by slice; None where neither column is given.

    Raises:
        InputError: for columns that are missing, or hold text, missing, infinite or negative values.
    """
    if config.latency_column is None and config.cost_column is None:
        return None
    latency, cost = (
        None if name is None else config.column(name) for name in (config.latency_column, config.cost_column)
    )
    return rows.system(slicing_of(config), latency=latency, cost=cost)


def measured_system(
    config: DisaggregatedBase, summary: SystemSummary | None, labels: set[str]
) -> dict[str, Any] | None:
    """The measurement ``system``."""
    if summary is None:
        return None
    slices = [as_json(one) for one in system_reports(summary) if one.label in {"overall", *labels}]
    return {"latency_column": config.latency_column, "cost_column": config.cost_column, "slices": slices}


def system_claims(config: DisaggregatedBase, summary: SystemSummary | None, labels: Sequence[str]) -> Iterator[Claim]:
    """A Claim for every tolerance and slice, and for all rows."""
    if summary is None:
        return
    limits = {f"latency_{name}": limit for name, limit in config.max_latency.items()}
    if config.max_cost_per_1000 is not None:
        limits[COST] = config.max_cost_per_1000
    for label in ("overall", *labels):
        for metric, limit in limits.items():
            said = "1,000 rows of {} cost" if metric == COST else f"{metric[8:]} of the latency of {{}} is"
            words, bounds = f"{said.format(label)} at most {limit:g}", system_bounds(summary, metric, label)
            yield limit_claim(metric, label, words, bounds, maximum=limit, minimum_count=config.min_count)
