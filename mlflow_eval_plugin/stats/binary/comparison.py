"""Champion against challenger on the same rows: differences of every metric, overall and per slice, and for whom.

    compare(table) -> Comparison    what a report shows, with pointwise 95 % intervals

A difference is the challenger's value less the champion's.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mlflow_eval_plugin.stats.arrays import FloatArray
from mlflow_eval_plugin.stats.binary.metrics import SlicePart, sums_of
from mlflow_eval_plugin.stats.binary.paired import PairedSummary, PlacementSummary
from mlflow_eval_plugin.stats.binary.paired_changes import (
    SHARES,
    cost_change,
    disagreement_of,
    share_change,
    spread_of_ratios,
)
from mlflow_eval_plugin.stats.binary.summary import FINE_BINS
from mlflow_eval_plugin.stats.binary.table import SliceTable
from mlflow_eval_plugin.stats.counts.slice import ONE, Slice
from mlflow_eval_plugin.stats.inference.contrasts import Apart
from mlflow_eval_plugin.stats.inference.costs import Costs
from mlflow_eval_plugin.stats.inference.estimate import Estimate, Quantity, estimates
from mlflow_eval_plugin.stats.paired.differences import NEITHER, ChangeTable, ComparedMetric, compared_metrics
from mlflow_eval_plugin.stats.paired.intervals import mcnemar
from mlflow_eval_plugin.stats.paired.quantities import PairedBalancedAccuracy, PairedMean

COMPARED = (
    "selection_rate", "accuracy", "balanced_accuracy", "precision", "recall", "f1", "auc", "average_precision", "fpr",
    "fnr", "log_loss", "brier", "ece", "calibration_in_the_large",
)  # fmt: skip


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
class PairedTable(ChangeTable[PairedSummary]):
    """A PairedSummary with its differences.

    Attributes:
        placements: for the difference in AUC; where None, or where the models give classes, there is none.
        costs: for the difference in cost; None where none are known.
    """

    placements: PlacementSummary | None = None
    costs: Costs | None = None

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that can be compared."""
        known = (name for name in COMPARED if name != "auc" or self.placements is not None)
        return (*known, *(("cost",) if self.costs else ()))

    @cached_property
    def tables(self) -> tuple[SliceTable, SliceTable]:
        """The champion's and the challenger's."""
        return SliceTable(self.summary.champion), SliceTable(self.summary.challenger)

    def values(self, metric: str) -> tuple[FloatArray, FloatArray]:
        """The champion's and the challenger's value of every slice; NaN where undefined."""
        if metric == "cost" and self.costs is not None:
            champion, challenger = (_costs_of(one, self.costs) for one in self.tables)
        else:
            champion, challenger = (one.metric(metric).value for one in self.tables)
        return champion, challenger

    def _change(self, metric: str) -> Quantity:
        self._require(metric)
        if metric in SHARES:
            return share_change(self.summary, metric)
        if metric == "fnr":
            return share_change(self.summary, "recall").reversed()
        if metric == "balanced_accuracy":
            return PairedBalancedAccuracy(share_change(self.summary, "recall"), share_change(self.summary, "fpr"))
        if metric == "cost" and self.costs is not None:
            return cost_change(self.summary, self.costs)
        champion, challenger = (table.metric(metric) for table in self.tables)
        if metric in ("ece", "average_precision"):
            # Norms of opposite errors change in opposite ways, and noise inflates both.
            return Apart(challenger, champion, f"{NEITHER}: {challenger.reason}")
        variance, influence, effective = self._varies(metric)
        value = challenger.value - champion.value
        bound = challenger.bound + champion.bound
        furthest = np.inf if metric == "log_loss" else 1.0
        return PairedMean(
            value, variance, influence, effective, bound, challenger.n, f"{NEITHER}: {challenger.reason}", furthest
        )

    def _varies(self, metric: str) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Of a difference: its variance, how much one more row can change it at most, and the rows behind it."""
        if metric in ("precision", "f1"):
            return spread_of_ratios(self.summary, metric)
        return self._of_areas() if metric == "auc" else self._of_means(metric)

    def _of_areas(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Of AUCs (DeLong, DeLong & Clarke-Pearson 1988), from how the placements of rows differ.

        What three unseen rows could change counts in full where no row changed its place, and hardly where many did.
        """
        assert self.placements is not None
        champion, challenger = (table.metric("auc") for table in self.tables)
        weight, effective = self._part.cells.sum(axis=2), self._part.effective_by_label
        difference = (challenger.value - champion.value)[:, None]
        square, fourth = self.placements.w_change, self.placements.w_change_fourth
        with np.errstate(divide="ignore", invalid="ignore"):
            spread = np.maximum(square / weight - difference**2, 0.0)
            variance = (spread / np.maximum(effective - 1, 1e-9)).sum(axis=1)
            # How many rows of each label the change rests on: one of them that was not seen is so much less of it.
            seen = np.minimum(np.nan_to_num(square**2 / fourth * (effective / weight)), effective)
            influence = np.sqrt((1 / (1 + seen) / effective**2).sum(axis=1))
            return np.asarray(variance), influence, effective.min(axis=1)

    def _of_means(self, metric: str) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Of mean losses, or of the mean error, by the variance of what a row changes."""
        sums, name = sums_of(self._part), {"brier": "square_error", "log_loss": "loss"}.get(metric, "score")
        totals = [_total(table.part(), metric) for table in self.tables]
        variance = sums.variance(totals[1] - totals[0], self.summary.change_square(name))
        largest = self._largest_loss() if metric == "log_loss" else np.ones(len(sums.n))
        with np.errstate(divide="ignore", invalid="ignore"):
            return variance / sums.effective, largest / sums.effective, sums.effective

    def _largest_loss(self) -> FloatArray:
        """The largest log loss that either model's scores can have, at the centres of the bins that hold them."""
        largest = np.zeros(len(self.summary.slices))
        for table in self.tables:
            used = np.asarray(table.part().histogram().any(axis=2))
            first, last = used.argmax(axis=1), FINE_BINS - 1 - used[:, ::-1].argmax(axis=1)
            nearest = np.minimum(first + 0.5, FINE_BINS - last - 0.5) / FINE_BINS
            largest = np.maximum(largest, -np.log(nearest))
        return largest

    @property
    def _part(self) -> SlicePart:
        return self.tables[0].part()


