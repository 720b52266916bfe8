"""What was signed of the log, and the hashes that proofs are made of, held against the tree of its entries.

Who writes the database can write its checkpoints too, and the keys beside them. So these are held against what stands
elsewhere, as far as it is there: the key in the server's file, and the copies in the folder outside. The keys that
entries name are of the database, and count as these entries do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from registry_hooks.errors import RegistryError
from registry_hooks.rules.log.checkpoints import Checkpoint, opened
from registry_hooks.rules.log.merkle import Tree
from registry_hooks.rules.log.notes import Vkey, read_vkey, vkey_of
from registry_hooks.storage.ledger import Ledger
from registry_hooks.storage.log import outside
from registry_hooks.storage.log.checkpoints import Checkpoints, Kept
from registry_hooks.storage.log.nodes import Nodes
from registry_hooks.storage.log.outside import Copy

_CACHE = (
    "the hashes that proofs are made of are not those of the entries: empty the table registry_hooks_nodes, and they "
    "are made anew"
)
_REWRITTEN = "it was rewritten, or restored from a backup"


@dataclass
class Signed:
    """What was found of checkpoints.

    Args:
        problems: what does not agree with the tree as it was recomputed from the entries.
        against: what the log was held against.
    """

    problems: list[str] = field(default_factory=list)
    against: list[str] = field(default_factory=list)


def held_against(session: Session, tree: Tree) -> Signed:
    """Hold the log against what was signed of it.

    Of the checkpoints in the database the newest one is looked at, and of the copies that of each name: it commits to
    all before it.
    """
    found, nodes = Signed(), Nodes(session)
    try:
        if not nodes.lead_to(tree):
            found.problems.append(_CACHE)
            return found
        kept = Checkpoints(session).newest()
        if kept is not None:
            _hold(found, nodes, kept, dict(_keys(session, kept)))
    except RegistryError as error:
        found.problems.append(error.headline)
    try:
        for copy in outside.copies_outside():
            found.against.append(f"the copy of {copy.checkpoint.size} entries of {copy.checkpoint.origin} outside")
            found.problems += parted(nodes, copy)
    except RegistryError as error:
        found.against.append(f"no other copy outside: {error.headline}")
    return found


def parted(nodes: Nodes, copy: Copy) -> list[str]:
    """What is wrong where the log has not grown from a copy of a checkpoint."""
    if _begins(nodes, copy.checkpoint):
        return []
    size, mend = copy.checkpoint.size, "Once it is known why, move that file elsewhere"
    return [f"the log has forked from the copy of {size} entries in {copy.file}: {_REWRITTEN}. {mend}"]


def _begins(nodes: Nodes, before: Checkpoint) -> bool:
    size = before.size
    return size <= nodes.head.size and nodes.tree(size).root(0, size) == before.root


def _keys(session: Session, kept: Kept) -> Iterator[tuple[str, Vkey]]:
    """Keys that should have signed a checkpoint, each with where it is from; its row's own where there is no other."""
    named = [key for key in Ledger(session).trust().log_keys if key.since <= kept.checkpoint.size]
    if named:
        yield "the key that the log names", read_vkey(named[-1].vkey)
    try:
        own = vkey_of(kept.vkey.name, outside.log_key())
    except RegistryError:
        own = None
    if own is not None and (
        not named or str(own) == named[-1].vkey
    ):  # one that the log does not name yet signs nothing
        yield "the key of this server", own
    elif not named:
        yield "no key but the one beside it", kept.vkey


def _hold(found: Signed, nodes: Nodes, kept: Kept, keys: dict[str, Vkey]) -> None:
    size = kept.checkpoint.size
    for whose, key in keys.items():
        found.against.append(f"the checkpoint of {size} entries, by {whose}")
        if key != kept.vkey:
            found.problems.append(f"the checkpoint of {size} entries is signed by {kept.vkey}, and {whose} is {key}")
            return
        opened(bytes(kept.note), [key])
    if not _begins(nodes, kept.checkpoint):
        found.problems.append(
            f"the log has not grown from the checkpoint of {size} entries that was signed: it was rewritten"
        )
