"""Has the calibration of a regression changed since the reference? Differences between two independent samples of rows.

    mean_changes(current, reference) -> {metric: Quantity}   each of length one, current less reference

Limits are those of ``changes``: variance recovery, and for the mean error, which noise inflates, limits that hold
together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlflow_eval_plugin.stats.inference.contrasts import change_of
from mlflow_eval_plugin.stats.inference.estimate import Quantity
from mlflow_eval_plugin.stats.regression.calibration.report import mean_quantity
from mlflow_eval_plugin.stats.regression.metrics import Moments
from mlflow_eval_plugin.stats.regression.names import changed_names
from mlflow_eval_plugin.stats.regression.summary import MomentSummary, PredictionSummary


@dataclass(frozen=True, eq=False)
class MeanSummaries:
    """What is known of one sample of rows."""

    moments: MomentSummary
    predictions: PredictionSummary


def mean_changes(current: MeanSummaries, reference: MeanSummaries, *, bins: int = 15) -> dict[str, Quantity]:
    """The change of every metric that both know: errors, bias, R squared, slope, and coverages.

    Args:
        bins: of equal mass of the mean error, on each side's own bins.
    """
    names = changed_names(current.moments.levels, tuple(band.name for band in current.moments.bands))
    return {name: change_of(*(_quantity(one, name, bins) for one in (current, reference))) for name in names}


def _quantity(summaries: MeanSummaries, name: str, bins: int) -> Quantity:
    if name.startswith("coverage_"):
        return Moments(summaries.moments).quantity(name).take(np.array([0]))
    return mean_quantity(summaries.moments, summaries.predictions, name, bins=bins)
