"""What has changed in every slice since the reference: differences between two samples of rows, slice by slice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from mlflow_eval_plugin.evaluators.claims import change_claim
from mlflow_eval_plugin.evaluators.config.disaggregated_base import DisaggregatedBase
from mlflow_eval_plugin.evaluators.document import as_json
from mlflow_eval_plugin.known_metrics import way
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.inference.checks import Claim
from mlflow_eval_plugin.stats.inference.contrasts import change_of
from mlflow_eval_plugin.stats.inference.estimate import Bounds, Quantity, QuantityBounds, bounds_at, estimates
from mlflow_eval_plugin.stats.slices.gaps import MetricTable

Counted = TypeVar("Counted")


@dataclass(frozen=True)
class Unknown:
    """The ``Bounds`` of a change that cannot be known.

    Attributes:
        n: rows behind it now.
        reason: why not.
    """

    n: int
    reason: str
    value: None = None
    bound: float = 0.0

    def lower(self, alpha: float) -> float:
        """Whatever it may be."""
        return float("-inf")

    def upper(self, alpha: float) -> float:
        """Whatever it may be."""
        return float("inf")


@dataclass(frozen=True, eq=False)
class SliceChanges:
    """Slices of two samples of rows.

    Attributes:
        before: those of the reference; None where there is none, or it lacks labels or predictions.
        labels: the slices that are reported, without "overall".
        usual: the metrics that are measured besides those that have a tolerance.
    """

    config: DisaggregatedBase
    current: MetricTable
    before: MetricTable | None
    labels: Sequence[str]
    usual: Sequence[str]

    def __post_init__(self) -> None:
        """Refuse tolerances of a change where nothing is known of what was before.

        Raises:
            InputError: says what the reference lacks.
        """
        if self.config.max_slice_change and self.before is None:
            raise InputError(
                "disaggregated: 'max_slice_change' needs labels and predictions in the reference; add them or leave it "
                "out"
            )

    def measured(self) -> list[dict[str, Any]] | None:
        """By slice how many rows each side has, and the change of every metric; None without a reference."""
        if self.before is None:
            return None
        metrics = list(dict.fromkeys([*self.usual, *self.config.max_slice_change]))
        return [self._measured(label, metrics) for label in ("overall", *self.labels)]

    def _measured(self, label: str, metrics: Sequence[str]) -> dict[str, Any]:
        now, then = self._places()
        changes = {name: self._change(name, now[label], then[label]) for name in metrics} if label in then else {}
        return {
            "label": label,
            "n": int(self.current.rows[now[label]]),
            "n_reference": self._rows_before(label),
            "metrics": {name: as_json(estimates(one)[0]) for name, one in changes.items()},
        }

    def claims(self) -> Iterator[Claim]:
        """That no metric of a slice is worse by more than its tolerance."""
        for label in ("overall", *self.labels) if self.config.max_slice_change else ():
            for metric, limit in self.config.max_slice_change.items():
                harm, bounds = way(metric), self._bounds(metric, label)
                claim = change_claim(metric, label, bounds, limit, fallen=harm <= 0, risen=harm >= 0)
                yield replace(claim, minimum_count=self.config.min_count)

    def _bounds(self, metric: str, label: str) -> Bounds:
        (now, then), n = self._places(), self._rows_before(label)
        if n < max(self.config.min_count, 1):
            return Unknown(int(self.current.rows[now[label]]), f"the reference has {n:,} rows of it")
        return QuantityBounds(self._change(metric, now[label], then[label]))

    def _rows_before(self, label: str) -> int:
        then = self._places()[1]
        return int(self._known.rows[then[label]]) if label in then else 0

    @property
    def _known(self) -> MetricTable:
        if self.before is None:
            raise ValueError("there is no reference")
        return self.before

    def _change(self, metric: str, now: int, then: int) -> Quantity:
        sides = ((self.current, now), (self._known, then))
        return change_of(*(bounds_at(side.metric(metric), place).quantity for side, place in sides))

    def _places(self) -> tuple[dict[str, int], dict[str, int]]:
        now, then = ({one.label: at for at, one in enumerate(side.slices)} for side in (self.current, self._known))
        return now, then


def of_reference(count: Callable[[], Counted]) -> Counted:
    """What is counted of a reference.

    Raises:
        InputError: what is raised meanwhile, said to be the reference's.
    """
    try:
        return count()
    except InputError as error:
        told = str(error)
        raise InputError(told if told.startswith("baseline: ") else f"reference: {told}") from error
