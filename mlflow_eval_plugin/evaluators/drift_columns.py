"""Which columns are compared, and what changed between the two schemas: each change is a Check of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlflow_eval_plugin.evaluators.binary.rows import Rows
from mlflow_eval_plugin.evaluators.config.drift import DriftConfig
from mlflow_eval_plugin.evaluators.document import as_json
from mlflow_eval_plugin.evaluators.regression.rows import RegressionRows
from mlflow_eval_plugin.nearest import nearest
from mlflow_eval_plugin.stats.drift.schema import SchemaChange, schema_changes
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.inference.checks import CheckRecord

AnyRows = Rows | RegressionRows


@dataclass(frozen=True)
class DriftColumns:
    """The columns that both sides have, and the changes of schema.

    Attributes:
        allowed: the columns whose change of schema was allowed beforehand.
        reshaped: the columns of lists that both sides have and whose type changed, each with why it is not compared.
    """

    compared: tuple[str, ...]
    changes: tuple[SchemaChange, ...]
    allowed: frozenset[str]
    reshaped: Mapping[str, str] = field(default_factory=dict)

    @property
    def known(self) -> frozenset[str]:
        """All of them, compared or not."""
        return frozenset((*self.compared, *(change.column for change in self.changes)))

    @property
    def measured(self) -> list[dict[str, Any]]:
        """The changes as JSON."""
        return [{**as_json(change), "allowed": change.column in self.allowed} for change in self.changes]

    def checks(self, rows: int) -> Iterator[CheckRecord]:
        """One fact of all columns, and one of each that changed."""
        changed = [change for change in self.changes if change.column not in self.allowed]
        of_all = "; ".join(change.sentence for change in changed) or "no column came, went or changed its type"
        metric = "schema_changes"
        yield fact(metric, "overall", "no column came, went or changed its type", float(len(changed)), of_all, rows)
        for change in changed:
            claim = f"{change.column} is there on both sides, with values of one kind"
            yield fact(metric, change.column, claim, 1.0, change.sentence, rows)


def drift_columns(config: DriftConfig, rows: AnyRows, reference: AnyRows) -> DriftColumns:
    """What of two data sets is compared.

    Raises:
        InputError: for a column that the config names and neither side has.
    """
    wanted = _wanted(config, rows, reference)
    excluded = {config.column(name) for name in config.exclude_columns}
    # What rows are divided by into windows moves on.
    apart = excluded | {config.windowing.column} if config.windowing else excluded
    # A key tells rows apart and nothing else; of a column of a longer one, or one that is asked for, it is not said.
    alone = set(config.keyed_by) if len(config.keyed_by) == 1 and config.columns is None else set()
    names = [name for name in dict.fromkeys(wanted) if name not in apart | alone]
    sides = [frozenset(side.everything.names) for side in (reference, rows)]
    known = sorted(sides[0] | sides[1])
    asked: dict[str, Sequence[str]] = {
        "columns": names,
        "exclude_columns": sorted(excluded),
        **config.tolerated,
        "slice_columns": list(config.sliced_by),
        "key": config.keyed_by,
    }
    wrong = []
    for argument, given in asked.items():
        if unknown := [f"{name!r}{nearest(name, known)}" for name in given if name not in known]:
            wrong.append(f"{argument}: neither side has {'; '.join(unknown)}")
    if wrong:
        raise InputError("; ".join(wrong))
    compared = tuple(name for name in names if all(name in side for side in sides))
    told = {*names, *(alone - apart)}
    changes = tuple(_told(change, rows, reference) for change in _changes(rows, reference) if change.column in told)
    allowed = frozenset(change.column for change in changes if config.allows(change.column))
    return DriftColumns(compared, changes, allowed, _reshaped(changes, rows, reference))


def _wanted(config: DriftConfig, rows: AnyRows, reference: AnyRows) -> list[str]:
    if config.columns is not None:
        return [config.column(name) for name in config.columns]
    # Score, label, slice_data and what no model sees are compared where the reference has them.
    seen = [name for name in rows.features if name not in reference.optional]
    unseen = [name for name in rows.features if name in reference.optional]
    predicted = (rows.score_name, *rows.forecasts)
    known = {*rows.features, *predicted, rows.label_name}
    further = [name for name in rows.everything.names if name not in known]
    held = frozenset(reference.everything.names)
    optional = [name for name in (*unseen, *further, *predicted, rows.label_name) if name in held]
    return [*seen, *optional, *(name for name in reference.expected if name not in rows.apart)]


def _changes(rows: AnyRows, reference: AnyRows) -> tuple[SchemaChange, ...]:
    return schema_changes(reference.everything.schema(), rows.everything.schema())


def _reshaped(changes: Sequence[SchemaChange], rows: AnyRows, reference: AnyRows) -> dict[str, str]:
    lists = {one.name for side in (rows, reference) for one in side.everything.schema() if one.kind == "lists"}
    return {
        one.column: f"its values are {one.current}, and those of the reference {one.reference}"
        for one in changes
        if one.change == "type" and one.column in lists
    }


def _told(change: SchemaChange, rows: AnyRows, reference: AnyRows) -> SchemaChange:
    sides = (side.everything.examples(change.column) for side in (reference, rows))
    return change.with_examples(*sides)


def fact(
    metric: str, scope: str, claim: str, value: float | None, found: str, rows: int, *, maximum: float = 0.0
) -> CheckRecord:
    """A Check of what was counted in all rows, which has no uncertainty; without a value nothing is decided.

    Args:
        found: the value in words, without a full stop.
    """
    return CheckRecord(
        id=f"{metric}:{scope}",
        claim=claim,
        metric=metric,
        scope=scope,
        n=rows,
        minimum=None,
        maximum=maximum,
        value=value,
        interval=None if value is None else (value, value),
        p_value=None,
        p_adjusted=None,
        verdict="insufficient" if value is None else "fail" if value > maximum else "pass",
        reason=f"A fact, not an estimate: {found}.",
        n_to_decide=None,
    )
