"""Rows into a ``ScoreSummary``: one pass in chunks, integers throughout."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlflow_eval_plugin.engines.arrow.columns.inputs import ColumnArgument, Scored, scored_rows
from mlflow_eval_plugin.engines.arrow.counting import Lanes, chunked, counted
from mlflow_eval_plugin.engines.arrow.logarithm import logarithm
from mlflow_eval_plugin.stats.arrays import Float64Array, IntArray
from mlflow_eval_plugin.stats.binary.summary import (
    FINE_BINS,
    SCORE_BINS,
    SMALLEST_PROBABILITY,
    STEEP_BINS,
    ScoreSummary,
)
from mlflow_eval_plugin.stats.counts.fixed_point import Places, add_at, fixed_point, squares_up
from mlflow_eval_plugin.stats.counts.slice import LOSS_ONE, LOSS_SQUARE_ONE, ONE


def score_summary(
    rows: pd.DataFrame,
    *,
    label: ColumnArgument,
    score: ColumnArgument,
    pos_label: object | None = None,
    weight: ColumnArgument | None = None,
    weight_scale: float | None = None,
) -> ScoreSummary:
    """Count rows by score bin and label.

    Args:
        rows: the data; neither changed nor copied.
        label: binary labels: 0/1, False/True, -1/1, or any two values with ``pos_label``.
        score: probabilities of the positive label, in [0, 1]; 1.0 belongs to the last bin.
        weight: non-negative row weights.
        weight_scale: for shards that are to be merged: a power of two at or above the largest weight of all shards.

    Raises:
        InputError: when labels, scores or weights cannot be evaluated.
    """
    return summary_of(
        scored_rows(rows, label=label, score=score, pos_label=pos_label, weight=weight, weight_scale=weight_scale)
    )


def summary_of(scored: Scored) -> ScoreSummary:
    """Count checked rows by score bin and label; one class only is legal here."""
    weighted = scored.weight is not None
    sums = ("offset", "offset_square", *(("weight", "weight_square") if weighted else ()))

    def count(rows: slice) -> Lanes:
        lanes: Lanes = {"n": np.zeros((SCORE_BINS, 2), dtype=np.int32)}
        lanes |= {name: np.zeros((SCORE_BINS, 2), dtype=np.int64) for name in sums}
        lanes |= {name: np.zeros((FINE_BINS, 2), dtype=np.int64) for name in ("steep_loss", "steep_loss_square")}
        for _, chunk in chunks(scored, rows):
            for name, amount in _amounts(chunk, weighted):
                add_at(lanes[name].reshape(-1), chunk.key, amount)
            steep = chunk.taken(chunk.steep)
            bins = steep.bins(FINE_BINS)
            for name, amount in zip(("steep_loss", "steep_loss_square"), steep.losses(), strict=True):
                add_at(lanes[name].reshape(-1), bins, amount)
        return lanes

    lanes = counted(len(scored.score), count)
    lanes["n"] = lanes["n"].astype(np.int64)
    if not weighted:
        # Unweighted rows weigh one each, which need not be counted again.
        lanes["weight"] = lanes["weight_square"] = lanes["n"] * int(ONE)
    return ScoreSummary(**lanes, weight_scale=scored.weight_scale, weighted=weighted)


@dataclass(frozen=True, eq=False)
class Chunk:
    """Some rows in the form in which every Summary counts them.

    Attributes:
        key: ``2 * score bin + label``, int32.
        label: 0 or 1, int32.
        score: in [0, 1].
        place: ``score * SCORE_BINS``.
        weight: relative to ``weight_scale``, in [0, 1]; None when unweighted.
    """

    key: Places
    label: Places
    score: Float64Array
    place: Float64Array
    weight: Float64Array | None

    def taken(self, at: NDArray[np.intp]) -> Chunk:
        """Some of its rows."""
        weight = None if self.weight is None else self.weight[at]
        return Chunk(self.key[at], self.label[at], self.score[at], self.place[at], weight)

    @property
    def steep(self) -> NDArray[np.intp]:
        """The rows in the ``STEEP_BINS`` score bins whose scores are furthest from the label."""
        distance = self.label * np.int32(2 * SCORE_BINS)  # twice that in score bins, from the label's own end
        distance -= self.key
        return np.flatnonzero(np.abs(distance, out=distance) >= 2 * (SCORE_BINS - STEEP_BINS))

    def bins(self, bins: int) -> Places:
        """``2 * bin + label`` of each row, for a number of equal bins that divides ``SCORE_BINS``."""
        found = self.key // np.int32(2 * SCORE_BINS // bins)
        found <<= 1
        found |= self.label
        return found

    @property
    def offset(self) -> Float64Array:
        """The place of the score inside its score bin, in [0, 1]."""
        below = (self.key >> 1).astype(np.float64)
        return np.subtract(self.place, below, out=below)

    @property
    def error(self) -> Float64Array:
        """The distance of the score from the label."""
        distance = self.label.astype(np.float64)
        np.subtract(self.score, distance, out=distance)
        return np.abs(distance, out=distance)

    @property
    def loss(self) -> Float64Array:
        """Log loss in nats; probabilities below ``SMALLEST_PROBABILITY`` are clipped there."""
        # The probability of the label is the distance of the score from the other one; 1 - (1 - s) would round.
        loss = (self.label ^ 1).astype(np.float64)
        np.abs(np.subtract(self.score, loss, out=loss), out=loss)
        if loss.min(initial=1.0) < SMALLEST_PROBABILITY:  # found sooner than done, and rare
            np.maximum(loss, SMALLEST_PROBABILITY, out=loss)
        return np.negative(logarithm(loss), out=loss)

    def losses(self) -> Iterator[IntArray]:
        """Log loss and its square, times the weight, in units of ``1 / LOSS_ONE`` and ``1 / LOSS_SQUARE_ONE``."""
        amount = self.loss
        yield self.fixed(amount, LOSS_ONE)
        yield self.fixed(np.square(amount, out=amount), LOSS_SQUARE_ONE)

    @property
    def weight_once(self) -> IntArray:
        """The weight in units of ``1 / ONE``."""
        return self.fixed(np.ones(len(self.key)), ONE)

    @property
    def weight_square(self) -> IntArray:
        """The squared weight in units of ``1 / ONE``, rounded up."""
        return squares_up(np.ones(len(self.key)) if self.weight is None else self.weight, ONE)

    def fixed(self, amount: Float64Array, one: float) -> IntArray:
        """``weight * amount`` in units of ``1 / one``, rounded to the nearest integer."""
        return fixed_point(amount if self.weight is None else self.weight * amount, one)


def chunks(scored: Scored, rows: slice) -> Iterator[tuple[slice, Chunk]]:
    """Some of the rows, a chunk at a time, and which they are."""
    for part in chunked(rows):
        score, label = scored.score[part], scored.label[part].astype(np.int32)
        place = score * SCORE_BINS
        key = place.astype(np.int32)
        if key.max(initial=0) == SCORE_BINS:  # found sooner than done, and rare
            np.minimum(key, SCORE_BINS - 1, out=key)
        key <<= 1
        key |= label
        weight = None if scored.weight is None else scored.weight[part] / scored.weight_scale
        yield part, Chunk(key, label, score, place, weight)


def _amounts(chunk: Chunk, weighted: bool) -> Iterator[tuple[str, IntArray]]:
    # As few arrays as can be are held at a time, so that all of them stay in the cache.
    yield "n", np.ones(len(chunk.key), dtype=np.int32)
    amount = chunk.offset
    yield "offset", chunk.fixed(amount, ONE)
    yield "offset_square", chunk.fixed(np.square(amount, out=amount), ONE)
    if weighted:
        yield "weight", chunk.weight_once
        yield "weight_square", chunk.weight_square
