"""A drift report from two ``DriftSummary``s that were counted on the same bins.

compare(reference, current) -> Drift                        estimates with pointwise 95 % intervals, p-values, hints
drift_bounds(reference, current, column, metric) -> Bounds  one distance with limits at any level, for a Check
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from types import MappingProxyType
from typing import Literal

import numpy as np

from mlflow_eval_plugin.histograms import HISTOGRAM_BARS
from mlflow_eval_plugin.stats.arrays import FloatArray
from mlflow_eval_plugin.stats.drift.cells import cells_of, fine_cells
from mlflow_eval_plugin.stats.drift.divergences import (
    DistributionDistance,
    chi_squared,
    divergence,
    kolmogorov_smirnov,
    ks_p_value,
    wasserstein,
)
from mlflow_eval_plugin.stats.drift.new_values import new_share
from mlflow_eval_plugin.stats.drift.quality.metrics import OF_CATEGORIES, OF_NUMBERS, QUALITY, quality, quality_of
from mlflow_eval_plugin.stats.drift.quality.shares import sentinels_of
from mlflow_eval_plugin.stats.drift.quality.units import UnitChange
from mlflow_eval_plugin.stats.drift.summary import CategoricalColumn, Column, DriftSummary, NumericColumn, Role
from mlflow_eval_plugin.stats.drift.triage import Hint, hint_level, triage
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.inference.estimate import Estimate, Quantity, QuantityBounds, bounds_at, estimates

NUMERIC_METRICS = ("psi", "ks", "js", "wasserstein", "new_share", *OF_NUMBERS)
CATEGORICAL_METRICS = ("psi", "js", "chi2", "new_share", *OF_CATEGORIES)


@dataclass(frozen=True)
class DriftMetrics:
    """One estimate a metric; None where the metric is of the other kind of column.

    ``psi``: population stability index on ten reference-quantile bins (or the categories), less its bias. ``js``:
    Jensen-Shannon distance, base 2. ``ks``: Kolmogorov-Smirnov distance. ``wasserstein``: over the reference's robust
    standard deviation, within its fences. ``chi2``: Pearson's statistic, without an interval as it grows with the rows.
    ``new_share``: the largest rise in the share of a value that the reference hardly has. ``missing_change`` and
    ``infinite_change``: current less reference share of missing and of infinite values. ``sentinel_change``: the same
    of values that stand for none. ``out_of_range``: the share beyond the reference's extremes, less what to expect.
    ``unit_change``: what of the Jensen-Shannon distance another unit explains. ``new_categories``,
    ``vanished_categories``: the shares in categories that one side lacks, less those to be expected.
    ``lost_variety``: the part of the values other than the commonest that is gone.
    """

    psi: Estimate
    js: Estimate
    missing_change: Estimate
    new_share: Estimate
    infinite_change: Estimate | None = None
    ks: Estimate | None = None
    wasserstein: Estimate | None = None
    chi2: Estimate | None = None
    sentinel_change: Estimate | None = None
    out_of_range: Estimate | None = None
    unit_change: Estimate | None = None
    new_categories: Estimate | None = None
    vanished_categories: Estimate | None = None
    lost_variety: Estimate | None = None


@dataclass(frozen=True)
class ShareHistogram:
    """Shares of the rows with a value, per bin range or category, at most 30."""

    labels: tuple[str, ...]
    reference: tuple[float, ...]
    current: tuple[float, ...]


@dataclass(frozen=True)
class ColumnDrift:
    """One column; ``p_value`` is of KS where numeric and of chi-squared where categorical.

    Attributes:
        sentinels_reference, sentinels_current: how often each value occurs that stands for none.
        unit: what happened to the values, where another unit explains a change; else empty.
    """

    name: str
    role: Role
    kind: Literal["numeric", "categorical"]
    n_reference: int
    n_current: int
    missing_reference: float
    missing_current: float
    infinite_reference: float
    infinite_current: float
    metrics: DriftMetrics
    p_value: float | None
    new_categories: tuple[str, ...]
    vanished_categories: tuple[str, ...]
    hint: Hint
    hint_reason: str
    histogram: ShareHistogram
    sentinels_reference: dict[str, int] = field(default_factory=dict)
    sentinels_current: dict[str, int] = field(default_factory=dict)
    unit: str = ""


@dataclass(frozen=True)
class Drift:
    """A whole drift report."""

    n_reference: int
    n_current: int
    columns: tuple[ColumnDrift, ...]


def compare(
    reference: DriftSummary, current: DriftSummary, repeated: Mapping[str, float] = MappingProxyType({})
) -> Drift:
    """The drift of every column of the reference.

    Args:
        repeated: by column, the one value that most rows of its newest bin have, where that is known.

    Raises:
        InputError: when ``current`` lacks a column or was counted on other bins.
    """
    return DriftTable(reference, current).report(repeated)


@dataclass(frozen=True, eq=False)
class DriftTable:
    """Two Summaries with the distances of their columns, each computed once.

    Raises:
        InputError: from its methods, when ``current`` lacks a column or was counted on other bins.
    """

    reference: DriftSummary
    current: DriftSummary
    _made: dict[tuple[str, str], Quantity] = field(default_factory=dict, repr=False)

    def pair(self, column: str) -> tuple[Column, Column]:
        """Both sides of a column."""
        return _pair(self.reference, self.current, column)

    def quantity(self, column: str, metric: str) -> Quantity:
        """One distance of one column."""
        if (column, metric) not in self._made:
            self._made[column, metric] = _quantity(*self.pair(column), metric)
        return self._made[column, metric]

    def report(self, repeated: Mapping[str, float]) -> Drift:
        """The drift of every column, see ``compare``."""
        names = [one.name for one in self.reference.columns]
        level = hint_level(len(names))
        columns = tuple(_column(self, name, level, repeated.get(name)) for name in names)
        return Drift(self.reference.rows, self.current.rows, columns)

    def bounds(self, column: str, metric: str) -> QuantityBounds:
        """The same with its limits, see ``drift_bounds``."""
        before, _ = self.pair(column)
        known = [
            one
            for one in (NUMERIC_METRICS if isinstance(before, NumericColumn) else CATEGORICAL_METRICS)
            if one != "chi2"
        ]
        if metric not in known:
            raise InputError(
                f"metric: {metric!r} cannot be checked for column {column!r}; expected one of {', '.join(known)}"
            )
        return bounds_at(self.quantity(column, metric), 0)


def metrics_of(reference: Column, current: Column) -> tuple[str, ...]:
    """The metrics of a column; those of its quality only where they say something."""
    names = NUMERIC_METRICS if isinstance(reference, NumericColumn) else CATEGORICAL_METRICS
    own = quality_of(reference, current)
    return tuple(name for name in names if name in own or name not in QUALITY)


def drift_bounds(reference: DriftSummary, current: DriftSummary, column: str, metric: str) -> QuantityBounds:
    """One distance of one column, for a Check.

    Raises:
        InputError: for a column there is none of, or a metric that the column has not; "chi2" has no limits.
    """
    return DriftTable(reference, current).bounds(column, metric)


def _pair(reference: DriftSummary, current: DriftSummary, name: str) -> tuple[Column, Column]:
    before, after = reference.column(name), current.column(name)
    alike = type(before) is type(after)
    if isinstance(before, NumericColumn) and isinstance(after, NumericColumn):
        alike = np.array_equal(before.edges, after.edges)
    if not alike:
        raise InputError(f"column {name!r}: counted on other bins; count it with drift_summary(..., like=reference)")
    return before, after


def _quantity(before: Column, after: Column, metric: str) -> Quantity:
    if metric in QUALITY:
        found = quality(before, after, metric)
        if found is None:
            raise InputError(f"metric: nothing was counted of column {before.name!r} for {metric!r}")
        return found
    if metric == "new_share":
        return new_share(*fine_cells(before, after))
    if metric in ("psi", "js"):
        cells = cells_of(before, after)
        return divergence("psi" if metric == "psi" else "js", *cells)
    if isinstance(before, NumericColumn) and isinstance(after, NumericColumn):
        return kolmogorov_smirnov(before, after) if metric == "ks" else wasserstein(before, after)
    raise InputError(f"metric: {metric!r} is for numeric columns, {before.name!r} is categorical")


def _column(table: DriftTable, name: str, level: float, repeated: float | None) -> ColumnDrift:
    before, after = table.pair(name)
    numeric = isinstance(before, NumericColumn)
    quantities = {one: table.quantity(name, one) for one in metrics_of(before, after) if one != "chi2"}
    made = {name: estimates(one)[0] for name, one in quantities.items()}
    chi2 = None if numeric else chi_squared(*cells_of(before, after))
    if not numeric:
        reason = "there is only one category, or a data set has no value"
        made["chi2"] = Estimate(None, None, 0.0, reason) if chi2 is None else Estimate(chi2[0], None)
    p_value = chi2[1] if chi2 is not None else None
    if isinstance(distance := quantities.get("ks"), DistributionDistance):
        p_value = ks_p_value(distance, before.present, after.present)
    hint, reason = triage(before, after, quantities, level, repeated)
    unit = quantities.get("unit_change")
    return ColumnDrift(
        name=before.name,
        role=before.role,
        kind="numeric" if numeric else "categorical",
        n_reference=before.rows,
        n_current=after.rows,
        missing_reference=before.missing / max(before.rows, 1),
        missing_current=after.missing / max(after.rows, 1),
        infinite_reference=before.infinite / max(before.rows, 1),
        infinite_current=after.infinite / max(after.rows, 1),
        metrics=DriftMetrics(**made),
        p_value=p_value,
        new_categories=_only_in(after, before),
        vanished_categories=_only_in(before, after),
        hint=hint,
        hint_reason=reason,
        histogram=_histogram(before, after),
        sentinels_reference=sentinels_of(before),
        sentinels_current=sentinels_of(after),
        unit=unit.unit if isinstance(unit, UnitChange) else "",
    )


def _only_in(first: Column, second: Column) -> tuple[str, ...]:
    if isinstance(first, CategoricalColumn) and isinstance(second, CategoricalColumn):
        known = set(second.levels)
        return tuple(level for level in first.levels if level not in known)
    return ()


def _histogram(before: Column, after: Column) -> ShareHistogram:
    a, b = cells_of(before, after)
    if isinstance(before, NumericColumn):
        labels = _ranges(before.edges[before.coarse])
    else:
        labels = sorted(set(before.levels) | set(after.levels if isinstance(after, CategoricalColumn) else ()))
        order = np.argsort(-(a + b), kind="stable")
        a, b, labels = a[order], b[order], [labels[i] for i in order]
    if len(labels) > HISTOGRAM_BARS:
        cut = HISTOGRAM_BARS - 1
        a, b = (np.concatenate([side[:cut], [side[cut:].sum()]]) for side in (a, b))
        labels = [*labels[:cut], f"({len(labels) - cut} others)"]
    shares = [tuple((side / max(int(side.sum()), 1)).tolist()) for side in (a, b)]
    return ShareHistogram(tuple(labels), *shares)


def _ranges(edges: FloatArray) -> list[str]:
    """Labels of the cells below, between and above edges; the cell up to the next float is a single value."""
    follows = [False, *(edges[1:] <= np.nextafter(edges[:-1], np.inf)).tolist()]
    # The float that follows a value is written as that value, which is then left out: "(0, 3)".
    texts = [f"{edge:.4g}" for edge in np.where(follows, np.roll(edges, 1), edges)]
    inner = [
        low if point else f"{'(' if left_out else '['}{low}, {high})"
        for (low, high), (left_out, point) in zip(pairwise(texts), pairwise(follows), strict=True)
    ]
    return [f"below {texts[0]}", *inner, f"above {texts[-1]}" if follows[-1] else f"{texts[-1]} or more"]
