"""Recalibrations judged on rows that they were not fitted to: what is the same whatever is predicted.

Each is fitted to four fifths of the rows and asked about the last fifth, five times. What it changes is a difference of
pairs, each row before and after.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np

from mlflow_eval_plugin.stats.arrays import FloatArray
from mlflow_eval_plugin.stats.inference.estimate import Estimate
from mlflow_eval_plugin.stats.inference.intervals import student
from mlflow_eval_plugin.stats.inference.isotonic import equal_mass_member

FOLDS = 5


class Judged(Protocol):
    """One recalibration, judged."""

    @property
    def method(self) -> str:
        """Its name."""

    @property
    def change(self) -> Estimate:
        """The loss on rows not fitted to, less that of the predictions as they are; below 0 is better."""


One_co = TypeVar("One_co", bound=Judged, covariant=True)


@dataclass(frozen=True)
class Recalibration(Generic[One_co]):
    """All recalibrations, and the one that lowers the loss most where one does beyond chance; else None."""

    folds: int
    suggested: str | None
    methods: tuple[One_co, ...]


def recalibration(folds: int, methods: tuple[One_co, ...]) -> Recalibration[One_co]:
    """What each would do, with the one to suggest."""
    better = {one.method: one.change.value for one in methods if one.change.interval and one.change.interval[1] < 0}
    return Recalibration(folds, min(better, key=lambda method: better[method] or 0.0, default=None), methods)


def mean_change(mean: float, error: float, effective: float, unit: float = 1.0) -> Estimate:
    """A mean difference of pairs with its pointwise 95 % interval, Student's.

    Args:
        error: its standard error.
        effective: Kish's effective number of rows.
        unit: what all three are multiplied by in the end.
    """
    low, high = student(np.array([mean]), np.array([error]), np.array([effective - 1]), 0.025)
    return Estimate(mean * unit, (float(low[0]) * unit, float(high[0]) * unit))


def remaining_gap(mass: FloatArray, gap: FloatArray, bins: int) -> float:
    """The mean distance between predicted and observed on bins of equal mass.

    Args:
        mass, gap: weight, and sum of w * (predicted - observed), of each different prediction, ascending: equal ones
            stay together.
    """
    member = equal_mass_member(mass, bins)
    return float(np.abs(np.bincount(member, gap, bins)).sum() / mass.sum())
