"""Champion against challenger on the same rows: differences of every metric, overall and per slice, and for whom.

    compare(table) -> Comparison                           what a report shows, with pointwise 95 % intervals
    change_bounds(table, metric, label) -> QuantityBounds  one difference, for a Check

A difference is the challenger's value less the champion's.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mlflow_eval_plugin.stats.costs import Costs
from mlflow_eval_plugin.stats.decisions import mean_cost
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.estimate import Estimate, Quantity, QuantityBounds, bounds_at, estimates, finite
from mlflow_eval_plugin.stats.gaps import SliceTable
from mlflow_eval_plugin.stats.intervals import FloatArray
from mlflow_eval_plugin.stats.paired import PairedSummary, PlacementSummary
from mlflow_eval_plugin.stats.paired_intervals import mcnemar
from mlflow_eval_plugin.stats.paired_quantities import (
    PairedBalancedAccuracy,
    PairedChange,
    PairedShare,
    correlation_of,
)
from mlflow_eval_plugin.stats.quantities import AucQuantity, ProportionQuantity
from mlflow_eval_plugin.stats.rates import Part, kish, square_error_square, sums_of
from mlflow_eval_plugin.stats.summaries import ONE, Slice

HIGHER_IS_BETTER = ("accuracy", "balanced_accuracy", "precision", "recall", "f1", "auc", "average_precision")
LOWER_IS_BETTER = ("fpr", "fnr", "log_loss", "brier", "ece")
COMPARED = ("selection_rate", *HIGHER_IS_BETTER, *LOWER_IS_BETTER, "calibration_in_the_large")
NEITHER = "one of the two models, or both, has no value of this metric"

# Labels of the rows that count, and the label and prediction that make a row count as a success.
_EVERYONE, _NEGATIVES, _POSITIVES = (0, 1), (0,), (1,)
_SHARES = {
    "selection_rate": (_EVERYONE, {0: 1, 1: 1}, "there are no rows with weight"),
    "accuracy": (_EVERYONE, {0: 0, 1: 1}, "there are no rows with weight"),
    "recall": (_POSITIVES, {1: 1}, "no row has the positive label"),
    "fpr": (_NEGATIVES, {0: 1}, "no row has the negative label"),
}


@dataclass(frozen=True)
class ComparedMetric:
    """A metric of both models and the difference, challenger less champion; None where undefined."""

    champion: float | None
    challenger: float | None
    difference: Estimate


@dataclass(frozen=True)
class SliceComparison:
    """One slice: on how many rows which of the two is right, and every metric.

    Attributes:
        query: of a named slice, what its rows answer; else None.
        mcnemar_p: the p-value of McNemar's exact test of the hypothesis that both are right equally often.
        disagreement: the share of the weight on which the two decide differently.
    """

    label: str
    slice: tuple[tuple[str, str], ...]
    query: str | None
    n: int
    both_right: int
    only_champion_right: int
    only_challenger_right: int
    both_wrong: int
    mcnemar_p: float
    disagreement: Estimate
    metrics: dict[str, ComparedMetric]


@dataclass(frozen=True)
class Comparison:
    """A whole comparison.

    Attributes:
        joint: sums of weights by the champion's score, the challenger's and label, in 15 bins each.
    """

    overall: SliceComparison
    slices: tuple[SliceComparison, ...]
    joint: tuple[tuple[tuple[float, float], ...], ...]


@dataclass(frozen=True, eq=False)
class PairedTable:
    """A PairedSummary with its differences, each computed once; entry 0 of every Quantity is "overall".

    Attributes:
        placements: for the difference in AUC; where None, or where the models give classes, there is none.
        costs: for the difference in cost; None where none are known.
    """

    summary: PairedSummary
    placements: PlacementSummary | None = None
    costs: Costs | None = None
    _made: dict[str, Quantity] = field(default_factory=dict, repr=False)
    _tables: list[SliceTable] = field(default_factory=list, repr=False)

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that can be compared."""
        known = (name for name in COMPARED if name != "auc" or self.placements is not None)
        return (*known, *(("cost",) if self.costs else ()))

    @property
    def tables(self) -> tuple[SliceTable, SliceTable]:
        """The champion's and the challenger's."""
        if not self._tables:
            self._tables.extend([SliceTable(self.summary.champion), SliceTable(self.summary.challenger)])
        return self._tables[0], self._tables[1]

    def change(self, metric: str) -> Quantity:
        """The difference in a metric of every slice.

        Raises:
            InputError: for a metric that cannot be compared.
        """
        if metric not in self.metrics:
            raise InputError(f"metric: {metric!r} cannot be compared; expected one of {', '.join(self.metrics)}")
        if metric not in self._made:
            self._made[metric] = self._change(metric)
        return self._made[metric]

    def _change(self, metric: str) -> Quantity:
        if metric in _SHARES:
            return share_change(self.summary, metric)
        if metric == "fnr":
            return share_change(self.summary, "recall").reversed()
        if metric == "balanced_accuracy":
            return PairedBalancedAccuracy(share_change(self.summary, "recall"), share_change(self.summary, "fpr"))
        if metric == "cost" and self.costs is not None:
            return cost_change(self.summary, self.costs)
        champion, challenger = (table.metric(metric) for table in self.tables)
        return PairedChange(challenger, champion, self._correlation(metric), NEITHER)

    def _correlation(self, metric: str) -> FloatArray:
        if metric in ("precision", "f1"):
            return self._of_ratios(metric)
        if metric == "auc":
            return self._of_areas()
        if metric in ("average_precision", "ece"):
            return np.zeros(len(self.summary.slices))
        return self._of_means(metric)

    def _of_ratios(self, metric: str) -> FloatArray:
        """Of precisions, or of ``tp / (tp + fp + fn)``, by the influence that a row of each cell has on them."""
        cells = self.summary.cells.reshape(len(self.summary.slices), 8)
        influence, counted = [], []
        for model in (0, 1):
            label, predicted = _CELLS[:, 0], _CELLS[:, 1 + model]
            success, counts = label & predicted, predicted if metric == "precision" else label | predicted
            weight = (cells @ counts)[:, None]
            with np.errstate(divide="ignore", invalid="ignore"):
                ratio = (cells @ success)[:, None] / weight
                influence.append(np.where(weight > 0, (success - ratio * counts) / weight, 0.0))
            counted.append(kish(weight[:, 0], self.summary.cells_square.reshape(cells.shape) @ counts))
        first, second = influence
        variances = [(cells * one**2).sum(axis=1) for one in (first, second, first - second)]
        return correlation_of(variances[0], variances[1], variances[2], np.minimum(*counted))

    def _of_areas(self) -> FloatArray:
        champion, challenger = (table.metric("auc") for table in self.tables)
        assert isinstance(champion, AucQuantity) and isinstance(challenger, AucQuantity)
        return correlation_of(
            champion.standard_error**2,
            challenger.standard_error**2,
            self._area_variance(challenger.value - champion.value),
            self._part.effective_by_label.min(axis=1),
        )

    def _area_variance(self, difference: FloatArray) -> FloatArray:
        """Of the difference of two AUCs (DeLong, DeLong & Clarke-Pearson 1988), from how placements differ."""
        assert self.placements is not None
        weight, effective = self._part.cells.sum(axis=2), self._part.effective_by_label
        with np.errstate(divide="ignore", invalid="ignore"):
            spread = np.maximum(self.placements.w_change / weight - difference[:, None] ** 2, 0.0)
            return np.asarray((spread / (effective - 1)).sum(axis=1))

    def _of_means(self, metric: str) -> FloatArray:
        """Of mean losses, or of the mean error, by the variance of a row's value and of its change."""
        sums, name = sums_of(self._part), {"brier": "square_error", "log_loss": "loss"}.get(metric, "score")
        totals = [_total(table.part(), metric) for table in self.tables]
        squares = [_square(table.part(), metric) for table in self.tables]
        variances = [sums.variance(total, square) for total, square in zip(totals, squares, strict=True)]
        change = sums.variance(totals[1] - totals[0], self.summary.change_square(name))
        return correlation_of(variances[0], variances[1], change, sums.effective)

    @property
    def _part(self) -> Part:
        return self.tables[0].part()


