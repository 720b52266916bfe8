"""Rows drawn by what they hold, so that neither their order nor their division into parts changes which they are.

Of each side the different rows with the smallest digests are kept, each with how often it comes: a bottom-k sketch,
which merges. As digests of rows that differ have nothing to do with what they hold, that is a fair sample of rows that
mostly differ. A row that comes often is in it with all of its copies or not at all. Where rows come often, both sides
are cut at the same digest, so that such a row is in both or in neither, and sides that are alike stay so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mlflow_eval_plugin.engines.arrow.columns.inputs import require_columns
from mlflow_eval_plugin.engines.arrow.columns.plain import is_declared_category, plain
from mlflow_eval_plugin.engines.arrow.digest import mixed, row_digests
from mlflow_eval_plugin.engines.arrow.sampling import Digests
from mlflow_eval_plugin.stats.arrays import Index, IntArray

DRAWN_ROWS = 2**14
REPEATED = 0.01  # the share of rows that are copies of another, from which on both sides are cut at the same digest


@dataclass(frozen=True, eq=False)
class Drawn:
    """See ``sampled.RowSample``.

    Attributes:
        total: of how many rows.
        digests: of the different rows, increasing.
        times: how often each comes.
        frame: the different rows, held plainly.
        declared: the columns whose values, even numbers, are codes.
    """

    total: int
    digests: Digests
    times: IntArray
    frame: pd.DataFrame
    declared: frozenset[str]

    def __add__(self, other: Drawn) -> Drawn:
        """Those of both sets of rows."""
        frame = pd.concat([self.frame, other.frame], ignore_index=True)
        digests, times = np.concatenate([self.digests, other.digests]), np.concatenate([self.times, other.times])
        # Of a side that was cut, those beyond its cut are not known.
        return _smallest(self.total + other.total, digests, times, frame, self.declared | other.declared)

    @property
    def ceiling(self) -> int:
        """The largest digest up to which every row is in it."""
        return int(self.digests[-1]) if len(self.digests) == DRAWN_ROWS else 2**64 - 1

    @property
    def repeats(self) -> bool:
        """Whether a good part of the rows are copies of others."""
        return int(self.times.sum()) - len(self.times) > REPEATED * int(self.times.sum())

    def below(self, ceiling: int) -> pd.DataFrame:
        """At most ``DRAWN_ROWS`` rows with digests up to a ceiling, copies among them, in an order of no meaning."""
        kept = int(np.searchsorted(self.digests, np.uint64(ceiling), side="right"))
        ends = np.cumsum(self.times[:kept])
        count = int(ends[-1]) if kept else 0
        taken = min(count, DRAWN_ROWS)
        evenly = (np.arange(taken, dtype=np.int64) * count) // max(taken, 1)
        places = np.searchsorted(ends, evenly, side="right")
        return self.frame.iloc[places[shuffled(taken)]].reset_index(drop=True)


def drawn(frame: pd.DataFrame, columns: Sequence[str]) -> Drawn:
    """Of the rows of a frame.

    Raises:
        InputError: for columns that are missing.
    """
    require_columns(frame, list(columns), argument="columns")
    given = frame[list(columns)]
    declared = frozenset(name for name in columns if is_declared_category(given[name]))
    digests = row_digests(given)
    # Of many rows most need not be sorted, nor held plainly.
    few = np.flatnonzero(digests <= _probable(digests))
    held = {name: plain(given[name].iloc[few].reset_index(drop=True)) for name in columns}
    rows = pd.DataFrame({name: one.astype(object) if _is_category(one) else one for name, one in held.items()})
    return _smallest(len(frame), digests[few], np.ones(len(few), dtype=np.int64), rows, declared)


def both(reference: Drawn, current: Drawn) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of both sides that may be compared."""
    ceilings = [reference.ceiling, current.ceiling]
    if reference.repeats or current.repeats:
        ceilings = [min(ceilings)] * 2
    return reference.below(ceilings[0]), current.below(ceilings[1])


def shuffled(count: int, seed: int = 0) -> Index:
    """The numbers below ``count`` in an order of no meaning, the same on every machine."""
    return np.argsort(mixed(np.arange(count, dtype=np.uint64) + np.uint64(seed << 32)), kind="stable")


def _is_category(column: pd.Series[Any]) -> bool:
    return isinstance(column.dtype, pd.CategoricalDtype)


def _probable(digests: Digests) -> np.uint64:
    """A digest that is hardly below the last of those that are kept, which are checked to be as many."""
    if len(digests) <= 4 * DRAWN_ROWS:
        return np.uint64(2**64 - 1)
    found = np.uint64(2**64 * 2 * DRAWN_ROWS // len(digests))
    enough = len(np.unique(digests[digests <= found])) >= DRAWN_ROWS
    return found if enough else np.uint64(2**64 - 1)


def _smallest(total: int, digests: Digests, times: IntArray, frame: pd.DataFrame, declared: frozenset[str]) -> Drawn:
    found, first, place = np.unique(digests, return_index=True, return_inverse=True)
    count = np.zeros(len(found), dtype=np.int64)
    np.add.at(count, place, times)
    first = first[:DRAWN_ROWS]
    return Drawn(total, found[:DRAWN_ROWS], count[:DRAWN_ROWS], frame.iloc[first].reset_index(drop=True), declared)
