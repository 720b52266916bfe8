"""A report of three or more classes by slice: estimates with pointwise 95 % intervals, from a ``MulticlassTable``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlflow_eval_plugin.stats.inference.estimate import Estimate, estimates
from mlflow_eval_plugin.stats.multiclass.metrics import CLASSWISE, MULTICLASS_METRICS, OF_PROBABILITIES, MulticlassTable

NO_PROBABILITIES = Estimate(None, None, 0.0, "predictions are classes, not probabilities")
NOT_RANKED = Estimate(None, None, 0.0, "scores were not ranked: there are too many slices and classes")


@dataclass(frozen=True)
class ClassReport:
    """One class of one slice: sums of weights by label, by prediction and where both agree, and its rates."""

    labelled: float
    predicted: float
    right: float
    metrics: dict[str, Estimate]


@dataclass(frozen=True)
class MulticlassSlice:
    """One slice: its rows, its weight, its metrics, and those of each class against the rest, or None.

    ``slice`` holds its levels by column; a named slice has a ``query`` instead.
    """

    label: str
    slice: tuple[tuple[str, str], ...]
    query: str | None
    n: int
    weight: float
    metrics: dict[str, Estimate]
    classes: dict[str, ClassReport] | None


def multiclass_slices(table: MulticlassTable, *, most_by_class: int) -> tuple[MulticlassSlice, ...]:
    """Every slice, "overall" first.

    Args:
        most_by_class: where there are more slices times classes, the classes are reported of "overall" only.
    """
    summary, part = table.summary, table.part()
    k, weights, confusion = len(summary.classes), part.sums.weight.tolist(), part.confusion
    described = len(summary.slices) if len(summary.slices) * k <= most_by_class else 1
    metrics = {name: _estimates(table, name) for name in MULTICLASS_METRICS}
    rates = {name: _estimates(table, name, by_class=described * k) for name in CLASSWISE}

    def of_class(position: int, at: int) -> ClassReport:
        cells = confusion[at]
        made = {name: found[at * k + position] for name, found in rates.items()}
        labelled, predicted = float(cells[position].sum()), float(cells[:, position].sum())
        return ClassReport(labelled, predicted, float(cells[position, position]), made)

    return tuple(
        MulticlassSlice(
            label=one.label,
            slice=one.levels,
            query=one.query,
            n=int(table.rows[at]),
            weight=weights[at],
            metrics={name: found[at] for name, found in metrics.items()},
            classes={name: of_class(i, at) for i, name in enumerate(summary.classes)} if at < described else None,
        )
        for at, one in enumerate(summary.slices)
    )


def _estimates(table: MulticlassTable, name: str, *, by_class: int = 0) -> tuple[Estimate, ...]:
    """One metric of every slice, or of the first classes of the first slices."""
    count = by_class or len(table.rows)
    if table.summary.moments is None and name in OF_PROBABILITIES:
        return (NO_PROBABILITIES,) * count
    if table.summary.ranks is None and name == "auc":
        return (NOT_RANKED,) * count
    return estimates(table.classwise(name).take(np.arange(by_class)) if by_class else table.metric(name))
