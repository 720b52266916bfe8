"""A hint per column where to look first: at the pipeline, or at the world.

A hint is as sure as a Check: without any drift, the chance that any column of a report has one is at most
``HINT_ERROR``, divided over columns and over the tests of each.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np

from mlflow_eval_plugin.stats.drift.cells import fine_cells, levels_of
from mlflow_eval_plugin.stats.drift.new_values import NEW_SHARE, NewShare
from mlflow_eval_plugin.stats.drift.summary import Column, NumericColumn
from mlflow_eval_plugin.stats.inference.estimate import Quantity
from mlflow_eval_plugin.stats.inference.intervals import clopper_pearson

Hint = Literal["data bug", "counter", "distribution shift", "none"]

HINT_ERROR = 0.05
TESTS = 10  # of a column, at most
MISSING_JUMP = 0.01
OUTSIDE_SHARE = 0.5
MOVED_SHARE = 0.1
# Effects below these are not worth anybody's time, however significant.
NOTABLE = {"psi": 0.1, "js": 0.1, "ks": 0.05, "wasserstein": 0.1, "new_share": NEW_SHARE}


def hint_level(columns: int) -> float:
    """The error of one test of one of so many columns."""
    return HINT_ERROR / (TESTS * max(columns, 1))


def triage(
    before: Column, after: Column, quantities: Mapping[str, Quantity], alpha: float, repeated: float | None = None
) -> tuple[Hint, str]:
    """A hint and its reason.

    Args:
        repeated: the one value that most rows of the newest bin have, where that is known.

    A "data bug" goes before a "counter" (keys, counters and times move on), that before a "distribution shift", and
    that before "none".
    """
    if after.role == "label" and after.present == 0:
        return "none", "No label has arrived yet."
    if moved := moved_on(before, after, alpha):
        return "counter", moved
    if bug := _bug(before, after, quantities, alpha, repeated):
        return "data bug", bug
    for metric, notable in NOTABLE.items():
        if metric in quantities:
            lower = _lower(quantities[metric], alpha)
            if lower > notable:
                return "distribution shift", f"{metric} is above {notable} with confidence (at least {lower:.3g})."
    return "none", "No distance is above its notable size with confidence."


def _lower(quantity: Quantity, alpha: float) -> float:
    return float(quantity.limits(alpha, exact=True)[0][0])


def _bug(
    before: Column, after: Column, quantities: Mapping[str, Quantity], alpha: float, repeated: float | None
) -> str:
    # Labels are late, which is no bug.
    if _lower(quantities["missing_change"], alpha) > MISSING_JUMP and after.role != "label":
        if after.present == 0:
            return "every value is missing."
        return f"the share of missing values rose by more than {MISSING_JUMP:.0%} with confidence."
    if "infinite_change" in quantities and _lower(quantities["infinite_change"], alpha) > 0:
        return f"{after.infinite:,} values are infinite; of the reference {before.infinite:,} are."
    if after.present == 0:
        return ""
    if constant := _constant(before, after, alpha):
        return f"the column is constant ({constant}); it was not in the reference."
    return _outside(before, after, alpha) or new_value_in_words(before, after, quantities["new_share"], alpha, repeated)


def moved_on(before: Column, after: Column, alpha: float) -> str:
    """What is said of a key, a counter or times that moved on; empty where none did."""
    if not isinstance(before, NumericColumn) or not isinstance(after, NumericColumn):
        return ""
    if not before.moves_on or after.present == 0:
        return ""
    share = after.counts[-1] / after.present
    if _limit(share, after.present, alpha)[0] <= MOVED_SHARE:
        return ""
    return (
        f"{share:.0%} of the values lie above those of the reference, which are times, or whole numbers that came once "
        "each: dates, keys and counters move on, so leave the column out."
    )


def _constant(before: Column, after: Column, alpha: float) -> str:
    """The only value, if the reference makes it unlikely that so many rows have no other by chance."""
    counts = fine_cells(before, after)
    if (counts[0] > 0).sum() < 2 or (counts[1] > 0).sum() != 1:
        return ""
    only = int(counts[1].argmax())
    share = _limit(counts[0][only] / counts[0].sum(), int(counts[0].sum()), alpha / 2)[1]
    return _called(before, after, only) if share ** int(counts[1].sum()) < alpha / 2 else ""


def _outside(before: Column, after: Column, alpha: float) -> str:
    if not isinstance(before, NumericColumn) or not isinstance(after, NumericColumn):
        return ""
    usual, outside = ((one.counts[0] + one.counts[-1]) / max(one.present, 1) for one in (before, after))
    most, least = _limit(usual, before.present, alpha / 2)[1], _limit(outside, after.present, alpha / 2)[0]
    if least <= max(OUTSIDE_SHARE, 2 * most):
        return ""
    return f"{outside:.0%} of the values lie outside the reference's range; the unit or the scale may have changed."


def new_value_in_words(before: Column, after: Column, found: Quantity, alpha: float, repeated: float | None) -> str:
    """What is said of a value that the reference hardly has; empty where there is none, or a shift may have it."""
    if not isinstance(found, NewShare) or found.cell is None or _lower(found, alpha) <= NEW_SHARE:
        return ""
    if isinstance(after, NumericColumn) and repeated is None and not _is_far(after, found.cell):
        return ""
    usual, share = (side[found.cell] / side.sum() for side in fine_cells(before, after))
    called = _called(before, after, found.cell)
    if repeated is not None:
        called += f", most of them {repeated:.6g}"
    return f"{share:.1%} of the values are {called}, which {usual:.2%} of the reference are."


def _is_far(after: NumericColumn, cell: int) -> bool:
    """Whether a cell is a narrow range, or the values beyond the reference's range lie mostly beyond a fence as well.

    A shift has more values a little beyond the range, and -999 is none of them.
    """
    if 0 < cell < len(after.counts) - 1:
        return True
    edge = after.fenced[0 if cell == 0 else -1]
    fence = after.fences[0 if cell == 0 else 1]
    mean = after.offsets[cell] / after.counts[cell] + after.fenced[0]
    return bool(np.isfinite(fence) and abs(mean - edge) >= 0.9 * abs(fence - edge))


def _limit(share: float, rows: int, alpha: float) -> tuple[float, float]:
    lower, upper = clopper_pearson(np.array([share]), np.array([float(rows)]), alpha)
    return float(lower[0]), float(upper[0])


def _called(before: Column, after: Column, cell: int) -> str:
    if not isinstance(before, NumericColumn):
        return repr(levels_of(before, after)[cell])
    edges = before.edges[max(cell - 1, 0) : cell + 1]
    low, high = f"{edges[0]:.6g}", f"{edges[-1]:.6g}"
    if cell == 0:
        return f"below {high}"
    if cell == len(before.edges):
        return f"{low} or more"
    return low if edges[-1] <= np.nextafter(edges[0], np.inf) else f"between {low} and {high}"
