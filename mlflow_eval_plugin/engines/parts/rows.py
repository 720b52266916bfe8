"""Rows that come in parts, behind the contract: what those of any task are asked."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mlflow_eval_plugin.engines.arrow.columns.inputs import power_of_two
from mlflow_eval_plugin.engines.arrow.comparing import sliced_drift
from mlflow_eval_plugin.engines.arrow.multivariate.drawing import Drawn, drawn
from mlflow_eval_plugin.engines.arrow.multivariate.keys import keys_of
from mlflow_eval_plugin.engines.arrow.multivariate.looking import looked_at, require_vectors
from mlflow_eval_plugin.engines.arrow.system import counted_system
from mlflow_eval_plugin.engines.contract import AskedColumns, DriftCounts, ReferenceColumn, ReferenceData, WindowCounts
from mlflow_eval_plugin.engines.parts.asking import Asking, Question
from mlflow_eval_plugin.engines.parts.columns import Part
from mlflow_eval_plugin.engines.parts.drift import binned, counted_against
from mlflow_eval_plugin.engines.parts.shown import Shown
from mlflow_eval_plugin.engines.parts.slices import SlicePlan, planned, surveyed
from mlflow_eval_plugin.engines.parts.survey.checks import CheckNumbers, require
from mlflow_eval_plugin.engines.parts.survey.facts import FactsOf, FactsOfColumns, require_names
from mlflow_eval_plugin.engines.parts.windows import windows_against
from mlflow_eval_plugin.engines.sampled import SampledReference
from mlflow_eval_plugin.engines.slicing import Slicing
from mlflow_eval_plugin.stats.drift.quality.keys import KeyCounts, Keys
from mlflow_eval_plugin.stats.drift.schema import ColumnType
from mlflow_eval_plugin.stats.drift.strata.sliced import SlicedDrift
from mlflow_eval_plugin.stats.drift.summary import DriftSummary, Role
from mlflow_eval_plugin.stats.drift.windows import Windowing
from mlflow_eval_plugin.stats.multivariate.together import Together
from mlflow_eval_plugin.stats.slices.system import SystemSummary


@dataclass(frozen=True)
class SystemOf:
    """Latencies and costs by slice."""

    shown: Shown
    plan: SlicePlan
    latency: str | None
    cost: str | None
    cost_scale: float | None

    @property
    def columns(self) -> tuple[str, ...]:
        """All that is read."""
        return (*self.shown.columns, *self.plan.shown.columns)

    def of(self, part: Part) -> SystemSummary:
        """Of a part."""
        cut = self.plan.sliced(part)
        return counted_system(
            self.shown.of(part),
            cut.columns,
            cut.depth,
            latency=self.latency,
            cost=self.cost,
            cost_scale=self.cost_scale,
        )


@dataclass(frozen=True, eq=False)
class SlicedDriftOf:
    """Counts columns by slice, on the bins of a reference."""

    shown: Shown
    plan: SlicePlan
    like: DriftSummary

    @property
    def columns(self) -> tuple[str, ...]:
        """All that is read."""
        return tuple(dict.fromkeys((*self.shown.columns, *self.plan.shown.columns)))

    def of(self, part: Part) -> SlicedDrift:
        """Of a part."""
        return sliced_drift(self.shown.of(part), self.plan.sliced(part), like=self.like)


@dataclass(frozen=True)
class DrawnOf:
    """Rows drawn by what they hold."""

    shown: Shown

    @property
    def columns(self) -> tuple[str, ...]:
        """All that is read."""
        return self.shown.columns

    def of(self, part: Part) -> Drawn:
        """Of a part."""
        return drawn(self.shown.of(part), self.shown.names)


@dataclass(frozen=True)
class KeysOf:
    """The different keys of rows."""

    columns: tuple[str, ...]

    def of(self, part: Part) -> Keys:
        """Of a part."""
        return keys_of(part.frame(self.columns), self.columns)


def key_question(columns: Iterable[str]) -> KeysOf:
    """What is asked of a key, whatever the order of its columns."""
    return KeysOf(tuple(sorted(columns)))


class PartedRows:
    """See ``contract.RowData``.

    Attributes:
        asking: the source; the handles of one source share it, and so the answers.
        shown: the columns, as an evaluation sees them.
    """

    def __init__(self, asking: Asking, shown: Shown) -> None:
        self.asking = asking
        self.shown = shown
        self._plans: list[SlicePlan] = []
        asking.survey(FactsOf(shown))

    @property
    def names(self) -> tuple[str, ...]:
        """What the columns are called, in their order."""
        return self.shown.names

    @property
    def digest(self) -> str:
        """The digest of all rows, as ``data_digest`` has it."""
        return self.asking.digested.summary.digest

    @property
    def facts(self) -> FactsOfColumns:
        """What is known of each column."""
        found: FactsOfColumns = self.asking.one(FactsOf(self.shown))
        return found

    def schema(self) -> tuple[ColumnType, ...]:
        """The columns by name, sorted, each with its kind."""
        return tuple(ColumnType(name, one.kind, one.lists) for name, one in sorted(self.facts.each.items()))

    def present(self, column: str) -> int | None:
        """How many rows have a value of a column; None where there is no such column."""
        return self.facts.each[column].present if column in self.names else None

    def examples(self, column: str) -> tuple[str, ...]:
        """A few values of a column; none where there is no such column."""
        return self.facts.each[column].examples if column in self.names else ()

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return self.asking.rows

    def binned(
        self,
        columns: Sequence[str],
        *,
        roles: Mapping[str, Role],
        categorical: Collection[str],
        bits: Mapping[str, int],
    ) -> Mapping[str, ReferenceColumn]:
        """Some columns, each counted on bins of its own."""
        return binned(self, columns, roles=roles, categorical=categorical, bits=bits)

    def drift(self, reference: ReferenceData, columns: AskedColumns) -> DriftCounts:
        """Both sides of some columns, counted on the bins of the reference."""
        return counted_against(reference, self, columns)

    def windows(self, reference: ReferenceData, windowing: Windowing, columns: AskedColumns) -> WindowCounts:
        """The same, and these rows by window of time."""
        return windows_against(reference, self, windowing, columns)

    def sliced_drift(self, slicing: Slicing, *, like: DriftSummary) -> SlicedDrift:
        """The rows by slice, each slice counted on these bins."""
        columns = self.shown.some(tuple(one.name for one in like.columns))
        found: SlicedDrift = self.asking.counted(SlicedDriftOf(columns, self.plan(slicing), like))
        return found

    def keys(self, columns: Sequence[str]) -> KeyCounts:
        """How many rows repeat a key."""
        require_names(self.shown, list(columns), "key")
        found: Keys = self.asking.one(key_question(self.shown.column(name).source for name in columns))
        return found.counts

    def draw(self, columns: Sequence[str]) -> Drawn:
        """Some columns of at most 2**14 different rows, drawn in one pass."""
        require_names(self.shown, list(columns), "columns")
        found: Drawn = self.asking.one(DrawnOf(self.shown.some(tuple(columns))))
        return found

    def together(
        self, reference: SampledReference, *, columns: Sequence[str], categorical: Collection[str], axes: bool
    ) -> Together:
        """Columns of both sides looked at together."""
        own = self.draw(columns)
        require_vectors(own)  # also where the reference has no rows to look at
        return looked_at(reference.draw(columns), own, columns=columns, categorical=categorical, axes=axes)

    def system(self, slicing: Slicing, *, latency: str | None, cost: str | None) -> SystemSummary:
        """Latencies and costs by slice."""
        found: SystemSummary = self.asking.counted(self._system(slicing, latency, cost))
        return found

    def expect_system(self, slicing: Slicing, *, latency: str | None, cost: str | None) -> None:
        """``system`` will be asked."""
        self.asking.survey(*self.surveyed(slicing), *self._amounts(latency, cost))
        self.asking.expect(lambda: [self._system(slicing, latency, cost)])

    def _system(self, slicing: Slicing, latency: str | None, cost: str | None) -> SystemOf:
        plan, checks = self.plan(slicing), self._amounts(latency, cost)
        found = dict(zip(checks, self.asking.all(checks), strict=True))
        require([reason for one in found.values() for reason in one.reasons])
        scale = None
        if cost is not None:
            scale = power_of_two(found[checks[-1]].ends[1])
        shown = self.shown.some(tuple(name for name in (latency, cost) if name is not None))
        return SystemOf(shown, plan, latency, cost, scale)

    def _amounts(self, latency: str | None, cost: str | None) -> list[Question]:
        checks: list[Question] = []
        for what, name in (("latency", latency), ("cost", cost)):
            if name is not None:
                require_names(self.shown, [name], what)
                source, most = self.shown.column(name).source, float(np.finfo(np.float64).max)
                checks.append(CheckNumbers(source, what, f"a finite {what} of 0 or more", 0.0, most))
        return checks

    def surveyed(self, slicing: Slicing) -> tuple[Question, ...]:
        """What has to be known of all rows before they are sliced."""
        return surveyed(slicing, self.shown)

    def plan(self, slicing: Slicing) -> SlicePlan:
        """The plan by which all parts are sliced, made once.

        Raises:
            InputError: for columns that are missing or cannot be cut, or a query that no row answers.
            TooManyLevels: for a column of too many levels, or too many slices.
        """
        for one in self._plans:
            if one.asked == slicing:
                return one
        self._plans.append(planned(slicing, self.shown, self.asking))
        return self._plans[-1]
