"""Isotonic regression, and bins of equal mass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from mlflow_eval_plugin.stats.arrays import FloatArray

MAX_POINTS = 512


@dataclass(frozen=True, eq=False)
class Curve:
    """The recalibrated event rate at the mean score of every occupied score bin; arrays of one length, ascending."""

    score: FloatArray
    event_rate: FloatArray
    weight: FloatArray
    events: FloatArray


def isotonic(events: FloatArray, weight: FloatArray) -> FloatArray:
    """Weighted isotonic regression of event rates, by pooling adjacent violators."""
    fitted = optimize.isotonic_regression(events / weight, weights=weight).x
    # Pooled means can leave [0, 1] by a rounding error, which entropy would not forgive.
    return np.clip(np.asarray(fitted, dtype=np.float64), 0.0, 1.0)


def thinned(curve: Curve) -> tuple[tuple[float, float], ...]:
    """At most ``MAX_POINTS`` points that keep both ends of the curve's steps where they can."""
    steps = np.flatnonzero(np.diff(curve.event_rate) != 0)
    corners = np.unique(np.concatenate([[0], steps, steps + 1, [len(curve.score) - 1]]))
    if len(corners) > MAX_POINTS:
        corners = corners[np.unique(np.linspace(0, len(corners) - 1, MAX_POINTS).astype(np.intp))]
    return tuple(zip(curve.score[corners].tolist(), curve.event_rate[corners].tolist(), strict=True))


def equal_mass_member(weight: FloatArray, bins: int) -> NDArray[np.int64]:
    """For each of ascending places, by its weight, the bin of equal mass in which its middle lies."""
    cumulative = np.cumsum(weight)
    middle = (cumulative - weight / 2) / cumulative[-1]
    return np.asarray(np.minimum((middle * bins).astype(np.int64), bins - 1))
