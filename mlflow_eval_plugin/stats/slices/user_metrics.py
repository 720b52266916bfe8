"""A user's own metrics of slices, with intervals: functions of what was counted, or of the rows themselves.

    counted_metric(name, function) -> Maker              a function of a ``SliceView``, by a bootstrap of cells
    counted_class_metric(name, function) -> ClassMaker   the same of a ``ClassView``, of three or more classes
    row_metric(name, function, rows) -> RowMaker         a function of arrays, by a jackknife of blocks of rows

A Maker gives a table of slices the Quantity of a metric that it does not know itself. Limits are Student's around the
value, with the standard error of the resamples. Where the resamples do not vary, or the metric is undefined in some of
them, there is no interval: no resample of twelve rows without a mistake shows one, and that is no certainty.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlflow_eval_plugin.stats.binary.metrics import Part
from mlflow_eval_plugin.stats.binary.summary import FINE_BINS, SliceSummary
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.inference.intervals import FloatArray
from mlflow_eval_plugin.stats.inference.wald import Wald
from mlflow_eval_plugin.stats.multiclass.metrics import MulticlassTable
from mlflow_eval_plugin.stats.slices.gaps import SliceTable, Table

VIEW_BINS = 240
REPLICATES = 200
BLOCKS = 50
UNDEFINED = "the metric is not a finite number here"
Maker = Callable[[SliceTable, bool], Wald]
ClassMaker = Callable[[MulticlassTable, bool], Wald]
RowMaker = Callable[[Table, bool], Wald]
RowFunction = Callable[[Any, Any, Any, Any], Any]


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


@dataclass(frozen=True)
class ClassView:
    """What a metric is told of a slice where there are three or more classes; ``label``, ``n``, ``weight`` as above.

    Attributes:
        classes: in canonical order, as text.
        confusion: sums of weights by label and predicted class, in that order, ``(K, K)``, read-only.
    """

    label: str
    n: int
    weight: float
    classes: tuple[str, ...]
    confusion: FloatArray


ViewFunction = Callable[[SliceView], Any]
ClassFunction = Callable[[ClassView], Any]


@dataclass(frozen=True, eq=False)
class SliceRows:
    """Rows in an order that depends on their values alone, and which of them are in each slice.

    Attributes:
        arrays: label, score, prediction and weight, each ``(N,)``, or scores of ``K`` classes ``(N, K)``. Labels and
            predictions are 0 or 1, or classes as text, or numbers where they are predicted; the score is None where
            there are only predictions.
        members: the places of the rows of each slice, ascending.
    """

    arrays: tuple[NDArray[Any], NDArray[Any] | None, NDArray[Any], NDArray[Any]]
    members: tuple[NDArray[np.intp], ...]

    def of(self, index: int, complement: bool) -> NDArray[np.intp]:
        """The places of the rows of one slice, or of all others."""
        if not complement:
            return self.members[index]
        others = np.ones(len(self.arrays[0]), dtype=bool)
        others[self.members[index]] = False
        return np.flatnonzero(others)

    def values(self, places: NDArray[np.intp]) -> tuple[Any, ...]:
        """The arrays at these places, as copies."""
        return tuple(None if one is None else one[places] for one in self.arrays)


def counted_metric(name: str, function: ViewFunction, *, replicates: int = REPLICATES, seed: int = 0) -> Maker:
    """A metric of a ``SliceView``.

    The interval comes from a Poisson bootstrap of the cells of score bin, label and prediction, so its cost does not
    depend on the number of rows. A kind of row (label by prediction) that was not seen is drawn as if one had been.

    Raises:
        InputError: from the Maker, when the function fails or does not give a number; names metric and slice.
    """

    def make(table: SliceTable, complement: bool) -> Wald:
        part, labels = table.part(complement=complement), _labels(table, complement)
        found = [
            _bootstrapped(name, function, cells, replicates, seed) for cells in _cells(part, table.summary, labels)
        ]
        value, error = np.array(found, dtype=np.float64).T
        return Wald(value, error, part.effective - 1, np.zeros(len(value)), part.n, UNDEFINED)

    return make


def counted_class_metric(
    name: str, function: ClassFunction, *, replicates: int = REPLICATES, seed: int = 0
) -> ClassMaker:
    """A metric of a ``ClassView``, by a Poisson bootstrap of the cells of label and prediction.

    Of a class that was never mistaken, or never right, one such row is drawn as if one had been seen.

    Raises:
        InputError: from the Maker, as ``counted_metric``.
    """

    def make(table: MulticlassTable, complement: bool) -> Wald:
        part = table.part(complement=complement)
        sums, confusion, found = part.sums, part.confusion, []
        for i, label in enumerate(_labels(table, complement)):
            n, effective = int(sums.n[i]), float(sums.effective[i])
            views = _Confusion(label, n, confusion[i], effective, table.summary.classes)
            found.append(views.bootstrapped(name, function, replicates, seed))
        value, error = np.array(found, dtype=np.float64).T
        return Wald(value, error, sums.effective - 1, np.zeros(len(value)), sums.n, UNDEFINED)

    return make


@dataclass(frozen=True, eq=False)
class _Confusion:
    """Sums of weights of one slice by label and predicted class."""

    label: str
    n: int
    amount: FloatArray  # (K, K)
    effective: float
    classes: tuple[str, ...]

    def view(self, amount: FloatArray, n: int) -> ClassView:
        amount.setflags(write=False)
        return ClassView(self.label, n, float(amount.sum()), self.classes, amount)

    def bootstrapped(self, name: str, function: ClassFunction, replicates: int, seed: int) -> tuple[float, float]:
        value = called(name, function, self.label, self.view(self.amount.copy(), self.n))
        if math.isnan(value) or self.effective <= 0:
            return value, math.inf
        inflation = float(self.amount.sum()) / self.effective
        rows = self.amount / inflation
        drawn = _own_draws(self.label, seed).poisson(rows + self._unseen(rows), size=(replicates, *rows.shape))
        counts = np.rint(drawn.sum(axis=(1, 2)) * (self.n / rows.sum())).astype(np.int64).tolist()
        found = [
            called(name, function, self.label, self.view(one * inflation, n))
            for one, n in zip(drawn, counts, strict=True)
        ]
        return value, _error(math.sqrt(np.mean((np.array(found) - value) ** 2)))

    def _unseen(self, rows: FloatArray) -> FloatArray:
        right, total = np.diagonal(rows), rows.sum(axis=1)
        mistaken = np.where((total > 0) & (total == right), 1 / (len(rows) - 1), 0.0)
        added = np.broadcast_to(mistaken[:, None], rows.shape).copy()
        np.fill_diagonal(added, (total > 0) & (right == 0))
        return added


def row_metric(name: str, function: RowFunction, rows: Callable[[Table], SliceRows], *, seed: int = 0) -> RowMaker:
    """A metric of the arrays ``(label, score, prediction, weight)`` of a slice's rows.

    The function is called once with the rows of a slice and once without each of 50 blocks of them, drawn with a fixed
    seed from rows in the order of their values, so that the order of the data does not matter (Efron & Tibshirani 1993,
    "An introduction to the bootstrap", section 11.5: the jackknife of blocks).

    Args:
        rows: gives the rows of the slices of a table.

    Raises:
        InputError: as ``counted_metric``.
    """

    def make(table: Table, complement: bool) -> Wald:
        given = rows(table)
        found = []
        for index, label in enumerate(_labels(table, complement)):
            found.append(_jackknifed(name, function, given, given.of(index, complement), label, seed))
        value, error, df, n = np.array(found, dtype=np.float64).T
        return Wald(value, error, df, np.zeros(len(value)), n.astype(np.int64), UNDEFINED)

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


def _cells(part: Part, summary: SliceSummary, labels: list[str]) -> list[_Cells]:
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
    rng = _own_draws(cells.label, seed)
    rows = cells.amount / cells.inflation
    for kind, at in ((rows[: cells.cut + 1], cells.cut), (rows[cells.cut + 1 :], 0)):
        kind[at] += kind.sum(axis=0) <= 0
    used = rows > 0
    drawn = np.zeros((replicates, *rows.shape))
    drawn[:, used] = rng.poisson(rows[used], size=(replicates, int(used.sum())))
    counts = np.rint(drawn.sum(axis=(1, 2)) * (cells.n / rows.sum())).astype(np.int64)
    found = [called(name, function, cells.label, one) for one in cells.views(drawn * cells.inflation, counts)]
    return value, _error(math.sqrt(np.mean((np.array(found) - value) ** 2)))


def _jackknifed(
    name: str, function: RowFunction, rows: SliceRows, places: NDArray[np.intp], label: str, seed: int
) -> tuple[float, float, float, float]:
    n = len(places)
    value = called(name, function, label, *rows.values(places)) if n else math.nan
    blocks = min(BLOCKS, n)
    if math.isnan(value) or blocks < 2:
        return value, math.inf, 0.0, n
    block = np.random.default_rng(seed).permutation(n) % blocks
    without = [called(name, function, label, *rows.values(places[block != one])) for one in range(blocks)]
    spread = np.array(without) - np.mean(without)
    return value, _error(math.sqrt((blocks - 1) / blocks * float((spread**2).sum()))), blocks - 1.0, n


def _own_draws(label: str, seed: int) -> np.random.Generator:
    # A slice draws the same whatever the other slices are.
    own = int.from_bytes(hashlib.sha256(label.encode()).digest()[:8], "big")
    return np.random.default_rng([seed, own])


def _error(error: float) -> float:
    return error if error > 0 and math.isfinite(error) else math.inf


def called(name: str, function: Callable[..., Any], label: str, *given: Any) -> float:
    """What a user's function says; NaN where that is not finite or it divides by zero.

    Raises:
        InputError: when it fails otherwise, or what it gives is no number.
    """
    try:
        with np.errstate(all="ignore"):
            found = function(*given)
    except ZeroDivisionError:
        return math.nan
    except Exception as error:
        raise InputError(f"metrics: {name!r} failed on slice {label!r}: {type(error).__name__}: {error}") from error
    if isinstance(found, (np.ndarray, np.generic)) and np.ndim(found) == 0:
        found = found.item()
    if isinstance(found, bool) or not isinstance(found, (int, float)):
        kind = type(found).__name__
        raise InputError(f"metrics: {name!r} of slice {label!r}: expected the function to give a number, found {kind}")
    return float(found) if math.isfinite(found) else math.nan


def _labels(table: Table, complement: bool) -> list[str]:
    labels = [one.label for one in table.slices]
    return [f"not {label}" for label in labels] if complement else labels
