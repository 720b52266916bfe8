"""A metric of two models on the same rows, and how it differs: challenger less champion, whatever they predict.

change_bounds(table, metric, label) -> QuantityBounds  one difference, for a Check
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from mlflow_eval_plugin.stats.arrays import FloatArray
from mlflow_eval_plugin.stats.counts.memo import Counted, Memo
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.inference.estimate import Estimate, Quantity, QuantityBounds, bounds_at, estimates, finite

NEITHER = "one of the two models, or both, has no value of this metric"


@dataclass(frozen=True)
class ComparedMetric:
    """A metric of both models and the difference, challenger less champion; None where undefined."""

    champion: float | None
    challenger: float | None
    difference: Estimate


class ChangeTable(Memo[Counted], ABC):
    """A Summary of two models with their differences, each computed once; entry 0 of every Quantity is "overall"."""

    @property
    @abstractmethod
    def metrics(self) -> tuple[str, ...]:
        """The metrics that can be compared."""

    def change(self, metric: str) -> Quantity:
        """The difference in a metric of every slice.

        Raises:
            InputError: for a metric that cannot be compared.
        """
        return self.once(lambda: self._change(metric), "change", metric)

    @abstractmethod
    def values(self, metric: str) -> tuple[FloatArray, FloatArray]:
        """The champion's and the challenger's value of every slice; NaN where undefined."""

    @abstractmethod
    def _change(self, metric: str) -> Quantity:
        """A difference that is not kept yet; see ``change``."""

    def _require(self, metric: str) -> None:
        if metric not in self.metrics:
            raise InputError(f"metric: {metric!r} cannot be compared; expected one of {', '.join(self.metrics)}")


def compared_metrics(champion: FloatArray, challenger: FloatArray, change: Quantity) -> list[ComparedMetric]:
    """A metric of both and the difference, slice by slice."""
    values = zip(champion.tolist(), challenger.tolist(), estimates(change), strict=True)
    return [ComparedMetric(finite(first), finite(second), difference) for first, second, difference in values]


def change_bounds(table: ChangeTable[Any], metric: str, label: str = "overall") -> QuantityBounds:
    """The difference in a metric of one slice, for a Check.

    Raises:
        InputError: for a metric that cannot be compared.
        ValueError: when there is no such slice.
    """
    return bounds_at(table.change(metric), [one.label for one in table.slices].index(label))
