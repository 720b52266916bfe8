"""Rows of a regression in folds that merge: what recalibrations are fitted to, and judged on.

The fold of a row is drawn by its digest. Rows that hold the same would so share a fold, and where there are few
distinct rows, as of counts and categories, the other folds would have none like them. So the distinct rows are held
beside the folds as long as they are few, each with how often it comes; all but one of each are drawn anew, when all
shards are merged. Rows that hold the same share a fold where there are more than ``MOST_DISTINCT`` distinct ones.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mlflow_eval_plugin.stats.arrays import IntArray
from mlflow_eval_plugin.stats.counts.exact_sums import with_times
from mlflow_eval_plugin.stats.regression.summary import Lanes, PredictionSummary

MOST_DISTINCT = 2**14


def fold_of(digests: NDArray[np.uint64], folds: int) -> IntArray:
    """The fold that a row is drawn into by its digest."""
    return (digests % np.uint64(folds)).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Distinct:
    """The distinct rows of some data.

    Attributes:
        key: their digests, ascending, ``(K,)`` uint64.
        rows: how often each comes, ``(K,)`` int64.
        bin: the bin of its prediction, ``(K,)``.
        lanes: what each adds to the lanes of a ``PredictionSummary`` when it comes once, ``(K, LIMBS)``.
    """

    key: NDArray[np.uint64]
    rows: IntArray
    bin: IntArray
    lanes: Lanes

    def __add__(self, other: Distinct) -> Distinct | None:
        """Those of both; None where they are more than ``MOST_DISTINCT``."""
        key, first, place = np.unique(np.append(self.key, other.key), return_index=True, return_inverse=True)
        if len(key) > MOST_DISTINCT:
            return None
        rows = np.zeros(len(key), dtype=np.int64)
        np.add.at(rows, place, np.append(self.rows, other.rows))
        lanes = {name: np.concatenate([lane, other.lanes[name]])[first] for name, lane in self.lanes.items()}
        return Distinct(key, rows, np.append(self.bin, other.bin)[first], lanes)


@dataclass(frozen=True, eq=False)
class FoldSummary:
    """Folds of disjoint rows.

    Attributes:
        by_digest: the rows of each fold as they are drawn by their digests.
        distinct: the distinct rows; None where they are more than ``MOST_DISTINCT``.
    """

    by_digest: tuple[PredictionSummary, ...]
    distinct: Distinct | None

    def __add__(self, other: FoldSummary) -> FoldSummary:
        """The folds of both sets of rows.

        Raises:
            MergeError: when scales or edges differ.
        """
        folds = tuple(first + second for first, second in zip(self.by_digest, other.by_digest, strict=True))
        known = None if self.distinct is None or other.distinct is None else self.distinct + other.distinct
        return FoldSummary(folds, known)

    @property
    def folds(self) -> tuple[PredictionSummary, ...]:
        """The rows of each fold, those that hold the same apart where ``distinct`` tells them."""
        if self.distinct is None:
            return self.by_digest
        again = self.distinct.rows - 1
        drawn = np.random.default_rng(0).multinomial(again, [1 / len(self.by_digest)] * len(self.by_digest))
        drawn[np.arange(len(again)), fold_of(self.distinct.key, len(self.by_digest))] -= again
        return tuple(_with(fold, self.distinct, more) for fold, more in zip(self.by_digest, drawn.T, strict=True))


def _with(fold: PredictionSummary, distinct: Distinct, more: IntArray) -> PredictionSummary:
    """A fold with so many more of each distinct row, or fewer where that is below 0."""
    some = np.flatnonzero(more)
    at, rows = distinct.bin[some], fold.rows.copy()
    np.add.at(rows, at, more[some])
    lanes = {name: with_times(lane, at, distinct.lanes[name][some], more[some]) for name, lane in fold.lanes.items()}
    return replace(fold, rows=rows, lanes=lanes)
