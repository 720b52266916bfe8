"""All causes that fit a drift: columns are asked first, and slices where columns moved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from mlflow_eval_plugin.engines.contract import DriftCounts
from mlflow_eval_plugin.engines.slicing import Slicing
from mlflow_eval_plugin.evaluators.document import as_json
from mlflow_eval_plugin.evaluators.drift_columns import AnyRows, DriftColumns
from mlflow_eval_plugin.stats.drift.causes.of_rows import MOST_LEVELS, Causes, Sides
from mlflow_eval_plugin.stats.drift.report import DriftTable


def causes_of(
    table: DriftTable, counts: DriftCounts, columns: DriftColumns, rows: AnyRows, reference: AnyRows
) -> list[dict[str, Any]]:
    """The causes that fit, in order, as JSON."""
    schema = [change for change in columns.changes if change.column not in columns.allowed]
    found = Causes(table, counts.repeated, schema)
    moved = [one.name for one in found.columns if one.moved is not None]
    mixes = {}
    for name in found.mixed:
        sides = _sides(table, rows, reference, Slicing((name,), depth=1, max_levels=MOST_LEVELS + 1), moved)
        if sides is not None:
            mixes[name] = sides
    return [as_json(one) for one in found.all(mixes, _related(found, table, rows, reference))]


def _related(found: Causes, table: DriftTable, rows: AnyRows, reference: AnyRows) -> Sides | None:
    if found.related is None:
        return None
    score, edges, label = found.related
    slicing = Slicing((score,), depth=1, edges={score: edges} if edges else {}, max_levels=1000)
    return _sides(table, rows, reference, slicing, [label])


def _sides(
    table: DriftTable, rows: AnyRows, reference: AnyRows, slicing: Slicing, columns: Sequence[str]
) -> Sides | None:
    like = replace(table.reference, columns=tuple(table.reference.column(name) for name in columns))
    before, after = (side.everything.sliced_drift(slicing, like=like) for side in (reference, rows))
    if before is None or after is None:
        return None
    return Sides.of(before, after, slicing.columns[0])
