"""The Summary of three or more classes: exact integers, as in ``binary.summary``.

Confusion cells, sums of losses, the confidence, and where wanted the scores by class. One row adds at most 2**36 to a
lane.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mlflow_eval_plugin.stats.arrays import FloatArray, IntArray
from mlflow_eval_plugin.stats.counts.ranks import Ranks
from mlflow_eval_plugin.stats.counts.slice import (
    LOSS_ONE,
    LOSS_SQUARE_ONE,
    ONE,
    Slice,
    lanes_added,
    rows_fit,
    same_scale,
    scattered,
    union_of_slices,
)
from mlflow_eval_plugin.stats.errors import MergeError

# What is summed over the rows of a slice, and the fixed-point one of each. "expected_" is what the row would give on
# average were its probabilities the true ones; Brier scores are halved, so that they lie in [0, 1].
MOMENTS = {
    "loss": LOSS_ONE,
    "loss_square": LOSS_SQUARE_ONE,
    "expected_loss": LOSS_ONE,
    "expected_loss_square": LOSS_SQUARE_ONE,
    "half_brier": ONE,
    "half_brier_square": ONE,
    "expected_half_brier": ONE,
    "expected_half_brier_square": ONE,
    "confidence_error": ONE,
}
# As many tables as the slices of a binary Summary may have; beyond, scores are not ranked.
MOST_RANKED = 2048


@dataclass(frozen=True, eq=False)
class MulticlassSummary:
    """Slice x class; entry 0 is the slice "overall", the others are the levels that occur.

    Attributes:
        slices: the ``S`` slices, in the order of the first axis of every array.
        classes: the ``K`` classes, in canonical order.
        cells: rows per label and predicted class, ``(S, K, K)`` int64.
        cell_weight, cell_weight_square: sums of w and w**2 over the same cells.
        moments: sums of w times what ``MOMENTS`` names, ``(S, 9)``; None where predictions are classes.
        confidence_weight, confidence_score: sums of w and of w * c by coarse bin of the confidence c (the largest
            probability) and whether the prediction is right, ``(S, COARSE_BINS, 2)``; None where predictions are
            classes.
        confidence_spread: sums of w * c * (1 - c) by coarse bin, ``(S, COARSE_BINS)``.
        ranks: of each of the ``K`` classes, the rows of every slice in the order of its probability, by whether they
            are of the class; None where probabilities are not ranked.
        weight_scale, weighted: as in ``ScoreSummary``.
    """

    slices: tuple[Slice, ...]
    classes: tuple[str, ...]
    cells: IntArray
    cell_weight: IntArray
    cell_weight_square: IntArray
    moments: IntArray | None
    confidence_weight: IntArray | None
    confidence_score: IntArray | None
    confidence_spread: IntArray | None
    ranks: tuple[Ranks, ...] | None
    weight_scale: float
    weighted: bool

    def __add__(self, other: MulticlassSummary) -> MulticlassSummary:
        """The Summary of both sets of rows, with the union of their slices.

        Raises:
            MergeError: when weight scales or classes differ, or only one of the two has probabilities or ranked scores.
        """
        same_scale(self, other)
        known = [[getattr(one, name) is None for name in (*_LANES, "ranks")] for one in (self, other)]
        if self.classes != other.classes or known[0] != known[1]:
            raise MergeError(
                f"multiclass Summaries of different classes or kinds do not merge: {self.classes} and {other.classes}; "
                "count every shard with the same classes, and all or none with probabilities"
            )
        rows_fit(int(self.cells[0].sum()) + int(other.cells[0].sum()))
        slices = union_of_slices(self.slices, other.slices)
        at = {one: position for position, one in enumerate(slices)}
        mine, theirs = self._placed(slices), other._placed(slices)
        total: dict[str, Any] = {
            name: None if lane is None else lanes_added(lane, theirs[name]) for name, lane in mine.items()
        }
        if self.ranks is not None and other.ranks is not None:
            of_classes = zip(self.ranks, other.ranks, strict=True)
            sides = [[at[one] for one in summary.slices] for summary in (self, other)]
            total["ranks"] = tuple(
                one.placed(np.array(sides[0]), len(slices)) + two.placed(np.array(sides[1]), len(slices))
                for one, two in of_classes
            )
        return replace(self, slices=slices, **total)

    @property
    def rows(self) -> IntArray:
        """Rows per slice, ``(S,)``."""
        return np.asarray(self.cells.sum(axis=(1, 2)), dtype=np.int64)

    def moment(self, name: str) -> FloatArray:
        """Sum of w times what ``MOMENTS`` calls ``name``, ``(S,)``; zero where there are no probabilities."""
        if self.moments is None:
            return np.zeros(len(self.slices))
        return np.asarray(self.moments[:, list(MOMENTS).index(name)] * (self.weight_scale / MOMENTS[name]))

    def index(self, label: str) -> int:
        """The position of a slice by its label.

        Raises:
            KeyError: when there is no such slice.
        """
        return {one.label: position for position, one in enumerate(self.slices)}[label]

    def complement(self) -> MulticlassSummary:
        """The same of all rows but those of each slice; ranks are left as they are, see ``Ranks.others``."""
        others: dict[str, Any] = {}
        for name in _LANES:
            lane = getattr(self, name)
            others[name] = None if lane is None else lane[:1] - lane
        return replace(self, **others)

    def _placed(self, slices: tuple[Slice, ...]) -> dict[str, Any]:
        at = {one: position for position, one in enumerate(slices)}
        rows = np.array([at[one] for one in self.slices])
        lanes = {name: getattr(self, name) for name in _LANES}
        return {name: None if lane is None else scattered(lane, rows, len(slices)) for name, lane in lanes.items()}


_LANES = (
    "cells",
    "cell_weight",
    "cell_weight_square",
    "moments",
    "confidence_weight",
    "confidence_score",
    "confidence_spread",
)
