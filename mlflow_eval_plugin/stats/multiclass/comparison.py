"""Champion against challenger of three or more classes: differences of every metric, and where decisions moved.

    compare_classes(table) -> ClassComparison              what a report shows, with pointwise 95 % intervals
    change_bounds(table, metric, label) -> QuantityBounds  one difference, for a Check (in ``comparison``)

Names are those of ``metrics``: ``recall`` is a mean over classes, ``recall[setosa]`` that of one class. Means of
both models are over the classes that both have a value of.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mlflow_eval_plugin.stats.arrays import FloatArray
from mlflow_eval_plugin.stats.binary.comparison import SliceComparison, slice_comparison
from mlflow_eval_plugin.stats.binary.paired_changes import cost_of_kinds, share_change, spread_of_ratios
from mlflow_eval_plugin.stats.binary.summary import FINE_BINS
from mlflow_eval_plugin.stats.counts.slice import ONE
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.inference.contrasts import Apart
from mlflow_eval_plugin.stats.inference.costs import ClassCosts
from mlflow_eval_plugin.stats.inference.estimate import Quantity, estimates
from mlflow_eval_plugin.stats.inference.macro import Macro
from mlflow_eval_plugin.stats.inference.means import NO_ROWS, Sums, kish
from mlflow_eval_plugin.stats.inference.quantities import ProportionQuantity
from mlflow_eval_plugin.stats.multiclass.costs import class_cost
from mlflow_eval_plugin.stats.multiclass.metrics import (
    MACRO,
    MULTICLASS_METRICS,
    OF_PROBABILITIES,
    RATES,
    MulticlassTable,
)
from mlflow_eval_plugin.stats.multiclass.paired import PairedClassSummary
from mlflow_eval_plugin.stats.paired.differences import NEITHER, ChangeTable, ComparedMetric, compared_metrics
from mlflow_eval_plugin.stats.paired.quantities import PairedMean

OF_A_CLASS = ("selection_rate", "precision", "recall", "f1", "fpr", "fnr", "auc")
MOST_MOVES = 30
_SHARES = ("selection_rate", "recall", "fpr")
# In how many classes' ratios a row of each cell counts at most, by whether the label, the champion's and the
# challenger's prediction are this class: (0, 0, 0), (0, 0, 1) ... (1, 1, 1). The square of a sum of so many influences
# is at most so many times the sum of their squares. Recalls rest on rows of one label each; in FPRs a row that is taken
# for one class is not taken for another, so that they vary less together than apart.
_TOGETHER = {
    "precision": np.array([0, 2, 2, 1, 0, 2, 2, 1.0]),
    "f1": np.array([0, 3, 3, 2, 3, 2, 2, 1.0]),
}


@dataclass(frozen=True)
class ClassMove:
    """Rows that the champion took for one class and the challenger for another, and on how many each is right."""

    champion: str
    challenger: str
    n: int
    champion_right: int
    challenger_right: int


@dataclass(frozen=True)
class ClassComparison:
    """A whole comparison.

    Attributes:
        classes: metrics of every class against the rest, over all rows.
        moves: the commonest, most rows first, at most ``MOST_MOVES``.
    """

    overall: SliceComparison
    slices: tuple[SliceComparison, ...]
    classes: dict[str, dict[str, ComparedMetric]]
    moves: tuple[ClassMove, ...]


@dataclass(frozen=True, eq=False)
class PairedClassTable(ChangeTable[PairedClassSummary]):
    """A PairedClassSummary with its differences: of all classes, or of one as in ``recall[setosa]``.

    Attributes:
        costs: those that the pairs were counted with; None where none are known.
    """

    costs: ClassCosts | None = None

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics of all classes that can be compared."""
        known = tuple(name for name in MULTICLASS_METRICS if self._is_known(name))
        return (*known, *(("cost",) if self.costs is not None else ()))

    @cached_property
    def tables(self) -> tuple[MulticlassTable, MulticlassTable]:
        """The champion's and the challenger's."""
        return MulticlassTable(self.summary.champion), MulticlassTable(self.summary.challenger)

    def values(self, metric: str) -> tuple[FloatArray, FloatArray]:
        """The champion's and the challenger's value of every slice; NaN where undefined."""
        if metric == "cost" and self.costs is not None:
            first, second = (class_cost(table, self.costs).value for table in self.tables)
            return first, second
        champion, challenger = (table.metric(metric) for table in self.tables)
        if isinstance(champion, Macro) and isinstance(challenger, Macro):
            champion, challenger = champion.where(challenger), challenger.where(champion)
        return champion.value, challenger.value

    def disagreement(self) -> Quantity:
        """The share of the weight on which the two predict different classes."""
        sums, differ = self._sums, self.summary.differ * (self.summary.weight_scale / ONE)
        return ProportionQuantity(sums.mean(differ), sums.effective, sums.n, sums.weight, NO_ROWS)

    def _is_known(self, metric: str) -> bool:
        if metric == "auc":
            return self.summary.champion.ranks is not None
        return self.summary.changes is not None or metric not in OF_PROBABILITIES

    def _change(self, metric: str) -> Quantity:
        base, bracket, rest = metric.partition("[")
        if bracket:
            return self._of_class(base, rest.removesuffix("]"))
        self._require(metric)
        if metric == "accuracy":
            return replace(share_change(self.summary.by_right(), "recall"), reason=NO_ROWS)
        if metric == "cost" and self.summary.costs is not None:
            weight = self.summary.costs * (self.summary.weight_scale / ONE)
            changes = np.array(self.summary.cost_changes)
            return cost_of_kinds(weight, changes, self._sums.effective, self._sums.n)
        if metric in ("auc", "ece"):
            champion, challenger = (table.metric(metric) for table in self.tables)
            return Apart(challenger, champion, NEITHER)
        return self._of_macro(metric) if metric in MACRO else self._of_means(metric)

    def _of_class(self, metric: str, one: str) -> Quantity:
        classes, summary = self.summary.classes, self.summary
        if metric not in OF_A_CLASS or (metric == "auc" and not self._is_known("auc")):
            raise InputError(
                f"metric: {metric!r} of one class cannot be compared; expected one of {', '.join(OF_A_CLASS)}"
            )
        if one not in classes:
            raise InputError(f"metric: {metric}[{one}] is of no class there is; the classes are {', '.join(classes)}")
        places = np.arange(len(summary.slices)) * len(classes) + classes.index(one)
        return self._classwise(metric).take(places)

    def _classwise(self, metric: str) -> Quantity:
        """The difference in a metric of every class of every slice, ``(S * K,)``."""
        return self.once(lambda: self._classwise_change(metric), "classwise", metric)

    def _classwise_change(self, metric: str) -> Quantity:
        pairs, (champion, challenger) = self.summary.by_class(), (one.classwise(metric) for one in self.tables)
        if metric == "auc":
            return Apart(challenger, champion, NEITHER)
        if metric == "fnr":
            return replace(share_change(pairs, "recall").reversed(), reason=RATES[metric])
        if metric in _SHARES:
            return replace(share_change(pairs, metric), reason=RATES[metric])
        value, spread = challenger.value - champion.value, spread_of_ratios(pairs, metric)
        return PairedMean(value, *spread, np.zeros_like(value), challenger.n, NEITHER, 1.0)

    def _of_macro(self, metric: str) -> PairedMean:
        """The difference of two means over the classes that both have a value of."""
        first, second = self.values(metric)
        counted = ~np.isnan(self._classwise(MACRO[metric][0]).value).reshape(len(first), -1)
        of_class = {"fnr": "recall"}.get(MACRO[metric][0], MACRO[metric][0])
        times = _TOGETHER.get(of_class, np.ones(8))
        spread = spread_of_ratios(self.summary.by_class(), of_class, times)
        variance, influence, effective = (one.reshape(counted.shape) for one in spread)
        classes = counted.sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            return PairedMean(
                value=second - first,
                variance=np.where(counted, variance, 0.0).sum(axis=1) / classes**2,
                influence=times.max() * np.where(counted, influence, 0.0).max(axis=1) / classes,
                effective=np.where(counted, effective, np.inf).min(axis=1),
                bound=np.zeros_like(first),
                n=self._sums.n,
                reason=NEITHER,
                furthest=1.0,
            )

    def _of_means(self, metric: str) -> PairedMean:
        """The difference of mean losses, or of the mean error of the confidence, by what a row changes."""
        # By the fixed-point sum of the change: its name, how often it counts, and the largest that one row can make.
        name, times, largest = {
            "log_loss": ("loss", 1.0, -np.log((self.summary.least_bin + 0.5) / FINE_BINS)),
            "brier": ("half_brier", 2.0, 1.0),
            "calibration_in_the_large": ("confidence_error", 1.0, 2.0),
        }[metric]
        first, second = self.values(metric)
        value, sums = second - first, self._sums
        variance = sums.variance(value / times * sums.weight, self.summary.change_square(name))
        with np.errstate(divide="ignore", invalid="ignore"):
            return PairedMean(
                value=value,
                variance=times**2 * variance / sums.effective,
                influence=times * largest / sums.effective,
                effective=sums.effective,
                bound=np.zeros_like(value),
                n=sums.n,
                reason=NO_ROWS,
                furthest={"log_loss": np.inf, "brier": 2.0}.get(metric, 1.0),
            )

    @cached_property
    def _sums(self) -> Sums:
        pairs = self.summary.by_right()
        weight, square = (one.sum(axis=(1, 2, 3)) for one in (pairs.cells, pairs.cells_square))
        return Sums(np.asarray(pairs.n.sum(axis=(1, 2, 3)), dtype=np.int64), weight, kish(weight, square))


