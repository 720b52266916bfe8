"""Proofs of RFC 6962: that an entry is in a tree, and that a tree is the beginning of another.

A tree is read by *tiles*, as c2sp.org/tlog-tiles names them: each has up to 256 hashes of one level, and hash ``i`` of
``level`` is the root of the ``256 ** level`` entries from ``i * 256 ** level`` on. So a proof of one entry among a
million reads a few tiles, and hashes a few hundred times.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from registry_hooks.errors import RegistryError
from registry_hooks.rules.log.merkle import Tree, node_hash

WIDTH = 256
"""Hashes of a full tile."""
_HEIGHT = 8

Tile = Callable[[int, int], Sequence[bytes]]
"""Gives the hashes that tile ``number`` of ``level`` has."""


class Torn(RegistryError):
    """The log's hashes do not add up: it was changed in the database."""

    code = "RESOURCE_CONFLICT"


def complete(hashes: Sequence[bytes]) -> bytes:
    """The root over hashes whose number is a power of two."""
    while len(hashes) > 1:
        hashes = [node_hash(left, right) for left, right in zip(hashes[::2], hashes[1::2], strict=True)]
    return hashes[0]


class Hashes:
    """The tree of a log, each of whose tiles is read once.

    Args:
        size: how many entries it has.
        tile: reads a tile.
    """

    def __init__(self, size: int, tile: Tile) -> None:
        self.size = size
        self._tile = tile
        self._read: dict[tuple[int, int], Sequence[bytes]] = {}

    def root(self, low: int, high: int) -> bytes:
        """The root over the entries from ``low`` to before ``high``, as RFC 6962 divides a tree.

        Raises:
            Torn: when a hash is not there.
        """
        frontier = []
        while low < high:
            height = (high - low).bit_length() - 1
            frontier.append(self._complete(height, low >> height))
            low += 1 << height
        return Tree(0, tuple(frontier)).root

    def _complete(self, height: int, number: int) -> bytes:
        level, within = divmod(height, _HEIGHT)
        tile, first = divmod(number << within, WIDTH)
        if (level, tile) not in self._read:
            self._read[level, tile] = self._tile(level, tile)
        hashes = self._read[level, tile][first : first + (1 << within)]
        if len(hashes) != 1 << within:
            raise Torn(
                f"the log's hashes of level {level} are not all there; registry-hooks audit verify names what is"
            )
        return complete(hashes)


def inclusion(index: int, tree: Hashes) -> list[bytes]:
    """The proof that entry ``index``, counted from 0, is in the tree (RFC 6962, section 2.1.1)."""
    low, high, path = 0, tree.size, []
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            path.append(tree.root(middle, high))
            high = middle
        else:
            path.append(tree.root(low, middle))
            low = middle
    return path[::-1]


def consistency(old: int, tree: Hashes) -> list[bytes]:
    """The proof that the first ``old`` entries of the tree are a tree of their own (RFC 6962, section 2.1.2)."""
    low, high, path = 0, tree.size, []
    if not old:
        return []
    while old < high:
        middle = low + _split(high - low)
        if old <= middle:
            path.append(tree.root(middle, high))
            high = middle
        else:
            path.append(tree.root(low, middle))
            low = middle
    if low:
        path.append(tree.root(low, high))
    return path[::-1]


def is_included(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether ``path`` proves that ``leaf`` is the hash of entry ``index`` of the tree with ``root``."""
    if not 0 <= index < size:
        return False
    at, last, found = index, size - 1, leaf
    for sibling in path:
        if not last:
            return False
        if at & 1 or at == last:
            found = node_hash(sibling, found)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        at, last = at >> 1, last >> 1
    return not last and found == root


def is_consistent(old: int, new: int, path: Sequence[bytes], old_root: bytes, new_root: bytes) -> bool:
    """Whether ``path`` proves that the tree of ``old`` entries is the beginning of that of ``new`` entries."""
    if not 0 <= old <= new:
        return False
    if old in (0, new):
        return not path and (old_root == new_root if old == new else old_root == Tree().root)
    hashes = [old_root, *path] if old & (old - 1) == 0 else list(path)
    if not hashes:
        return False
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    before = after = hashes[0]
    for each in hashes[1:]:
        if not last:
            return False
        if at & 1 or at == last:
            before, after = node_hash(each, before), node_hash(each, after)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            after = node_hash(after, each)
        at, last = at >> 1, last >> 1
    return not last and before == old_root and after == new_root


def _split(size: int) -> int:
    """The largest power of two below ``size``, which is at least two."""
    return 1 << (size - 1).bit_length() - 1
