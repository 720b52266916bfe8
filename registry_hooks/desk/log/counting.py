"""What an operator watches of the log: how much was decided, and how far checkpoints and messages have come."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from registry_hooks.desk.grounds.case import Cases
from registry_hooks.storage.ledger import Ledger
from registry_hooks.storage.log.checkpoints import Checkpoints
from registry_hooks.storage.log.counts import Behind, Counts


@dataclass(frozen=True)
class Counted:
    """The numbers at one moment.

    Args:
        size: of the log, in entries.
        actions: how many entries of each action are behind the one that was asked for.
        checkpoint: the size of the newest checkpoint, and when it was signed; None before the first.
        targets: of the outbox.
        now: the time, by the clock of the desk.
    """

    size: int
    actions: dict[str, int]
    checkpoint: tuple[int, datetime] | None
    targets: list[Behind]
    now: datetime


@dataclass(frozen=True)
class Counting:
    """Asked by the app for its metrics; no route leads here."""

    cases: Cases

    def counted(self, after: int) -> Counted:
        """The numbers now; actions of entries behind number ``after`` alone, since the earlier ones do not change."""
        with self.cases.unit_of_work(write=False) as session:
            size = Ledger(session).head.size
            newest, counts = Checkpoints(session).newest(), Counts(session)
            signed = None if newest is None else (newest.checkpoint.size, datetime.fromisoformat(newest.at))
            return Counted(size, counts.actions(after, size), signed, counts.targets(size), self.cases.clock())
