"""Drift slice by slice: what is claimed of all rows is claimed of each slice, on the same bins and in one family."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from mlflow_eval_plugin.engines.slicing import Slicing
from mlflow_eval_plugin.evaluators.config.drift import DriftConfig
from mlflow_eval_plugin.evaluators.drift_columns import AnyRows
from mlflow_eval_plugin.stats.counts.slice import Slice
from mlflow_eval_plugin.stats.drift.report import DriftTable
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.inference.checks import Claim

NO_SLICES = (
    "slice_columns: the reference is a baseline, which keeps no columns slice by slice; give its rows as 'reference', "
    "or leave 'slice_columns' out"
)


@dataclass(frozen=True, eq=False)
class DriftBySlice:
    """Both sides of every slice that either has."""

    tables: dict[Slice, DriftTable]
    of_one_side: tuple[Slice, ...]

    @property
    def measured(self) -> list[dict[str, Any]]:
        """The slices as JSON; what is measured of each stands in its Checks."""
        found = [
            {"label": one.label, "slice": dict(one.levels), "n_reference": table.reference.rows,
             "n_current": table.current.rows}
            for one, table in self.tables.items()
        ]  # fmt: skip
        return found + [
            {"label": one.label, "slice": dict(one.levels), "on_one_side": True} for one in self.of_one_side
        ]

    def claims(self, of: Callable[[DriftTable], Iterable[Claim]]) -> Iterator[Claim]:
        """What is claimed of each slice; of the column that makes it nothing is."""
        for one, table in self.tables.items():
            for claim in of(table):
                if claim.scope not in one.columns:
                    yield replace(
                        claim,
                        id=f"{claim.id}:{one.label}",
                        claim=f"where {one.label}, {claim.claim}",
                        scope=f"{claim.scope} where {one.label}",
                    )


def by_slice(config: DriftConfig, table: DriftTable, rows: AnyRows, reference: AnyRows) -> DriftBySlice | None:
    """Both sides slice by slice; None where the config asks for no slices.

    Raises:
        InputError: for a reference that is no longer rows, or columns that cannot be slices.
    """
    if not config.slice_columns:
        return None
    slicing = Slicing(config.sliced_by, depth=1, edges=config.slice_edges)
    before, after = (one.everything.sliced_drift(slicing, like=table.reference) for one in (reference, rows))
    if before is None or after is None:
        raise InputError(NO_SLICES)
    first, second = before.by_slice, after.by_slice
    both = {one: DriftTable(first[one], second[one]) for one in first if one in second}
    return DriftBySlice(both, tuple(one for one in (*first, *second) if one not in both))
