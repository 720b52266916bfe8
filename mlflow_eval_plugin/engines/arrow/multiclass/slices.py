"""Rows of three or more classes into a Summary by slice: of all classes, and of the confidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mlflow_eval_plugin.engines.arrow.binary.ranking import ranks_of
from mlflow_eval_plugin.engines.arrow.binary.slices import counted_slices
from mlflow_eval_plugin.engines.arrow.columns.inputs import Scored
from mlflow_eval_plugin.engines.arrow.counting import Lanes, chunked
from mlflow_eval_plugin.engines.arrow.joint import JOINT_CELLS, Columns, cell_codes, size, tabulated
from mlflow_eval_plugin.engines.arrow.logarithm import logarithm
from mlflow_eval_plugin.engines.arrow.multiclass.inputs import ClassScored
from mlflow_eval_plugin.engines.arrow.multiclass.scores import confidence_of, probabilities_of
from mlflow_eval_plugin.engines.arrow.queries import Sliced, sliced_columns
from mlflow_eval_plugin.engines.slicing import UNSLICED, Slicing
from mlflow_eval_plugin.stats.arrays import Float64Array, IntArray
from mlflow_eval_plugin.stats.binary.summary import (
    COARSE_BINS,
    SCORE_BINS,
    SMALLEST_PROBABILITY,
    SliceSummary,
)
from mlflow_eval_plugin.stats.counts.fixed_point import Places, add_at, fixed_point, squares_up
from mlflow_eval_plugin.stats.counts.slice import ONE, rows_countable
from mlflow_eval_plugin.stats.multiclass.summary import MOMENTS, MOST_RANKED, MulticlassSummary


def multiclass_summary(
    frame: pd.DataFrame,
    rows: ClassScored,
    *,
    slicing: Slicing = UNSLICED,
    ranked: bool = True,
) -> MulticlassSummary:
    """Count rows by slice, label and predicted class.

    Args:
        slicing: what the rows are sliced by.
        ranked: whether to count probabilities class by class, for AUC; they are not beyond ``MOST_RANKED`` possible
            slices times classes.

    Raises:
        InputError: when columns or edges cannot be evaluated.
        TooManyLevels: for a column with more than ``max_levels`` levels, or more than ``MAX_SLICES`` slices.
    """
    columns = sliced_columns(frame, slicing)
    return counted_classes(rows, columns, slicing.depth, ranked=ranked)


def counted_classes(rows: ClassScored, columns: Columns, depth: int, *, ranked: bool = True) -> MulticlassSummary:
    """``multiclass_summary`` of slice columns that are coded.

    Raises:
        TooManyLevels: for more than ``MAX_SLICES`` slices.
    """
    rows_countable(len(rows.label))
    # A cell holds the scores of every class, so that fewer cells fill the same memory.
    cells = JOINT_CELLS // len(rows.classes)
    found, counted = tabulated(_Counter(rows).counted, len(rows.label), columns, depth, cells=cells)
    lanes: dict[str, Any] = {**dict.fromkeys(_OPTIONAL), **counted}
    if ranked and rows.probability is not None and _fits(columns, depth, len(rows.classes)):
        slice_rows = counted["cells"].sum(axis=(1, 2))
        # One class after the other: each is counted by both threads.
        lanes["ranks"] = tuple(
            ranks_of(_against_rest(rows, one), columns, depth, found, slice_rows, tables=len(rows.classes))
            for one in range(len(rows.classes))
        )
    return MulticlassSummary(
        slices=found,
        classes=rows.classes,
        **lanes,
        weight_scale=rows.weight_scale,
        weighted=rows.weight is not None,
    )


def confidence_slices(rows: ClassScored, sliced: Sliced) -> SliceSummary:
    """``confidence_summary`` slice by slice.

    Raises:
        TooManyLevels: for more than ``MAX_SLICES`` slices.
    """
    right = (rows.label == rows.prediction).astype(np.uint8)
    scored = Scored(right, confidence_of(rows), rows.weight, rows.weight_scale, "1", rows.part_of)
    return counted_slices(scored, np.ones_like(right), sliced.columns, sliced.depth, None)


def _against_rest(rows: ClassScored, position: int) -> Scored:
    label = (rows.label == position).astype(np.uint8)
    own = np.ascontiguousarray(probabilities_of(rows)[:, position])
    return Scored(label, own, rows.weight, rows.weight_scale, "1", rows.part_of)


def _fits(columns: Columns, depth: int, classes: int) -> bool:
    # Elementary symmetric sums: how many slices of 0 ... depth columns there can be.
    sums = [1] + [0] * depth
    for column in columns:
        for order in range(depth, 0, -1):
            sums[order] += sums[order - 1] * len(column.levels)
    return sum(sums) * classes <= MOST_RANKED


_OPTIONAL = (
    "moments",
    "confidence_weight",
    "confidence_score",
    "confidence_spread",
    "ranks",
)


@dataclass(frozen=True, eq=False)
class _Counter:
    """Counts the rows by the cells of some slice columns."""

    rows: ClassScored

    def counted(self, columns: Columns, rows: slice) -> Lanes:
        lanes = self._empty(size(columns))
        for part in chunked(rows):
            self._count(lanes, cell_codes(columns, part), part)
        return lanes

    def _empty(self, cells: int) -> Lanes:
        k = len(self.rows.classes)
        names = ("cells", "cell_weight", "cell_weight_square")
        lanes: Lanes = {name: np.zeros((cells, k, k), dtype=np.int64) for name in names}
        if self.rows.probability is not None:
            lanes["moments"] = np.zeros((cells, len(MOMENTS)), dtype=np.int64)
            lanes["confidence_weight"] = np.zeros((cells, COARSE_BINS, 2), dtype=np.int64)
            lanes["confidence_score"] = np.zeros((cells, COARSE_BINS, 2), dtype=np.int64)
            lanes["confidence_spread"] = np.zeros((cells, COARSE_BINS), dtype=np.int64)
        return lanes

    def _count(self, lanes: Lanes, cell: Places, part: slice) -> None:
        rows, k = self.rows, len(self.rows.classes)
        label, prediction = rows.label[part].astype(np.int64), rows.prediction[part].astype(np.int64)
        weight = np.ones(len(cell)) if rows.weight is None else rows.weight[part] / rows.weight_scale
        one = fixed_point(weight, ONE)
        confusion = (cell * k + label) * k + prediction
        add_at(lanes["cells"].reshape(-1), confusion, np.ones(len(cell), dtype=np.int64))
        add_at(lanes["cell_weight"].reshape(-1), confusion, one)
        add_at(lanes["cell_weight_square"].reshape(-1), confusion, squares_up(weight, ONE))
        if rows.probability is None:
            return
        probability = rows.probability[part]
        confidence = np.take_along_axis(probability, prediction[:, None], axis=1)[:, 0]
        right = (label == prediction).astype(np.int64)
        for position, amount in enumerate(_moments(probability, label, confidence, right, weight)):
            add_at(lanes["moments"].reshape(-1), cell * len(MOMENTS) + position, amount)
        coarse = cell * COARSE_BINS + score_bin(confidence) // (SCORE_BINS // COARSE_BINS)
        add_at(lanes["confidence_weight"].reshape(-1), 2 * coarse + right, one)
        add_at(lanes["confidence_score"].reshape(-1), 2 * coarse + right, fixed_point(weight * confidence, ONE))
        spread = fixed_point(weight * (confidence * (1 - confidence)), ONE)
        add_at(lanes["confidence_spread"].reshape(-1), coarse, spread)


def row_losses(probability: Float64Array, label: IntArray) -> tuple[Float64Array, Float64Array]:
    """The log loss and half the Brier score of each row."""
    own = np.take_along_axis(probability, label[:, None], axis=1)[:, 0]
    square = np.zeros(len(label))
    # Class by class: a row's sum is then taken in one order, however numpy would vectorise it.
    for p in probability.T:
        square += p**2
    return -logarithm(np.maximum(own, SMALLEST_PROBABILITY)), (square + 1 - 2 * own) / 2


def _moments(
    probability: Float64Array,
    label: IntArray,
    confidence: Float64Array,
    right: IntArray,
    weight: Float64Array,
) -> list[IntArray]:
    """The sums of ``MOMENTS`` row by row, in its order."""
    square, cube, entropy, entropy_square = (np.zeros(len(label)) for _ in range(4))
    for p in probability.T:
        surprise = -logarithm(np.maximum(p, SMALLEST_PROBABILITY))  # times 0 it is 0
        squared = p * p
        square += squared
        cube += squared * p
        entropy += p * surprise
        entropy_square += p * surprise**2
    loss, half = row_losses(probability, label)
    # Given its probabilities, half a Brier score has the mean (1 - sum p**2) / 2 and the variance of p of the label.
    expected = (1 - square) / 2
    values = (loss, loss**2, entropy, entropy_square, half, half**2, expected, cube - square**2 + expected**2,
              (confidence - right) ** 2)  # fmt: skip
    return [fixed_point(weight * value, unit) for value, unit in zip(values, MOMENTS.values(), strict=True)]


def score_bin(score: Float64Array) -> IntArray:
    """Which of the ``SCORE_BINS`` bins each probability lies in."""
    return np.minimum((score * SCORE_BINS).astype(np.int64), SCORE_BINS - 1)
