"""The cells in which windows are compared for a date of change.

They are the ten bins of a number or the commonest levels of a category, missing and infinite values, and a cell of its
own for each value that the reference hardly has and the windows together have more of. Cells are chosen from sums over
all windows, which say nothing of their order.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add

import numpy as np

from mlflow_eval_plugin.stats.arrays import IntArray
from mlflow_eval_plugin.stats.drift.new_values import HARDLY
from mlflow_eval_plugin.stats.drift.summary import CategoricalColumn, Column, NumericColumn
from mlflow_eval_plugin.stats.errors import InputError

MOST_LEVELS = 20
MOST_NEW = 3  # values with a cell of their own
LEAST_IN_CELL = 10  # rows of a new value, over all windows


def change_cells(reference: Column, windows: Sequence[Column]) -> IntArray:
    """Rows of every window by cell, ``(W, K)``; of labels without the missing ones, which are late.

    Raises:
        InputError: when one column is numeric and another categorical.
    """
    cells = _of_numbers(reference, windows) if isinstance(reference, NumericColumn) else _of_levels(windows)
    lost = [] if reference.role == "label" else [[one.missing for one in windows]]
    lost.append([one.infinite for one in windows])
    found = np.concatenate([cells, np.array(lost, dtype=np.int64).T], axis=1)
    return np.asarray(found[:, found.any(axis=0)])


def _of_numbers(reference: NumericColumn, windows: Sequence[Column]) -> IntArray:
    numbers = [one for one in windows if isinstance(one, NumericColumn)]
    if len(numbers) < len(windows):
        raise _other_kind(reference.name)
    counts = np.stack([one.counts for one in numbers])
    bins = np.arange(counts.shape[1])
    cell_of_bin = np.searchsorted(reference.coarse, bins)
    for place, new in enumerate(_new_bins(reference.counts, counts.sum(axis=0))):
        cell_of_bin[new] = len(reference.coarse) + 1 + place
    cells = np.zeros((int(cell_of_bin.max()) + 1, len(windows)), dtype=np.int64)
    np.add.at(cells, cell_of_bin, counts.T)
    return cells.T


def _new_bins(before: IntArray, after: IntArray) -> list[int]:
    n, m = int(before.sum()), int(after.sum())
    if n == 0 or m == 0:
        return []
    rare = np.flatnonzero((before <= HARDLY * n) & (after >= LEAST_IN_CELL))
    rise = after[rare] / m - before[rare] / n
    order = np.argsort(-rise, kind="stable")[:MOST_NEW]
    return [int(rare[one]) for one in order if rise[one] > HARDLY]


def _of_levels(windows: Sequence[Column]) -> IntArray:
    categories = [one for one in windows if isinstance(one, CategoricalColumn)]
    if len(categories) < len(windows):
        raise _other_kind(windows[0].name)
    total: CategoricalColumn = reduce(add, categories)
    order = np.argsort(-total.counts, kind="stable")[:MOST_LEVELS]
    common = tuple(total.levels[place] for place in order)
    cells = np.stack([one.on(common) for one in categories])
    others = np.array([one.present for one in categories]) - cells.sum(axis=1)
    return np.concatenate([cells, others[:, None]], axis=1)


def _other_kind(name: str) -> InputError:
    return InputError(f"column {name!r} is numeric in one data set and categorical in the other")