def compare(table: PairedTable) -> Comparison:
    """Every metric of every slice, with pointwise 95 % intervals of the differences; slices of any size."""
    metrics = {name: compared_metrics(*table.values(name), table.change(name)) for name in table.metrics}
    disagreement = estimates(disagreement_of(table.summary))
    reports = tuple(
        slice_comparison(one, table.summary.n[i], disagreement[i], {name: found[i] for name, found in metrics.items()})
        for i, one in enumerate(table.summary.slices)
    )
    summary = table.summary
    joint = summary.joint[0] * (summary.champion.weight_scale / ONE)
    return Comparison(
        reports[0], reports[1:], tuple(tuple((float(a), float(b)) for a, b in row) for row in joint.tolist())
    )


def slice_comparison(
    one: Slice, n: NDArray[np.int64], disagreement: Estimate, metrics: dict[str, ComparedMetric]
) -> SliceComparison:
    """One slice, from its rows by label and by what the champion and the challenger predict, ``(2, 2, 2)``."""
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


def _total(part: SlicePart, metric: str) -> FloatArray:
    if metric == "calibration_in_the_large":
        return np.asarray(part.score.sum(axis=(1, 2)) - part.cells[:, 1].sum(axis=1))
    return part.loss if metric == "log_loss" else part.square_error


def _costs_of(table: SliceTable, costs: Costs) -> FloatArray:
    part = table.part()
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.einsum("slp,lp->s", part.cells, costs.matrix) / part.weight)
