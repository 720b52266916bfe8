"""What mistakes cost: a cost matrix (Elkan 2001, "The foundations of cost-sensitive learning", IJCAI).

Apart from what is computed of it, so that a config can be read without it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.summaries import FloatArray


@dataclass(frozen=True)
class Costs:
    """The cost of one row by what it is and what it was taken for; non-negative, and some mistake costs something.

    Raises:
        InputError: for a cost that is negative or not finite, or when neither mistake costs more than being right.
    """

    fp: float
    fn: float
    tp: float = 0.0
    tn: float = 0.0

    def __post_init__(self) -> None:
        for name, cost in vars(self).items():
            if not (np.isfinite(cost) and cost >= 0):
                raise InputError(f"costs: {name} is {cost}; expected a finite number that is not negative")
        if self.fp < self.tn or self.fn < self.tp or (self.fp == self.tn and self.fn == self.tp):
            raise InputError(
                "costs: a mistake must cost at least as much as being right, and one of them more; found "
                f"fp {self.fp:g}, tn {self.tn:g}, fn {self.fn:g}, tp {self.tp:g}"
            )

    @property
    def matrix(self) -> FloatArray:
        """Costs by label and predicted label, ``(2, 2)``."""
        return np.array([[self.tn, self.fp], [self.fn, self.tp]])

    @property
    def threshold_if_calibrated(self) -> float:
        """The score from which calling a row positive costs no more, were scores the probabilities (Elkan 2001)."""
        return (self.fp - self.tn) / (self.fp - self.tn + self.fn - self.tp)
