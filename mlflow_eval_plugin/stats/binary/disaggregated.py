"""Metrics of every slice, their gaps, and the fairness measures of every slice column, from a ``SliceSummary``.

    disaggregate(summary) -> Disaggregated            what a report shows: estimates with pointwise 95 % intervals
    metric_bounds, gap_bounds, fairness_bounds         what a Check judges: one quantity with limits at any level

The bounds take a ``SliceSummary``, or a ``SliceTable(summary)``, which computes each metric once for many of them;
those of metrics and gaps take any ``MetricTable``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mlflow_eval_plugin.stats.binary.metrics import METRICS
from mlflow_eval_plugin.stats.binary.summary import SliceSummary
from mlflow_eval_plugin.stats.binary.table import SliceTable
from mlflow_eval_plugin.stats.counts.slice import Slice
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.inference.estimate import Estimate, Quantity, QuantityBounds, Shared, bounds_at, estimates
from mlflow_eval_plugin.stats.slices.fairness import FAIRNESS, fairness
from mlflow_eval_plugin.stats.slices.gaps import VERSUS, MetricTable, best_of, gap

DEFAULT_GAP_METRICS = ("selection_rate", "accuracy", "precision", "recall", "fpr", "fnr", "auc")


@dataclass(frozen=True)
class SliceMetrics:
    """One estimate a metric; definitions are in ``metrics``."""

    prevalence: Estimate
    selection_rate: Estimate
    accuracy: Estimate
    balanced_accuracy: Estimate
    precision: Estimate
    recall: Estimate
    fpr: Estimate
    fnr: Estimate
    f1: Estimate
    auc: Estimate
    average_precision: Estimate
    log_loss: Estimate
    brier: Estimate
    ece: Estimate
    calibration_in_the_large: Estimate


@dataclass(frozen=True)
class SliceReport:
    """One slice: its rows, its weight, its confusion table (sums of weights) and its metrics.

    ``slice`` holds its levels by column; a named slice has a ``query`` instead.
    """

    label: str
    slice: tuple[tuple[str, str], ...]
    query: str | None
    n: int
    weight: float
    positives: float
    tp: float
    fp: float
    tn: float
    fn: float
    metrics: SliceMetrics


@dataclass(frozen=True)
class Gap:
    """How far a slice is from ``against``: ``versus`` says why that one."""

    metric: str
    label: str
    versus: str
    against: str
    difference: Estimate
    ratio: Estimate


@dataclass(frozen=True)
class ColumnFairness:
    """The fairness measures over the levels of one slice column that have the minimum count of rows."""

    column: str
    demographic_parity_difference: Estimate
    demographic_parity_ratio: Estimate
    equal_opportunity_difference: Estimate
    equalized_odds_difference: Estimate


@dataclass(frozen=True)
class Disaggregated:
    """A whole disaggregated report."""

    overall: SliceReport
    slices: tuple[SliceReport, ...]
    gaps: tuple[Gap, ...]
    fairness: tuple[ColumnFairness, ...]
    weighted: bool
    threshold: float | None
    pos_label: str
    minimum_count: int


def disaggregate(
    summary: SliceSummary | SliceTable,
    *,
    minimum_count: int = 30,
    gap_metrics: Sequence[str] = DEFAULT_GAP_METRICS,
    versus: Sequence[str] = VERSUS,
) -> Disaggregated:
    """Every metric of every slice, with pointwise 95 % intervals; slices of any size are reported.

    Args:
        minimum_count: rows that a slice needs to be the best one of a gap, and to count in the fairness measures.
        gap_metrics: metrics whose gaps are reported.
        versus: what slices are compared with.

    Raises:
        InputError: for a metric or a comparison there is none of.
    """
    table = _slice_table(summary)
    counted = table.summary
    reports = _reports(table)
    columns = sorted({one.columns[0] for one in counted.slices if len(one.columns) == 1})
    return Disaggregated(
        overall=reports[0],
        slices=reports[1:],
        gaps=tuple(
            one
            for metric in gap_metrics
            for against in versus
            for one in gaps_of(table, metric, against, minimum_count)
        ),
        fairness=tuple(_column_fairness(table, column, minimum_count) for column in columns),
        weighted=counted.weighted,
        threshold=counted.threshold,
        pos_label=counted.pos_label,
        minimum_count=minimum_count,
    )


def metric_bounds(summary: SliceSummary | MetricTable, metric: str, label: str = "overall") -> QuantityBounds:
    """A metric of one slice, for a Check.

    Raises:
        InputError: for a metric or a slice there is none of.
    """
    table = _table(summary)
    return _bounds(table, (metric,), label, lambda: table.metric(metric))


def gap_bounds(
    summary: SliceSummary | MetricTable,
    metric: str,
    label: str,
    versus: str,
    *,
    kind: str = "difference",
    minimum_count: int = 30,
) -> QuantityBounds:
    """A gap of one slice, for a Check; signed: slice minus (or over) what it is compared with.

    Raises:
        InputError: for a metric, a slice, a comparison or a kind there is none of.
    """
    _known("versus", versus, VERSUS)
    _known("kind", kind, ("difference", "ratio"))
    table, key = _table(summary), (metric, versus, kind, minimum_count)
    return _bounds(table, key, label, lambda: gap(table, metric, versus, kind, minimum_count=minimum_count))


def fairness_bounds(
    summary: SliceSummary | SliceTable, column: str, name: str, *, minimum_count: int = 30
) -> QuantityBounds:
    """A fairness measure of one slice column, for a Check.

    Raises:
        InputError: for a measure or a column there is none of.
    """
    _known("fairness", name, FAIRNESS)
    return bounds_at(fairness(_slice_table(summary), column, name, minimum_count=minimum_count), 0)


def _bounds(table: MetricTable, key: tuple[object, ...], label: str, make: Callable[[], Quantity]) -> QuantityBounds:
    if key not in table.shared:
        table.shared[key] = Shared(make())
    return table.shared[key].bounds(_index(table, label))


def _slice_table(summary: SliceSummary | SliceTable) -> SliceTable:
    return summary if isinstance(summary, SliceTable) else SliceTable(summary)


def _table(summary: SliceSummary | MetricTable) -> MetricTable:
    return SliceTable(summary) if isinstance(summary, SliceSummary) else summary


def _index(table: MetricTable, label: str) -> int:
    labels = [one.label for one in table.slices]
    if label not in labels:
        raise InputError(f"slice: no rows are in {label!r}; slices look like {', '.join(map(repr, labels[:4]))}")
    return labels.index(label)


def _known(argument: str, name: str, names: Sequence[str]) -> None:
    if name not in names:
        raise InputError(f"{argument}: there is no {name!r}; expected one of {', '.join(names)}")


def _reports(table: SliceTable) -> tuple[SliceReport, ...]:
    columns = {metric: estimates(table.metric(metric)) for metric in METRICS}
    cells, rows = table.part().cells.tolist(), table.rows.tolist()
    return tuple(
        _report(one, n, cell, SliceMetrics(**{metric: columns[metric][i] for metric in METRICS}))
        for i, (one, n, cell) in enumerate(zip(table.summary.slices, rows, cells, strict=True))
    )


def _report(one: Slice, n: int, cell: list[list[float]], metrics: SliceMetrics) -> SliceReport:
    (tn, fp), (fn, tp) = cell
    return SliceReport(
        label=one.label,
        slice=one.levels,
        query=one.query,
        n=n,
        weight=tn + fp + fn + tp,
        positives=fn + tp,
        tp=tp,
        fp=fp,
        tn=tn,
        fn=fn,
        metrics=metrics,
    )


def gaps_of(table: MetricTable, metric: str, versus: str, minimum_count: int) -> list[Gap]:
    """The gaps of one metric, of every slice but "overall".

    Raises:
        InputError: for a metric or a comparison there is none of.
    """
    _known("versus", versus, VERSUS)
    difference = estimates(gap(table, metric, versus, "difference", minimum_count=minimum_count))
    ratio = estimates(gap(table, metric, versus, "ratio", minimum_count=minimum_count))
    against = _against(table, metric, versus, minimum_count)
    return [
        Gap(metric, one.label, versus, against[i], difference[i], ratio[i])
        for i, one in enumerate(table.slices)
        if i > 0
    ]


def _against(table: MetricTable, metric: str, versus: str, minimum_count: int) -> list[str]:
    slices = table.slices
    if versus == "complement":
        return [f"not ({one.label})" if " & " in one.label or one.query else f"not {one.label}" for one in slices]
    labels = [one.label for one in slices]
    if versus == "overall":
        return [labels[0]] * len(labels)
    best = best_of(table, metric, minimum_count=minimum_count)
    return [labels[one] if one >= 0 else "none" for one in best]


def _column_fairness(table: SliceTable, column: str, minimum_count: int) -> ColumnFairness:
    made = {name: estimates(fairness(table, column, name, minimum_count=minimum_count))[0] for name in FAIRNESS}
    return ColumnFairness(column, **made)
