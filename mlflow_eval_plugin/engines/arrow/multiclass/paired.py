"""Rows with what two models of three or more classes say of them into a ``PairedClassSummary``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mlflow_eval_plugin.engines.arrow.counting import Lanes, chunked
from mlflow_eval_plugin.engines.arrow.joint import Columns, cell_codes, size, tabulated
from mlflow_eval_plugin.engines.arrow.multiclass.inputs import ClassScored, in_canonical_order, on_classes, positions
from mlflow_eval_plugin.engines.arrow.multiclass.slices import counted_classes, row_losses, score_bin
from mlflow_eval_plugin.engines.arrow.queries import Sliced
from mlflow_eval_plugin.stats.arrays import Float64Array, IntArray
from mlflow_eval_plugin.stats.binary.summary import FINE_BINS, SCORE_BINS
from mlflow_eval_plugin.stats.counts.fixed_point import Places, add_at, fixed_point, squares_up
from mlflow_eval_plugin.stats.counts.slice import ONE
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.inference.costs import ClassCosts
from mlflow_eval_plugin.stats.multiclass.paired import CHANGES, PairedClassSummary

CELLS = 4096  # of a joint table, times classes
MOST_COST_CHANGES = 1024
_UNSLICED = Sliced()


def paired_class_summary(
    champion: ClassScored, challenger: ClassScored, sliced: Sliced = _UNSLICED, *, costs: ClassCosts | None = None
) -> PairedClassSummary:
    """Count the rows by slice, and by class against the rest.

    Args:
        champion, challenger: of the same rows, with the same labels and weights. Each may know classes that the other
            does not. Where one has no probabilities, those of the other are left out.
        costs: for the difference in cost.

    Raises:
        InputError: when costs differ in more than ``MOST_COST_CHANGES`` ways.
        TooManyLevels: for too many slices.
    """
    both = _alike(champion, challenger)
    of_champion, of_challenger = (counted_classes(one, sliced.columns, sliced.depth) for one in both)
    counter = _Counter(*both, *_cost_changes(costs, both[0].classes))
    most = max(1, CELLS // len(both[0].classes))
    _, lanes = tabulated(counter.counted, len(champion.label), sliced.columns, sliced.depth, cells=most)
    return PairedClassSummary(
        champion=of_champion,
        challenger=of_challenger,
        n=lanes["n"],
        weight=lanes["weight"],
        weight_square=lanes["weight_square"],
        differ=lanes["differ"],
        changes=lanes.get("changes"),
        moves=counter.moves(),
        costs=lanes.get("costs"),
        cost_changes=tuple(counter.changes.tolist()),
        least_bin=counter.least_bin(),
    )


def _alike(champion: ClassScored, challenger: ClassScored) -> tuple[ClassScored, ClassScored]:
    """Both with all classes that either knows, and with probabilities only where both have them."""
    classes = in_canonical_order(dict.fromkeys((*champion.classes, *challenger.classes)))
    blind = champion.probability is None or challenger.probability is None
    first, second = (_on_classes(one, classes, blind=blind) for one in (champion, challenger))
    return first, second


def _on_classes(rows: ClassScored, classes: tuple[str, ...], *, blind: bool) -> ClassScored:
    at = positions(rows.classes, classes)
    known = None if blind or rows.probability is None else on_classes(rows.probability, rows.classes, classes)
    return replace(rows, classes=classes, label=at[rows.label], prediction=at[rows.prediction], probability=known)


def _cost_changes(costs: ClassCosts | None, classes: tuple[str, ...]) -> tuple[Float64Array, NDArray[np.intp] | None]:
    """How much more a row can cost, and which of these it is by label, champion's and challenger's class."""
    if costs is None:
        return np.empty(0), None
    matrix = costs.matrix(classes)
    difference, unit = matrix[:, None, :] - matrix[:, :, None], float(matrix.max())
    # 0.3 - 0.2 and 0.2 - 0.1 are one change.
    _, one_of_each, which = np.unique(np.round(difference / unit, 12), return_index=True, return_inverse=True)
    changes = difference.reshape(-1)[one_of_each]
    if len(changes) > MOST_COST_CHANGES:
        raise InputError(
            f"costs: two models of {len(classes)} classes can differ by {len(changes):,} different amounts, more than "
            f"{MOST_COST_CHANGES:,}; give costs in fewer steps"
        )
    return changes, which.reshape((len(classes),) * 3)


@dataclass(frozen=True, eq=False)
class _Counter:
    """Counts the rows by the cells of some slice columns."""

    champion: ClassScored
    challenger: ClassScored
    changes: Float64Array
    kind: NDArray[np.intp] | None

    @property
    def classes(self) -> int:
        return len(self.champion.classes)

    def counted(self, columns: Columns, rows: slice) -> Lanes:
        cells, k = size(columns), self.classes
        lanes: Lanes = {name: np.zeros((cells, k, 8), dtype=np.int64) for name in ("n", "weight", "weight_square")}
        lanes["differ"] = np.zeros(cells, dtype=np.int64)
        if self.champion.probability is not None:
            lanes["changes"] = np.zeros((cells, len(CHANGES)), dtype=np.int64)
        if self.kind is not None:
            lanes["costs"] = np.zeros((cells, len(self.changes)), dtype=np.int64)
        total = {name: np.zeros(cells, dtype=np.int64) for name in ("n", "weight", "weight_square")}
        for part in chunked(rows):
            self._count(lanes, total, cell_codes(columns, part), part)
        for name, all_of_them in total.items():
            # All other rows of the cell are not of the class, and neither model says that they are.
            lanes[name][:, :, 0] = all_of_them[:, None] - lanes[name].sum(axis=2)
            lanes[name] = lanes[name].reshape(cells, k, 2, 2, 2)
        return lanes

    def moves(self) -> IntArray:
        """Rows by both classes, and by who is right: neither or both, the champion, the challenger."""
        counts = np.zeros((self.classes, self.classes, 3), dtype=np.int64)
        for part in chunked(slice(0, len(self.champion.label))):
            label, first, second = self._said(part)
            who = np.where(first == second, 0, (first == label) + 2 * (second == label))
            add_at(counts.reshape(-1), (first * self.classes + second) * 3 + who, np.ones(len(who), dtype=np.int64))
        return counts

    def least_bin(self) -> int:
        """The lowest fine bin of any probability."""
        given = [one.probability for one in (self.champion, self.challenger) if one.probability is not None]
        lowest = np.array([one.min() for one in given])
        return int((score_bin(lowest) // (SCORE_BINS // FINE_BINS)).min()) if given else 0

    def _said(self, part: slice) -> tuple[IntArray, IntArray, IntArray]:
        label = self.champion.label[part].astype(np.int64)
        first, second = (one.prediction[part].astype(np.int64) for one in (self.champion, self.challenger))
        return label, first, second

    def _count(self, lanes: Lanes, total: Lanes, cell: Places, part: slice) -> None:
        label, first, second = self._said(part)
        given, scale = self.champion.weight, self.champion.weight_scale
        weight = np.ones(len(cell)) if given is None else given[part] / scale
        amounts = {
            "n": np.ones(len(cell), dtype=np.int64),
            "weight": fixed_point(weight, ONE),
            "weight_square": squares_up(weight, ONE),
        }
        for place, rows in _places(label, first, second):
            at = (cell[rows] * self.classes * 8) + place
            for name, amount in amounts.items():
                add_at(lanes[name].reshape(-1), at, amount[rows])
        for name, amount in amounts.items():
            add_at(total[name], cell, amount)
        add_at(lanes["differ"], cell, np.where(first != second, amounts["weight"], 0))
        if self.kind is not None:
            kind = self.kind[label, first, second]
            add_at(lanes["costs"].reshape(-1), cell * len(self.changes) + kind, amounts["weight"])
        for position, amount in enumerate(self._changes(part, label, first, second, weight)):
            add_at(lanes["changes"].reshape(-1), cell * len(CHANGES) + position, amount)

    def _changes(
        self, part: slice, label: IntArray, first: IntArray, second: IntArray, weight: Float64Array
    ) -> Iterator[IntArray]:
        """What the squares of the changes of ``CHANGES`` add, in its order."""
        if self.champion.probability is None or self.challenger.probability is None:
            return
        values = []
        for probability, said in (
            (self.champion.probability[part], first),
            (self.challenger.probability[part], second),
        ):
            confidence = np.take_along_axis(probability, said[:, None], axis=1)[:, 0]
            values.append((*row_losses(probability, label), confidence - (said == label)))
        for before, after, one in zip(*values, CHANGES.values(), strict=True):
            yield fixed_point(weight * (after - before) ** 2, one)


def _places(label: IntArray, first: IntArray, second: IntArray) -> Iterator[tuple[IntArray, NDArray[np.intp] | slice]]:
    """Where rows count among ``(K, 8)``: the class of the label, and those that only the models say."""
    yield label * 8 + 4 + 2 * (first == label) + (second == label), slice(None)
    rows = np.flatnonzero(first != label)
    yield first[rows] * 8 + 2 + (second == first)[rows], rows
    rows = np.flatnonzero((second != label) & (second != first))
    yield second[rows] * 8 + 1, rows
