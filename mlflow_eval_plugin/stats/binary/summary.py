"""Score Summaries: mergeable tables of exact integers, from which every calibration and slice statistic is computed.

Scores in [0, 1] fall into equal-width bins, ``FINE_BINS`` = 15 * 256 per slice and sixteen times as many overall, so
that tables of 10, 15 and 20 equal-width bins are exact unions of them; score 1.0 belongs to the last bin. What a bin
cannot say is held in *lanes*: sums of fixed-point numbers, kept as int64. Sums of integers do not depend on order, so
row order, chunks, shards and engines cannot change a result. One row adds at most 2**36 to a lane of losses, hence
``COUNTED_ROWS``, and 2**32 to any other, hence ``MAX_ROWS``.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

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

FINE_BINS = 3840
SCORE_BINS = 16 * FINE_BINS  # of the overall Summary, where a fine grid costs little and equal-mass bins profit from it
COARSE_BINS = 60  # the least common multiple of 10, 15 and 20
STEEP_BINS = SCORE_BINS // 32  # in so many, next to the wrong end, log loss bends too much to be had from a bin's sums
SMALLEST_PROBABILITY = float(np.finfo(np.float64).eps)  # where log loss is clipped, as scikit-learn does


@dataclass(frozen=True, eq=False)
class ScoreSummary:
    """Score bin x label, over all rows: arrays of shape ``(SCORE_BINS, 2)``, dtype int64.

    Attributes:
        n: rows.
        weight: sum of w; ``weight / ONE * weight_scale`` is the sum of weights.
        weight_square: sum of w**2, in units of ``weight_scale**2 / ONE``.
        offset: sum of w * d, where d in [0, 1] is the place of the score inside its bin.
        offset_square: sum of w * d**2.
        steep_loss: sum of w * log loss, in nats, over the rows in the ``STEEP_BINS`` bins that are furthest from their
            label, by fine bin and label, ``(FINE_BINS, 2)``, in units of ``weight_scale / LOSS_ONE``.
        steep_loss_square: sum of w * (log loss)**2 over the same, in units of ``weight_scale / LOSS_SQUARE_ONE``.
        weight_scale: a power of two at or above the largest weight; 1.0 when unweighted.
        weighted: whether weights were given.
    """

    n: IntArray
    weight: IntArray
    weight_square: IntArray
    offset: IntArray
    offset_square: IntArray
    steep_loss: IntArray
    steep_loss_square: IntArray
    weight_scale: float
    weighted: bool

    def __add__(self, other: ScoreSummary) -> ScoreSummary:
        """The Summary of both sets of rows.

        Raises:
            MergeError: when the weights are on different scales or the rows are too many.
        """
        same_scale(self, other)
        rows_fit(int(self.n.sum()) + int(other.n.sum()))
        return ScoreSummary(**_lanes_added(self, other), weight_scale=self.weight_scale, weighted=self.weighted)

    @cached_property
    def w(self) -> FloatArray:
        """Sum of weights."""
        return _kept(self.weight * (self.weight_scale / ONE))

    @cached_property
    def w_square(self) -> FloatArray:
        """Sum of squared weights."""
        return _kept(self.weight_square * (self.weight_scale**2 / ONE))

    @cached_property
    def w_score(self) -> FloatArray:
        """Sum of w * score."""
        bins = np.arange(SCORE_BINS)[:, None]
        return _kept((bins * self.w + self.w_offset) / SCORE_BINS)

    @cached_property
    def w_square_error(self) -> FloatArray:
        """Sum of w * (score - label)**2."""
        # Distances are taken from the label's own end, since s**2 - 2 s + 1 would cancel where scores are near 1.
        below = np.arange(SCORE_BINS, dtype=np.float64)
        above = SCORE_BINS - below
        offset, square = self.w_offset, self.w_offset_square
        negative = below**2 * self.w[:, 0] + 2 * below * offset[:, 0] + square[:, 0]
        positive = above**2 * self.w[:, 1] - 2 * above * offset[:, 1] + square[:, 1]
        return _kept(np.stack([negative, positive], axis=1) / SCORE_BINS**2)

    @cached_property
    def w_loss(self) -> FloatArray:
        """Sum of w * log loss, by fine bin and label, ``(FINE_BINS, 2)``."""
        logarithm, variance = self._flat
        flat = grouped(self.w * (variance / 2 - logarithm))
        return _kept(flat + self.steep_loss * (self.weight_scale / LOSS_ONE))

    @cached_property
    def w_loss_square(self) -> FloatArray:
        """Sum of w * (log loss)**2, by fine bin and label, ``(FINE_BINS, 2)``."""
        logarithm, variance = self._flat
        flat = grouped(self.w * (logarithm**2 + variance * (1 - logarithm)))
        return _kept(flat + self.steep_loss_square * (self.weight_scale / LOSS_SQUARE_ONE))

    @cached_property
    def _flat(self) -> tuple[FloatArray, FloatArray]:
        """Logarithm of the mean of the label's probability, and relative variance, in each cell that is not steep.

        Log loss and its square are Taylor series about the mean. The first term left out, of the third moment, is at
        most 5e-12 nats a row and 5e-11 of the square: a bin is a 1,920th of the probability or less. 0 in steep cells.
        """
        flat = self.weight > 0
        flat[:STEEP_BINS, 1] = flat[-STEEP_BINS:, 0] = False
        offset, square = (
            np.divide(lane, self.weight, out=np.zeros(flat.shape), where=flat)
            for lane in (self.offset, self.offset_square)
        )
        variance = np.maximum(square - offset**2, 0.0)
        place = offset + np.arange(SCORE_BINS)[:, None]
        place[:, 0] = SCORE_BINS - place[:, 0]
        place[~flat] = SCORE_BINS
        return _kept(np.log(place / SCORE_BINS)), _kept(variance / place**2)

    @cached_property
    def w_offset(self) -> FloatArray:
        """Sum of w * d, with d in [0, 1] the place of the score inside its bin."""
        return _kept(self.offset * (self.weight_scale / ONE))

    @cached_property
    def w_offset_square(self) -> FloatArray:
        """Sum of w * d**2."""
        return _kept(self.offset_square * (self.weight_scale / ONE))


@dataclass(frozen=True, eq=False)
class SliceSummary:
    """Slice x score bin x label; entry 0 is the slice "overall", the others are the levels that occur, then the named.

    Attributes:
        slices: the ``S`` slices, in the order of the first axis of every array.
        n: rows, ``(S, FINE_BINS, 2)`` int32.
        weight: sum of w over the same cells, int64; None when unweighted.
        ranks: the rows of every slice in the order of their scores; sums of w in units of ``weight_scale / ONE``, or
            rows where unweighted; None when they were not counted.
        cells: rows per label and predicted label, ``(S, 2, 2)`` int64 (index 1 is positive).
        cell_weight, cell_weight_square: sums of w and w**2 over the same cells.
        score: sum of w * score per coarse bin and label, ``(S, COARSE_BINS, 2)``, in units of ``weight_scale / ONE``.
        square_error: sum of w * (score - label)**2, ``(S, 2)``, in units of ``weight_scale / ONE``.
        loss, loss_square: as in ``ScoreSummary``, ``(S, 2)``.
        weight_scale, weighted: as in ``ScoreSummary``.
        threshold: the score at or above which the engine called a row positive; None when predictions were given.
        pos_label: the positive label, as a string.
    """

    slices: tuple[Slice, ...]
    n: NDArray[np.int32]
    weight: IntArray | None
    ranks: Ranks | None
    cells: IntArray
    cell_weight: IntArray
    cell_weight_square: IntArray
    score: IntArray
    square_error: IntArray
    loss: IntArray
    loss_square: IntArray
    weight_scale: float
    weighted: bool
    threshold: float | None
    pos_label: str

    def __add__(self, other: SliceSummary) -> SliceSummary:
        """The Summary of both sets of rows, with the union of their slices.

        Raises:
            MergeError: when weight scales, thresholds or positive labels differ, or one of the two has no ranks.
        """
        same_scale(self, other)
        if (self.threshold, self.pos_label) != (other.threshold, other.pos_label):
            raise MergeError(
                f"slice Summaries were counted at different thresholds or positive labels: "
                f"{(self.threshold, self.pos_label)} and {(other.threshold, other.pos_label)}; count both alike"
            )
        if (self.ranks is None) != (other.ranks is None):
            raise MergeError("one slice Summary was counted with ranks and the other without; count both alike")
        rows_fit(int(self.cells[0].sum()) + int(other.cells[0].sum()))
        slices = union_of_slices(self.slices, other.slices)
        mine, theirs = self._placed(slices), other._placed(slices)
        total: dict[str, Any] = {
            name: None if lane is None else _added(lane, theirs[name]) for name, lane in mine.items()
        }
        return SliceSummary(
            slices=slices,
            **total,
            weight_scale=self.weight_scale,
            weighted=self.weighted,
            threshold=self.threshold,
            pos_label=self.pos_label,
        )

    def index(self, label: str) -> int:
        """The position of a slice by its label.

        Raises:
            KeyError: when there is no such slice.
        """
        for position, one in enumerate(self.slices):
            if one.label == label:
                return position
        raise KeyError(label)

    def _placed(self, slices: tuple[Slice, ...]) -> dict[str, Any]:
        at = {one: position for position, one in enumerate(slices)}
        rows = np.array([at[one] for one in self.slices])
        lanes = {name: getattr(self, name) for name in _SLICE_LANES}
        found = {name: None if lane is None else scattered(lane, rows, len(slices)) for name, lane in lanes.items()}
        return {**found, "ranks": None if self.ranks is None else self.ranks.placed(rows, len(slices))}


_SLICE_LANES = (
    "n",
    "weight",
    "cells",
    "cell_weight",
    "cell_weight_square",
    "score",
    "square_error",
    "loss",
    "loss_square",
)


def grouped(lane: FloatArray) -> FloatArray:
    """Sums over the score bins of each fine bin: ``(SCORE_BINS, ...)`` to ``(FINE_BINS, ...)``."""
    return np.asarray(lane.reshape(FINE_BINS, SCORE_BINS // FINE_BINS, *lane.shape[1:]).sum(axis=1))


def _kept(lane: FloatArray) -> FloatArray:
    """An array that is handed out more than once, and so cannot be written to."""
    lane.flags.writeable = False
    return lane


def _lanes_added(first: ScoreSummary, second: ScoreSummary) -> dict[str, IntArray]:
    lanes = [field.name for field in fields(first) if field.name not in ("weight_scale", "weighted")]
    return {lane: lanes_added(getattr(first, lane), getattr(second, lane)) for lane in lanes}


def _added(first: Any, second: Any) -> Any:
    return first + second if isinstance(first, Ranks) else lanes_added(first, second)
