"""Rows of the ledger exactly as they are stored, for what leaves the house and is checked elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import islice

import sqlalchemy as sa

from registry_hooks.rules.log.merkle import Columns, StoredEntry
from registry_hooks.storage.schema import ledger

_MANY = 500  # values of one statement
_ROW = sa.select(ledger.c.seq, ledger.c.entry, ledger.c.leaf_hash, ledger.c.model, ledger.c.action)


class StoredLog:
    """The rows within one unit of work."""

    def __init__(self, rows: sa.Connection) -> None:
        self._rows = rows

    def of(self, numbers: Collection[int]) -> list[StoredEntry]:
        """The rows with these numbers that are there, in order."""
        rest, found = iter(sorted(set(numbers))), list[StoredEntry]()
        while lot := list(islice(rest, _MANY)):
            found += self._where(ledger.c.seq.in_(lot))
        return found

    def of_action(self, *actions: str) -> Iterator[StoredEntry]:
        """The rows of no model with one of these actions, in order."""
        return self._where(sa.and_(ledger.c.model.is_(None), ledger.c.action.in_(actions)))

    def of_scope(self, scope: str) -> Iterator[StoredEntry]:
        """The rows of a model or of another scope, in order."""
        return self._where(ledger.c.model == scope)

    def leaf_hashes(self, size: int) -> Iterator[bytes]:
        """The leaf hashes of the first ``size`` entries, in order."""
        query = sa.select(ledger.c.leaf_hash).where(ledger.c.seq <= size).order_by(ledger.c.seq)
        for leaf in self._rows.execute(query, execution_options={"yield_per": 5000}).scalars():
            yield bytes.fromhex(leaf)

    def _where(self, condition: sa.ColumnElement[bool]) -> Iterator[StoredEntry]:
        rows = self._rows.execute(_ROW.where(condition).order_by(ledger.c.seq), execution_options={"yield_per": 500})
        for seq, entry, leaf, scope, action in rows:
            text = entry if isinstance(entry, bytes) else str(entry).encode()
            yield StoredEntry(int(seq), text, str(leaf), Columns(scope, str(action)))
