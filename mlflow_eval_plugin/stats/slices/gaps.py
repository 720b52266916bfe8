"""Gaps between slices: to the complement, to the best and to the overall, as difference and as ratio.

"Best" is the slice with the best value of the metric among the slices of the same columns that have ``minimum_count``
rows: the highest, or for error rates and losses the lowest; a slice can be the best itself. Which one is best is read
off the same data, so an interval that forgot the choice would be too short; ``Widest`` corrects for it.
"""

from __future__ import annotations

from typing import Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from mlflow_eval_plugin.stats.arrays import FloatArray, Index
from mlflow_eval_plugin.stats.counts.slice import Slice
from mlflow_eval_plugin.stats.inference.contrasts import Difference, Ratio, Widest
from mlflow_eval_plugin.stats.inference.estimate import Quantity, Shared
from mlflow_eval_plugin.stats.inference.macro import Macro
from mlflow_eval_plugin.stats.inference.quantities import MeanQuantity, ProportionQuantity, UnitMean
from mlflow_eval_plugin.stats.inference.skewed_means import PositiveMean, SkewedMean

Versus = Literal["complement", "best", "overall"]
VERSUS: tuple[Versus, ...] = get_args(Versus)
NOTHING_TO_COMPARE = "the slice, or what it is compared with, has no value of this metric"
_MEANS = (MeanQuantity, UnitMean, PositiveMean, SkewedMean)
ZERO_BELOW = "the slice has no value of this metric, or what it is compared with has none or 0"


class MetricTable(Protocol):
    """Metrics of slices, whatever they were counted from; entry 0 of everything is "overall"."""

    @property
    def slices(self) -> tuple[Slice, ...]:
        """The slices."""

    @property
    def rows(self) -> NDArray[np.int64]:
        """Rows per slice, ``(S,)``."""

    def metric(self, name: str, *, complement: bool = False) -> Quantity:
        """A metric of every slice, or of everything but it."""

    def lower_is_better(self, metric: str) -> bool:
        """Whether the best slice is the one with the lowest value."""

    @property
    def shared(self) -> dict[tuple[object, ...], Shared]:
        """What several Checks are about, by what it is, each made once."""


def gap(table: MetricTable, metric: str, versus: str, kind: str, *, minimum_count: int) -> Quantity:
    """The gap of every slice; entry 0, "overall", compares with itself and means nothing.

    Args:
        versus: "complement", "best" or "overall".
        kind: "difference" or "ratio".
        minimum_count: rows that a slice needs to be the best.
    """
    if versus == "complement":
        return gap_between(table.metric(metric), table.metric(metric, complement=True), kind)
    if versus == "overall":
        return _gap_to_overall(table, metric, kind)
    return _gap_to_best(table, metric, kind, minimum_count)


def gap_between(first: Quantity, second: Quantity, kind: str, share: FloatArray | None = None) -> Quantity:
    """Difference or ratio of independent estimates, entry by entry."""
    if isinstance(first, Macro) and isinstance(second, Macro):
        first, second = first.where(second), second.where(first)
    share = np.ones(len(first.n)) if share is None else share
    if kind == "ratio":
        return Ratio(first, second, share, f"{ZERO_BELOW}: {first.reason}")
    return Difference(first, second, share, f"{NOTHING_TO_COMPARE}: {first.reason}")


def best_of(table: MetricTable, metric: str, *, minimum_count: int) -> NDArray[np.intp]:
    """For every slice the index of the best of its columns; -1 where no slice has a value and the rows."""
    values = table.metric(metric).value
    eligible = np.where(table.rows >= minimum_count, values, np.nan)
    signed = -eligible if table.lower_is_better(metric) else eligible
    best = np.full(len(values), -1, dtype=np.intp)
    for peers in families_of(table.slices):
        if not np.isnan(signed[peers]).all():
            best[peers] = peers[int(np.nanargmax(signed[peers]))]
    return best


def _gap_to_overall(table: MetricTable, metric: str, kind: str) -> Quantity:
    """The gap to the complement, scaled, since rates and mean losses of all rows mix slice and complement.

    For other metrics slice and whole are taken as independent: they correlate positively, so the interval is too wide
    rather than too short.
    """
    inside = table.metric(metric)
    whole = inside.take(np.zeros(len(inside.n), dtype=np.intp))
    rest = table.metric(metric, complement=True)
    if isinstance(rest, _MEANS) or (isinstance(rest, ProportionQuantity) and not rest.f1):
        weights = np.asarray(rest.weight), np.asarray(getattr(whole, "weight"))  # noqa: B009 - both kinds have it
        with np.errstate(divide="ignore", invalid="ignore"):
            return gap_between(inside, rest, kind, weights[0] / weights[1])
    return gap_between(inside, whole, kind)


def _gap_to_best(table: MetricTable, metric: str, kind: str, minimum_count: int) -> Quantity:
    made = table.metric(metric)
    eligible = (table.rows >= minimum_count) & ~np.isnan(made.value)
    pairs = [_pairs(peers, eligible) for peers in families_of(table.slices)]
    owner, candidate = (np.concatenate(side) for side in zip(*pairs, strict=True))
    best = best_of(table, metric, minimum_count=minimum_count)
    comparable = (best >= 0) & ~np.isnan(made.value)
    if kind == "ratio":
        comparable &= made.value[best] > 0
    # A slice too small to be the best has no gap to itself to fall back on, but its gap can still not change sign.
    itself = np.where(comparable, 1.0 if kind == "ratio" else 0.0, np.nan)
    return Widest(
        candidates=gap_between(made.take(owner), made.take(candidate), kind),
        owner=owner,
        itself=itself,
        n=made.n,
        smallest=not table.lower_is_better(metric),
        reason=ZERO_BELOW if kind == "ratio" else NOTHING_TO_COMPARE,
    )


def families_of(slices: tuple[Slice, ...]) -> list[Index]:
    """The positions of the slices of the same columns, for each set of columns."""
    families: dict[tuple[bool, tuple[str, ...]], list[int]] = {}
    for position, one in enumerate(slices):
        families.setdefault(one.family, []).append(position)
    return [np.array(members, dtype=np.intp) for members in families.values()]


def _pairs(peers: Index, eligible: NDArray[np.bool_]) -> tuple[Index, Index]:
    candidates = peers[eligible[peers]]
    owner, candidate = np.repeat(peers, len(candidates)), np.tile(candidates, len(peers))
    apart = owner != candidate
    return owner[apart], candidate[apart]
