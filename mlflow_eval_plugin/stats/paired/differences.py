"""A metric of two models on the same rows, and how it differs: challenger less champion, whatever they predict.

change_bounds(table, metric, label) -> QuantityBounds  one difference, for a Check
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from mlflow_eval_plugin.stats.counts.slice import Slice
from mlflow_eval_plugin.stats.inference.estimate import Estimate, Quantity, QuantityBounds, bounds_at, estimates, finite
from mlflow_eval_plugin.stats.inference.intervals import FloatArray

NEITHER = "one of the two models, or both, has no value of this metric"


@dataclass(frozen=True)
class ComparedMetric:
    """A metric of both models and the difference, challenger less champion; None where undefined."""

    champion: float | None
    challenger: float | None
    difference: Estimate


class Changes(Protocol):
    """What tables of the differences of any kind of model have in common."""

    @property
    def slices(self) -> tuple[Slice, ...]:
        """The slices, "overall" first."""

    def change(self, metric: str) -> Quantity:
        """The difference in a metric of every slice; an InputError for one that cannot be compared."""

    def values(self, metric: str) -> tuple[FloatArray, FloatArray]:
        """The champion's and the challenger's value of every slice; NaN where undefined."""


def compared(champion: FloatArray, challenger: FloatArray, change: Quantity) -> list[ComparedMetric]:
    """A metric of both and the difference, slice by slice."""
    values = zip(champion.tolist(), challenger.tolist(), estimates(change), strict=True)
    return [ComparedMetric(finite(first), finite(second), difference) for first, second, difference in values]


def change_bounds(table: Changes, metric: str, label: str = "overall") -> QuantityBounds:
    """The difference in a metric of one slice, for a Check.

    Raises:
        InputError: for a metric that cannot be compared.
        ValueError: when there is no such slice.
    """
    return bounds_at(table.change(metric), [one.label for one in table.slices].index(label))
