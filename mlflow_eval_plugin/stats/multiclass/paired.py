"""The Summary of two models of three or more classes on the same rows; as in ``paired``, exact integers that add up.

The pairs are counted class by class, each against the rest: whether a row is of the class, and whether the champion and
the challenger say that it is. So every rate of a class has the eight cells of a model of two classes, and no table
grows with the cube of the classes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mlflow_eval_plugin.stats.arrays import FloatArray, IntArray
from mlflow_eval_plugin.stats.counts.slice import LOSS_SQUARE_ONE, ONE, Slice, lanes_added, placed
from mlflow_eval_plugin.stats.errors import MergeError
from mlflow_eval_plugin.stats.multiclass.summary import MulticlassSummary

# The changes whose squares are summed, and the fixed-point one of each. Brier scores are halved, so that they lie in
# [0, 1]; the error is the confidence less 1 where the prediction is right.
CHANGES = {"loss": LOSS_SQUARE_ONE, "half_brier": ONE, "confidence_error": ONE}
_LANES = ("n", "weight", "weight_square", "differ", "changes", "costs")


@dataclass(frozen=True, eq=False)
class PairedClassSummary:
    """Slice x class x whether it is of the class, and whether each of the two says so, over the slices of both.

    Attributes:
        champion, challenger: of the same rows, with the same slices and classes in the same order.
        n: rows, ``(S, K, 2, 2, 2)`` int64, by whether the label, the champion's and the challenger's prediction are the
            class.
        weight, weight_square: sums of w and w**2 over the same cells, in units of ``weight_scale / ONE`` and
            ``weight_scale**2 / ONE``.
        differ: sum of w where the two predict different classes, ``(S,)``.
        changes: sums of w * change**2 of what ``CHANGES`` names, ``(S, 3)``; None where predictions are classes.
        moves: rows over all slices by the champion's class, the challenger's and who is right (neither or both, the
            champion, the challenger), ``(K, K, 3)``.
        costs: sums of w by how much more a row costs, ``(S, V)``; None without costs.
        cost_changes: how much more, ``(V,)``.
        least_bin: the lowest fine bin that holds a probability; 0 where predictions are classes.
    """

    champion: MulticlassSummary
    challenger: MulticlassSummary
    n: IntArray
    weight: IntArray
    weight_square: IntArray
    differ: IntArray
    changes: IntArray | None
    moves: IntArray
    costs: IntArray | None
    cost_changes: tuple[float, ...]
    least_bin: int

    def __add__(self, other: PairedClassSummary) -> PairedClassSummary:
        """The Summary of both sets of rows, with the union of their slices.

        Raises:
            MergeError: when weight scales, classes or costs differ, or only one of the two has probabilities.
        """
        if self.cost_changes != other.cost_changes:
            raise MergeError("pairs that were counted with different costs do not merge")
        champion, challenger = self.champion + other.champion, self.challenger + other.challenger
        total: dict[str, Any] = {}
        for name in _LANES:
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine is not None and theirs is not None:
                sides = placed(mine, self.slices, champion.slices), placed(theirs, other.slices, champion.slices)
                total[name] = lanes_added(*sides)
        moves, least = self.moves + other.moves, min(self.least_bin, other.least_bin)
        return replace(self, champion=champion, challenger=challenger, moves=moves, least_bin=least, **total)

    @property
    def slices(self) -> tuple[Slice, ...]:
        """The slices, "overall" first."""
        return self.champion.slices

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes, in canonical order."""
        return self.champion.classes

    @property
    def weight_scale(self) -> float:
        """The unit of the weights."""
        return self.champion.weight_scale

    def by_class(self) -> Pairs:
        """The cells of every class of every slice against the rest, ``(S * K, 2, 2, 2)``; see ``PairedCells``."""
        n, weight, square = (one.reshape(-1, 2, 2, 2) for one in (self.n, self.weight, self.weight_square))
        return Pairs(n, weight, square, self.weight_scale)

    def by_right(self) -> Pairs:
        """The cells of every slice by who is right, as predictions of a label that all rows have, ``(S, 2, 2, 2)``."""
        lanes = []
        for one in (self.n, self.weight, self.weight_square):
            # A row is of one class, and the prediction is right where it says so.
            right = one[:, :, 1].sum(axis=1)
            lanes.append(np.stack([np.zeros_like(right), right], axis=1))
        n, weight, square = lanes
        return Pairs(n, weight, square, self.weight_scale)

    def change_square(self, name: str) -> FloatArray:
        """Sums of w * change**2 per slice, of what ``CHANGES`` names.

        Raises:
            ValueError: where predictions are classes.
        """
        if self.changes is None:
            raise ValueError("there are no probabilities, predictions are classes")
        return np.asarray(self.changes[:, list(CHANGES).index(name)] * (self.weight_scale / CHANGES[name]))


@dataclass(frozen=True, eq=False)
class Pairs:
    """``PairedCells`` from integer lanes."""

    n: IntArray
    weight: IntArray
    weight_square: IntArray
    weight_scale: float

    @property
    def cells(self) -> FloatArray:
        """Sums of weights."""
        return self.weight * (self.weight_scale / ONE)

    @property
    def cells_square(self) -> FloatArray:
        """Sums of squared weights."""
        return self.weight_square * (self.weight_scale**2 / ONE)
