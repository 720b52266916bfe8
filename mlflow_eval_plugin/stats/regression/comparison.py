"""Champion against challenger of a regression: differences of every error, overall and per slice, and for whom.

    compare_regressions(table) -> RegressionComparison     what a report shows, with pointwise 95 % intervals
    change_bounds(table, metric, label) -> QuantityBounds  one difference, for a Check (in ``comparison``)

A difference is the challenger's value less the champion's. Its limits are those of a mean of skewed values (Hall
1992), of what each row changes: the change itself for MAE and bias, by the delta method for RMSE and R squared. Two
models that agree on all of a few rows need not agree on the next, so what ``LEAST_EVENTS`` rows can change that were
not seen, with errors as large as those that were, is part of the variance: the less of it, the more the two were seen
to differ.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlflow_eval_plugin.stats.arrays import FloatArray
from mlflow_eval_plugin.stats.counts.exact_sums import totals
from mlflow_eval_plugin.stats.counts.slice import Slice
from mlflow_eval_plugin.stats.inference.estimate import Estimate, Quantity, estimates
from mlflow_eval_plugin.stats.inference.means import LEAST_EVENTS, NO_ROWS
from mlflow_eval_plugin.stats.inference.skewed_means import PositiveMean, SkewedMean
from mlflow_eval_plugin.stats.paired.differences import ChangeTable, ComparedMetric, compared_metrics
from mlflow_eval_plugin.stats.paired.intervals import mcnemar
from mlflow_eval_plugin.stats.regression.metrics import CONSTANT_TARGET, Moments
from mlflow_eval_plugin.stats.regression.names import OF_ALL
from mlflow_eval_plugin.stats.regression.paired import PairedMomentSummary


@dataclass(frozen=True)
class RegressionSliceComparison:
    """One slice: whose predictions are the closer ones, and every metric.

    Attributes:
        query: of a named slice, what its rows answer; else None.
        sign_p: the p-value of the exact sign test (Dixon & Mood 1946) of the hypothesis that both are the closer one
            equally often; rows that both are as close to do not count.
        distance: the mean distance between the two predictions.
    """

    label: str
    slice: tuple[tuple[str, str], ...]
    query: str | None
    n: int
    champion_closer: int
    challenger_closer: int
    as_close: int
    sign_p: float
    distance: Estimate
    metrics: dict[str, ComparedMetric]


@dataclass(frozen=True)
class RegressionComparison:
    """A whole comparison."""

    overall: RegressionSliceComparison
    slices: tuple[RegressionSliceComparison, ...]


class PairedRegressionTable(ChangeTable[PairedMomentSummary]):
    """A PairedMomentSummary with its differences."""

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that can be compared."""
        return OF_ALL

    def _change(self, metric: str) -> Quantity:
        self._require(metric)
        return {"mae": self._size, "rmse": self._root, "bias": self._bias, "r2": self._determination}[metric]()

    def values(self, metric: str) -> tuple[FloatArray, FloatArray]:
        """The champion's and the challenger's value of every slice; NaN where undefined."""
        champion, challenger = (one.quantity(metric).value for one in self._both)
        return champion, challenger

    def distance(self) -> PositiveMean:
        """The mean distance between the two predictions; two that never differ are as they are made."""
        mean, first = self._mean("d"), self._both[0]
        error = np.sqrt(np.maximum(self._mean("bb") - mean**2, 0.0) / np.maximum(first.effective - 1, 1e-9))
        made = PositiveMean(mean * self._unit, error * self._unit, first.effective, first.n, first.weight, NO_ROWS)
        return made

    def _size(self) -> SkewedMean:
        moments = [self._mean(name) for name in ("a", "aa", "aaa")]
        return self._skewed(self._difference("mae"), *_central(*moments), self._largest(), self._unit)

    def _bias(self) -> SkewedMean:
        moments = [self._mean(name) for name in ("b", "bb", "bbb")]
        return self._skewed(self._difference("bias"), *_central(*moments), 2 * self._largest(), self._unit)

    def _root(self) -> SkewedMean:
        first, second = (np.sqrt(one.mean("ee")) for one in self._both)
        with np.errstate(divide="ignore", invalid="ignore"):
            # A root changes by half of what its square does, over itself; that of a perfect model does not change here.
            slopes = (np.where(one > 0, 0.5 / one, 0.0) for one in (first, second))
            of_squares = self._of_squares(*(sign * one for sign, one in zip((-1, 1), slopes, strict=True)))
            # Near 0 a root has no slope, so what one more row does to it is taken as it is.
            n, least = self._both[0].effective, np.minimum(first, second)
            furthest = n * (np.sqrt(least**2 + self._largest() ** 2 / n) - least)
        return self._skewed(self._difference("rmse"), *of_squares, furthest, self._unit)

    def _determination(self) -> SkewedMean:
        """R squared falls by what the mean square rises, over the variance of the target, which varies as well."""
        champion, challenger = self._both
        variance, change = champion.target_variance(), self._difference("r2")
        gain, third = self._of_squares(np.ones_like(variance), -np.ones_like(variance))
        crossed, fourth = champion.centred_powers()
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = champion.mean("ee") - challenger.mean("ee")
            together = crossed - challenger.centred_powers()[0] - mean * variance
            spread = (gain - 2 * change * together + change**2 * (fourth - variance**2)) / variance**2
            furthest = self._largest() ** 2 / variance
            return self._skewed(
                change, np.maximum(spread, 0.0), third / variance**3, furthest, 1.0, reason=CONSTANT_TARGET
            )

    def _of_squares(self, first: FloatArray, second: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Variance and third central moment of ``first * e**2 + second * f**2``."""
        champion, challenger = self._both
        e, f = champion.mean("ee"), challenger.mean("ee")
        mean = first * e + second * f
        square = first**2 * champion.mean("eeee") + second**2 * challenger.mean("eeee")
        square += 2 * first * second * self._mean("eeff")
        cube = first**3 * self._mean("e6") + second**3 * self._mean("f6")
        cube += 3 * first * second * (first * self._mean("e4ff") + second * self._mean("eef4"))
        return _central(mean, square, cube)

    def _skewed(
        self,
        value: FloatArray,
        variance: FloatArray,
        third: FloatArray,
        furthest: FloatArray,
        unit: float,
        reason: str = NO_ROWS,
    ) -> SkewedMean:
        """The difference; ``furthest`` is what one more row can change, times the rows. Unknown where neither is."""
        first = self._both[0]
        with np.errstate(divide="ignore", invalid="ignore"):
            # How many rows with the largest error the differences that were seen amount to.
            seen = np.nan_to_num(first.effective * self._mean("bb") / self._largest() ** 2)
            whole = variance + LEAST_EVENTS / (1 + seen) * furthest**2 / first.effective
            skewness = np.where(whole > 0, third / whole**1.5, 0.0)
            error = unit * np.sqrt(whole / np.maximum(first.effective - 1, 1e-9))
        known = np.isfinite(error) & np.isfinite(skewness)
        error, skewness = np.where(known, error, 0.0), np.where(known, skewness, 0.0)
        return SkewedMean(value, error, skewness, first.effective, first.n, first.weight, reason)

    def _largest(self) -> FloatArray:
        """About the largest error of either model on the slice's rows: the sixth root of the sum of sixth powers.

        Without weights no error is larger; with weights a row counts by its share of Kish's effective rows.
        """
        powers = self._mean("e6") + self._mean("f6")
        return np.asarray((powers * self._both[0].effective) ** (1 / 6))

    def _difference(self, metric: str) -> FloatArray:
        champion, challenger = self.values(metric)
        return challenger - champion

    def _mean(self, name: str) -> FloatArray:
        weight = self._both[0].total("w")
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(weight > 0, totals(self.summary.lanes[name]) / weight, np.nan)

    @property
    def _unit(self) -> float:
        return self.summary.champion.scale.unit

    @property
    def _both(self) -> tuple[Moments, Moments]:
        return Moments(self.summary.champion), Moments(self.summary.challenger)


def compare_regressions(table: PairedRegressionTable) -> RegressionComparison:
    """Every metric of every slice; slices of any size."""
    metrics = {name: compared_metrics(*table.values(name), table.change(name)) for name in table.metrics}
    distance = estimates(table.distance())
    slices = tuple(
        _slice(one, table.summary.closer[i], distance[i], {name: found[i] for name, found in metrics.items()})
        for i, one in enumerate(table.slices)
    )
    return RegressionComparison(slices[0], slices[1:])


def _slice(
    one: Slice, closer: NDArray[np.int64], distance: Estimate, metrics: dict[str, ComparedMetric]
) -> RegressionSliceComparison:
    champion, same, challenger = map(int, closer)
    return RegressionSliceComparison(
        label=one.label,
        slice=one.levels,
        query=one.query,
        n=champion + same + challenger,
        champion_closer=champion,
        challenger_closer=challenger,
        as_close=same,
        sign_p=mcnemar(challenger, champion),
        distance=distance,
        metrics=metrics,
    )


def _central(mean: FloatArray, square: FloatArray, cube: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Variance and third central moment from means of powers."""
    return np.maximum(square - mean**2, 0.0), cube - 3 * mean * square + 2 * mean**3
