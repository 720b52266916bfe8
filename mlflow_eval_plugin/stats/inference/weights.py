"""How many rows weighted rows are worth."""

from __future__ import annotations

import numpy as np

from mlflow_eval_plugin.stats.inference.intervals import FloatArray


def kish(weight: FloatArray, square: FloatArray) -> FloatArray:
    """Kish's effective number: (sum w)**2 / sum w**2; 0 where there is no weight."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(square > 0, weight**2 / square, 0.0)
