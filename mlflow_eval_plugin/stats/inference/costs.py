"""What mistakes cost: a cost matrix (Elkan 2001, "The foundations of cost-sensitive learning", IJCAI).

Apart from what is computed of it, so that a config can be read without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlflow_eval_plugin.stats.arrays import FloatArray
from mlflow_eval_plugin.stats.errors import InputError


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


@dataclass(frozen=True)
class ClassCosts:
    """The cost of one row of three or more classes, by its label and then by the class that it was taken for.

    Being right costs nothing where no cost of it is given.

    Raises:
        InputError: for a cost that is negative or not finite, a mistake that costs less than being right, or when no
            mistake costs more.
    """

    by_label: dict[str, dict[str, float]]

    def __post_init__(self) -> None:
        dear = False
        for label, row in self.by_label.items():
            right = row.get(label, 0.0)
            for taken_for, cost in row.items():
                if not (np.isfinite(cost) and cost >= 0):
                    raise InputError(
                        f"costs: {label!r} taken for {taken_for!r} is {cost}; expected a finite number that is not "
                        "negative"
                    )
                if cost < right:
                    raise InputError(
                        f"costs: {label!r} taken for {taken_for!r} is {cost:g}, less than the {right:g} of being right"
                    )
                dear |= cost > right
        if not dear:
            raise InputError("costs: no mistake costs more than being right, so that there is nothing to judge")

    def matrix(self, classes: Sequence[str]) -> FloatArray:
        """Costs by label and predicted class, ``(K, K)``.

        Raises:
            InputError: for a class there is none of, or a mistake that has no cost.
        """
        named = {*self.by_label, *(one for row in self.by_label.values() for one in row)}
        unknown = sorted(named - set(classes))
        if unknown:
            raise InputError(
                f"costs: there is no class {unknown[0]!r}; the classes are {', '.join(map(repr, classes))}"
            )
        rows = []
        for label in classes:
            known = {label: 0.0, **self.by_label.get(label, {})}
            lacking = [one for one in classes if one not in known]
            if lacking:
                raise InputError(
                    f"costs: there is no cost of {label!r} taken for {lacking[0]!r}; every mistake has a cost, 0 where "
                    "it has none"
                )
            rows.append([known[one] for one in classes])
        return np.array(rows)