# Label, champion's and challenger's prediction of each of the eight cells.
_CELLS = np.array([[label, first, second] for label in (0, 1) for first in (0, 1) for second in (0, 1)])


def compare(table: PairedTable) -> Comparison:
    """Every metric of every slice, with pointwise 95 % intervals of the differences; slices of any size."""
    metrics = {name: _compared(table, name) for name in table.metrics}
    disagreement = estimates(_disagreement(table.summary))
    reports = tuple(
        _report(one, table.summary.n[i], disagreement[i], {name: found[i] for name, found in metrics.items()})
        for i, one in enumerate(table.summary.slices)
    )
    summary = table.summary
    joint = summary.joint[0] * (summary.champion.weight_scale / ONE)
    return Comparison(
        reports[0], reports[1:], tuple(tuple((float(a), float(b)) for a, b in row) for row in joint.tolist())
    )


def change_bounds(table: PairedTable, metric: str, label: str = "overall") -> QuantityBounds:
    """The difference in a metric of one slice, for a Check.

    Raises:
        InputError: for a metric that cannot be compared.
        KeyError: when there is no such slice.
    """
    return bounds_at(table.change(metric), table.summary.champion.index(label))


def share_change(summary: PairedSummary, metric: str) -> PairedShare:
    """The difference in selection rate, accuracy, recall or FPR."""
    labels, success, reason = _SHARES[metric]
    cells, squares = summary.cells[:, labels], summary.cells_square[:, labels]
    weight = cells.sum(axis=(1, 2, 3))
    gained, lost = np.zeros_like(weight), np.zeros_like(weight)
    for label, right in success.items():
        gained += summary.cells[:, label, 1 - right, right]
        lost += summary.cells[:, label, right, 1 - right]
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = [np.where(weight > 0, one / weight, np.nan) for one in (gained, lost)]
    return PairedShare(shares[0], shares[1], kish(weight, squares.sum(axis=(1, 2, 3))), _rows(summary), reason)


