"""How much there is in the log, and how far what follows it has come: what an operator watches."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from registry_hooks.storage import schema

_ledger, _targets, _held = schema.ledger, schema.targets, schema.held


@dataclass(frozen=True)
class Behind:
    """A target of the outbox: how many entries it waits for, and since when the oldest of them has been there."""

    name: str
    entries: int
    since: datetime | None
    failing: bool


class Counts:
    """Counts within one unit of work."""

    def __init__(self, session: Session) -> None:
        self._rows = session.connection()

    def actions(self, after: int, to: int) -> dict[str, int]:
        """How many entries of each action there are behind number ``after``, as far as ``to``."""
        query = sa.select(_ledger.c.action, sa.func.count()).where(_ledger.c.seq > after, _ledger.c.seq <= to)
        return {str(action): int(number) for action, number in self._rows.execute(query.group_by(_ledger.c.action))}

    def targets(self, size: int) -> list[Behind]:
        """Every target of the outbox, against a log of ``size`` entries."""
        failing = set(self._rows.execute(sa.select(_held.c.target).distinct()).scalars())
        held = {
            str(target): int(done)
            for target, done in self._rows.execute(
                sa.select(_held.c.target, sa.func.min(_held.c.done_to))
                .where(_held.c.stream == "ledger")
                .group_by(_held.c.target)
            )
        }
        query = sa.select(_targets.c.id, _targets.c.name, _targets.c.ledger_to, _targets.c.failures)
        found = []
        for row in self._rows.execute(query.order_by(_targets.c.name)).all():
            done = min(int(row.ledger_to), held.get(str(row.id), int(row.ledger_to)))
            waiting = max(size - done, 0)
            since = self._at(done + 1) if waiting else None
            found.append(Behind(str(row.name), waiting, since, bool(row.failures) or row.id in failing))
        return found

    def _at(self, seq: int) -> datetime | None:
        text = self._rows.execute(sa.select(_ledger.c.entry).where(_ledger.c.seq == seq)).scalar_one_or_none()
        try:
            return None if text is None else datetime.fromisoformat(str(json.loads(text)["at"]).replace("Z", "+00:00"))
        except (ValueError, KeyError, TypeError):  # an entry that somebody changed, which an audit tells
            return None
