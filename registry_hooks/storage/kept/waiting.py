"""What waits for people, across all models, so that nobody folds ten thousand of them to open an inbox."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import sqlalchemy as sa

from registry_hooks.records import ModelState
from registry_hooks.rules.matters import Matter, matters, names
from registry_hooks.storage.schema import waiting

_COLUMNS = [waiting.c[name] for name in Matter._fields]
_ALL = sa.select(*_COLUMNS).order_by(waiting.c.until, waiting.c.model, waiting.c.item)
_NO_LONGER = sa.delete(waiting).where(waiting.c.model == sa.bindparam("of_model"))
_ADD = sa.insert(waiting)


class Waiting:
    """The table within one unit of work."""

    def __init__(self, rows: sa.Connection) -> None:
        self._rows = rows

    def keep(self, state: ModelState) -> None:
        """Put what waits of a model in place of what waited."""
        self._rows.execute(_NO_LONGER, {"of_model": state.model})
        if found := matters(state):
            self._rows.execute(_ADD, [each._asdict() for each in found])

    def forget(self) -> None:
        """Drop all, to be kept anew model by model."""
        self._rows.execute(sa.delete(waiting))

    def proposals(self, who: str, policies: Mapping[str, bool], after: str, most: int) -> Iterator[Matter]:
        """Proposals that somebody might sign; those that expire first come first.

        Args:
            who: by name; neither the requester nor the author.
            policies: the digests of those that count, each with whether a signature under it lapses, so that somebody
                may sign again.
            after: the time after which they expire.
            most: how many.
        """
        again = [digest for digest, lapses in policies.items() if lapses]
        fresh = sa.or_(_without(waiting.c.signed, who), waiting.c.policy.in_(again))
        here = sa.and_(waiting.c.kind == "proposal", waiting.c.policy.in_(policies), waiting.c.until > after)
        yield from self._read(_ALL.where(here, _without(waiting.c.barred, who), fresh).limit(most))

    def asked_by(self, who: str, most: int) -> Iterator[Matter]:
        """Proposals of a requester, rejected ones too; those that expire last come first."""
        mine = sa.and_(waiting.c.who == who, waiting.c.kind != "review")
        yield from self._read(_ALL.where(mine).order_by(None).order_by(waiting.c.until.desc()).limit(most))

    def reviews(self, most: int) -> Iterator[Matter]:
        """Open reviews; those that fall due first come first."""
        yield from self._read(_ALL.where(waiting.c.kind == "review").limit(most))

    def all(self) -> Iterator[Matter]:
        """Everything that waits."""
        yield from self._read(_ALL)

    def _read(self, query: sa.Select[tuple[str, ...]]) -> Iterator[Matter]:
        for row in self._rows.execute(query, execution_options={"yield_per": 500}):
            yield Matter._make(row)


def _without(column: sa.Column[str], name: str) -> sa.ColumnElement[bool]:
    # Not LIKE, which takes capitals for small letters on some databases.
    return sa.func.replace(column, names([name]), "") == column
