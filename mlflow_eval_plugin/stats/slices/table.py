"""Metrics of slices, each computed once: what the tables of all tasks have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mlflow_eval_plugin.known_metrics import way
from mlflow_eval_plugin.stats.counts.memo import Counted, Memo
from mlflow_eval_plugin.stats.inference.estimate import Quantity, Shared


@dataclass(frozen=True, eq=False)
class MetricTableBase(Memo[Counted], ABC):
    """A Summary with its metrics; entry 0 of every Quantity is "overall". See ``gaps.Table``.

    Attributes:
        own: what makes the metrics that are a user's own, from the table, of every slice or of everything but it.
    """

    own: Mapping[str, Callable[[Any, bool], Quantity]] = field(default_factory=dict, repr=False)
    shared: dict[tuple[object, ...], Shared] = field(default_factory=dict, init=False, repr=False)

    def metric(self, name: str, *, complement: bool = False) -> Quantity:
        """A metric of every slice, or of everything but it.

        Raises:
            InputError: for a metric there is none of.
        """
        maker = self.own.get(name)
        make = (lambda: maker(self, complement)) if maker else (lambda: self._metric(name, complement))
        return self.once(make, "metric", name, complement)

    def lower_is_better(self, metric: str) -> bool:
        """Whether the best slice is the one with the lowest value; of a custom metric the best has the highest."""
        return metric not in self.own and way(metric) == 1

    @abstractmethod
    def _metric(self, name: str, complement: bool) -> Quantity:
        """A metric of the house, which is not kept yet."""
