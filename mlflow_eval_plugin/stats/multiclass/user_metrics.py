"""Custom metrics of three or more classes: functions of a ``ClassView``, by a bootstrap of cells.

counted_class_metric(name, function) -> ClassMaker
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlflow_eval_plugin.stats.arrays import FloatArray
from mlflow_eval_plugin.stats.inference.wald import Wald
from mlflow_eval_plugin.stats.multiclass.metrics import MulticlassTable
from mlflow_eval_plugin.stats.slices.user_metrics import (
    REPLICATES,
    UNDEFINED,
    called,
    finite_error,
    labels_of,
    own_draws,
)

ClassMaker = Callable[[MulticlassTable, bool], Wald]


@dataclass(frozen=True)
class ClassView:
    """What a metric is told of a slice where there are three or more classes.

    Attributes:
        classes: in canonical order, as text.
        confusion: sums of weights by label and predicted class, in that order, ``(K, K)``, read-only.
    """

    label: str
    n: int
    weight: float
    classes: tuple[str, ...]
    confusion: FloatArray


ClassFunction = Callable[[ClassView], Any]


def counted_class_metric(
    name: str, function: ClassFunction, *, replicates: int = REPLICATES, seed: int = 0
) -> ClassMaker:
    """A metric of a ``ClassView``, by a Poisson bootstrap of the cells of label and prediction.

    Of a class that was never mistaken, or never right, one such row is drawn as if one had been seen.

    Raises:
        InputError: from the Maker, when the function fails or does not give a number; names metric and slice.
    """

    def make(table: MulticlassTable, complement: bool) -> Wald:
        part = table.part(complement=complement)
        sums, confusion, found = part.sums, part.confusion, []
        for i, label in enumerate(labels_of(table, complement)):
            n, effective = int(sums.n[i]), float(sums.effective[i])
            views = _Confusion(label, n, confusion[i], effective, table.summary.classes)
            found.append(views.bootstrapped(name, function, replicates, seed))
        value, error = np.array(found, dtype=np.float64).T
        return Wald(value, error, sums.effective - 1, np.zeros(len(value)), sums.n, UNDEFINED)

    return make


@dataclass(frozen=True, eq=False)
class _Confusion:
    """Sums of weights of one slice by label and predicted class."""

    label: str
    n: int
    amount: FloatArray  # (K, K)
    effective: float
    classes: tuple[str, ...]

    def view(self, amount: FloatArray, n: int) -> ClassView:
        amount.setflags(write=False)
        return ClassView(self.label, n, float(amount.sum()), self.classes, amount)

    def bootstrapped(self, name: str, function: ClassFunction, replicates: int, seed: int) -> tuple[float, float]:
        value = called(name, function, self.label, self.view(self.amount.copy(), self.n))
        if math.isnan(value) or self.effective <= 0:
            return value, math.inf
        inflation = float(self.amount.sum()) / self.effective
        rows = self.amount / inflation
        drawn = own_draws(self.label, seed).poisson(rows + self._unseen(rows), size=(replicates, *rows.shape))
        counts = np.rint(drawn.sum(axis=(1, 2)) * (self.n / rows.sum())).astype(np.int64).tolist()
        found = [
            called(name, function, self.label, self.view(one * inflation, n))
            for one, n in zip(drawn, counts, strict=True)
        ]
        return value, finite_error(math.sqrt(np.mean((np.array(found) - value) ** 2)))

    def _unseen(self, rows: FloatArray) -> FloatArray:
        right, total = np.diagonal(rows), rows.sum(axis=1)
        mistaken = np.where((total > 0) & (total == right), 1 / (len(rows) - 1), 0.0)
        added = np.broadcast_to(mistaken[:, None], rows.shape).copy()
        np.fill_diagonal(added, (total > 0) & (right == 0))
        return added
