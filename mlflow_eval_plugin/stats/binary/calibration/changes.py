"""Has calibration changed since the reference? Differences between two independent samples of rows.

    changes(current, reference) -> {metric: Estimate}            what a report shows
    bounds_of_change_since(current, reference, metric) -> QuantityBounds  one of them, for a Check

A change is the metric of the current rows less that of the reference, see ``contrasts.change_of``.
"""

from __future__ import annotations

from mlflow_eval_plugin.stats.binary.calibration.report import calibration_quantity
from mlflow_eval_plugin.stats.binary.summary import ScoreSummary
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.inference.contrasts import change_of
from mlflow_eval_plugin.stats.inference.estimate import (
    Estimate,
    Quantity,
    QuantityBounds,
    bounds_at,
    estimates,
)

CHANGES = (
    "ece_equal_width", "ece_equal_mass", "ece_debiased", "brier", "log_loss", "calibration_in_the_large",
    "calibration_slope", "calibration_intercept",
)  # fmt: skip


def changes(current: ScoreSummary, reference: ScoreSummary, *, bins: int = 15) -> dict[str, Estimate]:
    """The change of every metric in ``CHANGES``, with pointwise 95 % intervals.

    Args:
        bins: of the binned calibration errors, on each side's own bins.
    """
    return {name: estimates(_change(current, reference, name, bins))[0] for name in CHANGES}


def bounds_of_change_since(
    current: ScoreSummary, reference: ScoreSummary, metric: str, *, bins: int = 15
) -> QuantityBounds:
    """The change of one metric, for a Check.

    Raises:
        InputError: for a metric whose change is not known.
    """
    if metric not in CHANGES:
        raise InputError(f"change: there is none of {metric!r}; expected one of {', '.join(CHANGES)}")
    return bounds_at(_change(current, reference, metric, bins), 0)


def _change(current: ScoreSummary, reference: ScoreSummary, metric: str, bins: int) -> Quantity:
    return change_of(*(calibration_quantity(one, metric, bins=bins) for one in (current, reference)))
