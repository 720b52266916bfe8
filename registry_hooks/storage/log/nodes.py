"""The hashes of the log's tree, by tiles: those of entries stand in the ledger, those above in a table of their own.

The table is a cache, filled behind the entries by whoever needs it next: a decision writes nothing into it. Nothing
that is read from it is trusted: a proof that does not lead to the log's root is not given.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from registry_hooks.rules.log.merkle import Tree
from registry_hooks.rules.log.proofs import WIDTH, Hashes, Torn, complete
from registry_hooks.rules.log.tiles import upper
from registry_hooks.storage import schema
from registry_hooks.storage.ledger import Ledger

_ledger, _nodes = schema.ledger, schema.nodes
_level: sa.BindParameter[int] = sa.bindparam("of_level")
_first: sa.BindParameter[int] = sa.bindparam("first")
_end: sa.BindParameter[int] = sa.bindparam("end")
_LEAVES = (
    sa.select(_ledger.c.seq, _ledger.c.leaf_hash)
    .where(_ledger.c.seq > _first, _ledger.c.seq <= _end)
    .order_by(_ledger.c.seq)
)
_ENTRIES = (
    sa.select(_ledger.c.leaf_hash, _ledger.c.entry)
    .where(_ledger.c.seq > _first, _ledger.c.seq <= _end)
    .order_by(_ledger.c.seq)
)
_ABOVE = (
    sa.select(_nodes.c.number, _nodes.c.hash)
    .where(_nodes.c.level == _level, _nodes.c.number >= _first, _nodes.c.number < _end)
    .order_by(_nodes.c.number)
)
_HEX = frozenset("0123456789abcdef")
_NEXT = sa.select(sa.func.max(_nodes.c.number)).where(_nodes.c.level == _level)


class Nodes:
    """The tree's hashes within one unit of work."""

    def __init__(self, session: Session) -> None:
        self._rows = session.connection()
        self._head = Ledger(session).head

    @property
    def head(self) -> Tree:
        """The tree as the ledger's head has it."""
        return self._head

    def lines(self, first: int, end: int) -> bytes:
        """Hash and entry of the entries behind number ``first`` up to ``end``, one a line; empty behind the last."""
        rows = self._rows.execute(_ENTRIES, {"first": first, "end": end}).all()
        if rows and isinstance(rows[0][1], bytes):
            return b"".join(b"%s %s\n" % (leaf.encode(), entry) for leaf, entry in rows)
        return "".join([f"{leaf} {entry}\n" for leaf, entry in rows]).encode()

    def tree(self, size: int | None = None) -> Hashes:
        """The tree of the first ``size`` entries, by default of all."""
        return Hashes(self._head.size if size is None else size, self._tile)

    def behind(self) -> bool:
        """Whether hashes of full tiles are not there yet."""
        level, tiles = 1, self._head.size // WIDTH
        while tiles and self._next(level) >= tiles:
            level, tiles = level + 1, tiles // WIDTH
        return tiles > 0

    def fill(self, most: int) -> bool:
        """Add the hashes of up to ``most`` full tiles that are not there yet; whether all are.

        To be called in a unit of work that writes. Of two at once, one adds, and the other is to ask again.

        Raises:
            Torn: when an entry that should be there is not.
        """
        level, tiles = 1, self._head.size // WIDTH
        while tiles:
            first = self._next(level)
            added = [self._node(level, number) for number in range(first, min(tiles, first + most))]
            if added and not self._add(added):
                return False
            if first + len(added) < tiles:
                return False
            level, tiles, most = level + 1, tiles // WIDTH, most - len(added)
        return True

    def lead_to(self, tree: Tree) -> bool:
        """Whether the table's hashes are those of a tree: all of them lead to its root, and so no other could.

        Raises:
            Torn: when entries are missing.
        """
        query = sa.select(_nodes.c.level, _nodes.c.number, _nodes.c.hash).order_by(_nodes.c.level, _nodes.c.number)
        stored = {(int(level), int(number)): str(text) for level, number, text in self._rows.execute(query)}
        known = sum(level == 1 for level, _ in stored)
        roots = [stored.get((1, number), "") for number in range(known)]
        if any(len(each) != 64 or not set(each) <= _HEX for each in roots):
            return False
        above = [complete(self._tile(0, number)) for number in range(known, tree.size // WIDTH)]
        tiles = {
            (level, number): hashes
            for level, number, hashes in upper([*(bytes.fromhex(each) for each in roots), *above], 1)
        }
        whole = Hashes(tree.size, lambda level, at: tiles.get((level, at), []) if level else self._tile(0, at))
        made = {(level, number * WIDTH + at): each.hex() for (level, number), hashes in tiles.items()
                for at, each in enumerate(hashes)}  # fmt: skip
        return whole.root(0, tree.size) == tree.root and all(made.get(at) == text for at, text in stored.items())

    def fill_anew(self) -> None:
        """Empty the table, and fill it from the entries."""
        self._rows.execute(sa.delete(_nodes))
        while not self.fill(WIDTH):
            pass

    def _next(self, level: int) -> int:
        newest = self._rows.execute(_NEXT, {"of_level": level}).scalar_one()
        return 0 if newest is None else int(newest) + 1

    def _add(self, added: list[dict[str, object]]) -> bool:
        try:
            with self._rows.begin_nested():
                self._rows.execute(sa.insert(_nodes), added)
        except sa.exc.IntegrityError:
            return False
        return True

    def _node(self, level: int, number: int) -> dict[str, object]:
        hashes = self._tile(level - 1, number)
        if len(hashes) != WIDTH:
            raise Torn("entries of the log are missing; registry-hooks audit verify names them")
        return {"level": level, "number": number, "hash": complete(hashes).hex()}

    def _tile(self, level: int, number: int) -> list[bytes]:
        first, query = number * WIDTH, _ABOVE if level else _LEAVES
        found = self._rows.execute(query, {"of_level": level, "first": first, "end": first + WIDTH}).all()
        start = first if level else first + 1
        try:
            if any(place != at for at, (place, _) in enumerate(found, start)):
                raise ValueError("one is missing")
            hashes = [bytes.fromhex(text) for _, text in found]
        except ValueError as error:
            raise Torn(f"hashes of the log are missing or no hashes: {error}; registry-hooks audit verify") from error
        if level:  # those of the newest entries may not be there yet
            there = min(WIDTH, self._head.size // WIDTH**level - first)
            hashes += [complete(self._tile(level - 1, first + at)) for at in range(len(hashes), there)]
        return hashes
