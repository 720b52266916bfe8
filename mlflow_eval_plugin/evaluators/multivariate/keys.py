"""What a key says of rows, of however many columns: how many repeat one that another row has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mlflow_eval_plugin.evaluators.config.drift import DriftConfig
from mlflow_eval_plugin.evaluators.document import as_json
from mlflow_eval_plugin.evaluators.drift_columns import AnyRows, fact
from mlflow_eval_plugin.nearest import nearest
from mlflow_eval_plugin.stats.drift.quality.keys import KeyCounts
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.inference.checks import CheckRecord


@dataclass(frozen=True)
class Duplicates:
    """Rows that repeat a key.

    Attributes:
        reference: None where it lacks a column of the key.
    """

    columns: tuple[str, ...]
    current: KeyCounts
    reference: KeyCounts | None

    @property
    def rise(self) -> float:
        """The share of the rows less that of the reference, if it has one."""
        before = 0.0 if self.reference is None or not self.reference.with_key else self.reference.share
        return self.current.share - before

    @property
    def measured(self) -> dict[str, Any]:
        """The counts as JSON; a share of no rows is null."""
        return {
            "columns": list(self.columns),
            "current": _counts(self.current),
            "reference": None if self.reference is None else _counts(self.reference),
        }

    def checks(self, maximum: float | None) -> Iterator[CheckRecord]:
        """That no more rows repeat a key than in the reference, but for so many; a fact, as all rows were counted."""
        if maximum is None:
            return
        scope = " + ".join(self.columns)
        claim = f"the share of rows that repeat a key of {scope} is at most {maximum:g} above that of the reference"
        known = self.current.with_key > 0
        yield fact(
            "duplicate_keys",
            scope,
            claim,
            self.rise if known else None,
            self._found,
            self.current.with_key,
            maximum=maximum,
        )

    @property
    def _found(self) -> str:
        told = [_said(self.current)]
        if self.reference is None:
            told.append("the reference has no such key")
        else:
            told.append(f"of the reference, {_said(self.reference)}")
        return "; ".join(told)


def duplicates(config: DriftConfig, rows: AnyRows, reference: AnyRows) -> Duplicates | None:
    """The rows that repeat a key; None where the config names none.

    Raises:
        InputError: for a column that the rows have not, or that tells no rows apart; for too many keys.
    """
    columns = config.keyed_by
    if not columns:
        return None
    if missing := [name for name in columns if name not in rows.everything.names]:
        told = "; ".join(f"{name!r}{nearest(name, list(rows.everything.names))}" for name in missing)
        raise InputError(f"key: the data have no column {told}")
    has_key = all(name in reference.everything.names for name in columns)
    before = reference.everything.keys(columns) if has_key else None
    return Duplicates(columns, rows.everything.keys(columns), before)


def _counts(counts: KeyCounts) -> dict[str, Any]:
    return {**as_json(counts), "share": counts.share if counts.with_key else None}


def _said(counts: KeyCounts) -> str:
    if not counts.with_key:
        return "no row has a key"
    missing = f", and {counts.missing:,} have none" if counts.missing else ""
    return f"{counts.repeated:,} of {counts.with_key:,} rows with a key repeat one ({counts.share:.4%}){missing}"
