"""A report of a regression by slice: estimates with pointwise 95 % intervals, from a ``RegressionTable``."""

from __future__ import annotations

from dataclasses import dataclass

from mlflow_eval_plugin.stats.inference.estimate import Estimate, estimates
from mlflow_eval_plugin.stats.regression.metrics import Moments, RegressionTable


@dataclass(frozen=True)
class RegressionReport:
    """One slice: its rows, its weight, its mean target and prediction, and its metrics by name."""

    label: str
    slice: tuple[tuple[str, str], ...]
    query: str | None
    n: int
    weight: float
    mean_target: float | None
    mean_prediction: float | None
    metrics: dict[str, Estimate]


def regression_slices(table: RegressionTable) -> tuple[RegressionReport, ...]:
    """Every slice, "overall" first."""
    columns = {name: estimates(table.metric(name)) for name in table.names}
    moments = Moments(table.summary)
    target = table.summary.scale.centre + moments.mean("y") * table.summary.scale.unit
    bias = moments.mean("e") * table.summary.scale.unit
    return tuple(
        RegressionReport(
            label=one.label,
            slice=one.levels,
            query=one.query,
            n=n,
            weight=weight,
            mean_target=mean if weight > 0 else None,
            mean_prediction=mean + error if weight > 0 else None,
            metrics={name: columns[name][i] for name in table.names},
        )
        for i, (one, n, weight, mean, error) in enumerate(
            zip(table.slices, *(a.tolist() for a in (table.rows, moments.weight, target, bias)), strict=True)
        )
    )
