"""Limits of the CORP components by a Poisson bootstrap of cells: its cost does not grow with the rows.

MCB and DSC are biased upwards, since an isotonic fit follows noise. The lower limit takes off the bias that the
bootstrap shows; the upper one does not, so it errs on the wide side.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlflow_eval_plugin.stats.arrays import FloatArray
from mlflow_eval_plugin.stats.binary.calibration.corp import (
    Scoring,
    decomposed,
    decompositions,
    logarithmic_score,
    quadratic_score,
)
from mlflow_eval_plugin.stats.binary.summary import ScoreSummary, grouped
from mlflow_eval_plugin.stats.counts.slice import over_labels
from mlflow_eval_plugin.stats.counts.threads import side_by_side, streams
from mlflow_eval_plugin.stats.inference.estimate import Ends, Entries
from mlflow_eval_plugin.stats.inference.intervals import Alpha, Limits, normal_quantile
from mlflow_eval_plugin.stats.inference.isotonic import Curve, isotonic
from mlflow_eval_plugin.stats.inference.means import kish

NAMES = ("brier_mcb", "brier_dsc", "brier_unc", "log_loss_mcb", "log_loss_dsc", "log_loss_unc")
# Uncertainty is that of a coin at most, and no forecast discriminates more than there is.
_HIGHEST = {"brier_mcb": 1.0, **dict.fromkeys(("brier_dsc", "brier_unc"), 0.25)}
_HIGHEST |= dict.fromkeys(("log_loss_dsc", "log_loss_unc"), math.log(2))


@dataclass(frozen=True, eq=False)
class ReplicatedQuantity(Entries):
    """Estimates with the standard deviation and the bias that replicates show; normal limits, cut off at 0."""

    value: FloatArray
    deviation: FloatArray
    bias: FloatArray
    bound: FloatArray
    n: NDArray[np.int64]
    reason: str
    highest: float = np.inf

    @property
    def ends(self) -> Ends:
        """0 and the largest."""
        return 0.0, self.highest

    def limits(self, alpha: Alpha, *, exact: bool) -> Limits:
        """One-sided limits; the same whether exact or not."""
        del exact
        reach = np.maximum(normal_quantile(alpha), 0.0) * self.deviation
        return np.maximum(self.value - np.maximum(self.bias, 0.0) - reach, 0.0), self.value + reach


@dataclass(frozen=True, eq=False)
class Components:
    """The six components in the order of ``NAMES``: values, bounds, and replicates ``(R, 6)``.

    Attributes:
        coarse: the values on the grid of the replicates, against which their bias is measured.
    """

    value: FloatArray
    coarse: FloatArray
    bound: FloatArray
    replicates: FloatArray
    n: int

    def quantity(self, name: str) -> ReplicatedQuantity:
        """One component, of length one."""
        at = slice(NAMES.index(name), NAMES.index(name) + 1)
        column = self.replicates[:, at]
        return ReplicatedQuantity(
            value=self.value[at],
            deviation=column.std(axis=0, ddof=1),
            bias=column.mean(axis=0) - self.coarse[at],
            bound=self.bound[at],
            n=np.array([self.n], dtype=np.int64),
            reason="there are no rows with weight",
            highest=_HIGHEST.get(name, np.inf),
        )


def components(summary: ScoreSummary, replicates: int, seed: int) -> Components:
    """The components of Brier score and log loss with their bootstrap replicates; deterministic for a given seed."""
    brier, log_loss = decompositions(summary)
    # Noise does not see the finest grid, and sixteen times fewer cells are sixteen times faster.
    weight, square_error, weight_square = map(grouped, (summary.w, summary.w_square_error, summary.w_square))
    lanes = (weight, square_error, summary.w_loss, weight_square)
    weight, square_error, loss, weight_square = (lane[over_labels(weight) > 0] for lane in lanes)
    cells, effective = _Cells(weight, square_error, loss), kish(weight, weight_square)
    generators = streams(seed)

    def draw(place: int) -> list[tuple[float, ...] | None]:
        return [cells.redrawn(generators[place], effective) for _ in range(place, replicates, len(generators))]

    drawn = [one for some in side_by_side(draw, range(len(generators))) for one in some]
    return Components(
        value=np.array([brier.mcb, brier.dsc, brier.unc, log_loss.mcb, log_loss.dsc, log_loss.unc]),
        coarse=np.array(cells.components(np.ones_like(weight))),
        bound=np.array([brier.bound, brier.bound, 0.0, log_loss.bound, log_loss.bound, 0.0]),
        replicates=np.array([one for one in drawn if one is not None]).reshape(-1, len(NAMES)),
        n=int(summary.n.sum()),
    )


@dataclass(frozen=True, eq=False)
class _Cells:
    """Sums by occupied fine bin and label."""

    weight: FloatArray
    square_error: FloatArray
    loss: FloatArray

    def redrawn(self, generator: np.random.Generator, effective: FloatArray) -> tuple[float, ...] | None:
        """The components of one replicate; None where it drew no row at all."""
        factor = generator.poisson(effective) / np.where(effective > 0, effective, 1.0)
        return self.components(factor) if (self.weight * factor).any() else None

    def components(self, factor: FloatArray) -> tuple[float, ...]:
        """The components where every cell counts ``factor`` times."""
        weight = self.weight * factor
        total = over_labels(weight)
        used = total > 0
        total, events = total[used], weight[used, 1]
        curve = Curve(total, isotonic(events, total), total, events)
        return (
            *_three((self.square_error * factor).sum() / total.sum(), curve, quadratic_score),
            *_three((self.loss * factor).sum() / total.sum(), curve, logarithmic_score),
        )


def _three(score: float, curve: Curve, scoring: Scoring) -> tuple[float, float, float]:
    parts = decomposed(float(score), curve, scoring)
    return parts.mcb, parts.dsc, parts.unc
