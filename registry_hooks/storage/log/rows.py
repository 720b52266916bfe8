"""Rows of the ledger exactly as they are stored: for what leaves the house, and for what takes a text out of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from registry_hooks.rules.log.altered import PURGED_BODY, SCOPE, purged_text
from registry_hooks.rules.log.merkle import Columns, StoredEntry
from registry_hooks.storage.schema import ledger

_MANY = 500  # values of one statement
_ROW = sa.select(ledger.c.seq, ledger.c.entry, ledger.c.leaf_hash, ledger.c.model, ledger.c.action)


class StoredLog:
    """The rows within one unit of work."""

    def __init__(self, session: Session) -> None:
        self._rows = session.connection()

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

    def newest(self, before: int | None, most: int, scope: str | None, action: str | None) -> list[StoredEntry]:
        """The last rows with a body, newest first: before a number, of a scope, with an action, where it is given."""
        query = _ROW.where(ledger.c.action != PURGED_BODY).order_by(ledger.c.seq.desc()).limit(most)
        query = query if before is None else query.where(ledger.c.seq < before)
        query = query if scope is None else query.where(ledger.c.model == scope)
        query = query if action is None else query.where(ledger.c.action == action)
        return list(_entries(self._rows.execute(query)))

    def rewrite(self, seq: int, text: bytes) -> None:
        """Put another text in the place of an entry's. Its leaf hash stays: a later entry says what was done."""
        self._rows.execute(sa.update(ledger).where(ledger.c.seq == seq).values(entry=text.decode()))

    def purge(self, ranges: Iterable[Sequence[int]], by: int) -> None:
        """Take the bodies out of rows, as entry ``by`` says. Their leaf hashes stay."""
        front, _, behind = purged_text("|", by).partition("|")
        text = sa.literal(front) + sa.cast(ledger.c.seq, sa.String(20)) + sa.literal(behind)
        gone = {"entry": text, "model": SCOPE, "action": PURGED_BODY}
        for first, last in ranges:
            self._rows.execute(sa.update(ledger).where(ledger.c.seq.between(first, last)).values(gone))

    def _where(self, condition: sa.ColumnElement[bool]) -> Iterator[StoredEntry]:
        query = _ROW.where(condition).order_by(ledger.c.seq)
        return _entries(self._rows.execute(query, execution_options={"yield_per": 500}))


def _entries(rows: Iterable[Any]) -> Iterator[StoredEntry]:
    for seq, entry, leaf, scope, action in rows:
        text = entry if isinstance(entry, bytes) else str(entry).encode()
        yield StoredEntry(int(seq), text, str(leaf), Columns(scope, str(action)))
