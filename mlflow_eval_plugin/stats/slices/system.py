"""What a slice costs and how long it waits: latency percentiles and cost per 1,000 rows, from a ``SystemSummary``.

    system_reports(summary) -> tuple[SystemReport, ...]                what a report shows
    system_bounds(summary, metric, label) -> QuantityBounds            one metric of one slice, for a Check

A percentile is an order statistic, and so are its limits: how many rows lie below the true percentile is binomial
whatever the distribution (Thompson 1936; Hahn & Meeker 1991, "Statistical intervals", section 5.2), so the limits hold
at any number of rows; where even the smallest or the largest row is not far enough out, there is no limit. Weights do
not count here: a row that stands for many has been waited for once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special

from mlflow_eval_plugin.stats.arrays import FloatArray, IntArray
from mlflow_eval_plugin.stats.counts.slice import ONE, Slice, lanes_added, rows_fit, union_of_slices
from mlflow_eval_plugin.stats.errors import InputError, MergeError
from mlflow_eval_plugin.stats.inference.estimate import (
    Entries,
    Estimate,
    Quantity,
    QuantityBounds,
    bounds_at,
    estimates,
)
from mlflow_eval_plugin.stats.inference.intervals import Alpha, Limits
from mlflow_eval_plugin.stats.inference.quantities import MeanQuantity

LATENCIES = {"latency_p50": 0.5, "latency_p95": 0.95, "latency_p99": 0.99}
COST = "cost_per_1000"
NO_ROWS = "there are no rows"
_SHIFT = 43  # a float64 without its last 43 bits: nine are left, so a bin is 2**-9 of its lower edge wide


@dataclass(frozen=True, eq=False)
class SystemSummary:
    """Slice x latency bin, and sums of costs; entry 0 is the slice "overall".

    Attributes:
        slices: the ``S`` slices, in the order of the first axis of every array.
        n: rows, ``(S,)``.
        bins: the ``B`` latency bins that have rows, ascending; see ``latency_bins``. Empty without latencies.
        latency: rows by latency bin, ``(S, B)``.
        cost, cost_square: sums of costs and of their squares (rounded up), ``(S,)``, in units of ``cost_scale / ONE``
            and ``cost_scale**2 / ONE``.
        cost_scale: a power of two at or above the largest cost; None without costs.
    """

    slices: tuple[Slice, ...]
    n: IntArray
    bins: IntArray
    latency: IntArray
    cost: IntArray
    cost_square: IntArray
    cost_scale: float | None

    def __add__(self, other: SystemSummary) -> SystemSummary:
        """The Summary of both sets of rows, with the union of their slices.

        Raises:
            MergeError: when the costs are on different scales, or only one of the two has latencies.
        """
        if self.cost_scale != other.cost_scale or bool(len(self.bins)) != bool(len(other.bins)):
            raise MergeError(
                f"system Summaries do not merge: cost scales are {self.cost_scale} and {other.cost_scale}, latency "
                f"bins {len(self.bins)} and {len(other.bins)}; count the same columns on the same cost_scale"
            )
        rows_fit(int(self.n[0]) + int(other.n[0]))
        slices, bins = union_of_slices(self.slices, other.slices), np.union1d(self.bins, other.bins)
        both = zip(_placed(self, slices, bins), _placed(other, slices, bins), strict=True)
        n, latency, cost, cost_square = (lanes_added(mine, theirs) for mine, theirs in both)
        return SystemSummary(slices, n, bins, latency, cost, cost_square, self.cost_scale)

    @property
    def metrics(self) -> tuple[str, ...]:
        """What can be measured of it."""
        return (*(LATENCIES if len(self.bins) else ()), *((COST,) if self.cost_scale is not None else ()))


@dataclass(frozen=True)
class SystemReport:
    """One slice: estimates of ``LATENCIES`` and of ``COST``, those there are; latencies in the unit of the column."""

    label: str
    n: int
    metrics: dict[str, Estimate]


def latency_bins(latency: FloatArray) -> IntArray:
    """The bin of each non-negative latency: bins of equal relative width, as of an HDR histogram.

    The middle of a bin is within 2**-10, or 0.1 %, of every latency in it.
    """
    # Adding nought makes -0.0 into 0.0, whose bits are those of the first bin.
    return np.asarray((latency.astype(np.float64) + 0.0).view(np.int64) >> _SHIFT)


def system_reports(summary: SystemSummary) -> tuple[SystemReport, ...]:
    """Every slice, "overall" first, with pointwise 95 % intervals; where there is none, the reason says why."""
    columns = {name: _told(_quantity(summary, name), name) for name in summary.metrics}
    return tuple(
        SystemReport(one.label, int(n), {name: column[i] for name, column in columns.items()})
        for i, (one, n) in enumerate(zip(summary.slices, summary.n, strict=True))
    )


def system_bounds(summary: SystemSummary, metric: str, label: str) -> QuantityBounds:
    """One metric of one slice, for a Check.

    Raises:
        InputError: for a metric or a slice there is none of.
    """
    labels = [one.label for one in summary.slices]
    if metric not in summary.metrics or label not in labels:
        raise InputError(f"system: there is no {metric!r} of {label!r}; metrics are {', '.join(summary.metrics)}")
    return bounds_at(_quantity(summary, metric), labels.index(label))


@dataclass(frozen=True, eq=False)
class Percentile(Entries):
    """The smallest value that a share of the rows does not exceed: the order statistic of rank ``ceil(share * n)``.

    Attributes:
        cumulative: rows up to and with each bin, ``(S, B)``.
        lower, upper: edges of the bins, ``(B,)``.
    """

    cumulative: IntArray
    lower: FloatArray
    upper: FloatArray
    share: float
    reason: str = NO_ROWS

    @property
    def n(self) -> IntArray:
        """Rows."""
        return self.cumulative[:, -1]

    @property
    def value(self) -> FloatArray:
        """The middles of the bins; NaN without rows."""
        at = self._bin(self._rank)
        return np.where(self.n > 0, (self.lower[at] + self.upper[at]) / 2, np.nan)

    @property
    def bound(self) -> FloatArray:
        """Half the width of the bins."""
        at = self._bin(self._rank)
        return np.asarray((self.upper[at] - self.lower[at]) / 2)

    def limits(self, alpha: Alpha, *, exact: bool) -> Limits:
        """One-sided limits; infinite where there are too few rows. Always exact.

        With ``bound`` on either side they are the outer edges of the bins of the two rows between which they lie.
        """
        del exact
        low, high = rank_below(alpha, self.n, self.share), rank_below(alpha, self.n, 1 - self.share)
        lower = np.where(low > 0, self.lower[self._bin(low)] + self.bound, -np.inf)
        upper = np.where(high > 0, self.upper[self._bin(self.n + 1 - high)] - self.bound, np.inf)
        return lower, upper

    def take(self, index: NDArray[np.intp]) -> Percentile:
        """The entries at ``index``."""
        return replace(self, cumulative=self.cumulative[index])

    @property
    def _rank(self) -> IntArray:
        # Less a little: 0.95 * 20 is 19 and must not become 20.
        return np.asarray(np.ceil(self.share * self.n - 1e-9), dtype=np.int64)

    def _bin(self, rank: IntArray) -> NDArray[np.intp]:
        at = (self.cumulative < rank[:, None]).sum(axis=1)
        return np.asarray(np.minimum(at, self.cumulative.shape[1] - 1), dtype=np.intp)


def rank_below(alpha: Alpha, n: IntArray, share: float) -> IntArray:
    """The largest rank whose order statistic exceeds the percentile with probability at most ``alpha``; else 0."""
    near = np.nan_to_num(np.floor(special.bdtrik(alpha, n, share)), nan=-1.0)
    found = np.full(n.shape, -1.0)
    for away in (-1, 0, 1):  # the inverse is rounded, its inverse decides
        k = near + away
        legal = (k >= 0) & (k < n)
        with np.errstate(invalid="ignore"):
            holds = special.bdtr(np.where(legal, k, 0.0), np.maximum(n, 1), share) <= alpha
        found = np.where(legal & holds, k, found)
    return found.astype(np.int64) + 1


def _quantity(summary: SystemSummary, metric: str) -> Quantity:
    if metric in LATENCIES:
        lower, upper = (edge.astype(np.int64) << _SHIFT for edge in (summary.bins, summary.bins + 1))
        # The first bin holds nought and nothing that a clock can show.
        upper = np.where(summary.bins == 0, 0, upper)
        cumulative = np.cumsum(summary.latency, axis=1)
        return Percentile(cumulative, lower.view(np.float64), upper.view(np.float64), LATENCIES[metric])
    scale, n = summary.cost_scale or 1.0, summary.n.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = summary.cost * (scale / ONE) / n
        variance = np.maximum(summary.cost_square * (scale**2 / ONE) / n - mean**2, 0.0) * n / np.maximum(n - 1, 1e-9)
        # One price for every row is a price; rows that all cost nothing tell nothing of those that will cost.
        error = np.where(mean > 0, np.sqrt(variance / n), np.inf)
    return MeanQuantity(1000 * mean, 1000 * error, n, summary.n, n, NO_ROWS)


def _told(quantity: Quantity, metric: str) -> tuple[Estimate, ...]:
    few = "too few rows for an interval: one end would lie beyond all of them"
    if metric == COST:
        few = "one row, or rows that all cost nothing, have no variance"
    return tuple(
        replace(one, reason=few) if one.value is not None and one.interval is None else one
        for one in estimates(quantity)
    )


def _placed(summary: SystemSummary, slices: tuple[Slice, ...], bins: IntArray) -> tuple[IntArray, ...]:
    at = {one: position for position, one in enumerate(slices)}
    rows = np.array([at[one] for one in summary.slices])
    latency = np.zeros((len(slices), len(bins)), dtype=np.int64)
    latency[np.ix_(rows, np.searchsorted(bins, summary.bins))] = summary.latency
    flat = np.zeros((3, len(slices)), dtype=np.int64)
    flat[:, rows] = summary.n, summary.cost, summary.cost_square
    return flat[0], latency, flat[1], flat[2]
