"""Which of all workers and replicas does the work beside requests: one row, taken by compare-and-swap.

No clock is compared with another host's. Whoever holds the lease moves its beat; whoever wants it must have seen the
same beat for a while on its own clock, and takes it only from that very beat.
"""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from registry_hooks.storage.schema import background as _background

_SEEN = sa.select(_background.c.owner, _background.c.beat).where(_background.c.id == 1)
_TAKE = (
    sa.update(_background)
    .where(
        _background.c.id == 1,
        _background.c.owner == sa.bindparam("seen_owner"),
        _background.c.beat == sa.bindparam("seen_beat"),
    )
    .values(owner=sa.bindparam("new_owner"), beat=sa.bindparam("new_beat"))
)


class Seen(NamedTuple):
    """Who held the lease, and its beat, when it was read; nobody is the empty text."""

    owner: str
    beat: int


class Lease:
    """The lease within one unit of work."""

    def __init__(self, session: Session) -> None:
        self._rows = session.connection()

    def seen(self) -> Seen:
        """Who holds it."""
        row = self._rows.execute(_SEEN).one()
        return Seen(str(row.owner), int(row.beat))

    def take(self, owner: str, seen: Seen) -> Seen | None:
        """Take it, keep it, or with an empty ``owner`` give it back; None where it is no longer as it was seen."""
        taken = Seen(owner, seen.beat + 1)
        values = {"seen_owner": seen.owner, "seen_beat": seen.beat, "new_owner": owner, "new_beat": taken.beat}
        return taken if self._rows.execute(_TAKE, values).rowcount else None
