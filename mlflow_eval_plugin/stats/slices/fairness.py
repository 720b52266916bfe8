"""Fairness measures over the levels of one slice column, with fairlearn's definitions.

Demographic parity compares selection rates, equal opportunity recalls, equalized odds the larger of the gaps in recall
and in false positive rate. The largest gap over many levels is large even where all are equal; ``Widest`` accounts for
that.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from mlflow_eval_plugin.stats.arrays import FloatArray
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.inference.contrasts import Widest
from mlflow_eval_plugin.stats.inference.estimate import Ends, Entries, Quantity, ends_of
from mlflow_eval_plugin.stats.inference.intervals import Alpha, Limits
from mlflow_eval_plugin.stats.slices.gaps import MetricTable, gap_between

FAIRNESS = (
    "demographic_parity_difference",
    "demographic_parity_ratio",
    "equal_opportunity_difference",
    "equalized_odds_difference",
)
TOO_FEW = "fewer than two levels have the minimum count of rows and a value of the metric"


@dataclass(frozen=True, eq=False)
class Larger(Entries):
    """The larger of two quantities of length one; its limits hold for any dependence between the two."""

    first: Quantity
    second: Quantity
    reason: str = TOO_FEW

    @property
    def value(self) -> FloatArray:
        """The larger value; NaN where either is."""
        return np.maximum(self.first.value, self.second.value)

    @property
    def n(self) -> NDArray[np.int64]:
        """Rows of all that is compared."""
        return self.first.n

    @property
    def bound(self) -> FloatArray:
        """The larger bound."""
        return np.maximum(self.first.bound, self.second.bound)

    @property
    def ends(self) -> Ends:
        """Those of either."""
        return ends_of(self.first)

    def limits(self, alpha: Alpha, *, exact: bool) -> Limits:
        """One-sided limits: the lower one splits its error between the two candidates."""
        low = [one.limits(np.asarray(alpha) / 2, exact=exact)[0] for one in (self.first, self.second)]
        high = [one.limits(alpha, exact=exact)[1] for one in (self.first, self.second)]
        return np.maximum(*low), np.maximum(*high)


def fairness(table: MetricTable, column: str, name: str, *, minimum_count: int) -> Quantity:
    """One measure of one slice column; a Quantity of length one.

    Levels below ``minimum_count`` rows do not count: the largest gap among tiny groups is noise.

    Raises:
        InputError: when the column is no slice column.
    """
    if name == "equalized_odds_difference":
        return Larger(
            _spread(table, column, "recall", "difference", minimum_count),
            _spread(table, column, "fpr", "difference", minimum_count),
        )
    metric = "recall" if name == "equal_opportunity_difference" else "selection_rate"
    return _spread(table, column, metric, "ratio" if name.endswith("ratio") else "difference", minimum_count)


def _spread(table: MetricTable, column: str, metric: str, kind: str, minimum_count: int) -> Widest:
    levels = [i for i, one in enumerate(table.slices) if one.columns == (column,)]
    if not levels:
        columns = sorted({one.columns[0] for one in table.slices if len(one.columns) == 1})
        raise InputError(f"column: {column!r} is no slice column; expected one of {', '.join(columns)}")
    made = table.metric(metric)
    defined = [i for i in levels if table.rows[i] >= minimum_count and not np.isnan(made.value[i])]
    pairs = np.array(list(permutations(defined, 2)), dtype=np.intp).reshape(-1, 2)
    undefined = len(defined) < 2 or (kind == "ratio" and not made.value[defined].any())
    itself = np.nan if undefined else float(kind == "ratio")
    return Widest(
        candidates=gap_between(made.take(pairs[:, 0]), made.take(pairs[:, 1]), kind),
        owner=np.zeros(len(pairs), dtype=np.intp),
        itself=np.array([itself]),
        n=np.array([int(table.rows[defined].sum())], dtype=np.int64),
        smallest=kind == "ratio",
        reason=TOO_FEW,
    )
