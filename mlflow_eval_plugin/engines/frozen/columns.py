"""The columns of rows that are gone, as drift compares them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from mlflow_eval_plugin.engines.contract import (
    AskedColumns,
    DriftCounts,
    NotCounted,
    ReferenceColumn,
    ReferenceData,
    WindowCounts,
)
from mlflow_eval_plugin.engines.frozen.questions import question
from mlflow_eval_plugin.engines.sampled import RowSample, SampledReference
from mlflow_eval_plugin.engines.slicing import Slicing
from mlflow_eval_plugin.stats.drift.quality.keys import KeyCounts
from mlflow_eval_plugin.stats.drift.schema import ColumnType
from mlflow_eval_plugin.stats.drift.strata.sliced import SlicedDrift
from mlflow_eval_plugin.stats.drift.summary import CategoricalColumn, DriftSummary, NumericColumn, Role
from mlflow_eval_plugin.stats.drift.windows import Windowing
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.multivariate.together import Together
from mlflow_eval_plugin.stats.slices.system import SystemSummary


def only_counts(what: str) -> InputError:
    """What is raised for a question that only rows answer."""
    return InputError(f"baseline: it holds counts and no rows, and so no {what}; give the rows as 'reference'")


@dataclass(frozen=True, eq=False)
class FrozenColumn:
    """One column, as it was counted.

    Attributes:
        present: rows with a value.
        examples: a few values, as Python writes them.
        counted: as what it is; None where drift was not asked for.
        codes: its values taken as codes; None where it was not counted so.
    """

    present: int
    examples: tuple[str, ...]
    counted: ReferenceColumn | None = None
    codes: ReferenceColumn | None = None


@dataclass(frozen=True, eq=False)
class FrozenRows:
    """See ``contract.RowData``; what only rows can answer is refused.

    Attributes:
        rows: how many rows there were.
        columns: by name, in their order.
        keyed: by question, what was counted of keys.
    """

    rows: int
    types: tuple[ColumnType, ...]
    columns: Mapping[str, FrozenColumn]
    keyed: Mapping[str, KeyCounts] = field(default_factory=dict, kw_only=True)

    @property
    def names(self) -> tuple[str, ...]:
        """What the columns were called, in their order."""
        return tuple(self.columns)

    def schema(self) -> tuple[ColumnType, ...]:
        """The columns by name, sorted, each with its kind."""
        return self.types

    def present(self, column: str) -> int | None:
        """How many rows had a value of a column; None where there was no such column."""
        return self.columns[column].present if column in self.columns else None

    def examples(self, column: str) -> tuple[str, ...]:
        """A few values of a column; none where there was no such column."""
        return self.columns[column].examples if column in self.columns else ()

    def renamed(self, names: Mapping[str, str]) -> FrozenRows:
        """The same rows, some of whose columns are called otherwise."""
        columns = {names.get(name, name): one for name, one in self.columns.items()}
        types = [replace(one, name=names.get(one.name, one.name)) for one in self.types]
        return replace(self, columns=columns, types=tuple(sorted(types, key=lambda one: one.name)))

    def binned(
        self,
        columns: Sequence[str],
        *,
        roles: Mapping[str, Role],
        categorical: Collection[str],
        bits: Mapping[str, int],
    ) -> Mapping[str, ReferenceColumn]:
        """Some columns, on the bins that they were counted on.

        Raises:
            InputError: for columns that were not frozen as they are asked for, all of them at once.
        """
        found: dict[str, ReferenceColumn] = {}
        reasons: list[str] = []
        for name in columns:
            one = self._binned(name, name in categorical, bits.get(name))
            if isinstance(one, str):
                reasons.append(one)
            else:
                found[name] = _as(one, name, roles.get(name, "feature"))
        if reasons:
            raise InputError(f"baseline: {'; '.join(reasons)}")
        return found

    def drift(self, reference: ReferenceData, columns: AskedColumns) -> DriftCounts:
        """Refused: rows are compared with a baseline, and it with nothing."""
        raise only_counts("comparison of its own with another reference")

    def windows(self, reference: ReferenceData, windowing: Windowing, columns: AskedColumns) -> WindowCounts:
        """Refused: rows are compared with a baseline, and it with nothing."""
        raise only_counts("windows of its own")

    def sliced_drift(self, slicing: Slicing, *, like: DriftSummary) -> SlicedDrift | None:
        """None: columns are not kept slice by slice."""
        return None

    def has_key(self, columns: Sequence[str]) -> bool:
        """Whether a key was counted."""
        return question("keys", columns=sorted(columns)) in self.keyed

    def keys(self, columns: Sequence[str]) -> KeyCounts:
        """How many rows repeated a key."""
        if not self.has_key(columns):
            raise only_counts(f"keys of {', '.join(map(repr, columns))}, which were not asked for when it was frozen")
        return self.keyed[question("keys", columns=sorted(columns))]

    def draw(self, columns: Sequence[str]) -> RowSample:
        """Refused: no row is kept."""
        names = ", ".join(map(repr, columns[:3])) + (", …" if len(columns) > 3 else "")
        raise only_counts(f"rows of {names} that could be looked at together")

    def together(
        self, reference: SampledReference, *, columns: Sequence[str], categorical: Collection[str], axes: bool
    ) -> Together:
        """Refused: rows are compared with a baseline, and it with nothing."""
        raise only_counts("rows of its own that could be looked at together")

    def system(self, slicing: Slicing, *, latency: str | None, cost: str | None) -> SystemSummary:
        """Refused: no latencies and costs are kept."""
        raise only_counts("latencies and costs")

    def _binned(self, name: str, codes: bool, bits: int | None) -> ReferenceColumn | str:
        held = self.columns.get(name)
        if held is None or held.counted is None:
            return f"{name!r} was not frozen for drift; freeze it anew with the column"
        if codes and not _is_coded(held.counted):
            return held.codes or (
                f"{name!r} was not frozen as categories; freeze it anew with 'categorical': [{name!r}] among the keys "
                "of drift"
            )
        if bits is not None and not _same_in(held.counted, bits):
            return (
                f"{name!r} was frozen in double precision, and these rows have it in {bits} bits; freeze it anew from "
                "rows that have it so, or give these in double precision"
            )
        return held.counted


def _as(column: ReferenceColumn, name: str, role: Role) -> ReferenceColumn:
    if isinstance(column.counted, NotCounted):
        return column
    return replace(column, counted=replace(column.counted, name=name, role=role))


def _is_coded(column: ReferenceColumn) -> bool:
    """Whether it is taken as categories anyway, or is no column that could be."""
    return not isinstance(column.counted, NumericColumn)


def _same_in(column: ReferenceColumn, bits: int) -> bool:
    """Whether no number of a column would change if it was rounded to floats of so many bits."""
    counted = column.counted
    if column.bits < 64 or column.kind != "number" or not isinstance(counted, NumericColumn):
        return True
    values = single_values(counted)
    return values is not None and bool((values.astype(f"f{bits // 8}") == values).all())


def single_values(column: NumericColumn) -> np.ndarray[tuple[int], np.dtype[np.float64]] | None:
    """The different values of a column, where each has a bin of its own; else None."""
    filled = np.flatnonzero(column.counts)
    if len(filled) == 0 or filled[0] == 0 or filled[-1] == len(column.edges):
        return None
    low, high = column.edges[filled - 1], column.edges[filled]
    return np.asarray(low) if (high <= np.nextafter(low, np.inf)).all() else None


def few_values(column: ReferenceColumn, most: int) -> bool:
    """Whether a column of numbers has at most so many different ones, so that they may be codes."""
    if isinstance(column.counted, CategoricalColumn | NotCounted):
        return False
    values = single_values(column.counted)
    return values is not None and len(values) <= most
