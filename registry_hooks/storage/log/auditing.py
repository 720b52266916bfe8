"""What was signed of the log, and the hashes that proofs are made of, held against the tree of its entries."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy.orm import Session

from registry_hooks.errors import RegistryError
from registry_hooks.rules.log.checkpoints import opened
from registry_hooks.rules.log.merkle import Tree
from registry_hooks.storage.log.checkpoints import Checkpoints
from registry_hooks.storage.log.nodes import Nodes

_CACHE = (
    "the hashes that proofs are made of are not those of the entries: empty the table registry_hooks_nodes, and they "
    "are made anew"
)


def disagreeing(session: Session, tree: Tree) -> Iterator[str]:
    """What does not agree with the tree as it was recomputed from the entries.

    Of the checkpoints the newest one is looked at: it commits to all before it.
    """
    nodes = Nodes(session)
    try:
        if not nodes.lead_to(tree):
            yield _CACHE
            return
        kept = Checkpoints(session).newest()
        if kept is None:
            return
        opened(bytes(kept.note), [kept.vkey])
        size = kept.checkpoint.size
        if size > tree.size or nodes.tree(size).root(0, size) != kept.checkpoint.root:
            yield f"the log has not grown from the checkpoint of {size} entries that was signed: it was rewritten"
    except RegistryError as error:
        yield error.headline
