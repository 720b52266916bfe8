"""Rows into a ``ScoreSummary``: one pass in chunks, integers throughout."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlflow_eval_plugin.engines.inputs import ColumnArgument, Scored, scored_rows
from mlflow_eval_plugin.stats.summaries import (
    LOSS_ONE,
    LOSS_SQUARE_ONE,
    ONE,
    SCORE_BINS,
    SMALLEST_PROBABILITY,
    ScoreSummary,
)

CHUNK_ROWS = 2**16  # the temporaries of a chunk stay in the cache

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


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
    names = ("n", "offset", "offset_square", "loss", "loss_square", *(("weight", "weight_square") if weighted else ()))
    lanes = {name: np.zeros(SCORE_BINS * 2, dtype=np.int64) for name in names}
    for chunk in chunks(scored):
        for lane, amount in zip(lanes.values(), _amounts(chunk, weighted), strict=True):
            np.add.at(lane, chunk.key, amount)
    if not weighted:
        # Unweighted rows weigh one each, which need not be counted again.
        lanes["weight"] = lanes["weight_square"] = lanes["n"] * int(ONE)
    shaped = {name: lane.reshape(SCORE_BINS, 2) for name, lane in lanes.items()}
    return ScoreSummary(**shaped, weight_scale=scored.weight_scale, weighted=weighted)


@dataclass(frozen=True, eq=False)
class Chunk:
    """Some rows in the form in which every Summary counts them.

    Attributes:
        rows: which rows of the data these are.
        key: ``2 * score bin + label``.
        label: 0 or 1, int64.
        score: in [0, 1].
        weight: relative to ``weight_scale``, in [0, 1]; None when unweighted.
    """

    rows: slice
    key: IntArray
    label: IntArray
    score: FloatArray
    weight: FloatArray | None

    @property
    def offset(self) -> FloatArray:
        """The place of the score inside its score bin, in [0, 1]."""
        return self.score * SCORE_BINS - (self.key >> 1)

    @cached_property
    def error(self) -> FloatArray:
        """The distance of the score from the label."""
        return np.abs(self.score - self.label)

    @property
    def loss(self) -> FloatArray:
        """Log loss in nats; probabilities below ``SMALLEST_PROBABILITY`` are clipped there."""
        loss = 1.0 - self.error
        np.log(np.maximum(loss, SMALLEST_PROBABILITY, out=loss), out=loss)
        return np.negative(loss, out=loss)

    @property
    def weight_square(self) -> IntArray:
        """The squared weight in units of ``1 / ONE``, rounded up.

        Rounded to the nearest, squares of small weights would vanish, and the effective number of rows with them would
        exceed the number of rows; like this it can only be too small.
        """
        weight = np.ones(len(self.key)) if self.weight is None else self.weight
        return np.ceil(weight * weight * ONE).astype(np.int64)

    def fixed(self, amount: FloatArray, one: float) -> IntArray:
        """``weight * amount`` in units of ``1 / one``, rounded to the nearest integer."""
        scaled = amount * one if self.weight is None else self.weight * amount * one
        return np.rint(scaled, out=scaled).astype(np.int64)


def chunks(scored: Scored) -> Iterator[Chunk]:
    """The rows, ``CHUNK_ROWS`` at a time."""
    for start in range(0, len(scored.score), CHUNK_ROWS):
        part = slice(start, min(start + CHUNK_ROWS, len(scored.score)))
        score, label = scored.score[part], scored.label[part].astype(np.int64)
        fine = np.minimum((score * SCORE_BINS).astype(np.int64), SCORE_BINS - 1)
        weight = None if scored.weight is None else scored.weight[part] / scored.weight_scale
        yield Chunk(part, 2 * fine + label, label, score, weight)


def _amounts(chunk: Chunk, weighted: bool) -> Iterator[IntArray]:
    offset, loss = chunk.offset, chunk.loss
    yield np.ones(len(chunk.key), dtype=np.int64)
    yield chunk.fixed(offset, ONE)
    yield chunk.fixed(offset**2, ONE)
    yield chunk.fixed(loss, LOSS_ONE)
    yield chunk.fixed(loss**2, LOSS_SQUARE_ONE)
    if weighted:
        yield chunk.fixed(np.ones(1), ONE)
        yield chunk.weight_square
