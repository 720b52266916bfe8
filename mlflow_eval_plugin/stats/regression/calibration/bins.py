"""The sums of a ``PredictionSummary`` as numbers, by bin of the prediction or by group of bins."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from mlflow_eval_plugin.stats.arrays import FloatArray
from mlflow_eval_plugin.stats.counts.exact_sums import totals
from mlflow_eval_plugin.stats.inference.means import kish
from mlflow_eval_plugin.stats.regression.summary import PredictionSummary

SAME_PREDICTION = "all predictions are the same"


@dataclass(frozen=True, eq=False)
class BinSums:
    """Sums by bin or group of bins, in units of the scale, ``(K,)`` each."""

    w: FloatArray
    ww: FloatArray
    e: FloatArray
    ee: FloatArray
    y: FloatArray
    yy: FloatArray
    p: FloatArray
    pp: FloatArray

    def chosen(self, which: np.ndarray) -> BinSums:
        """Some of the bins."""
        return BinSums(**{name: lane[which] for name, lane in vars(self).items()})

    def grouped(self, member: np.ndarray, groups: int) -> BinSums:
        """Sums over bins of one group."""
        lanes = {name: np.bincount(member, weights=lane, minlength=groups) for name, lane in vars(self).items()}
        return BinSums(**{name: lane.astype(np.float64) for name, lane in lanes.items()})

    @property
    def effective(self) -> FloatArray:
        """Kish's effective rows."""
        return kish(self.w, self.ww)

    @property
    def error_variance(self) -> FloatArray:
        """The variance of an error: about 0, as of a calibrated model, or about the mean where that is larger.

        A few skewed errors with a large mean show a small variance about it, which would make an interval too short. So
        would a variance of a few rows taken for the true one; hence the square of Student's quantile over the normal.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            about_mean = np.maximum(self.ee / self.w - (self.e / self.w) ** 2, 0.0)
            seen = np.where(self.effective >= 2, about_mean * self.effective / (self.effective - 1), 0.0)
            student = special.stdtrit(np.maximum(self.effective - 1, 1.0), 0.05) / special.ndtri(0.05)
            return np.asarray(np.maximum(seen, self.ee / self.w) * student**2)


def bin_sums(predictions: PredictionSummary) -> BinSums:
    """Of every bin, those without weight too."""
    return BinSums(**{name: totals(predictions.lanes[name]) for name in ("w", "ww", "e", "ee", "y", "yy", "p", "pp")})
