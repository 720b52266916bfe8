"""What a model's decisions cost, slice by slice, and which threshold would cost least.

    slice_costs(table, costs) -> tuple[SliceCost, ...]     what a report shows
    cost_bounds(table, costs, label) -> QuantityBounds     the mean cost of one slice, for a Check

Costs are of one row, in any one unit, by label and prediction. A threshold that costs least on these rows was chosen on
them, so its cost is too good by a little; the interval is of the cost at the present threshold.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlflow_eval_plugin.stats.binary.metrics import SlicePart, slice_part
from mlflow_eval_plugin.stats.binary.table import SliceTable
from mlflow_eval_plugin.stats.counts.ranks import Ranked
from mlflow_eval_plugin.stats.inference.costs import Costs
from mlflow_eval_plugin.stats.inference.estimate import Estimate, QuantityBounds, bounds_at, estimates
from mlflow_eval_plugin.stats.inference.quantities import MeanCost, mean_cost


@dataclass(frozen=True)
class SliceCost:
    """One slice.

    Attributes:
        cost: mean cost of a row as it was decided.
        best_threshold: from which score on rows would be called positive at the least cost on these rows, of several
            the one nearest to the present one; None where none should be, or there are no rows.
        cost_at_best: the mean cost then; None without rows.
    """

    label: str
    cost: Estimate
    best_threshold: float | None
    cost_at_best: float | None


def slice_costs(table: SliceTable, costs: Costs) -> tuple[SliceCost, ...]:
    """Every slice, "overall" first."""
    part, present = table.part(), table.summary.threshold
    near = costs.threshold_if_calibrated if present is None else present
    found = estimates(_mean_cost(part, costs))
    slices = zip(table.summary.slices, found, part.ranked(), strict=True)
    return tuple(SliceCost(one.label, cost, *_best(ranked, costs, near)) for one, cost, ranked in slices)


def cost_bounds(table: SliceTable, costs: Costs, label: str = "overall") -> QuantityBounds:
    """The mean cost of one slice, for a Check.

    Raises:
        KeyError: when there is no such slice.
    """
    only = slice_part(table.summary, np.array([table.summary.index(label)]))
    return bounds_at(_mean_cost(only, costs), 0)


def _mean_cost(part: SlicePart, costs: Costs) -> MeanCost:
    return mean_cost(part.cells.reshape(-1, 4), costs.matrix.reshape(-1), part.effective, part.n)


def _best(one: Ranked, costs: Costs, near: float) -> tuple[float | None, float | None]:
    """The threshold of least mean cost, of several the one nearest to ``near``, and that cost; None without weight.

    From the same score on are called all thresholds above the next lower score, up to it: the nearest of these counts.
    """
    by_label = np.array([one.negative.sum(), one.positive.sum()], dtype=np.float64)
    total = by_label.sum()
    if total <= 0:
        return None, None
    # Each row that is called negative instead costs so much more; called are the rows from cell k on, k = 0 ... K.
    step = costs.matrix[:, 0] - costs.matrix[:, 1]
    more = np.cumsum(one.negative * step[0] + one.positive * step[1])
    curve = (np.concatenate([[0.0], more]) + by_label @ costs.matrix[:, 1]) / total
    least = float(curve.min())
    # Sums of weights in another order differ in the last digits.
    cuts = np.flatnonzero(curve <= least + 1e-12 * (1 + abs(least)))
    score = np.append(one.score, np.inf)
    below = np.concatenate([[-np.inf], one.score])[cuts]
    threshold = np.where((below < near) & (near < score[cuts]), near, score[cuts])
    best = float(threshold[np.argmin(np.abs(threshold - near))])
    return None if np.isinf(best) else best, least
