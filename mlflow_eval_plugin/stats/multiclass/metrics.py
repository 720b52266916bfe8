"""Metrics of three or more classes by slice, from a ``MulticlassSummary``.

A plain name is a mean over classes ("macro") where the metric is one of a class; ``recall[setosa]`` is that of one
class against the rest. Means are over the classes that have a value: recall over those with rows (scikit-learn's
balanced accuracy), precision over those that are predicted, F1 over those that have rows or are predicted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mlflow_eval_plugin.stats.arrays import FloatArray
from mlflow_eval_plugin.stats.binary.metrics import norm_of_bins, rate
from mlflow_eval_plugin.stats.binary.ranking import auc
from mlflow_eval_plugin.stats.binary.score_sums import ECE_BINS
from mlflow_eval_plugin.stats.binary.summary import COARSE_BINS
from mlflow_eval_plugin.stats.counts.slice import ONE
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.inference.estimate import Quantity
from mlflow_eval_plugin.stats.inference.macro import ANY, IN_PAIRS, NEVER_TOGETHER, Macro
from mlflow_eval_plugin.stats.inference.means import NO_ROWS, Sums, in_the_large, kish, log_loss
from mlflow_eval_plugin.stats.inference.quantities import AucQuantity, ProportionQuantity, UnitMean, trials_of
from mlflow_eval_plugin.stats.multiclass.summary import MulticlassSummary
from mlflow_eval_plugin.stats.slices.table import MetricTableBase

OF_ROWS = ("accuracy", "log_loss", "brier", "ece", "calibration_in_the_large")
# Rates of one class against the rest, and why one can be undefined.
RATES = {
    "prevalence": NO_ROWS,
    "selection_rate": NO_ROWS,
    "precision": "no row is predicted as this class",
    "recall": "no row is of this class",
    "f1": "no row is of this class or predicted as it",
    "fpr": "all rows are of this class",
    "fnr": "no row is of this class",
}
CLASSWISE = (*RATES, "auc")
# A mean prevalence would be 1 / K.
MACRO = {
    "balanced_accuracy": ("recall", NEVER_TOGETHER),
    "precision": ("precision", NEVER_TOGETHER),
    "recall": ("recall", NEVER_TOGETHER),
    "f1": ("f1", IN_PAIRS),
    "fpr": ("fpr", NEVER_TOGETHER),
    "fnr": ("fnr", NEVER_TOGETHER),
    "auc": ("auc", ANY),
}
MULTICLASS_METRICS = (*MACRO, *OF_ROWS)
OF_PROBABILITIES = ("auc", "log_loss", "brier", "ece", "calibration_in_the_large")


class MulticlassTable(MetricTableBase[MulticlassSummary]):
    """A ``MulticlassSummary`` with its metrics: of all classes, or of one as in ``recall[setosa]``."""

    @property
    def rows(self) -> NDArray[np.int64]:
        """Rows per slice, ``(S,)``."""
        return self.summary.rows

    def part(self, *, complement: bool = False) -> ClassPart:
        """The sums of every slice, or of everything but it."""

        def made() -> ClassPart:
            return ClassPart(self.summary.complement() if complement else self.summary, complement=complement)

        return self.once(made, "part", complement)

    def classwise(self, name: str, *, complement: bool = False) -> Quantity:
        """A metric of every class of every slice, ``(S * K,)``, all classes of the first slice first."""
        part = self.part(complement=complement)
        return self.once(lambda: part.ranking() if name == "auc" else part.rate(name), "classwise", name, complement)

    def _metric(self, name: str, complement: bool) -> Quantity:
        base, bracket, rest = name.partition("[")
        if bracket:
            return self._of_class(base, rest.removesuffix("]"), complement)
        if name in MACRO:
            of_class, together = MACRO[name]
            part = self.part(complement=complement)
            return Macro.of(self.classwise(of_class, complement=complement), part.n, together)
        if name not in OF_ROWS:
            hint = f"; it is of one class, as in {name}[{self.summary.classes[0]}]" if name in CLASSWISE else ""
            raise InputError(
                f"metric: there is no {name!r} of all classes{hint}; expected one of {', '.join(MULTICLASS_METRICS)}"
            )
        part = self.part(complement=complement)
        makers = {
            "accuracy": part.accuracy,
            "log_loss": part.log_loss,
            "brier": part.brier,
            "ece": part.ece,
            "calibration_in_the_large": part.confidence_in_the_large,
        }
        return makers[name]()

    def _of_class(self, metric: str, one: str, complement: bool) -> Quantity:
        classes = self.summary.classes
        if metric not in CLASSWISE:
            raise InputError(f"metric: there is no {metric!r} of one class; expected one of {', '.join(CLASSWISE)}")
        if one not in classes:
            raise InputError(f"metric: {metric}[{one}] is of no class there is; the classes are {', '.join(classes)}")
        places = np.arange(len(self.summary.slices)) * len(classes) + classes.index(one)
        return self.classwise(metric, complement=complement).take(places)


@dataclass(frozen=True, eq=False)
class OneVsRest:
    """Every class of every slice against the rest, ``S * K`` entries; see ``rates.Confusion``."""

    n: NDArray[np.int64]
    cells: FloatArray
    cells_square: FloatArray


@dataclass(frozen=True, eq=False)
class ClassPart:
    """The sums of slices, or of their complements, as metrics."""

    summary: MulticlassSummary
    complement: bool = False

    @property
    def n(self) -> NDArray[np.int64]:
        """Rows, ``(S,)``."""
        return self.summary.rows

    @property
    def confusion(self) -> FloatArray:
        """Sums of w by label and predicted class, ``(S, K, K)``."""
        return np.asarray(self.summary.cell_weight * (self.summary.weight_scale / ONE))

    @property
    def sums(self) -> Sums:
        """Rows, weights and effective rows."""
        summary, axes = self.summary, (1, 2)
        weight = summary.cell_weight.sum(axis=axes) * (summary.weight_scale / ONE)
        square = summary.cell_weight_square.sum(axis=axes) * (summary.weight_scale**2 / ONE)
        return Sums(self.n, weight, kish(weight, square))

    def accuracy(self) -> ProportionQuantity:
        """The share of rows whose prediction is right."""
        sums, right = self.sums, np.trace(self.confusion, axis1=1, axis2=2)
        return ProportionQuantity(sums.mean(right), sums.effective, sums.n, sums.weight, NO_ROWS)

    def rate(self, metric: str) -> ProportionQuantity:
        """A rate of every class against the rest."""
        return replace(rate(self.one_vs_rest(), metric), reason=RATES[metric])

    def one_vs_rest(self) -> OneVsRest:
        """The confusion cells of every class against the rest."""
        summary, scale = self.summary, self.summary.weight_scale
        return OneVsRest(
            n=np.repeat(self.n, len(summary.classes)),
            cells=_two_by_two(summary.cell_weight) * (scale / ONE),
            cells_square=_two_by_two(summary.cell_weight_square) * (scale**2 / ONE),
        )

    def ranking(self) -> AucQuantity:
        """The AUC of every class against the rest, by its probability.

        Raises:
            InputError: where scores were not ranked.
        """
        summary = self.summary
        if summary.ranks is None:
            raise InputError(
                "metric: 'auc' was not counted: there are no probabilities, or too many slices and classes"
            )
        entries = range(len(summary.slices))
        ranked = (one.others(i) if self.complement else one.entry(i) for i in entries for one in summary.ranks)
        rest = self.one_vs_rest()
        effective = kish(rest.cells.sum(axis=2), rest.cells_square.sum(axis=2))
        # AUC does not depend on the scale of the weights.
        found = auc(ranked, effective)
        df = effective.min(axis=1) - 1
        return AucQuantity(
            found.value, found.standard_error, df, found.bound, rest.n, "AUC needs rows of the class and others"
        )

    def log_loss(self) -> Quantity:
        """Mean of -log p of the label, in nats, with the variance of calibrated probabilities at least."""
        names = ("loss", "loss_square", "expected_loss", "expected_loss_square")
        return log_loss(self._known_sums(), *map(self.summary.moment, names))

    def brier(self) -> UnitMean:
        """Mean of the squared distances of the probabilities from the label, summed over classes; in [0, 2]."""
        sums, moment = self._known_sums(), self.summary.moment
        mean, expected = sums.mean(moment("half_brier")), sums.mean(moment("expected_half_brier"))
        calibrated = sums.mean(moment("expected_half_brier_square")) - expected**2
        variance = np.maximum(sums.variance(moment("half_brier"), moment("half_brier_square")), calibrated)
        trials = trials_of(mean, variance, sums.effective)
        return UnitMean(mean, trials, sums.n, sums.weight, NO_ROWS, scale=2.0)

    def ece(self) -> Quantity:
        """The ECE of the confidence, on equal-width bins."""
        weight, score, spread = self._confidence()

        def by_bin(lane: FloatArray) -> FloatArray:
            return np.asarray(lane.reshape(len(lane), ECE_BINS, COARSE_BINS // ECE_BINS).sum(axis=2))

        total, right = by_bin(weight.sum(axis=2)), by_bin(weight[:, :, 1])
        return norm_of_bins(self._known_sums(), total, right, by_bin(score.sum(axis=2)), by_bin(spread))

    def confidence_in_the_large(self) -> UnitMean:
        """Mean confidence less accuracy: positive where the model is overconfident."""
        weight, score, spread = self._confidence()
        right, error = weight[:, :, 1].sum(axis=1), self.summary.moment("confidence_error")
        return in_the_large(self._known_sums(), score.sum(axis=(1, 2)), right, error, spread.sum(axis=1))

    def _known_sums(self) -> Sums:
        if self.summary.moments is None:
            raise InputError("metric: there are no probabilities, predictions are classes")
        return self.sums

    def _confidence(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        summary, unit = self.summary, self.summary.weight_scale / ONE
        lanes = (summary.confidence_weight, summary.confidence_score, summary.confidence_spread)
        weight, score, spread = (np.zeros((1, 1, 1)) if lane is None else lane * unit for lane in lanes)
        return weight, score, spread


def _two_by_two(cells: NDArray[np.int64]) -> NDArray[np.int64]:
    """Confusion cells ``(S, K, K)`` as those of every class against the rest, ``(S * K, 2, 2)``."""
    hit = np.diagonal(cells, axis1=1, axis2=2)
    missed, taken = cells.sum(axis=2) - hit, cells.sum(axis=1) - hit
    rest = cells.sum(axis=(1, 2))[:, None] - hit - missed - taken
    return np.stack([rest, taken, missed, hit], axis=-1).reshape(-1, 2, 2)
