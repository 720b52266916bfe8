"""Has calibration changed since the reference? Differences between two independent samples of rows.

    changes(current, reference) -> {metric: Estimate}            what a report shows
    change_bounds(current, reference, metric) -> QuantityBounds  one of them, for a Check
    change_of(current, reference) -> Quantity                    of any metric

A change is the metric of the current rows less that of the reference. Means and regression coefficients change by MOVER
(Zou & Donner 2008). Calibration errors do not: noise inflates a norm, so that its value is no middle between its
limits, and MOVER would be too sure of a difference when one sample inflates it more. Their limits are the differences
of limits that hold together, see ``Apart``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlflow_eval_plugin.stats.binary.calibration.report import calibration_quantity
from mlflow_eval_plugin.stats.binary.summary import ScoreSummary
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.inference.contrasts import Difference
from mlflow_eval_plugin.stats.inference.estimate import (
    Ends,
    Estimate,
    Quantity,
    QuantityBounds,
    bounds_at,
    ends_of_difference,
    estimates,
)
from mlflow_eval_plugin.stats.inference.intervals import Alpha, FloatArray, Limits
from mlflow_eval_plugin.stats.inference.norms import NoisyNorm
from mlflow_eval_plugin.stats.inference.skewed_means import Monotone

CHANGES = (
    "ece_equal_width", "ece_equal_mass", "ece_debiased", "brier", "log_loss", "calibration_in_the_large",
    "calibration_slope", "calibration_intercept",
)  # fmt: skip
UNDEFINED = "the rows, or those of the reference, have no value of this metric"


@dataclass(frozen=True, eq=False)
class Apart:
    """``first - second`` of any two estimates, from any limits that hold, however lopsided and dependent.

    Each limit has half of the error (Bonferroni), so that both hold at once.
    """

    first: Quantity
    second: Quantity
    reason: str

    @property
    def value(self) -> FloatArray:
        """The differences."""
        return np.asarray(self.first.value - self.second.value)

    @property
    def n(self) -> NDArray[np.int64]:
        """Rows of the first."""
        return self.first.n

    @property
    def bound(self) -> FloatArray:
        """The bounds of both together."""
        return np.asarray(self.first.bound + self.second.bound)

    @property
    def ends(self) -> Ends:
        """Those of a difference."""
        return ends_of_difference(self.first, self.second)

    def limits(self, alpha: Alpha, *, exact: bool) -> Limits:
        """One-sided limits."""
        each = np.asarray(alpha) / 2
        (low, high), (low_2, high_2) = (one.limits(each, exact=exact) for one in (self.first, self.second))
        return low - high_2, high - low_2

    def take(self, index: NDArray[np.intp]) -> Apart:
        """The entries at ``index``."""
        return Apart(self.first.take(index), self.second.take(index), self.reason)


def changes(current: ScoreSummary, reference: ScoreSummary, *, bins: int = 15) -> dict[str, Estimate]:
    """The change of every metric in ``CHANGES``, with pointwise 95 % intervals.

    Args:
        bins: of the binned calibration errors, on each side's own bins.
    """
    return {name: estimates(_change(current, reference, name, bins))[0] for name in CHANGES}


def change_bounds(current: ScoreSummary, reference: ScoreSummary, metric: str, *, bins: int = 15) -> QuantityBounds:
    """The change of one metric, for a Check.

    Raises:
        InputError: for a metric whose change is not known.
    """
    if metric not in CHANGES:
        raise InputError(f"change: there is none of {metric!r}; expected one of {', '.join(CHANGES)}")
    return bounds_at(_change(current, reference, metric, bins), 0)


def change_of(current: Quantity, reference: Quantity) -> Quantity:
    """``current - reference`` of two samples of rows, as their kind allows."""
    if _is_norm(current):
        return Apart(current, reference, f"{UNDEFINED}: {current.reason}")
    return Difference(current, reference, np.ones(1), f"{UNDEFINED}: {current.reason}")


def _change(current: ScoreSummary, reference: ScoreSummary, metric: str, bins: int) -> Quantity:
    return change_of(*(calibration_quantity(one, metric, bins=bins) for one in (current, reference)))


def _is_norm(quantity: Quantity) -> bool:
    inner = quantity.of if isinstance(quantity, Monotone) else quantity
    return isinstance(inner, NoisyNorm)
