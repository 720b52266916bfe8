"""Causes that columns show together: another mix of slices, another model, another relation of inputs and labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from mlflow_eval_plugin.stats.drift.causes.by_column import ColumnCauses, column_causes
from mlflow_eval_plugin.stats.drift.causes.cause import MOVED, Cause, cause_level, found, in_order, limits
from mlflow_eval_plugin.stats.drift.divergences import Divergence
from mlflow_eval_plugin.stats.drift.report import DriftTable
from mlflow_eval_plugin.stats.drift.schema import SchemaChange
from mlflow_eval_plugin.stats.drift.strata.mix import Strata, excess, mix, within
from mlflow_eval_plugin.stats.drift.strata.sliced import SlicedDrift
from mlflow_eval_plugin.stats.drift.summary import CategoricalColumn, NumericColumn

MOST_LEVELS = 20  # of a column that is looked at as slices
MOST_MIXES = 3  # columns, those that moved most
STILL = 0.2  # an input is still where its distance is shown to be below; what the default tolerance passes
LEAST_LABELS = 200
PREDICTED = ("score", "prediction")


@dataclass(frozen=True, eq=False)
class Sides:
    """Both sides by the slices of one column."""

    before: Strata
    after: Strata

    @classmethod
    def of(cls, before: SlicedDrift, after: SlicedDrift, column: str) -> Sides:
        """The slices of that column."""
        return cls(before.strata(column), after.strata(column))

    def within(self, column: str) -> Divergence:
        """How far a column moved inside the slices."""
        return within(self.before, self.after, column)


@dataclass(frozen=True, eq=False)
class Causes:
    """What every column shows, and with it what is to be asked of slices.

    Attributes:
        schema: the changes of schema that were not allowed.
        asked: columns that were named as slices.
    """

    table: DriftTable
    repeated: Mapping[str, float]
    schema: Sequence[SchemaChange] = ()
    asked: frozenset[str] = frozenset()
    columns: tuple[ColumnCauses, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Look at every column once."""
        names = [one.name for one in self.table.reference.columns]
        shown = (column_causes(self.table, name, self.alpha, self.repeated.get(name)) for name in names)
        object.__setattr__(self, "columns", tuple(shown))

    @property
    def alpha(self) -> float:
        """The error of one test."""
        return cause_level(len(self.table.reference.columns))

    @property
    def inputs(self) -> list[ColumnCauses]:
        """The features."""
        return [one for one in self.columns if one.role == "feature"]

    @property
    def predicted(self) -> list[ColumnCauses]:
        """Scores and predictions."""
        return [one for one in self.columns if one.role in PREDICTED]

    @property
    def mixed(self) -> tuple[str, ...]:
        """The columns of few categories that moved, and by which another column may have: those that moved most."""
        sizes = {one.name: one.moved.value or 0.0 for one in self.inputs if one.moved and self._has_few(one.name)}
        return tuple(sorted(sizes, key=lambda name: -sizes[name])[:MOST_MIXES])

    @property
    def related(self) -> tuple[str, tuple[float, ...], str] | None:
        """A score with the edges of its cells, and the label that may be related to it otherwise than before.

        None where inputs or the score moved, or where there is no such score or label: nothing could be told then.
        """
        labels = [one.name for one in self.columns if one.role == "label"]
        if not labels or not all(one.is_quiet for one in (*self.inputs, *self.predicted)):
            return None
        if min(one.present for one in self.table.pair(labels[0])) < LEAST_LABELS:
            return None
        for one in self.predicted:
            before = self.table.pair(one.name)[0]
            edges = np.unique(before.edges[before.coarse]).tolist() if isinstance(before, NumericColumn) else []
            if len(edges) > 1 or self._has_few(one.name):
                return one.name, tuple(edges), labels[0]
        return None

    def all(self, mixes: Mapping[str, Sides], related: Sides | None) -> tuple[Cause, ...]:
        """All causes that fit, in order.

        Args:
            mixes: by name, the columns of ``mixed`` of which both sides are known.
            related: both sides by the score of ``related``.
        """
        causes = [Cause("schema", one.column, f"{one.sentence}.") for one in self.schema]
        causes += [cause for one in self.columns for cause in one.causes]
        routed, explained = self._routed(mixes)
        causes += routed
        deployed = self._deployed()
        causes += deployed
        causes += self._concept(related)
        upstream = bool(self.schema) or any(not one.is_quiet for one in self.inputs)
        for one in self.columns:
            follows = one.role in PREDICTED and (upstream or bool(deployed))
            if one.moved is not None and one.name not in explained and not follows:
                causes.append(one.moved)
        return tuple(in_order(causes))

    def _has_few(self, name: str) -> bool:
        before, after = self.table.pair(name)
        known = [one for one in (before, after) if isinstance(one, CategoricalColumn)]
        return len(known) == 2 and len({level for one in known for level in one.levels}) <= MOST_LEVELS

    def _routed(self, mixes: Mapping[str, Sides]) -> tuple[list[Cause], set[str]]:
        """Each column that explains others by its mix, and all that is explained so."""
        causes, explained = [], set[str]()
        for name in self.mixed:
            if name not in mixes or name in explained:
                continue
            by = dict(self._explained(name, mixes[name]))
            if not by and name not in self.asked:
                continue
            distance = mix(mixes[name].before, mixes[name].after)
            parts = "; ".join(list(by.values())[:3]) or "no other column moved"
            said = f"the shares of the slices of {name} moved by {float(distance.value[0]):.2g}: {parts}."
            causes.append(found("routing", name, said, "js", distance, self.alpha))
            explained |= {name, *by}
        return causes, explained

    def _explained(self, name: str, sides: Sides) -> Iterator[tuple[str, str]]:
        for one in self.columns:
            if one.moved is None or one.name == name:
                continue
            inside, total = sides.within(one.name), self.table.quantity(one.name, "js")
            if not isinstance(total, Divergence) or np.isnan(inside.raw[0]):
                continue
            whole, left = excess(total), excess(inside)
            if limits(inside, self.alpha)[0] <= MOVED["js"] and left <= whole / 2:
                yield one.name, f"{one.name} moved by {whole:.2g}, and inside the slices by {left:.2g}"

    def _deployed(self) -> list[Cause]:
        """Scores that moved while no input did: of the same inputs a model says something else."""
        if not self.inputs or self.schema or not all(one.is_quiet and self._is_still(one.name) for one in self.inputs):
            return []
        causes = []
        for one in self.predicted:
            if one.moved is not None and one.moved.metric is not None:
                said = (
                    f"{one.name} moved by {one.moved.value:.2g} while no input did: another model, or another "
                    "preparation of its inputs, seems to serve."
                )
                quantity = self.table.quantity(one.name, one.moved.metric)
                causes.append(found("deploy", one.name, said, one.moved.metric, quantity, self.alpha))
        return causes

    def _is_still(self, name: str) -> bool:
        return limits(self.table.quantity(name, "js"), 0.05)[1] <= STILL

    def _concept(self, sides: Sides | None) -> list[Cause]:
        known = self.related
        if sides is None or known is None:
            return []
        score, _, label = known
        inside = sides.within(label)
        if np.isnan(inside.raw[0]) or limits(inside, self.alpha)[0] <= MOVED["js"]:
            return []
        said = (
            f"{label} moved by {float(inside.value[0]):.2g} among rows of the same {score}, while neither inputs nor "
            f"{score} did: inputs and {label} are related otherwise than before."
        )
        return [found("concept", label, said, "js", inside, self.alpha)]
