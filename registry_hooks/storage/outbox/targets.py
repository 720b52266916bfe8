"""Targets: who is told, what they chose, how far each has heard, and what they have not taken yet."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from registry_hooks.rules.telling.events import Chosen
from registry_hooks.storage import schema
from registry_hooks.storage.outbox.streams import STREAMS, Stream

Kind = Literal["webhook", "mlflow", "apprise", "stdout"]
LONGEST_PAUSE = 60_000  # milliseconds between two tries, however many have failed
_FIRST_PAUSE = 1_000
_FORGOTTEN = "it failed; the answer was dropped when a text was taken out of the log"
LONGEST_ERROR = 500  # characters of an error that are kept
_targets, _held = schema.targets, schema.held


@dataclass(frozen=True)
class Failing:
    """Tries that failed one after the other: how many, since when, when the next one is, and what was found last.

    Times are in milliseconds since 1970.
    """

    failures: int = 0
    since: int | None = None
    retry_at: int = 0
    error: str = ""

    def is_due(self, now: int) -> bool:
        """Whether it may be tried; also where the next try is further off than any pause: the clock was put back."""
        return not now < self.retry_at <= now + LONGEST_PAUSE

    def again(self, now: int, error: str, wait: float = 0) -> Failing:
        """One more; the pause doubles with each, and is no shorter than ``wait`` seconds, up to ``LONGEST_PAUSE``."""
        pause = min(LONGEST_PAUSE, max(_FIRST_PAUSE * 2 ** min(self.failures, 10), int(wait * 1000)))
        return Failing(self.failures + 1, self.since or now, now + pause, error[:LONGEST_ERROR])


@dataclass(frozen=True)
class Line:
    """A line of a stream that a target does not take: told up to ``done_to``, and tried again from there."""

    stream: Stream
    name: str
    done_to: int
    failing: Failing


@dataclass(frozen=True)
class Target:
    """One who is told.

    Args:
        id: known to nobody else, also when it is removed and added anew.
        name: by which people call it.
        kind: how it is told.
        address: as it may be shown.
        sealed: address and secret, encrypted; None where there is nothing to hide.
        chosen: what it wants to hear.
        added_by: who added it, ``added_at`` when.
        done_to: how far it has heard each stream, but for the lines that are held.
        failing: tries of anything that failed since the last that did not.
    """

    id: str
    name: str
    kind: Kind
    address: str
    sealed: str | None
    chosen: Chosen
    added_by: str
    added_at: str
    done_to: dict[Stream, int]
    failing: Failing = Failing()


class Targets:
    """Targets within one unit of work."""

    def __init__(self, session: Session) -> None:
        self._rows = session.connection()

    def all(self) -> list[Target]:
        """Every target, by name."""
        return [_target(row) for row in self._rows.execute(sa.select(_targets).order_by(_targets.c.name))]

    def get(self, target_id: str) -> Target | None:
        """One target; None where it was removed."""
        row = self._rows.execute(sa.select(_targets).where(_targets.c.id == target_id)).one_or_none()
        return None if row is None else _target(row)

    def add(self, target: Target) -> None:
        """Begin to tell somebody, from where ``done_to`` says."""
        self._rows.execute(sa.insert(_targets).values(**_row(target)))

    def remove(self, target_id: str) -> None:
        """Tell somebody no more; what waits for them is forgotten."""
        self._rows.execute(sa.delete(_held).where(_held.c.target == target_id))
        self._rows.execute(sa.delete(_targets).where(_targets.c.id == target_id))

    def lines(self, target_id: str) -> list[Line]:
        """The lines that it does not take, the one that is tried next first."""
        query = sa.select(_held).where(_held.c.target == target_id).order_by(_held.c.retry_at)
        return [_line(row) for row in self._rows.execute(query)]

    def all_lines(self) -> list[tuple[str, Line]]:
        """The lines that are not taken, with the ids of the targets that do not take them."""
        return [(str(row.target), _line(row)) for row in self._rows.execute(sa.select(_held))]

    def move(self, target: Target, done_to: dict[Stream, int], failing: Failing) -> bool:
        """Note how far a target has heard. False, and nothing, where it was moved or removed since it was read."""
        here = [_targets.c[f"{stream}_to"] == target.done_to[stream] for stream in STREAMS]
        values = {f"{stream}_to": number for stream, number in done_to.items()}
        changed = sa.update(_targets).where(_targets.c.id == target.id, *here).values(**values, **_tried(failing))
        return bool(self._rows.execute(changed).rowcount)

    def hold(self, target_id: str, lines: Iterable[Line]) -> None:
        """Note lines that it does not take."""
        for line in lines:
            self.free(target_id, line)
            key = {"target": target_id, "stream": line.stream, "scope": line.name}
            self._rows.execute(sa.insert(_held).values(**key, done_to=line.done_to, **_tried(line.failing)))

    def forget_errors(self) -> None:
        """Drop what receivers answered, who may have repeated what they were sent; that they fail is kept."""
        for table in (_targets, _held):
            self._rows.execute(sa.update(table).where(table.c.error != "").values(error=_FORGOTTEN))

    def free(self, target_id: str, line: Line) -> None:
        """A line is taken again, up to where the target is."""
        where = (_held.c.target == target_id, _held.c.stream == line.stream, _held.c.scope == line.name)
        self._rows.execute(sa.delete(_held).where(*where))


def _tried(failing: Failing) -> dict[str, Any]:
    return {"failures": failing.failures, "failing_since": failing.since, "retry_at": failing.retry_at,
            "error": failing.error}  # fmt: skip


def _failing(row: Any) -> Failing:
    since = None if row.failing_since is None else int(row.failing_since)
    return Failing(int(row.failures), since, int(row.retry_at), str(row.error))


def _line(row: Any) -> Line:
    return Line(row.stream, str(row.scope), int(row.done_to), _failing(row))


def _row(target: Target) -> dict[str, Any]:
    plain = {
        name: getattr(target, name) for name in ("id", "name", "kind", "address", "sealed", "added_by", "added_at")
    }
    done_to = {f"{stream}_to": number for stream, number in target.done_to.items()}
    return {**plain, **done_to, "chosen": target.chosen.model_dump_json(), **_tried(target.failing)}


def _target(row: Any) -> Target:
    return Target(
        id=str(row.id), name=str(row.name), kind=row.kind, address=str(row.address),
        sealed=None if row.sealed is None else str(row.sealed), chosen=Chosen.model_validate_json(row.chosen),
        added_by=str(row.added_by), added_at=str(row.added_at),
        done_to={"ledger": int(row.ledger_to), "notices": int(row.notices_to)}, failing=_failing(row),
    )  # fmt: skip


def without_failures(target: Target) -> Target:
    """The target as if nothing had failed."""
    return replace(target, failing=Failing())
