"""Harm that no Check covers: slices that do worse than all other rows on metrics without a tolerance.

    unchecked_gaps(table, places, looked, checked, alpha=0.05) -> Unchecked      a slice against all other rows
    unchecked_changes(table, places, looked, checked, alpha=0.05) -> Unchecked   the challenger against the champion

Whoever looks at all slices and all metrics finds something by luck alone. So all intervals hold together: with ``m``
differences looked at each one has the level ``1 - alpha / m`` (Bonferroni), and the chance that any of them misses its
true difference is at most ``alpha``. What is listed has an interval wholly on the harmful side of 0.

Which side is harmful follows from the metric: less of an accuracy, more of an error rate or a loss, and for what should
be at some value (a mean error at 0, the coverage of an 80 % interval at 0.8) whatever is further from it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mlflow_eval_plugin.known_metrics import same_metric
from mlflow_eval_plugin.stats.arrays import FloatArray
from mlflow_eval_plugin.stats.counts.slice import Slice
from mlflow_eval_plugin.stats.inference.estimate import Quantity, widened
from mlflow_eval_plugin.stats.paired.differences import ChangeTable
from mlflow_eval_plugin.stats.slices.gaps import MetricTable, gap

MOST_FOUND = 60


@dataclass(frozen=True)
class Looked:
    """A metric that is looked at.

    Attributes:
        way: 1 where more is worse, -1 where less is; 0 where what is further from ``ideal`` is.
        unit: what differences are divided by to be ranked among those of other metrics.
    """

    metric: str
    way: int
    ideal: float = 0.0
    unit: float = 1.0


@dataclass(frozen=True)
class Harm:
    """One slice that does worse than what it is compared with, on one metric that nothing checks.

    Attributes:
        value: of the slice, or of the challenger.
        other: of all other rows, or of the champion.
        difference: value less other.
        interval: of the difference; the intervals of all that was looked at hold together.
        harm: how much worse it is at least, in the metric's unit.
    """

    label: str
    metric: str
    n: int
    value: float
    other: float
    difference: float
    interval: tuple[float, float]
    harm: float


@dataclass(frozen=True)
class Unchecked:
    """What was looked at, and what is worse, the worst first.

    Attributes:
        versus: ``complement`` (all other rows) or ``champion``.
        comparisons: differences looked at.
        total: how many are worse; at most 60 of them are ``found``.
    """

    versus: str
    alpha: float
    comparisons: int
    metrics: tuple[str, ...]
    total: int
    found: tuple[Harm, ...]


class _Compared(Protocol):
    @property
    def slices(self) -> tuple[Slice, ...]: ...


@dataclass(frozen=True, eq=False)
class _Differences:
    """Of one metric, at some slices: both values and their difference."""

    looked: Looked
    places: NDArray[np.intp]
    value: FloatArray
    other: FloatArray
    quantity: Quantity

    def worse(self) -> _Differences:
        """Those that may be harmful: intervals hold their differences, so that one of 0 or better has none to list."""
        difference, way = self.quantity.value, self.looked.way
        kept = np.flatnonzero(difference * way > 0 if way else difference != 0)
        return replace(
            self,
            places=self.places[kept],
            value=self.value[kept],
            other=self.other[kept],
            quantity=self.quantity.take(kept),
        )


def unchecked_gaps(
    table: MetricTable,
    places: Sequence[int],
    looked: Sequence[Looked],
    checked: Collection[tuple[str, str]],
    *,
    alpha: float = 0.05,
) -> Unchecked:
    """Slices that do worse than all other rows.

    Args:
        places: of the slices among those of the table; of any size, since the limits hold at any.
        looked: the metrics; one that is undefined for a slice is passed over there.
        checked: slices by label and metrics by ``same_metric`` that have a tolerance.
        alpha: the chance that any interval misses its difference.
    """

    def differences(metric: str) -> tuple[FloatArray, FloatArray, Quantity]:
        value, other = (table.metric(metric, complement=side).value for side in (False, True))
        return value, other, gap(table, metric, "complement", "difference", minimum_count=1)

    return _unchecked("complement", table, places, looked, checked, differences, alpha)


def unchecked_changes(
    table: ChangeTable[Any],
    places: Sequence[int],
    looked: Sequence[Looked],
    checked: Collection[tuple[str, str]],
    *,
    alpha: float = 0.05,
) -> Unchecked:
    """Slices for which the challenger does worse than the champion; arguments as of ``unchecked_gaps``."""

    def differences(metric: str) -> tuple[FloatArray, FloatArray, Quantity]:
        champion, challenger = table.values(metric)
        return challenger, champion, table.change(metric)

    return _unchecked("champion", table, places, looked, checked, differences, alpha)


def _unchecked(
    versus: str,
    table: _Compared,
    places: Sequence[int],
    looked: Sequence[Looked],
    checked: Collection[tuple[str, str]],
    differences: Callable[[str], tuple[FloatArray, FloatArray, Quantity]],
    alpha: float,
) -> Unchecked:
    labels = [one.label for one in table.slices]
    asked = []
    for one in looked:
        free = [place for place in places if (labels[place], same_metric(one.metric)) not in checked]
        value, other, quantity = differences(one.metric)
        kept = np.array([place for place in free if np.isfinite(quantity.value[place])], dtype=np.intp)
        if len(kept):
            asked.append(_Differences(one, kept, value[kept], other[kept], quantity.take(kept)))
    # All are counted, whether they look harmful or not: which do is read off the same rows.
    comparisons = sum(len(one.places) for one in asked)
    found = [harm for one in asked for harm in _harms(one, labels, alpha / comparisons)]
    # Equal harms stand in the order of the slices and metrics: sorting keeps it.
    found.sort(key=lambda harm: -harm.harm)
    metrics = tuple(one.looked.metric for one in asked)
    return Unchecked(versus, alpha, comparisons, metrics, len(found), tuple(found[:MOST_FOUND]))


def _harms(asked: _Differences, labels: Sequence[str], alpha: float) -> list[Harm]:
    asked = asked.worse()
    lower, upper = widened(asked.quantity, alpha / 2, exact=True)
    away, others = asked.value - asked.looked.ideal, asked.other - asked.looked.ideal
    side = np.full(len(lower), asked.looked.way) if asked.looked.way else np.sign(away)
    least = np.where(side > 0, lower, np.where(side < 0, -upper, 0.0))
    if not asked.looked.way:
        # On the other side of the ideal than all others, and nearer to it, is no harm.
        least = np.minimum(least, np.abs(away) - np.abs(others))
    least = least / asked.looked.unit
    whole = np.isfinite(lower) & np.isfinite(upper)
    return [
        Harm(
            label=labels[asked.places[i]],
            metric=asked.looked.metric,
            n=int(asked.quantity.n[i]),
            value=float(asked.value[i]),
            other=float(asked.other[i]),
            difference=float(asked.quantity.value[i]),
            interval=(float(lower[i]), float(upper[i])),
            harm=float(least[i]),
        )
        for i in np.flatnonzero(whole & (least > 0)).tolist()
    ]
