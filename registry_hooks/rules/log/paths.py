"""Proofs that entries stand in a tree of the ledger: the audit paths of RFC 6962, section 2.1.1."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from registry_hooks.rules.log.merkle import node_hash


def inclusion_paths(leaves: Iterable[bytes], wanted: Collection[int]) -> dict[int, tuple[bytes, ...]]:
    """The audit path of each wanted entry in the tree over all leaf hashes, from the leaf up.

    Args:
        leaves: leaf hashes in order; entry number 1 is the first.
        wanted: numbers of entries.

    Raises:
        ValueError: when there is no such entry.
    """
    level = list(leaves)
    if absent := [seq for seq in wanted if not 1 <= seq <= len(level)]:
        raise ValueError(f"no entries {absent} in a tree of {len(level)}")
    paths: dict[int, list[bytes]] = {seq: [] for seq in wanted}
    places = {seq: seq - 1 for seq in wanted}
    while len(level) > 1:
        for seq, place in places.items():
            if (beside := place ^ 1) < len(level):  # the last node of an odd level goes up as it is
                paths[seq].append(level[beside])
            places[seq] = place >> 1
        lone = level[-1:] if len(level) % 2 else []
        level = [node_hash(left, right) for left, right in zip(level[::2], level[1::2], strict=False)] + lone
    return {seq: tuple(path) for seq, path in paths.items()}


def root_from(seq: int, leaf: bytes, size: int, path: Iterable[bytes]) -> bytes | None:
    """The root of a tree of ``size`` entries that a leaf hash and its audit path give; None for a path of another form.

    As RFC 9162, section 2.1.3.2.
    """
    place, last, node = seq - 1, size - 1, leaf
    if not 0 <= place <= last:
        return None
    for beside in path:
        if last == 0:
            return None
        if place & 1 or place == last:
            node = node_hash(beside, node)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            node = node_hash(node, beside)
        place, last = place >> 1, last >> 1
    return node if last == 0 else None
