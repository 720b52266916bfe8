"""What there is to tell, in two streams: the ledger's entries, and notices of what is none.

Both are numbered from 1 without gaps, in the order of their commits: an entry gets its number under the lock of the
ledger's head, a notice under that of the row that counts them. So whoever has read up to a number has missed nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

import sqlalchemy as sa
from sqlalchemy.orm import Session

from registry_hooks.records import Entry, Pair
from registry_hooks.rules.log import altered
from registry_hooks.rules.log.merkle import Tree
from registry_hooks.rules.log.redaction import Text, without
from registry_hooks.rules.telling.aliases import MOVED_BY
from registry_hooks.rules.telling.events import Event, events_of
from registry_hooks.storage import schema

Stream = Literal["ledger", "notices"]
STREAMS: tuple[Stream, ...] = get_args(Stream)
_ledger, _head, _notices, _background = schema.ledger, schema.head, schema.notices, schema.background
_SIZES = sa.select(
    sa.select(_head.c.size).where(_head.c.id == 1).scalar_subquery(),
    sa.select(_background.c.notices).where(_background.c.id == 1).scalar_subquery(),
)
_LOCK_NOTICES = sa.select(_background.c.notices).where(_background.c.id == 1).with_for_update()
_MOVE_NOTICES = sa.update(_background).where(_background.c.id == 1).values(notices=sa.bindparam("new_size"))

_REWRITE = (
    sa.update(_notices).where(_notices.c.number == sa.bindparam("of_number")).values(body=sa.bindparam("new_body"))
)


@dataclass(frozen=True)
class Item:
    """One thing to tell: its number in its stream, the line in which it stands, and what it is.

    Items of one line are told in order. A model's entries are a line, and so are those of each scope that is no
    model's; ``line`` is empty for what is of neither. ``sign`` is an entry's leaf hash, or what a notice is known by.
    """

    stream: Stream
    number: int
    line: str
    model: str | None
    events: tuple[Event, ...]
    text: str
    sign: str


class Streams:
    """What there is to tell, within one unit of work."""

    def __init__(self, session: Session) -> None:
        self._rows = session.connection()

    def sizes(self) -> dict[Stream, int]:
        """How many items each stream has."""
        row = self._rows.execute(_SIZES).one()
        return {"ledger": int(row[0]), "notices": int(row[1])}

    def items(
        self, stream: Stream, after: int, limit: int, *, line: str | None = None, upto: int | None = None
    ) -> list[Item]:
        """The items behind a number, at most ``limit``; of one ``line`` only, and none beyond ``upto``, where given."""
        number, held = (_ledger.c.seq, _ledger) if stream == "ledger" else (_notices.c.number, _notices)
        query = sa.select(held).where(number > after).order_by(number).limit(limit)
        query = query.where(_is_there) if stream == "ledger" else query
        if upto is not None:
            query = query.where(number <= upto)
        if line is not None:
            query = query.where(_in_line(held, line))
        made = _entry_item if stream == "ledger" else _notice_item
        return [made(row) for row in self._rows.execute(query)]

    def waiting(self, stream: Stream, line: str, after: int, upto: int) -> int:
        """How many items of a line there are behind a number and up to another."""
        number, held = (_ledger.c.seq, _ledger) if stream == "ledger" else (_notices.c.number, _notices)
        query = sa.select(sa.func.count()).where(number > after, number <= upto, _in_line(held, line))
        return int(self._rows.execute(query).scalar_one())

    def root_after(self, seq: int) -> str:
        """The root of the tree of the first ``seq`` entries, in hex."""
        following = sa.select(_ledger.c.entry).where(_ledger.c.seq == seq + 1)
        if (text := self._rows.execute(following).scalar_one_or_none()) is not None:
            return str(json.loads(text).get("tree", ""))  # not told by a row whose body was purged
        row = self._rows.execute(sa.select(_head.c.size, _head.c.frontier).where(_head.c.id == 1)).one()
        return Tree(int(row.size), tuple(bytes.fromhex(node) for node in row.frontier.split(",") if node)).root.hex()

    def pairs(self, entry: Entry) -> tuple[Pair, Pair] | None:
        """A model's pair before and after an entry of it, as its entries say; None for an entry of no model."""
        if entry.model is None:
            return None
        if entry.action in MOVED_BY and "before" in entry.body:
            return Pair.model_validate(entry.body["before"]), Pair.model_validate(entry.body["after"])
        before = self._pair_before(entry.model, entry.seq)
        return before, Pair.model_validate(entry.body["pair"]) if entry.action == "adopted" else before

    def _pair_before(self, model: str, seq: int) -> Pair:
        moves = sa.select(_ledger.c.entry).where(
            _ledger.c.model == model, _ledger.c.seq < seq, _ledger.c.action.in_(MOVED_BY)
        )
        text = self._rows.execute(moves.order_by(_ledger.c.seq.desc()).limit(1)).scalar_one_or_none()
        if text is None:
            return Pair()
        body = json.loads(text)["body"]
        return Pair.model_validate(body.get("after") or body["pair"])

    def note(self, said: str, event: Event, model: str | None, at: datetime, body: dict[str, Any]) -> bool:
        """Add a notice, unless ``said`` was said before; whether it was added."""
        size = int(self._rows.execute(_LOCK_NOTICES).scalar_one())
        if self._rows.execute(sa.select(_notices.c.number).where(_notices.c.said == said)).first() is not None:
            return False
        text = json.dumps({**body, "model": model, "at": at.isoformat()}, ensure_ascii=False)
        values = {"number": size + 1, "said": said, "model": model, "event": event, "body": text}
        self._rows.execute(sa.insert(_notices).values(**values))
        self._rows.execute(_MOVE_NOTICES, {"new_size": size + 1})
        return True

    def take_out(self, model: str, taken: Iterable[Text]) -> None:
        """Take texts that are redacted or purged out of the notices about a model."""
        self.rewrite(self.without({model: list(taken)}))

    def without(self, taken: Mapping[str, Sequence[Text]], after: int = 0) -> dict[int, str]:
        """What notices behind a number say without texts of their models, of those that have any of them."""
        query, found = sa.select(_notices).where(_notices.c.model.is_not(None), _notices.c.number > after), {}
        query = query.where(_notices.c.model == next(iter(taken))) if len(taken) == 1 else query
        for row in self._rows.execute(query):
            changed, had = without(json.loads(row.body), taken.get(str(row.model), ()))
            if had:
                found[int(row.number)] = json.dumps(changed, ensure_ascii=False)
        return found

    def rewrite(self, bodies: Mapping[int, str]) -> None:
        """Put other bodies in the place of notices'."""
        if bodies:
            rows = [{"of_number": number, "new_body": body} for number, body in bodies.items()]
            self._rows.execute(_REWRITE, rows)

    def said(self, those: Sequence[str]) -> set[str]:
        """Which of those were said before."""
        found = sa.select(_notices.c.said).where(_notices.c.said.in_(those))
        return set(map(str, self._rows.execute(found).scalars())) if those else set()


_is_there = sa.or_(_ledger.c.model.is_(None), _ledger.c.model != altered.SCOPE)
"""Rows of the ledger whose bodies were purged are nothing to tell."""


def _in_line(held: sa.Table, line: str) -> sa.ColumnElement[bool]:
    return held.c.model == line if line else held.c.model.is_(None)


def _entry_item(row: Any) -> Item:
    scope = None if row.model is None else str(row.model)
    text = row.entry.decode() if isinstance(row.entry, bytes) else str(row.entry)
    model = None if scope is None or scope.startswith(":") else scope
    return Item("ledger", int(row.seq), scope or "", model, events_of(row.action), text, str(row.leaf_hash))


def _notice_item(row: Any) -> Item:
    model = None if row.model is None else str(row.model)
    return Item("notices", int(row.number), model or "", model, (row.event,), str(row.body), str(row.said))
