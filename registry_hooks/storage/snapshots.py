"""Snapshots: the state of each scope as it was when entries that it is folded from were purged.

From then on a state is the fold of the later entries on its snapshot. The entry that purged binds each by its digest.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import sqlalchemy as sa

from registry_hooks.storage.schema import snapshots

_ALL = sa.select(snapshots.c.model, snapshots.c.seq, snapshots.c.state)


class Snapshot(NamedTuple):
    """The state of a scope after entry ``seq``, as it is stored."""

    scope: str
    seq: int
    state: str


class Snapshots:
    """The snapshots within one unit of work."""

    def __init__(self, rows: sa.Connection) -> None:
        self._rows = rows

    def of(self, scope: str) -> Snapshot | None:
        """That of a scope; None where nothing of it was purged."""
        return next(self._found(_ALL.where(snapshots.c.model == scope)), None)

    def all(self) -> dict[str, Snapshot]:
        """Every one, by its scope."""
        return {each.scope: each for each in self._found(_ALL)}

    def put(self, *those: Snapshot) -> None:
        """Keep each in the place of an earlier one of its scope."""
        self._rows.execute(sa.delete(snapshots).where(snapshots.c.model.in_([each.scope for each in those])))
        if those:
            rows = [{"model": each.scope, "seq": each.seq, "state": each.state} for each in those]
            self._rows.execute(sa.insert(snapshots), rows)

    def _found(self, query: sa.Select[Any]) -> Iterator[Snapshot]:
        for row in self._rows.execute(query):
            yield Snapshot(str(row.model), int(row.seq), str(row.state))
