"""Could the scores be mended without training anew? Three recalibrations, judged on rows that they were not fitted to.

    recalibrate(summary) -> Recalibration

- *temperature*: ``expit(logit(s) / T)`` (Guo et al. 2017, "On calibration of modern neural networks").
- *platt*: ``expit(a + b logit(s))`` (Platt 1999; on logits, as Cox 1958).
- *isotonic*: the isotonic regression of labels on scores (Zadrozny & Elkan 2002), linear between its points.

Each is fitted by maximum likelihood to four fifths of the rows and asked about the last fifth, five times. Rows are put
into folds by splitting the counts of each score bin and label at random, which is the same as drawing the fold of every
row: neither their order nor a second pass over them matters. Rows of one score bin share its mean score.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import special

from mlflow_eval_plugin.stats.arrays import FloatArray
from mlflow_eval_plugin.stats.binary.calibration.slope import likeliest, logit
from mlflow_eval_plugin.stats.binary.summary import ScoreSummary
from mlflow_eval_plugin.stats.counts.slice import over_labels
from mlflow_eval_plugin.stats.inference.estimate import Estimate
from mlflow_eval_plugin.stats.inference.held_out import FOLDS, Recalibration, mean_change, recalibration, remaining_gap
from mlflow_eval_plugin.stats.inference.isotonic import isotonic
from mlflow_eval_plugin.stats.inference.means import kish

Method = Literal["temperature", "platt", "isotonic"]
METHODS: tuple[Method, ...] = ("temperature", "platt", "isotonic")
_FEWEST = 2 * FOLDS  # of either class
_SEPARATED = "the scores tell the classes apart without a mistake, so no slope is the likeliest"
_ACROSS = "labels are rather on the other side of one half than their scores, so no temperature is the likeliest"
Fit = Callable[[FloatArray], FloatArray]
Fitted = tuple[dict[str, float], Fit] | str  # parameters and the map, or why there are none


@dataclass(frozen=True)
class Mended:
    """One recalibration.

    Attributes:
        parameters: fitted to all rows: ``temperature``, or ``intercept`` and ``slope``; none for isotonic.
        brier_change: Brier score on rows not fitted to, less that of the scores as they are; below 0 is better. The
            pointwise 95 % interval is of the difference of pairs.
        ece_equal_mass: what remains of the ECE on bins of equal mass, on rows not fitted to.
        reason: why it could not be fitted, where it could not.
    """

    method: Method
    parameters: dict[str, float]
    brier_change: Estimate
    ece_equal_mass: float | None
    reason: str | None = None

    @property
    def change(self) -> Estimate:
        """That of the Brier score, by which one is suggested."""
        return self.brier_change


def recalibrate(summary: ScoreSummary, *, bins: int = 15, seed: int = 0) -> Recalibration[Mended]:
    """What each recalibration would do; deterministic for a given seed.

    Args:
        bins: equal-mass bins of the ECE.
    """
    cells = _cells_of(summary)
    if kish(cells.weight.sum(axis=0), cells.square.sum(axis=0)).min() < _FEWEST:
        reason = f"fewer than {_FEWEST} rows of a class that count are too few to fit and to judge"
        return recalibration(FOLDS, tuple(_unfit(method, reason) for method in METHODS))
    drawn = _folds(summary, seed)
    return recalibration(FOLDS, tuple(_mended(method, cells, drawn, bins) for method in METHODS))


@dataclass(frozen=True, eq=False)
class _Cells:
    """Occupied score bins: mean score ``(B,)``; sums of weights, and of their squares, by label, ``(B, 2)``."""

    score: FloatArray
    weight: FloatArray
    square: FloatArray

    def part(self, share: FloatArray) -> _Cells:
        """That share of every cell."""
        return _Cells(self.score, self.weight * share, self.square * share)


def _cells_of(summary: ScoreSummary) -> _Cells:
    weight = summary.w
    used = over_labels(weight) > 0
    score = over_labels(summary.w_score)[used] / over_labels(weight)[used]
    return _Cells(np.clip(score, 0.0, 1.0), weight[used], summary.w_square[used])


def _folds(summary: ScoreSummary, seed: int) -> list[FloatArray]:
    """The share of every cell that lies in each fold."""
    used = over_labels(summary.w) > 0
    n = summary.n[used]
    drawn = np.random.default_rng(seed).multinomial(n, [1 / FOLDS] * FOLDS)
    shares = drawn / np.maximum(n, 1)[..., None]
    return [shares[..., fold] for fold in range(FOLDS)]


def _mended(method: Method, cells: _Cells, drawn: list[FloatArray], bins: int) -> Mended:
    fitted = _FITS[method](cells)
    if isinstance(fitted, str):
        return _unfit(method, fitted)
    parameters, _ = fitted
    mapped, shares = [], []
    for share in drawn:
        # Four fifths of the rows lead to about where all of them do.
        rest = _FITS[method](cells.part(1 - share), parameters)
        if isinstance(rest, str):
            return _unfit(method, f"on some folds {rest}")
        mapped.append(rest[1](cells.score))
        shares.append(share)
    score, share = np.concatenate(mapped), np.concatenate(shares)
    weight = np.tile(cells.weight, (len(drawn), 1)) * share
    change = _brier_change(score, np.tile(cells.score, len(drawn)), weight, cells)
    return Mended(method, parameters, change, _ece(score, weight, bins))


def _unfit(method: Method, reason: str) -> Mended:
    return Mended(method, {}, Estimate(None, None, 0.0, reason), None, reason)


def _brier_change(score: FloatArray, before: FloatArray, weight: FloatArray, cells: _Cells) -> Estimate:
    label = np.array([0.0, 1.0])
    each = (score[:, None] - label) ** 2 - (before[:, None] - label) ** 2
    total = weight.sum()
    mean = float((weight * each).sum() / total)
    effective = float(kish(cells.weight.sum(keepdims=True), cells.square.sum(keepdims=True)).item())
    variance = float((weight * (each - mean) ** 2).sum() / total) * effective / max(effective - 1, 1.0)
    return mean_change(mean, math.sqrt(variance / effective), effective)


def _ece(score: FloatArray, weight: FloatArray, bins: int) -> float:
    """ECE on bins of equal mass, as of a ``ScoreSummary``; equal scores stay together."""
    values, member = np.unique(score, return_inverse=True)
    mass = np.asarray(np.bincount(member, over_labels(weight)), dtype=np.float64)
    events = np.bincount(member, weight[:, 1])
    return remaining_gap(mass, mass * values - events, bins)


def _temperature(cells: _Cells, near: dict[str, float] | None = None) -> Fitted:
    start = np.array([1 / near["temperature"]]) if near else None
    found = likeliest(logit(cells.score)[:, None], cells.weight, start=start)
    if found is None:
        return _SEPARATED
    if found[0] <= 0:
        return _ACROSS
    slope = float(found[0])
    return {"temperature": 1 / slope}, lambda score: np.asarray(special.expit(slope * logit(score)))


def _platt(cells: _Cells, near: dict[str, float] | None = None) -> Fitted:
    start = np.array([near["intercept"], near["slope"]]) if near else None
    found = likeliest(np.stack([np.ones_like(cells.score), logit(cells.score)], axis=1), cells.weight, start=start)
    if found is None:
        return _SEPARATED
    intercept, slope = (float(one) for one in found)
    fit: Fit = lambda score: np.asarray(special.expit(intercept + slope * logit(score)))  # noqa: E731
    return {"intercept": intercept, "slope": slope}, fit


def _isotonic(cells: _Cells, near: dict[str, float] | None = None) -> Fitted:
    del near  # it is fitted in one step
    total = over_labels(cells.weight)
    used = total > 0
    rate = isotonic(cells.weight[used, 1], total[used])
    points = cells.score[used]
    return {}, lambda score: np.asarray(np.interp(score, points, rate))


_FITS: dict[Method, Callable[..., Fitted]] = {
    "temperature": _temperature,
    "platt": _platt,
    "isotonic": _isotonic,
}
