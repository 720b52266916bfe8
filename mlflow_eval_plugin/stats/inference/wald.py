"""Estimates with standard errors, and Student limits: for whatever has no better limits of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlflow_eval_plugin.stats.arrays import FloatArray
from mlflow_eval_plugin.stats.inference.estimate import Entries
from mlflow_eval_plugin.stats.inference.intervals import Alpha, Limits, student


@dataclass(frozen=True, eq=False)
class Wald(Entries):
    """A vector of estimates; NaN where undefined.

    Attributes:
        df: degrees of freedom; below 1 there are no limits.
        bound: the largest error that binning can have caused.
    """

    value: FloatArray
    standard_error: FloatArray
    df: FloatArray
    bound: FloatArray
    n: NDArray[np.int64]
    reason: str

    def limits(self, alpha: Alpha, *, exact: bool) -> Limits:
        """One-sided limits; the same whether exact or not."""
        del exact
        return student(self.value, self.standard_error, self.df, alpha)
