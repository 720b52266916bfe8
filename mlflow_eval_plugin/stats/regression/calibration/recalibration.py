"""Could predictions be mended without training anew? Three recalibrations, judged on rows they were not fitted to.

    recalibrate_mean(folds) -> Recalibration

- *shift*: the prediction less the bias.
- *linear*: the least-squares line of targets on predictions.
- *isotonic*: their isotonic regression, linear between its points.

Each is fitted to four fifths of the rows and asked about the last fifth, five times. The fold of every row is drawn
from what it holds (see ``folds``), so that neither the order of rows nor their shards matter. Rows of one bin of the
prediction are mended alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Literal

import numpy as np
from scipy import optimize

from mlflow_eval_plugin.stats.arrays import FloatArray
from mlflow_eval_plugin.stats.inference.estimate import Estimate
from mlflow_eval_plugin.stats.inference.held_out import FOLDS, Recalibration, mean_change, recalibration, remaining_gap
from mlflow_eval_plugin.stats.inference.means import kish
from mlflow_eval_plugin.stats.regression.calibration.bins import SAME_PREDICTION, BinSums, bin_sums
from mlflow_eval_plugin.stats.regression.summary import PredictionSummary, RegressionScale

Method = Literal["shift", "linear", "isotonic"]
METHODS: tuple[Method, ...] = ("shift", "linear", "isotonic")
FEWEST = 4 * FOLDS
Fit = Callable[[FloatArray], FloatArray]  # of predictions relative to the scale


@dataclass(frozen=True)
class MendedMean:
    """One recalibration.

    Attributes:
        parameters: fitted to all rows, in units of the target: ``shift``, or ``intercept`` and ``slope``; none for
            isotonic.
        mse_change: mean squared error on rows not fitted to, less that of the predictions as they are; below 0 is
            better. The pointwise 95 % interval is of the difference of pairs.
        mean_error: what remains of the mean error on bins of equal mass, on rows not fitted to.
        reason: why it could not be fitted, where it could not.
    """

    method: Method
    parameters: dict[str, float]
    mse_change: Estimate
    mean_error: float | None
    reason: str | None = None

    @property
    def change(self) -> Estimate:
        """That of the squared error, by which one is suggested."""
        return self.mse_change


def recalibrate_mean(folds: Sequence[PredictionSummary], *, bins: int = 15) -> Recalibration[MendedMean]:
    """What each recalibration would do.

    Args:
        folds: Summaries of disjoint rows with the same bins.
        bins: of equal mass, for the mean error.
    """
    whole = reduce(add, folds)
    sums = bin_sums(whole)
    effective = float(kish(sums.w.sum(keepdims=True), sums.ww.sum(keepdims=True))[0])
    if effective < FEWEST or min(float(bin_sums(one).w.sum()) for one in folds) <= 0:
        reason = f"fewer than {FEWEST} rows that count are too few to fit and to judge"
        return recalibration(len(folds), tuple(_unfit(method, reason) for method in METHODS))
    used = sums.w > 0
    held_out = [bin_sums(one).chosen(used) for one in folds]
    judged = _Judged(sums.chosen(used), held_out, whole.scale, bins)
    return recalibration(len(folds), tuple(judged.mended(method) for method in METHODS))


@dataclass(frozen=True, eq=False)
class _Judged:
    """All rows and those of each fold, by bin, relative to the scale."""

    whole: BinSums
    held_out: list[BinSums]
    scale: RegressionScale
    bins: int

    def mended(self, method: Method) -> MendedMean:
        moved = []
        for fold in self.held_out:
            rest = BinSums(**{name: lane - vars(fold)[name] for name, lane in vars(self.whole).items()})
            fit = _FITS[method](rest.chosen(rest.w > 0))
            if fit is None:
                return _unfit(method, SAME_PREDICTION)
            moved.append(fit(self._place) - self._place)
        return MendedMean(method, self._parameters(method), self._change(moved), self._mean_error(moved))

    @property
    def _place(self) -> FloatArray:
        """The mean prediction of every bin."""
        return np.asarray(self.whole.p / self.whole.w)

    def _parameters(self, method: Method) -> dict[str, float]:
        fit = _FITS[method](self.whole)
        if fit is None or method == "isotonic":
            return {}
        at_centre, one_further = (float(fit(np.array([place]))[0]) for place in (0.0, 1.0))
        if method == "shift":
            return {"shift": at_centre * self.scale.unit}
        slope = one_further - at_centre
        return {"intercept": at_centre * self.scale.unit + self.scale.centre * (1 - slope), "slope": slope}

    def _change(self, moved: Sequence[FloatArray]) -> Estimate:
        # An error e that is moved by h changes its square by h**2 + 2 h e.
        terms = [
            (fold.w @ h**2 + 2 * fold.e @ h, fold.w @ h**4 + 4 * fold.e @ h**3 + 4 * fold.ee @ h**2)
            for fold, h in zip(self.held_out, moved, strict=True)
        ]
        total = float(self.whole.w.sum())
        mean, square = (float(sum(one)) / total for one in zip(*terms, strict=True))
        effective = float(kish(self.whole.w.sum(keepdims=True), self.whole.ww.sum(keepdims=True))[0])
        error = math.sqrt(max(square - mean**2, 0.0) / max(effective - 1, 1.0))
        return mean_change(mean, error, effective, self.scale.unit**2)

    def _mean_error(self, moved: Sequence[FloatArray]) -> float:
        """The mean error on bins of equal mass of the mended predictions; equal ones stay together."""
        mended = np.concatenate([self._place + h for h in moved])
        weight = np.concatenate([fold.w for fold in self.held_out])
        error = np.concatenate([fold.e + fold.w * h for fold, h in zip(self.held_out, moved, strict=True)])
        places, member = np.unique(mended, return_inverse=True)
        mass = np.asarray(np.bincount(member, weight, len(places)), dtype=np.float64)
        gap = np.asarray(np.bincount(member, error, len(places)), dtype=np.float64)
        return remaining_gap(mass, gap, self.bins) * self.scale.unit


def _unfit(method: Method, reason: str) -> MendedMean:
    return MendedMean(method, {}, Estimate(None, None, 0.0, reason), None, reason)


def _shift(sums: BinSums) -> Fit | None:
    bias = float(sums.e.sum() / sums.w.sum())
    return lambda place: place - bias


def _linear(sums: BinSums) -> Fit | None:
    total, first, second = sums.w.sum(), sums.p.sum(), sums.pp.sum()
    spread = second - first**2 / total
    if spread <= 1e-14 * second:
        return None
    together = ((sums.pp + sums.yy - sums.ee) / 2).sum() - first * sums.y.sum() / total
    slope = float(together / spread)
    intercept = float((sums.y.sum() - slope * first) / total)
    return lambda place: intercept + slope * place


def _isotonic(sums: BinSums) -> Fit | None:
    points = sums.p / sums.w
    fitted = optimize.isotonic_regression(sums.y / sums.w, weights=sums.w).x
    return lambda place: np.asarray(np.interp(place, points, fitted))


_FITS: dict[Method, Callable[[BinSums], Fit | None]] = {"shift": _shift, "linear": _linear, "isotonic": _isotonic}
