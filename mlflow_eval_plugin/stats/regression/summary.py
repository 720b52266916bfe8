"""Regression Summaries: exact sums of targets and errors, by slice or by bin of the prediction.

Everything is summed relative to a ``RegressionScale``: targets less its centre, over its unit. Both Summaries hold
*lanes* (see ``exact_sums``) under the names of what is summed, each times the row's weight: ``w``, ``e`` (prediction
less target), ``a`` (its size), ``y`` (target), ``p`` (prediction), and products of them: ``ee`` is the sum of w * e**2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mlflow_eval_plugin.stats.arrays import FloatArray, IntArray
from mlflow_eval_plugin.stats.counts.exact_sums import carried, empty_lane
from mlflow_eval_plugin.stats.counts.slice import Slice, union_of_slices
from mlflow_eval_plugin.stats.errors import InputError, MergeError
from mlflow_eval_plugin.stats.regression.names import SMALLEST_LEVEL

Lanes = Mapping[str, IntArray]
MOST_BINS = 2**14


@dataclass(frozen=True)
class RegressionScale:
    """What sums are relative to; shards that are to be merged need the same.

    Attributes:
        centre: subtracted from targets and predictions: the median target.
        unit: a power of two at or above the largest distance of targets from the centre, errors and widths.
        weight: a power of two at or above the largest weight; 1.0 when unweighted.
    """

    centre: float
    unit: float
    weight: float


@dataclass(frozen=True)
class Band:
    """A prediction interval by its name, with the share of rows that it claims to hold."""

    name: str
    level: float


@dataclass(frozen=True, eq=False)
class MomentSummary:
    """Slice x sum; entry 0 is the slice "overall", the others are the levels that occur.

    Attributes:
        slices: the ``S`` slices.
        rows: rows of each, ``(S,)`` int64.
        lanes: name to ``(S, LIMBS)``. Beside the names of the module's text: ``loss:0.1`` and ``loss2:0.1`` (pinball
            loss of a quantile level and its square), ``under:0.1`` (rows at or below it), ``pit:0`` ... ``pit:K`` (rows
            above so many of the ``K`` quantiles), ``crossing`` (rows whose quantiles cross), and for an interval
            ``inside:``, ``width:``, ``width2:``, ``score:`` and ``score2:`` with its name (scores times half of alpha).
        levels: the quantile levels, increasing.
        bands: the intervals.
    """

    slices: tuple[Slice, ...]
    rows: NDArray[np.int64]
    lanes: Lanes
    scale: RegressionScale
    weighted: bool
    levels: tuple[float, ...] = ()
    bands: tuple[Band, ...] = ()

    def __add__(self, other: MomentSummary) -> MomentSummary:
        """The Summary of both sets of rows, with the union of their slices.

        Raises:
            MergeError: when scales, quantile levels or intervals differ.
        """
        _alike(self.scale, other.scale)
        if (self.levels, self.bands, self.weighted) != (other.levels, other.bands, other.weighted):
            raise MergeError("regression Summaries with different quantiles, intervals or weights do not merge")
        slices = union_of_slices(self.slices, other.slices)
        at = {one: position for position, one in enumerate(slices)}
        rows, lanes = np.zeros(len(slices), dtype=np.int64), {name: empty_lane(len(slices)) for name in self.lanes}
        for part in (self, other):
            places = [at[one] for one in part.slices]
            rows[places] += part.rows
            for name, lane in lanes.items():
                lane[places] += part.lanes[name]
        return replace(self, slices=slices, rows=rows, lanes={name: carried(lane) for name, lane in lanes.items()})

    def index(self, label: str) -> int:
        """The position of a slice by its label.

        Raises:
            KeyError: when there is no such slice.
        """
        for position, one in enumerate(self.slices):
            if one.label == label:
                return position
        raise KeyError(label)


@dataclass(frozen=True, eq=False)
class PredictionSummary:
    """Bin of the prediction x sum; bin ``j`` is ``[edges[j], edges[j + 1])``, the first and the last are open.

    Attributes:
        edges: increasing, ``(K,)``, at most ``MOST_BINS``.
        rows: rows of each bin, ``(K,)`` int64.
        lanes: name to ``(K, LIMBS)``: ``w``, ``ww``, ``e``, ``ee``, ``y``, ``yy``, ``p``, ``pp``.
        exact: whether no bin holds two different predictions.
    """

    edges: FloatArray
    rows: NDArray[np.int64]
    lanes: Lanes
    scale: RegressionScale
    weighted: bool
    exact: bool

    def __add__(self, other: PredictionSummary) -> PredictionSummary:
        """The Summary of both sets of rows.

        Raises:
            MergeError: when scales or edges differ.
        """
        _alike(self.scale, other.scale)
        if not np.array_equal(self.edges, other.edges) or self.weighted != other.weighted:
            raise MergeError("prediction Summaries have different bins; count every shard with the same edges")
        lanes = {name: carried(lane + other.lanes[name]) for name, lane in self.lanes.items()}
        return replace(self, rows=self.rows + other.rows, lanes=lanes, exact=self.exact and other.exact)


def checked_levels(levels: tuple[float, ...]) -> tuple[float, ...]:
    """Quantile levels, which must increase inside (0, 1).

    Raises:
        InputError: when one is outside, or they do not increase.
    """
    for level in levels:
        if not SMALLEST_LEVEL <= level <= 1 - SMALLEST_LEVEL:
            raise InputError(
                f"quantiles: expected levels between {SMALLEST_LEVEL:g} and 1 - {SMALLEST_LEVEL:g}, found {level!r}"
            )
    if any(low >= high for low, high in pairwise(levels)):
        raise InputError(f"quantiles: expected increasing levels, found {', '.join(map(repr, levels))}")
    return levels


def _alike(first: RegressionScale, second: RegressionScale) -> None:
    if first != second:
        # Rescaling would round, and then the order of merging would matter.
        raise MergeError(
            f"Summaries on different scales do not merge: {first} and {second}; count every shard with the same scale"
        )
