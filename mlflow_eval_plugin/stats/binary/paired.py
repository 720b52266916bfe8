"""The Summary of two models on the same rows: the slices of each, and what only the pairs of predictions can say.

Two ``SliceSummary`` tables give every metric of either model with its limits. How much the two vary together is not in
them; that is what the other lanes hold, exact integers like all others, so that shards merge by addition.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlflow_eval_plugin.stats.arrays import FloatArray, IntArray
from mlflow_eval_plugin.stats.binary.ranking import placements
from mlflow_eval_plugin.stats.binary.summary import SliceSummary
from mlflow_eval_plugin.stats.counts.ranks import Ranked
from mlflow_eval_plugin.stats.counts.slice import LOSS_SQUARE_ONE, ONE, Slice, lanes_added, placed, union_of_slices
from mlflow_eval_plugin.stats.errors import MergeError

JOINT_BINS = 15
PLACEMENT_ONE = 2**30
_LANES = ("n", "weight", "weight_square", "square_error_change", "loss_change", "score_change", "joint")


@dataclass(frozen=True, eq=False)
class PairedSummary:
    """Slice x label x champion's prediction x challenger's prediction, over the slices of both Summaries.

    Attributes:
        champion, challenger: of the same rows, with the same slices in the same order.
        n: rows, ``(S, 2, 2, 2)`` int64, by label, the champion's and the challenger's prediction.
        weight, weight_square: sums of w and w**2 over the same cells, in units of ``weight_scale / ONE`` and
            ``weight_scale**2 / ONE``.
        square_error_change: sum of w * (the challenger's squared error - the champion's)**2, ``(S,)``, in units of
            ``weight_scale / ONE``.
        loss_change: the same of log losses, in units of ``weight_scale / LOSS_SQUARE_ONE``.
        score_change: the same of scores, in units of ``weight_scale / ONE``.
        joint: sum of w by the champion's score, the challenger's score and label, over all rows, ``(1, JOINT_BINS,
            JOINT_BINS, 2)``, in units of ``weight_scale / ONE``.
    """

    champion: SliceSummary
    challenger: SliceSummary
    n: IntArray
    weight: IntArray
    weight_square: IntArray
    square_error_change: IntArray
    loss_change: IntArray
    score_change: IntArray
    joint: IntArray

    def __add__(self, other: PairedSummary) -> PairedSummary:
        """The Summary of both sets of rows, with the union of their slices.

        Raises:
            MergeError: when weight scales, thresholds or positive labels differ.
        """
        champion, challenger = self.champion + other.champion, self.challenger + other.challenger
        total = {"joint": lanes_added(self.joint, other.joint)}
        for name in (name for name in _LANES if name != "joint"):
            mine, theirs = (placed(getattr(one, name), one.slices, champion.slices) for one in (self, other))
            total[name] = lanes_added(mine, theirs)
        return PairedSummary(champion, challenger, **total)

    @property
    def slices(self) -> tuple[Slice, ...]:
        """The slices, "overall" first."""
        return self.champion.slices

    @property
    def cells(self) -> FloatArray:
        """Sums of weights by slice, label, champion's and challenger's prediction."""
        return self.weight * (self.champion.weight_scale / ONE)

    @property
    def cells_square(self) -> FloatArray:
        """Sums of squared weights over the same cells."""
        return self.weight_square * (self.champion.weight_scale**2 / ONE)

    def change_square(self, name: str) -> FloatArray:
        """Sums of w * change**2 per slice; ``name`` is "square_error", "loss" or "score"."""
        one = LOSS_SQUARE_ONE if name == "loss" else ONE
        return np.asarray(getattr(self, f"{name}_change") * (self.champion.weight_scale / one))


@dataclass(frozen=True, eq=False)
class PlacementSummary:
    """How differently the two models place the rows of a class among those of the other: what paired AUCs vary by.

    Counted in a second pass, since a row's placement (the share of the other class that it is ranked above) is known
    only when all rows of the slice are.

    Attributes:
        change: sum of w * (challenger's placement - champion's)**2 by slice and label, ``(S, 2)``, in units of
            ``weight_scale / ONE``.
        change_fourth: the same of fourth powers, each rounded up.
    """

    slices: tuple[Slice, ...]
    change: IntArray
    change_fourth: IntArray
    weight_scale: float

    def __add__(self, other: PlacementSummary) -> PlacementSummary:
        """The Summary of both sets of rows, each placed among the rows of both.

        Raises:
            MergeError: when the weight scales differ.
        """
        if self.weight_scale != other.weight_scale:
            raise MergeError(
                f"placements with different weight scales do not merge: {self.weight_scale} and {other.weight_scale}"
            )
        slices = union_of_slices(self.slices, other.slices)
        sides = [
            [placed(lane, one.slices, slices) for lane in (one.change, one.change_fourth)] for one in (self, other)
        ]
        change, fourth = (lanes_added(mine, theirs) for mine, theirs in zip(*sides, strict=True))
        return PlacementSummary(slices, change, fourth, self.weight_scale)

    @property
    def w_change(self) -> FloatArray:
        """Sums of w * change**2 by slice and label."""
        return self.change * (self.weight_scale / ONE)

    @property
    def w_change_fourth(self) -> FloatArray:
        """Sums of w * change**4 by slice and label."""
        return self.change_fourth * (self.weight_scale / ONE)


def placement_table(one: Ranked) -> NDArray[np.int32]:
    """The placement of a row by cell and label, in units of ``1 / PLACEMENT_ONE``: ``(K, 2)``.

    Integers, so that what the second pass adds up is the same whatever the order of the rows. 0 where the other class
    has no rows.
    """
    return np.asarray(np.rint(np.nan_to_num(np.stack(placements(one), axis=1)) * PLACEMENT_ONE), dtype=np.int32)
