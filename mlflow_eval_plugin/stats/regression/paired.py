"""The Summary of two regressions on the same rows: the moments of each, and those of how their errors differ.

Lanes are exact sums like those of ``summary``, relative to one scale for both. With ``e`` the champion's and
``f`` the challenger's error: ``a``, ``aa``, ``aaa`` are of |f| - |e| and its powers, ``b``, ``bb``, ``bbb`` of f - e,
``d`` of |f - e|, and ``eeff``, ``e6``, ``e4ff``, ``eef4``, ``f6`` of the products of squares that they spell.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlflow_eval_plugin.stats.arrays import IntArray
from mlflow_eval_plugin.stats.counts.exact_sums import carried, empty_lane
from mlflow_eval_plugin.stats.counts.slice import Slice
from mlflow_eval_plugin.stats.regression.summary import Lanes, MomentSummary

PAIRED_LANES = ("a", "aa", "aaa", "b", "bb", "bbb", "d", "eeff", "e6", "e4ff", "eef4", "f6")


@dataclass(frozen=True, eq=False)
class PairedMomentSummary:
    """Slice x sum; entry 0 is the slice "overall".

    Attributes:
        champion, challenger: of the same rows, on the same scale, with the same slices in the same order.
        lanes: name to ``(S, LIMBS)``, those of ``PAIRED_LANES``.
        closer: rows that the champion's prediction is closer to the target of, that both are as close to, and that the
            challenger's is closer to, ``(S, 3)`` int64.
    """

    champion: MomentSummary
    challenger: MomentSummary
    lanes: Lanes
    closer: NDArray[np.int64]

    def __add__(self, other: PairedMomentSummary) -> PairedMomentSummary:
        """The Summary of both sets of rows, with the union of their slices.

        Raises:
            MergeError: when scales differ.
        """
        champion, challenger = self.champion + other.champion, self.challenger + other.challenger
        at = {one: position for position, one in enumerate(champion.slices)}
        lanes: dict[str, IntArray] = {name: empty_lane(len(at)) for name in self.lanes}
        closer = np.zeros((len(at), 3), dtype=np.int64)
        for part in (self, other):
            places = [at[one] for one in part.slices]
            closer[places] += part.closer
            for name, lane in lanes.items():
                lane[places] += part.lanes[name]
        return PairedMomentSummary(champion, challenger, {name: carried(lane) for name, lane in lanes.items()}, closer)

    @property
    def slices(self) -> tuple[Slice, ...]:
        """The slices, "overall" first."""
        return self.champion.slices
