"""Sums over the rows of slices of what is a function of the score, from the table of ranks.

Only variances use these: scores that share a cell count as the least of them, within 0.4 %. Every function is computed
once for each cell, however many slices there are, and the sums of all rows but those of a slice are differences.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from mlflow_eval_plugin.stats.arrays import FloatArray
from mlflow_eval_plugin.stats.counts.ranks import Ranks, known
from mlflow_eval_plugin.stats.counts.slice import over_labels
from mlflow_eval_plugin.stats.inference.means import calibrated_loss

ECE_BINS = 15
_LOSS, _LOSS_SQUARE, _SPREAD, _SPREAD_SQUARE, _CURVED = range(5)


@dataclass(frozen=True, eq=False)
class ScoreSums:
    """Of some slices; all sums have the shape ``(S,)`` unless said otherwise.

    Attributes:
        of: the table of ranks; None where the rows were counted without, which have none of these sums.
        index: the slices, entries of it.
        unit: what one of its amounts is as a weight.
        rest_of: sums of slices, all rows first, where these are of all rows but those of each slice.
    """

    of: Ranks | None
    index: NDArray[np.intp]
    unit: float
    rest_of: ScoreSums | None = None

    @property
    def ranks(self) -> Ranks:
        """The table of ranks.

        Raises:
            InputError: where the rows were counted without.
        """
        return known(self.of)

    @property
    def loss(self) -> FloatArray:
        """Sums of w times the expected log loss of a row whose score is calibrated."""
        return self._lanes[:, _LOSS]

    @property
    def loss_square(self) -> FloatArray:
        """Sums of w times the expected square of the same."""
        return self._lanes[:, _LOSS_SQUARE]

    @property
    def spread(self) -> FloatArray:
        """Sums of w * s * (1 - s)."""
        return self._lanes[:, _SPREAD]

    @property
    def spread_square(self) -> FloatArray:
        """Sums of w * (s * (1 - s))**2."""
        return self._lanes[:, _SPREAD_SQUARE]

    @property
    def curved(self) -> FloatArray:
        """Sums of w * (1 - 2 s)**2 * s * (1 - s), the variance of Spiegelhalter's statistic."""
        return self._lanes[:, _CURVED]

    @cached_property
    def fourth_power(self) -> FloatArray:
        """Sums of w times the fourth power of the distance of score and label."""
        if self.rest_of is not None:
            return _rest(self.rest_of.fourth_power)
        score = self.ranks.scores
        powers = score**4, (1 - score) ** 4
        return self._of([
            sum(float((lane * power[cells]).sum()) for lane, power in zip(amount.T, powers, strict=True))
            for cells, amount in self._entries()
        ])  # fmt: skip

    @cached_property
    def spread_by_ece_bin(self) -> FloatArray:
        """Sums of w * s * (1 - s) by bin of the ECE, ``(S, ECE_BINS)``."""
        if self.rest_of is not None:
            return _rest(self.rest_of.spread_by_ece_bin)
        score = self.ranks.scores
        # Within a cell of the edge, a row counts where the least score of its cell is.
        member = np.minimum((score * ECE_BINS).astype(np.int64), ECE_BINS - 1)
        spread = score * (1 - score)
        return self._of([
            np.bincount(member[cells], over_labels(amount) * spread[cells], ECE_BINS)
            for cells, amount in self._entries()
        ])  # fmt: skip

    @cached_property
    def _lanes(self) -> FloatArray:
        if self.rest_of is not None:
            return _rest(self.rest_of._lanes)
        score = self.ranks.scores
        spread = score * (1 - score)
        factors = np.stack([*calibrated_loss(score), spread, spread**2, (1 - 2 * score) ** 2 * spread], axis=1)
        return self._of([_product(cells, over_labels(amount), factors) for cells, amount in self._entries()])

    def _entries(self) -> Iterator[tuple[NDArray[np.int32], NDArray[Any]]]:
        for entry in self.index.tolist():
            yield self.ranks.cells(entry), self.ranks.amounts(entry)

    def _of(self, sums: list[Any]) -> FloatArray:
        return np.asarray(np.array(sums, dtype=np.float64) * self.unit)


def _rest(sums: FloatArray) -> FloatArray:
    # None of what is summed is negative, so that no rest is.
    return np.asarray(np.maximum(sums[0] - sums, 0.0))


def _product(cells: NDArray[np.int32], amount: NDArray[Any], factors: FloatArray) -> NDArray[Any]:
    # One row of a sparse matrix: its product gathers, multiplies and adds in one pass, always in the same order.
    row = csr_matrix((amount.astype(np.float64), cells, [0, len(cells)]), shape=(1, len(factors)))
    return np.asarray((row @ factors)[0])
