"""Mix against within: what of a column's change is another mix of slices, and what is left inside them.

Inside a stratum both sides are independent samples, so that 8 n m / (n + m) times its Jensen-Shannon divergence is a
noncentral chi-squared near no drift; over strata these add up, with their degrees of freedom. So the distance within is
a mean over strata, whatever the mix of either side.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from mlflow_eval_plugin.stats.arrays import IntArray
from mlflow_eval_plugin.stats.drift.cells import cells_of, levels_of
from mlflow_eval_plugin.stats.drift.divergences import Divergence, divergence
from mlflow_eval_plugin.stats.drift.summary import CategoricalColumn, Column, DriftSummary

Strata = Mapping[str, DriftSummary]
NOTHING = "no slice has rows with a value on both sides"


def within(before: Strata, after: Strata, column: str) -> Divergence:
    """The Jensen-Shannon distance inside the strata: the root of the mean of their divergences.

    The weights of the mean are ``n m / (n + m)``. It is NaN where no stratum has values on both sides.
    """
    found = [
        divergence("js", *_cells(before[level].column(column), after[level].column(column)))
        for level in before
        if level in after
    ]
    known = [one for one in found if not np.isnan(one.raw[0])]
    if not known:
        return replace(divergence("js", *(np.zeros(1, dtype=np.int64),) * 2), reason=NOTHING)
    firm = [one.firm if one.firm is not None else one for one in known]
    made = _mean(known)
    rare = sum(one.rare for one in known)
    return replace(made, rare=rare, firm=_mean(firm)) if rare else made


def excess(distance: Divergence) -> float:
    """A Jensen-Shannon distance less what noise adds to it, at least 0."""
    raw = float(distance.raw[0]) - (int(distance.cells[0]) - 1) / (8 * float(distance.size[0]))
    return float(np.sqrt(max(raw, 0.0) / np.log(2)))


def mix(before: Strata, after: Strata) -> Divergence:
    """How far the shares of the strata moved."""
    levels = sorted({*before, *after})
    counts = [np.array([side[one].rows if one in side else 0 for one in levels]) for side in (before, after)]
    return divergence("js", counts[0], counts[1])


def _mean(found: list[Divergence]) -> Divergence:
    sizes = np.array([one.size[0] for one in found])
    return replace(
        found[0],
        raw=np.array([sum(one.raw[0] * one.size[0] for one in found) / sizes.sum()]),
        cells=np.array([1 + sum(int(one.cells[0]) - 1 for one in found)], dtype=np.int64),
        size=np.array([sizes.sum()]),
        n=np.array([sum(int(one.n[0]) for one in found)], dtype=np.int64),
        rare=0,
        firm=None,
    )


def _cells(before: Column, after: Column) -> tuple[IntArray, IntArray]:
    if isinstance(before, CategoricalColumn) and isinstance(after, CategoricalColumn):
        levels = levels_of(before, after)
        return before.on(levels), after.on(levels)
    return cells_of(before, after)
