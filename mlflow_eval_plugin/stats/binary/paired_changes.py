"""What pairs of decisions say of two models: differences of shares, ratios and costs, challenger less champion.

All of it from sums over eight cells: label, the champion's and the challenger's decision, each 0 or 1.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mlflow_eval_plugin.stats.arrays import FloatArray
from mlflow_eval_plugin.stats.binary.metrics import Confusion
from mlflow_eval_plugin.stats.inference.costs import Costs
from mlflow_eval_plugin.stats.inference.estimate import Quantity
from mlflow_eval_plugin.stats.inference.means import NO_ROWS, kish
from mlflow_eval_plugin.stats.inference.quantities import ProportionQuantity, mean_cost
from mlflow_eval_plugin.stats.paired.quantities import PairedCost, PairedShare

Spread = tuple[FloatArray, FloatArray, FloatArray]

# Labels of the rows that count, and the label and prediction that make a row count as a success.
_EVERYONE, _NEGATIVES, _POSITIVES = (0, 1), (0,), (1,)
SHARES = {
    "selection_rate": (_EVERYONE, {0: 1, 1: 1}, NO_ROWS),
    "accuracy": (_EVERYONE, {0: 0, 1: 1}, NO_ROWS),
    "recall": (_POSITIVES, {1: 1}, "no row has the positive label"),
    "fpr": (_NEGATIVES, {0: 1}, "no row has the negative label"),
}
# Label, champion's and challenger's prediction of each of the eight cells.
_CELLS = np.array([[label, first, second] for label in (0, 1) for first in (0, 1) for second in (0, 1)])


class PairedCells(Confusion, Protocol):
    """Cells by label, champion's and challenger's prediction; ``(S, 2, 2, 2)`` each."""


def share_change(pairs: PairedCells, metric: str) -> PairedShare:
    """The difference in selection rate, accuracy, recall or FPR."""
    labels, success, reason = SHARES[metric]
    cells, squares = pairs.cells[:, labels], pairs.cells_square[:, labels]
    weight = cells.sum(axis=(1, 2, 3))
    gained, lost = np.zeros_like(weight), np.zeros_like(weight)
    for label, right in success.items():
        gained += pairs.cells[:, label, 1 - right, right]
        lost += pairs.cells[:, label, right, 1 - right]
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = [np.where(weight > 0, one / weight, np.nan) for one in (gained, lost)]
    return PairedShare(shares[0], shares[1], kish(weight, squares.sum(axis=(1, 2, 3))), _rows(pairs), reason)


def spread_of_ratios(pairs: PairedCells, metric: str, times: FloatArray | float = 1.0) -> Spread:
    """Of a difference in precision, F1, recall or FPR, by the influence that a row of each cell has on both.

    Args:
        times: what the squared influences of each of the eight cells count.

    Returns:
        The variance, how much one more row can change the difference at most, and Kish's rows behind it.
    """
    cells, squares = (one.reshape(-1, 8) for one in (pairs.cells, pairs.cells_square))
    influence, counted, most = [], [], []
    for model in (0, 1):
        success, counts = _ratio(metric, _CELLS[:, 0], _CELLS[:, 1 + model])
        weight = (cells @ counts)[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = (cells @ success)[:, None] / weight
            # F1 is 2 p / (1 + p) of p = tp / (tp + fp + fn).
            steep = 2 / (1 + ratio) ** 2 if metric == "f1" else 1.0
            influence.append(np.where(weight > 0, steep * (success - ratio * counts) / weight, 0.0))
        counted.append(kish(weight[:, 0], squares @ counts))
        most.append(np.broadcast_to(steep, weight.shape)[:, 0])
    effective = np.minimum(*counted)
    with np.errstate(divide="ignore", invalid="ignore"):
        furthest = np.maximum(*most) / effective
    return (squares * times * (influence[1] - influence[0]) ** 2).sum(axis=1), furthest, effective


def cost_change(pairs: PairedCells, costs: Costs) -> Quantity:
    """The difference in the mean cost of a row."""
    label, champion, challenger = _CELLS.T
    change = costs.matrix[label, challenger] - costs.matrix[label, champion]
    cells, squares = (one.reshape(-1, 8) for one in (pairs.cells, pairs.cells_square))
    return cost_of_kinds(cells, change, kish(cells.sum(axis=1), squares.sum(axis=1)), _rows(pairs))


def cost_of_kinds(weight: FloatArray, change: FloatArray, effective: FloatArray, n: NDArray[np.int64]) -> Quantity:
    """The difference in the mean cost of a row, from the weights of every kind of pair and what each costs more.

    Args:
        weight: ``(S, V)``, all kinds: those that cost the same, too.
        change: ``(V,)``.
    """
    differ = change != 0
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = weight[:, differ] / weight.sum(axis=1)[:, None]
    return PairedCost(shares, change[differ], effective, mean_cost(weight, change, effective, n))


def disagreement_of(pairs: PairedCells) -> ProportionQuantity:
    """The share of the weight on which the two decide differently."""
    cells, squares = pairs.cells, pairs.cells_square
    weight = cells.sum(axis=(1, 2, 3))
    differ = cells[:, :, 0, 1].sum(axis=1) + cells[:, :, 1, 0].sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(weight > 0, differ / weight, np.nan)
    return ProportionQuantity(share, kish(weight, squares.sum(axis=(1, 2, 3))), _rows(pairs), weight, NO_ROWS)


def _ratio(
    metric: str, label: NDArray[np.int64], predicted: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which cells are successes, and which of them count."""
    hit, missed = label & predicted, 1 - label
    return {
        "precision": (hit, predicted),
        "f1": (hit, label | predicted),
        "recall": (hit, label),
        "fpr": (missed & predicted, missed),
    }[metric]


def _rows(pairs: PairedCells) -> NDArray[np.int64]:
    return np.asarray(pairs.n.sum(axis=(1, 2, 3)), dtype=np.int64)
