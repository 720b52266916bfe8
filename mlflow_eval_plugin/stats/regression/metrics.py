"""Metrics of a regression by slice, from a ``MomentSummary``; gaps between slices are those of ``gaps``.

Metrics: ``mae``, ``rmse``, ``bias`` (mean of prediction less target), ``r2``; for each quantile level such as 0.1
``pinball_0.1`` and ``coverage_0.1`` (share of rows at or below the predicted quantile); for each interval such as
"80 %" ``coverage_80 %``, ``width_80 %`` (the mean width) and ``interval_score_80 %`` (Winkler 1972: the width, and two
over alpha times the distance of targets that are outside).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mlflow_eval_plugin.known_metrics import way
from mlflow_eval_plugin.stats.arrays import FloatArray, IntArray
from mlflow_eval_plugin.stats.counts.exact_sums import centred_squares, totals
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.inference.estimate import Quantity
from mlflow_eval_plugin.stats.inference.means import NO_ROWS, kish
from mlflow_eval_plugin.stats.inference.quantities import ProportionQuantity
from mlflow_eval_plugin.stats.inference.skewed_means import Determination, Monotone, PositiveMean, SkewedMean
from mlflow_eval_plugin.stats.regression.names import level_text, metric_names
from mlflow_eval_plugin.stats.regression.summary import Band, MomentSummary
from mlflow_eval_plugin.stats.slices.table import MetricTableBase

CONSTANT = 1e-25  # a variance below this share of the mean square is rounding
CONSTANT_TARGET = "the target is the same in all rows, or there are fewer than two"


class RegressionTable(MetricTableBase[MomentSummary]):
    """A MomentSummary with its metrics."""

    @property
    def rows(self) -> NDArray[np.int64]:
        """Rows per slice, ``(S,)``."""
        return self.summary.rows

    @property
    def names(self) -> tuple[str, ...]:
        """The metrics there are."""
        return metric_names(self.summary.levels, tuple(band.name for band in self.summary.bands))

    def lower_is_better(self, metric: str) -> bool:
        """Whether the best slice is the one with the lowest value."""
        return metric not in self.own and way(metric) >= 0

    def _metric(self, name: str, complement: bool) -> Quantity:
        return Moments(self.summary, complement=complement).quantity(name)


@dataclass(frozen=True, eq=False)
class Moments:
    """The sums of every slice, or of everything but it, and the Quantities that they make."""

    summary: MomentSummary
    complement: bool = False

    @property
    def n(self) -> NDArray[np.int64]:
        """Rows, ``(S,)``."""
        rows = self.summary.rows
        return np.asarray(rows[0] - rows if self.complement else rows)

    @property
    def weight(self) -> FloatArray:
        """Sums of weights."""
        return self.total("w") * self.summary.scale.weight

    @property
    def effective(self) -> FloatArray:
        """Kish's effective numbers of rows."""
        return kish(self.total("w"), self.total("ww"))

    def lane(self, name: str) -> IntArray:
        """A lane, ``(S, LIMBS)``."""
        lane = self.summary.lanes[name]
        return np.asarray(lane[0] - lane if self.complement else lane)

    def total(self, name: str) -> FloatArray:
        """Sums, in units of the scale."""
        return totals(self.lane(name))

    def mean(self, name: str) -> FloatArray:
        """Means over the weight, in units of the scale; NaN where there is none."""
        weight = self.total("w")
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(weight > 0, self.total(name) / weight, np.nan)

    def quantity(self, name: str) -> Quantity:
        """A metric by its name.

        Raises:
            InputError: for a metric there is none of.
        """
        makers: dict[str, Callable[[], Quantity]] = {
            "mae": lambda: self.positive("a", "ee", self.summary.scale.unit),
            "rmse": lambda: Monotone(self.mean_square(), np.sqrt),
            "bias": self.bias,
            "r2": self.determination,
        }
        for level in map(level_text, self.summary.levels):
            makers[f"pinball_{level}"] = _of(self.loss, level)
            makers[f"coverage_{level}"] = _of(self.share, f"under:{level}")
        for band in self.summary.bands:
            makers[f"coverage_{band.name}"] = _of(self.share, f"inside:{band.name}")
            makers[f"width_{band.name}"] = _of(self.width, band)
            makers[f"interval_score_{band.name}"] = _of(self.score, band)
        if name not in makers:
            raise InputError(f"metric: there is no {name!r}; expected one of {', '.join(makers)}")
        return makers[name]()

    def positive(self, first: str, second: str, unit: float) -> PositiveMean:
        """The mean of values of 0 or more, from their sum and that of their squares."""
        mean, error = self.mean(first), self._error(first, second)
        return PositiveMean(mean * unit, error * unit, self.effective, self.n, self.weight, NO_ROWS)

    def mean_square(self) -> PositiveMean:
        """The mean squared error."""
        return self.positive("ee", "eeee", self.summary.scale.unit**2)

    def bias(self) -> SkewedMean:
        """The mean of prediction less target."""
        mean, error, unit = self.mean("e"), self._error("e", "ee"), self.summary.scale.unit
        variance = np.maximum(self.mean("ee") - mean**2, 0.0)
        third = self.mean("eee") - 3 * mean * self.mean("ee") + 2 * mean**3
        with np.errstate(divide="ignore", invalid="ignore"):
            skewness = np.where(variance > 0, third / variance**1.5, 0.0)
        return SkewedMean(mean * unit, error * unit, skewness, self.effective, self.n, self.weight, NO_ROWS)

    def variance(self) -> PositiveMean:
        """The variance of the target."""
        variance, unit = self.target_variance(), self.summary.scale.unit**2
        _, fourth = self.centred_powers()
        error = self._standard_error(np.maximum(fourth - variance**2, 0.0))
        # Targets of two values, as many of each, are all as far from their mean.
        return PositiveMean(variance * unit, error * unit, self.effective, self.n, self.weight, NO_ROWS, fixed=True)

    def target_variance(self) -> FloatArray:
        """The variance of the target over the weight, in units of the scale; 0 where it is constant."""
        weight = self.total("w")
        squares = centred_squares(self.lane("w"), self.lane("y"), self.lane("yy"))
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(squares > CONSTANT * self.total("yy"), squares / weight, np.where(weight > 0, 0.0, np.nan))

    def determination(self) -> Determination:
        """R squared: 1 less the mean squared error over the variance of the target."""
        square, variance = self.mean("ee"), self.target_variance()
        crossed, fourth = self.centred_powers()
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(variance > 0, square / variance, np.nan)
            # The delta method: the ratio varies as the mean of (e**2 - ratio * d**2) / variance does.
            spread = self.mean("eeee") - 2 * ratio * crossed + ratio**2 * fourth
            error = self._standard_error(np.maximum(spread, 0.0)) / variance
            relative = np.where(ratio > 0, error / ratio, 0.0)
        return Determination(ratio, relative, self.effective, self.n, CONSTANT_TARGET)

    def loss(self, level: str) -> PositiveMean:
        """The mean pinball loss of a quantile."""
        return self.positive(f"loss:{level}", f"loss2:{level}", self.summary.scale.unit)

    def share(self, lane: str) -> ProportionQuantity:
        """The share of the weight that a lane counts."""
        return ProportionQuantity(
            proportion=np.minimum(self.mean(lane), 1.0),
            trials=self.effective,
            n=self.n,
            weight=self.weight,
            reason=NO_ROWS,
        )

    def width(self, band: Band) -> PositiveMean:
        """The mean width of an interval."""
        found = self.positive(f"width:{band.name}", f"width2:{band.name}", self.summary.scale.unit)
        return replace(found, fixed=True)

    def score(self, band: Band) -> PositiveMean:
        """The mean interval score."""
        unit = self.summary.scale.unit * 2 / (1 - band.level)
        return self.positive(f"score:{band.name}", f"score2:{band.name}", unit)

    def centred_powers(self) -> tuple[FloatArray, FloatArray]:
        """Means of e**2 d**2 and of d**4, where d is the target less its mean."""
        m = self.mean("y")
        crossed = self.mean("eeyy") - 2 * m * self.mean("eey") + m**2 * self.mean("ee")
        fourth = self.mean("yyyy") - 4 * m * self.mean("yyy") + 6 * m**2 * self.mean("yy") - 3 * m**4
        return crossed, fourth

    def _error(self, first: str, second: str) -> FloatArray:
        return self._standard_error(np.maximum(self.mean(second) - self.mean(first) ** 2, 0.0))

    def _standard_error(self, variance: FloatArray) -> FloatArray:
        return np.asarray(np.sqrt(variance / np.maximum(self.effective - 1, 1e-9)))


def _of(maker: Callable[..., Quantity], *arguments: object) -> Callable[[], Quantity]:
    return lambda: maker(*arguments)