def compare_classes(table: PairedClassTable) -> ClassComparison:
    """Every metric of every slice, and of every class over all rows; slices of any size."""
    metrics = {name: compared_metrics(*table.values(name), table.change(name)) for name in table.metrics}
    disagreement, right = estimates(table.disagreement()), table.summary.by_right().n
    slices = tuple(
        slice_comparison(one, right[i], disagreement[i], {name: found[i] for name, found in metrics.items()})
        for i, one in enumerate(table.summary.slices)
    )
    first = np.zeros(1, dtype=np.intp)
    names = [name for name in OF_A_CLASS if name != "auc" or "auc" in table.metrics]
    classes = {one: {name: _of_all(table, f"{name}[{one}]", first) for name in names} for one in table.summary.classes}
    return ClassComparison(slices[0], slices[1:], classes, _moves(table.summary))


def _of_all(table: PairedClassTable, metric: str, first: NDArray[np.intp]) -> ComparedMetric:
    champion, challenger = (one[first] for one in table.values(metric))
    return compared_metrics(champion, challenger, table.change(metric).take(first))[0]


def _moves(summary: PairedClassSummary) -> tuple[ClassMove, ...]:
    counts, names = summary.moves, summary.classes
    total = counts.sum(axis=2)
    np.fill_diagonal(total, 0)
    order = np.argsort(-total, axis=None, kind="stable")[:MOST_MOVES]
    pairs = [np.unravel_index(place, total.shape) for place in order]
    return tuple(
        ClassMove(names[a], names[b], int(total[a, b]), int(counts[a, b, 1]), int(counts[a, b, 2]))
        for a, b in pairs
        if total[a, b]
    )
