"""The share of a value that the reference hardly has: a sentinel such as -999, a new category, a stuck sensor.

Cells are the levels of a categorical column and the bins of a numeric one. Those that at most ``HARDLY`` of the
reference are in are looked at, and of these the one whose share rose most. Such a share is far too small to move a
distance between whole distributions, and too odd to be a shift.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlflow_eval_plugin.stats.arrays import FloatArray, IntArray
from mlflow_eval_plugin.stats.inference.estimate import Entries
from mlflow_eval_plugin.stats.inference.intervals import Alpha, Limits, least_proportion, most_proportion, mover_lower

HARDLY = 0.001
NEW_SHARE = 0.001  # a rise that is worth a word
MOST_CELLS = 50  # those with the largest rise; the limits of others are not computed

NO_VALUES = "one of the data sets has no value of this column"


@dataclass(frozen=True, eq=False)
class NewShare(Entries):
    """The largest rise of a cell's share among the cells that the reference hardly has, at least 0.

    The lower limit is the largest of those of all cells, each at a level divided by their number. The upper one needs
    no division: it holds for the cell that rose most, whichever it is.

    Attributes:
        rise: the value; NaN where a side is empty.
        before, after: shares of the cells, ``(1, C)``, those with the largest rise first.
        n_before, n_after: rows with a value.
        cells: among how many the cell was found.
        cell: which cell it is, among all; None where no share rose.
    """

    rise: FloatArray
    before: FloatArray
    after: FloatArray
    n_before: int
    n_after: int
    cells: int
    cell: int | None
    reason: str = NO_VALUES

    @property
    def value(self) -> FloatArray:
        """The largest rise."""
        return self.rise

    @property
    def n(self) -> IntArray:
        """Rows with a value in the current data."""
        return np.array([self.n_after], dtype=np.int64)

    @property
    def bound(self) -> FloatArray:
        """Zero: the cells are part of the definition."""
        return np.zeros(1)

    def limits(self, alpha: Alpha, *, exact: bool) -> Limits:
        """One-sided limits; the same whether exact or not."""
        del exact
        error = np.asarray(alpha, dtype=np.float64)
        lower, upper = self._lower(error / self.cells).max(keepdims=True), self._upper(error).max(keepdims=True)
        return np.maximum(np.minimum(lower, self.rise), 0.0), np.maximum(upper, self.rise)

    def take(self, index: NDArray[np.intp]) -> NewShare:
        """The only entry."""
        del index
        return self

    # Either limit of a difference needs one limit of each share, by MOVER; the others would be half of the work.
    def _lower(self, alpha: FloatArray) -> FloatArray:
        least = least_proportion(self.after, np.array(float(self.n_after)), alpha)
        most = most_proportion(self.before, np.array(float(self.n_before)), alpha)
        return mover_lower(self.after, least, self.before, most)

    def _upper(self, alpha: FloatArray) -> FloatArray:
        most = most_proportion(self.after, np.array(float(self.n_after)), alpha)
        least = least_proportion(self.before, np.array(float(self.n_before)), alpha)
        return -mover_lower(self.before, least, self.after, most)


def new_share(before: IntArray, after: IntArray) -> NewShare:
    """Of two rows of counts over the same cells; a cell that neither has is one more."""
    n, m = int(before.sum()), int(after.sum())
    if n == 0 or m == 0:
        nan = np.array([np.nan])
        return NewShare(nan, nan, nan, n, m, 1, None)
    rare = np.flatnonzero(before <= HARDLY * n)
    rise = after[rare] / m - before[rare] / n
    order = _largest_first(rise, MOST_CELLS)
    largest = float(rise[order[0]]) if len(order) else 0.0
    # What nobody has yet may be in the population all the same.
    shares = [np.append(side[rare][order] / total, 0.0) for side, total in ((before, n), (after, m))]
    return NewShare(
        rise=np.array([max(largest, 0.0)]),
        before=shares[0],
        after=shares[1],
        n_before=n,
        n_after=m,
        cells=len(rare) + 1,
        cell=int(rare[order[0]]) if largest > 0 else None,
    )


def _largest_first(values: FloatArray, most: int) -> NDArray[np.intp]:
    """Places of the largest values, of equal ones the first first; thousands are not sorted for the sake of a few."""
    if len(values) <= most:
        return np.argsort(-values, kind="stable")
    places = np.flatnonzero(values >= np.partition(values, -most)[-most])
    return np.asarray(places[np.argsort(-values[places], kind="stable")[:most]])
