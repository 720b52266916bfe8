"""Custom metrics of two classes: functions of a ``SliceView``, by a bootstrap of cells.

counted_metric(name, function) -> Maker
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlflow_eval_plugin.stats.arrays import FloatArray
from mlflow_eval_plugin.stats.binary.metrics import SlicePart
from mlflow_eval_plugin.stats.binary.summary import FINE_BINS, SliceSummary
from mlflow_eval_plugin.stats.binary.table import SliceTable
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.inference.wald import Wald
from mlflow_eval_plugin.stats.slices.user_metrics import (
    REPLICATES,
    UNDEFINED,
    called,
    finite_error,
    labels_of,
    own_draws,
)

VIEW_BINS = 240
Maker = Callable[[SliceTable, bool], Wald]


@dataclass(frozen=True)
class SliceView:
    """What a metric is told of a slice, or of all rows, of all but a slice, or of a resample of one of these.

    Attributes:
        label: the slice as in the Evidence: ``overall``, ``SEX=2``, ``not SEX=2``; for messages, not for computing.
        n: rows.
        weight: sum of weights; the number of rows where unweighted.
        tp, fp, tn, fn: sums of weights by label and predicted label.
        negative, positive: sums of weights by score bin and label, ``(240,)``, read-only; where predictions are classes
            they lie in the first and the last bin.
        edges: of the score bins, ``(241,)``: multiples of 1/240; a score of 1 belongs to the last bin.
        threshold: scores at or above it are predicted positive.
    """

    label: str
    n: int
    weight: float
    tp: float
    fp: float
    tn: float
    fn: float
    negative: FloatArray
    positive: FloatArray
    edges: FloatArray
    threshold: float


ViewFunction = Callable[[SliceView], Any]


def counted_metric(name: str, function: ViewFunction, *, replicates: int = REPLICATES, seed: int = 0) -> Maker:
    """A metric of a ``SliceView``.

    The interval comes from a Poisson bootstrap of the cells of score bin, label and prediction, so its cost does not
    depend on the number of rows. A kind of row (label by prediction) that was not seen is drawn as if one had been.

    Raises:
        InputError: from the Maker, when the function fails or does not give a number; names metric and slice.
    """

    def make(table: SliceTable, complement: bool) -> Wald:
        part, labels = table.part(complement=complement), labels_of(table, complement)
        found = [
            _bootstrapped(name, function, cells, replicates, seed) for cells in _cells(part, table.summary, labels)
        ]
        value, error = np.array(found, dtype=np.float64).T
        return Wald(value, error, part.effective - 1, np.zeros(len(value)), part.n, UNDEFINED)

    return make


@dataclass(frozen=True, eq=False)
class _Cells:
    """Sums of weights by score bin and label; the bin of the threshold is two, so that rows know their prediction."""

    label: str
    n: int
    amount: FloatArray  # (VIEW_BINS + 1, 2)
    inflation: FloatArray  # sum w**2 over sum w, by label
    cut: int
    threshold: float

    def views(self, amounts: FloatArray, rows: NDArray[np.int64]) -> Iterator[SliceView]:
        """What the function is told of each of ``R`` tables, ``(R, VIEW_BINS + 1, 2)``, of so many rows."""
        below, above = amounts[:, : self.cut + 1].sum(axis=1), amounts[:, self.cut + 1 :].sum(axis=1)
        bins = np.delete(amounts, self.cut + 1, axis=1)
        bins[:, self.cut] += amounts[:, self.cut + 1]
        bins.setflags(write=False)
        weight = (below + above).sum(axis=1).tolist()
        columns = (rows.tolist(), weight, below.tolist(), above.tolist())
        for one, n, w, (tn, fn), (fp, tp) in zip(bins, *columns, strict=True):
            yield SliceView(self.label, n, w, tp, fp, tn, fn, one[:, 0], one[:, 1], _EDGES, self.threshold)


_EDGES = np.arange(VIEW_BINS + 1) / VIEW_BINS
_EDGES.setflags(write=False)


def _cells(part: SlicePart, summary: SliceSummary, labels: list[str]) -> list[_Cells]:
    if summary.threshold is None:
        raise InputError("metrics: the Summary was counted with given predictions; count it at a threshold")
    cut = min(int(summary.threshold * FINE_BINS), FINE_BINS - 1) // (FINE_BINS // VIEW_BINS)
    weight, square = part.cells.sum(axis=2), part.cells_square.sum(axis=2)
    with np.errstate(divide="ignore", invalid="ignore"):
        # A row of a label that the slice has not is one like its others.
        inflation = np.where(weight > 0, square / weight, part.inflation[:, None])
    found, histogram = [], part.histogram()
    for i, label in enumerate(labels):
        bins = histogram[i].astype(np.float64).reshape(VIEW_BINS, -1, 2).sum(axis=1)
        above = np.clip(part.cells[i, :, 1] - bins[cut + 1 :].sum(axis=0), 0.0, bins[cut])
        amount = np.insert(bins, cut + 1, above, axis=0)
        amount[cut] -= above
        found.append(_Cells(label, int(part.n[i]), amount, inflation[i], cut, summary.threshold))
    return found


def _bootstrapped(name: str, function: ViewFunction, cells: _Cells, replicates: int, seed: int) -> tuple[float, float]:
    (view,) = cells.views(cells.amount[None], np.array([cells.n]))
    value = called(name, function, cells.label, view)
    if math.isnan(value):
        return value, math.nan
    rng = own_draws(cells.label, seed)
    rows = cells.amount / cells.inflation
    for kind, at in ((rows[: cells.cut + 1], cells.cut), (rows[cells.cut + 1 :], 0)):
        kind[at] += kind.sum(axis=0) <= 0
    used = rows > 0
    drawn = np.zeros((replicates, *rows.shape))
    drawn[:, used] = rng.poisson(rows[used], size=(replicates, int(used.sum())))
    counts = np.rint(drawn.sum(axis=(1, 2)) * (cells.n / rows.sum())).astype(np.int64)
    found = [called(name, function, cells.label, one) for one in cells.views(drawn * cells.inflation, counts)]
    return value, finite_error(math.sqrt(np.mean((np.array(found) - value) ** 2)))
