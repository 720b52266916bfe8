"""The whole log, read in many short transactions: on SQLite an open one keeps everybody from writing.

Entries are added at the end and never changed, so that a reading in parts reads what one reading would; but for what is
redacted or purged meanwhile, which entries say. It is read anew then, and after a few times in one transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic_core import from_json

from registry_hooks.desk.grounds.case import Cases
from registry_hooks.rules.log import altered
from registry_hooks.rules.log.merkle import Verification, Verifying
from registry_hooks.storage.ledger import Ledger
from registry_hooks.storage.replay import Replay
from registry_hooks.storage.snapshots import Snapshot

READ_AT_ONCE = 5_000
"""Entries of one transaction."""
_LAST = 200  # so few that they are read in the transaction in which all else is
_TRIES = 3
R = TypeVar("R", bound=Replay)


@dataclass(frozen=True)
class Whole(Generic[R]):
    """The log as it was read to its end, in a transaction that is open still: whatever else it shows is of that time.

    Args:
        session: of that transaction.
        replay: has read every entry.
        found: what does not add up of the entries.
    """

    session: Any
    replay: R
    found: Verification


@contextmanager
def whole_log(cases: Cases, begin: Callable[[Mapping[str, Snapshot]], R]) -> Iterator[Whole[R]]:
    """Read every entry into a replay that ``begin`` makes of the states that purges kept."""
    for left in reversed(range(_TRIES)):
        with _read(cases, begin, at_once=None if not left else READ_AT_ONCE) as whole:
            if whole is not None:
                yield whole
                return


@contextmanager
def _read(cases: Cases, begin: Callable[[Mapping[str, Snapshot]], R], at_once: int | None) -> Iterator[Whole[R] | None]:
    """As `whole_log`; None where something was redacted or purged meanwhile. All at once without a number."""
    verifying, replay, size = Verifying(), None, 0
    while True:
        with cases.unit_of_work(write=False) as session:
            ledger = Ledger(session)
            if replay is None:
                replay, size = begin(ledger.snapshots.all()), ledger.head.size
                verifying = Verifying(replay.read)
            if at_once is None:
                _take(verifying, ledger.rows())
                rows = []
            else:
                rows = list(ledger.rows(verifying.tree.size, at_once))
            if len(rows) <= _LAST:
                _take(verifying, rows)
                meanwhile = at_once is not None and any(seq > size for seq in verifying.changes.changes)
                yield None if meanwhile else Whole(session, replay, verifying.against(ledger.head))
                return
        _take(verifying, rows)


def _take(verifying: Verifying, rows: Any) -> None:
    for row in rows:
        verifying.take(row)


def documents(cases: Cases, after: int, upto: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """Number and document of the entries with a body behind number ``after`` and up to another, in order."""
    while after < upto:
        with cases.unit_of_work(write=False) as session:
            rows = list(Ledger(session).rows(after, min(READ_AT_ONCE, upto - after)))
        for row in rows:
            document = from_json(row.entry)
            if altered.purged_by(document) is None:
                yield row.seq, document
        after = rows[-1].seq if rows else upto
