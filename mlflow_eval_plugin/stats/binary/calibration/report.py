"""A calibration report from a ``ScoreSummary``.

    calibrate(summary) -> Calibration                    estimates with pointwise 95 % intervals, tables and curves
    calibration_bounds(summary, metric) -> Bounds        one metric with limits at any level, for a Check
    calibration_quantity(summary, metric) -> Quantity    the same, to be compared with others

Where the intervals come from: calibration errors from ``norms`` (honest for statistics that noise inflates), Brier
score, log loss and calibration in the large from the variance of their row values, the CORP components from a
bootstrap of cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property

import numpy as np

from mlflow_eval_plugin.stats.binary.calibration.bin_free import Gaps, ecce, smooth_ece
from mlflow_eval_plugin.stats.binary.calibration.bins import (
    ReliabilityBin,
    ReliabilityTable,
    calibration_norm,
    reliability,
    score_spread,
)
from mlflow_eval_plugin.stats.binary.calibration.components import Components, components
from mlflow_eval_plugin.stats.binary.calibration.corp import consistency_band, corp_curve
from mlflow_eval_plugin.stats.binary.calibration.hypotheses import (
    EcceTest,
    HosmerLemeshowTest,
    SpiegelhalterTest,
    ecce_test,
    hosmer_lemeshow,
    spiegelhalter,
)
from mlflow_eval_plugin.stats.binary.calibration.slope import CoxTest, LogitCells, cells_of, cox_test, intercept, slope
from mlflow_eval_plugin.stats.binary.summary import SCORE_BINS, ScoreSummary
from mlflow_eval_plugin.stats.counts.slice import over_labels
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.inference.estimate import Bounds, Estimate, Quantity, bounds_at, estimates
from mlflow_eval_plugin.stats.inference.isotonic import thinned
from mlflow_eval_plugin.stats.inference.means import Sums, brier, calibrated_loss, in_the_large, kish, log_loss
from mlflow_eval_plugin.stats.inference.norms import NormKind

HISTOGRAM_BINS = 50


@dataclass(frozen=True)
class CalibrationMetrics:
    """One estimate a metric.

    ``ece_*``: expected calibration error of the positive class (Naeini 2015); ``ece_debiased``: the L2 error on
    equal-mass bins less its bias (Kumar 2019); ``smooth_ece`` and ``ecce``: without bins, see ``bin_free``;
    ``calibration_in_the_large``: mean score less prevalence, positive where scores are too high; ``*_mcb``, ``*_dsc``,
    ``*_unc``: CORP components; ``calibration_slope`` and ``calibration_intercept``: see ``slope``; log losses in nats.
    """

    ece_equal_width: Estimate
    ece_equal_mass: Estimate
    ece_debiased: Estimate
    max_calibration_error: Estimate
    smooth_ece: Estimate
    ecce: Estimate
    brier: Estimate
    log_loss: Estimate
    brier_mcb: Estimate
    brier_dsc: Estimate
    brier_unc: Estimate
    log_loss_mcb: Estimate
    log_loss_dsc: Estimate
    log_loss_unc: Estimate
    calibration_in_the_large: Estimate
    calibration_slope: Estimate
    calibration_intercept: Estimate


CALIBRATION_METRICS = tuple(one.name for one in fields(CalibrationMetrics))


@dataclass(frozen=True)
class Histogram:
    """Sums of weights per score bin and class; ``edges`` has one entry more than the other two."""

    edges: tuple[float, ...]
    negative: tuple[float, ...]
    positive: tuple[float, ...]


@dataclass(frozen=True)
class Calibration:
    """A whole calibration report."""

    n: int
    positives: float
    weighted: bool
    prevalence: float | None
    mean_score: float | None
    metrics: CalibrationMetrics
    bins: tuple[ReliabilityBin, ...]
    bins_equal_mass: tuple[ReliabilityBin, ...]
    corp: tuple[tuple[float, float], ...]
    corp_band: tuple[tuple[float, float, float], ...] | None
    histogram: Histogram
    spiegelhalter: SpiegelhalterTest
    hosmer_lemeshow: HosmerLemeshowTest
    ecce_test: EcceTest
    cox_test: CoxTest


def calibrate(
    summary: ScoreSummary | ScoreTable, *, bins: int = 15, replicates: int = 200, seed: int = 0
) -> Calibration:
    """The report of one data set.

    Args:
        summary: the Summary, or its table, which has the bins, replicates and seed of its own.
        bins: equal-width and equal-mass bins of the calibration errors; a divisor of 3840.
        replicates: of the consistency band and of the bootstrap of the CORP components; 0 leaves out the band.
        seed: makes both deterministic.

    Raises:
        InputError: when ``bins`` does not divide 3840, or the Summary is empty.
    """
    made = _table(summary, bins, replicates, seed)
    summary, bins, replicates, seed = made.summary, made.bins, made.replicates, made.seed
    weight = summary.w.sum()
    if weight <= 0:
        raise InputError("calibration: the Summary holds no rows with weight; count at least one row")
    found = {name: estimates(made.quantity(name))[0] for name in CALIBRATION_METRICS}
    return Calibration(
        n=int(summary.n.sum()),
        positives=float(summary.w[:, 1].sum()),
        weighted=summary.weighted,
        prevalence=float(summary.w[:, 1].sum() / weight),
        mean_score=float(summary.w_score.sum() / weight),
        metrics=CalibrationMetrics(**found),
        bins=reliability(summary, bins).bins(),
        bins_equal_mass=reliability(summary, bins, "mass").bins(),
        corp=thinned(corp_curve(summary)),
        corp_band=consistency_band(summary, replicates=replicates, seed=seed) if replicates else None,
        histogram=score_histogram(summary),
        spiegelhalter=spiegelhalter(summary),
        hosmer_lemeshow=hosmer_lemeshow(summary),
        ecce_test=ecce_test(made.gaps),
        cox_test=cox_test(made.cells),
    )


def calibration_bounds(
    summary: ScoreSummary | ScoreTable, metric: str, *, bins: int = 15, replicates: int = 200, seed: int = 0
) -> Bounds:
    """One metric with its limits, for a Check; arguments as in ``calibrate``.

    Raises:
        InputError: for a metric there is none of.
    """
    return bounds_at(calibration_quantity(summary, metric, bins=bins, replicates=replicates, seed=seed), 0)


def calibration_quantity(
    summary: ScoreSummary | ScoreTable, metric: str, *, bins: int = 15, replicates: int = 200, seed: int = 0
) -> Quantity:
    """One metric as a Quantity of length one; arguments as in ``calibrate``.

    Raises:
        InputError: for a metric there is none of.
    """
    if metric not in CALIBRATION_METRICS:
        raise InputError(f"metric: there is no {metric!r}; expected one of {', '.join(CALIBRATION_METRICS)}")
    return _table(summary, bins, replicates, seed).quantity(metric)


def calibration_quantities(summary: ScoreSummary, metrics: Sequence[str], *, bins: int = 15) -> dict[str, Quantity]:
    """Some metrics, each of length one, for whoever combines those of several Summaries.

    Raises:
        InputError: for a metric there is none of.
    """
    made = ScoreTable(summary, bins)
    for metric in metrics:
        if metric not in CALIBRATION_METRICS:
            raise InputError(f"metric: there is no {metric!r}; expected one of {', '.join(CALIBRATION_METRICS)}")
    return {metric: made.quantity(metric) for metric in metrics}


def score_histogram(summary: ScoreSummary, bins: int = HISTOGRAM_BINS) -> Histogram:
    """Weights per score bin and class; a score bin that straddles an edge belongs to the bin of its lower end."""
    member = np.arange(SCORE_BINS) * bins // SCORE_BINS
    negative, positive = (np.bincount(member, weights=summary.w[:, label], minlength=bins) for label in (0, 1))
    edges = (np.arange(bins + 1) / bins).tolist()
    return Histogram(tuple(edges), tuple(negative.tolist()), tuple(positive.tolist()))


def _table(summary: ScoreSummary | ScoreTable, bins: int, replicates: int, seed: int) -> ScoreTable:
    return summary if isinstance(summary, ScoreTable) else ScoreTable(summary, bins, replicates, seed)


@dataclass(frozen=True, eq=False)
class ScoreTable:
    """A ScoreSummary with its metrics, each computed once; the other fields are as in ``calibrate``."""

    summary: ScoreSummary
    bins: int = 15
    replicates: int = 200
    seed: int = 0
    _made: dict[str, Quantity] = field(default_factory=dict, repr=False)

    def quantity(self, name: str) -> Quantity:
        """A metric as a Quantity of length one."""
        if name not in self._made:
            self._made[name] = self._quantity(name)
        return self._made[name]

    def _quantity(self, name: str) -> Quantity:
        if name in ("brier", "log_loss", "calibration_in_the_large"):
            return self._mean(name)
        if name.endswith(("_mcb", "_dsc", "_unc")):
            return self._components.quantity(name)
        if name in ("smooth_ece", "ecce"):
            return (smooth_ece if name == "smooth_ece" else ecce)(self.gaps)
        if name in ("calibration_slope", "calibration_intercept"):
            return (slope if name == "calibration_slope" else intercept)([self.cells], self.gaps.rows)
        table = self._equal_mass if name in ("ece_equal_mass", "ece_debiased") else self._equal_width
        kind: NormKind = "sum"
        if name == "ece_debiased":
            kind = "root_mean_square"
        elif name == "max_calibration_error":
            kind = "maximum"
        return calibration_norm(table, kind)

    @cached_property
    def _equal_width(self) -> ReliabilityTable:
        return reliability(self.summary, self.bins)

    @cached_property
    def _equal_mass(self) -> ReliabilityTable:
        return reliability(self.summary, self.bins, "mass")

    @cached_property
    def gaps(self) -> Gaps:
        """The gaps of the scores, in their order."""
        return Gaps(self.summary)

    @cached_property
    def cells(self) -> LogitCells:
        """The score bins of each label, by their logits."""
        return cells_of(self.summary)

    @cached_property
    def _components(self) -> Components:
        return components(self.summary, max(self.replicates, 2), self.seed)

    def _mean(self, name: str) -> Quantity:
        summary = self.summary
        weight, errors = over_labels(summary.w), summary.w_square_error
        rows = np.array([int(summary.n.sum())], dtype=np.int64)
        sums = Sums(rows, weight.sum(keepdims=True), kish(weight.sum(keepdims=True), summary.w_square.sum()[None]))
        used = weight > 0
        if name == "log_loss":
            calibrated = calibrated_loss(np.clip(over_labels(summary.w_score)[used] / weight[used], 0.0, 1.0))
            expected = [(weight[used] * one).sum(keepdims=True) for one in calibrated]
            return log_loss(sums, summary.w_loss.sum()[None], summary.w_loss_square.sum()[None], *expected)
        spread = score_spread(summary)
        if name == "brier":
            # The square of the mean inside a score bin: only variances use it, relative error below 1e-3.
            squares = np.divide(errors**2, summary.w, out=np.zeros_like(errors), where=summary.w > 0)
            spread_square = np.square(spread[used]) / weight[used]
            totals = [one.sum()[None] for one in (errors, squares, spread, spread_square)]
            return brier(sums, *totals)
        totals = [one.sum()[None] for one in (summary.w_score, summary.w[:, 1], errors, spread)]
        return in_the_large(sums, *totals)