def cost_change(summary: PairedSummary, costs: Costs) -> Quantity:
    """The difference in the mean cost of a row."""
    label, champion, challenger = _CELLS.T
    change = costs.matrix[label, challenger] - costs.matrix[label, champion]
    cells, squares = (one.reshape(-1, 8) for one in (summary.cells, summary.cells_square))
    return mean_cost(cells, change, kish(cells.sum(axis=1), squares.sum(axis=1)), _rows(summary))


def _rows(summary: PairedSummary) -> NDArray[np.int64]:
    return np.asarray(summary.n.sum(axis=(1, 2, 3)), dtype=np.int64)


def _total(part: Part, metric: str) -> FloatArray:
    if metric == "calibration_in_the_large":
        return np.asarray(part.score.sum(axis=(1, 2)) - part.cells[:, 1].sum(axis=1))
    return part.loss if metric == "log_loss" else part.square_error


def _square(part: Part, metric: str) -> FloatArray:
    if metric == "calibration_in_the_large":
        return part.square_error
    return part.loss_square if metric == "log_loss" else square_error_square(part)


def _disagreement(summary: PairedSummary) -> Quantity:
    cells, squares = summary.cells, summary.cells_square
    weight = cells.sum(axis=(1, 2, 3))
    differ = cells[:, :, 0, 1].sum(axis=1) + cells[:, :, 1, 0].sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(weight > 0, differ / weight, np.nan)
    trials = kish(weight, squares.sum(axis=(1, 2, 3)))
    return ProportionQuantity(share, trials, _rows(summary), weight, "there are no rows with weight")


def _compared(table: PairedTable, metric: str) -> list[ComparedMetric]:
    differences = estimates(table.change(metric))
    if metric == "cost" and table.costs is not None:
        values = [_costs_of(one, table.costs) for one in table.tables]
    else:
        values = [one.metric(metric).value for one in table.tables]
    return [
        ComparedMetric(finite(first), finite(second), difference)
        for first, second, difference in zip(*values, differences, strict=True)
    ]


def _costs_of(table: SliceTable, costs: Costs) -> FloatArray:
    part = table.part()
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.einsum("slp,lp->s", part.cells, costs.matrix) / part.weight)


def _report(
    one: Slice, n: NDArray[np.int64], disagreement: Estimate, metrics: dict[str, ComparedMetric]
) -> SliceComparison:
    gained, lost = int(n[0, 1, 0] + n[1, 0, 1]), int(n[0, 0, 1] + n[1, 1, 0])
    return SliceComparison(
        label=one.label,
        slice=one.levels,
        query=one.query,
        n=int(n.sum()),
        both_right=int(n[0, 0, 0] + n[1, 1, 1]),
        only_champion_right=lost,
        only_challenger_right=gained,
        both_wrong=int(n[0, 1, 1] + n[1, 0, 0]),
        mcnemar_p=mcnemar(gained, lost),
        disagreement=disagreement,
        metrics=metrics,
    )
