"""Calibration of a regression: is the mean of the targets, where the model predicts z, equal to z?

The reliability curve is the isotonic regression of targets on predictions, and the mean squared error is decomposed
into miscalibration - discrimination + uncertainty, as CORP does for probabilities (Dimitriadis, Gneiting & Jordan 2021;
for the mean of any target: Gneiting & Resin 2023, "Regression diagnostics meets forecast evaluation"). Both are exact
where every different prediction has a bin of its own; else rows of one bin share their value.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import optimize

from mlflow_eval_plugin.stats.arrays import FloatArray, IntArray
from mlflow_eval_plugin.stats.counts.exact_sums import totals
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.inference.estimate import (
    Entries,
    Estimate,
    Quantity,
    QuantityBounds,
    bounds_at,
    estimates,
)
from mlflow_eval_plugin.stats.inference.intervals import student
from mlflow_eval_plugin.stats.inference.isotonic import MAX_POINTS, Curve, equal_mass_member, thinned
from mlflow_eval_plugin.stats.inference.means import NO_ROWS, kish
from mlflow_eval_plugin.stats.inference.norms import NoisyNorm
from mlflow_eval_plugin.stats.inference.quantities import MeanQuantity
from mlflow_eval_plugin.stats.inference.skewed_means import Monotone, Standardized
from mlflow_eval_plugin.stats.regression.calibration.bins import SAME_PREDICTION, BinSums, bin_sums
from mlflow_eval_plugin.stats.regression.metrics import CONSTANT_TARGET, Moments
from mlflow_eval_plugin.stats.regression.names import OF_ALL
from mlflow_eval_plugin.stats.regression.summary import MomentSummary, PredictionSummary

METRICS = ("bias", "bias_sigma", "mean_error", "mae", "rmse", "r2", "slope", "intercept", "mse", "mse_mcb", "mse_dsc",
           "mse_unc")  # fmt: skip
HISTOGRAM_BINS = 50
BAND_GROUPS = 1024


@dataclass(frozen=True)
class MeanBin:
    """Predictions from ``lower`` to ``upper``. Bins are of about one mass, and fewer where predictions are the same.

    Attributes:
        interval: pointwise 95 % Student interval of the mean target; None for a single row.
    """

    lower: float
    upper: float
    n: int
    weight: float
    mean_prediction: float
    mean_target: float
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class PredictionHistogram:
    """Sums of weights by prediction; ``edges`` has one entry more than ``weight``."""

    edges: tuple[float, ...]
    weight: tuple[float, ...]


@dataclass(frozen=True)
class MeanCalibration:
    """Everything of the mean: metrics by name (``METRICS``), the reliability curve, its band, and bins of equal mass.

    Attributes:
        exact: whether every different prediction has a bin of its own, so that curve and components are those of rows.
    """

    n: int
    weighted: bool
    mean_target: float
    mean_prediction: float
    target_deviation: float
    exact: bool
    metrics: dict[str, Estimate]
    bins_equal_mass: tuple[MeanBin, ...]
    corp: tuple[tuple[float, float], ...]
    corp_band: tuple[tuple[float, float, float], ...]
    histogram: PredictionHistogram


def calibrate_mean(
    moments: MomentSummary, predictions: PredictionSummary, *, bins: int = 15, replicates: int = 200, seed: int = 0
) -> MeanCalibration:
    """The report of one data set.

    Args:
        moments: of all rows; only the slice "overall" counts.
        bins: of equal mass, for the mean error and the table.
        replicates, seed: of the consistency band; deterministic for a given seed.
    """
    made = _Reliability(moments, predictions, bins)
    scale, overall = moments.scale, Moments(moments)
    target = scale.centre + float(overall.mean("y")[0]) * scale.unit
    return MeanCalibration(
        n=int(moments.rows[0]),
        weighted=moments.weighted,
        mean_target=target,
        mean_prediction=target + float(overall.mean("e")[0]) * scale.unit,
        target_deviation=float(np.sqrt(overall.target_variance()[0])) * scale.unit,
        exact=predictions.exact,
        metrics={name: estimates(made.quantity(name))[0] for name in METRICS},
        bins_equal_mass=made.bins_of_equal_mass(),
        corp=thinned(made.curve),
        corp_band=made.band(replicates, seed),
        histogram=made.histogram(),
    )


def mean_bounds(
    moments: MomentSummary, predictions: PredictionSummary, metric: str, *, bins: int = 15
) -> QuantityBounds:
    """One metric with its limits, for a Check.

    Raises:
        InputError: for a metric there is none of.
    """
    return bounds_at(mean_quantity(moments, predictions, metric, bins=bins), 0)


def mean_quantity(moments: MomentSummary, predictions: PredictionSummary, metric: str, *, bins: int = 15) -> Quantity:
    """One metric of all rows, of length one, for whoever combines those of several samples.

    Raises:
        InputError: for a metric there is none of.
    """
    if metric not in METRICS:
        raise InputError(f"metric: there is no {metric!r}; expected one of {', '.join(METRICS)}")
    return _Reliability(moments, predictions, bins).quantity(metric)


def bias_in_deviations(moments: MomentSummary) -> Standardized:
    """The bias of every slice, in standard deviations of its target."""
    of_all = Moments(moments)
    return Standardized(of_all.bias(), Monotone(of_all.variance(), np.sqrt), CONSTANT_TARGET)


@dataclass(frozen=True, eq=False)
class _Known(Entries):
    """A number without limits."""

    value: FloatArray
    n: IntArray
    reason: str

    @property
    def bound(self) -> FloatArray:
        return np.zeros_like(self.value)

    def limits(self, alpha: object, *, exact: bool) -> tuple[FloatArray, FloatArray]:
        del alpha, exact
        return np.full_like(self.value, -np.inf), np.full_like(self.value, np.inf)


@dataclass(frozen=True, eq=False)
class _Reliability:
    """Makes the Quantity of a metric by its name, and the tables and curves."""

    moments: MomentSummary
    predictions: PredictionSummary
    bins: int

    @cached_property
    def sums(self) -> BinSums:
        """Of the bins with weight."""
        sums = bin_sums(self.predictions)
        return sums.chosen(sums.w > 0)

    @cached_property
    def curve(self) -> Curve:
        """The isotonic regression of targets on predictions, in units of the target."""
        sums = self.sums
        fitted = optimize.isotonic_regression(sums.y / sums.w, weights=sums.w).x
        return Curve(self._place(sums.p / sums.w), self._place(np.asarray(fitted)), sums.w, sums.y)

    def quantity(self, name: str) -> Quantity:
        """A metric of ``METRICS``."""
        overall = Moments(self.moments)
        if name in OF_ALL:
            return overall.quantity(name).take(np.array([0]))
        if name == "bias_sigma":
            return bias_in_deviations(self.moments).take(np.array([0]))
        if name == "mse":
            return overall.mean_square().take(np.array([0]))
        if name == "mean_error":
            return self._mean_error()
        return self._line(name) if name in ("slope", "intercept") else self._component(name)

    def bins_of_equal_mass(self) -> tuple[MeanBin, ...]:
        """The table."""
        member, sums = self._equal_mass()
        rows = np.bincount(member, weights=self._rows(), minlength=self.bins)
        with np.errstate(divide="ignore", invalid="ignore"):
            variance = np.maximum(sums.yy / sums.w - (sums.y / sums.w) ** 2, 0.0)
            error = np.sqrt(variance / (sums.effective - 1))
            prediction, target = self._place(sums.p / sums.w), self._place(sums.y / sums.w)
            lower, upper = student(target, error * self.moments.scale.unit, sums.effective - 1, 0.025)
        finite = np.isfinite(lower) & np.isfinite(upper)
        return tuple(
            MeanBin(
                lower=float(self.curve.score[member == b][0]),
                upper=float(self.curve.score[member == b][-1]),
                n=int(rows[b]),
                weight=float(sums.w[b] * self.moments.scale.weight),
                mean_prediction=float(prediction[b]),
                mean_target=float(target[b]),
                interval=(float(lower[b]), float(upper[b])) if finite[b] else None,
            )
            for b in np.unique(member)
        )

    def band(self, replicates: int, seed: int) -> tuple[tuple[float, float, float], ...]:
        """Where the curve would lie, pointwise in 95 %, were the model calibrated with errors as large as these are.

        The mean target of every group of bins is redrawn normally about its mean prediction.
        """
        groups = min(BAND_GROUPS, len(self.sums.w))
        sums = self.sums.grouped(equal_mass_member(self.sums.w, groups), groups)
        used = sums.w > 0
        weight, mean = sums.w[used], sums.p[used] / sums.w[used]
        deviation = np.sqrt(sums.ee[used] / weight / sums.effective[used])
        drawn = mean + deviation * np.random.default_rng(seed).normal(size=(replicates, len(mean)))
        points = np.unique(np.linspace(0, len(mean) - 1, MAX_POINTS).astype(np.intp))
        fitted = np.stack([optimize.isotonic_regression(one, weights=weight).x[points] for one in drawn])
        lower, upper = self._place(np.quantile(fitted, [0.025, 0.975], axis=0))
        return tuple(zip(self._place(mean)[points].tolist(), lower.tolist(), upper.tolist(), strict=True))

    def histogram(self) -> PredictionHistogram:
        """Weights by prediction; a bin of the Summary is where its mean prediction is."""
        places, weight = self.curve.score, self.sums.w * self.moments.scale.weight
        low, high = float(places[0]), float(places[-1])
        edges = np.linspace(low, high if high > low else low + 1.0, HISTOGRAM_BINS + 1)
        counted, _ = np.histogram(places, edges, weights=weight)
        return PredictionHistogram(tuple(edges.tolist()), tuple(counted.tolist()))

    def _mean_error(self) -> Quantity:
        _, sums = self._equal_mass()
        total = sums.w.sum()
        gap = np.where(sums.w > 0, sums.e / total, np.nan)
        deviation = np.sqrt(np.nan_to_num(sums.error_variance) * sums.ww) / total
        norm = NoisyNorm(gap[None], deviation[None], self._n, NO_ROWS, highest=np.inf)
        unit = self.moments.scale.unit
        return Monotone(norm, lambda value: value * unit)

    def _component(self, name: str) -> Quantity:
        sums, unit = self.sums, self.moments.scale.unit
        total, fitted = sums.w.sum(), (self.curve.event_rate - self.moments.scale.centre) / unit
        mean = sums.y / sums.w
        within = np.maximum(sums.yy / sums.w - mean**2, 0.0)
        recalibrated = float((sums.w * (within + (mean - fitted) ** 2)).sum() / total)
        marginal = float((sums.w * (within + (mean - sums.y.sum() / total) ** 2)).sum() / total)
        found = {
            "mse_mcb": float(sums.ee.sum() / total) - recalibrated,
            "mse_dsc": marginal - recalibrated,
            "mse_unc": marginal,
        }
        return _Known(np.array([found[name] * unit**2]), self._n, NO_ROWS)

    def _line(self, name: str) -> Quantity:
        """Slope or intercept of the least-squares line of targets on predictions, with errors that may vary (HC1)."""
        sums, scale = self.sums, self.moments.scale
        product = (sums.pp + sums.yy - sums.ee) / 2
        bread = np.array([[sums.w.sum(), sums.p.sum()], [sums.p.sum(), sums.pp.sum()]])
        effective = kish(sums.w.sum(keepdims=True), sums.ww.sum(keepdims=True))
        if len(sums.w) < 2 or np.linalg.det(bread) <= 1e-14 * bread[0, 0] * bread[1, 1]:
            return _Known(np.array([np.nan]), self._n, SAME_PREDICTION)
        inverse = np.linalg.inv(bread)
        a, b = inverse @ np.array([sums.y.sum(), product.sum()])
        squares = sums.yy - 2 * a * sums.y - 2 * b * product + a * a * sums.w + 2 * a * b * sums.p + b * b * sums.pp
        x = np.stack([np.ones_like(sums.w), sums.p / sums.w])
        meat = (x * (np.maximum(squares, 0.0) * sums.ww / sums.w)) @ x.T
        covariance = inverse @ meat @ inverse * float(effective[0] / max(effective[0] - 2, 1e-9))
        # Of a line through targets and predictions less their centre: the intercept is where a prediction of 0 is.
        place = np.array([0.0, 1.0]) if name == "slope" else np.array([scale.unit, -scale.centre])
        value = b if name == "slope" else a * scale.unit + scale.centre * (1 - b)
        error = float(np.sqrt(max(place @ covariance @ place, 0.0)))
        return MeanQuantity(
            np.array([value]), np.array([error]), effective - 1, self._n, sums.w.sum(keepdims=True), SAME_PREDICTION,
            lowest=-np.inf,
        )  # fmt: skip

    def _equal_mass(self) -> tuple[np.ndarray, BinSums]:
        member = equal_mass_member(self.sums.w, self.bins)
        return member, self.sums.grouped(member, self.bins)

    def _rows(self) -> np.ndarray:
        return np.asarray(self.predictions.rows[totals(self.predictions.lanes["w"]) > 0])

    @property
    def _n(self) -> np.ndarray:
        return np.array([int(self.moments.rows[0])], dtype=np.int64)

    def _place(self, relative: FloatArray) -> FloatArray:
        return np.asarray(self.moments.scale.centre + relative * self.moments.scale.unit)
