"""Proofs from the log: that an entry is in it, and that it has grown from what it was."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from registry_hooks.desk.answers import Answer
from registry_hooks.desk.grounds.case import Cases
from registry_hooks.desk.log.checkpointing import Checkpointing, checkpoint_json
from registry_hooks.errors import Invalid, NotFound, Reason
from registry_hooks.identity import current_sight
from registry_hooks.rules.log.merkle import leaf_hash
from registry_hooks.rules.log.proof_texts import EntryProof, GrowthProof
from registry_hooks.rules.log.proofs import Torn, consistency, inclusion, is_consistent, is_included
from registry_hooks.storage.ledger import Ledger
from registry_hooks.storage.log.checkpoints import Checkpoints
from registry_hooks.storage.log.nodes import Nodes

_BATCH = 2000  # entries


@dataclass(frozen=True)
class Proving:
    """Proofs; each leads to the root of a checkpoint, and is checked before it is given."""

    cases: Cases
    checkpointing: Checkpointing

    def audit_prove(self, seq: int, size: int | None = None) -> Answer:
        """The proof that entry ``seq``, counted from 1, is in the log of ``size`` entries, by default of all.

        ``entry`` is the entry itself, to a reader who may read everything; ``proof`` is all of it as one text.
        """
        head = self._checkpoint(size)
        told = head["size"]
        if seq > told:
            raise NotFound(f"there is no entry {seq} in a log of {told} entries")
        with self.cases.unit_of_work(write=False) as session:
            row = next(Ledger(session).rows(seq - 1, 1), None)
            if row is None or row.seq != seq:
                raise Torn(f"entry {seq} is missing; registry-hooks audit verify")
            path, leaf = inclusion(seq - 1, Nodes(session).tree(told)), bytes.fromhex(row.leaf_hash)
        if not is_included(leaf, seq - 1, told, path, bytes.fromhex(head["root"])):
            raise Torn(f"entry {seq} does not lead to the log's root; registry-hooks audit verify names what is wrong")
        entry = row.entry if current_sight().everything() and leaf_hash(row.entry) == leaf else None
        text = head["note"] and str(EntryProof(seq - 1, tuple(path), head["note"].encode(), entry))
        return {
            "seq": seq,
            "leaf_hash": row.leaf_hash,
            "hashes": [each.hex() for each in path],
            "entry": None if entry is None else entry.decode(),
            "proof": text,
            "checkpoint": head,
        }

    def audit_consistency(self, old: int, new: int | None = None) -> Answer:
        """The proof that the log of ``new`` entries, by default of all, has grown from that of ``old`` entries."""
        head = self._checkpoint(new)
        told = head["size"]
        if old > told:
            reason = Reason("old", f"a size up to {told}", str(old), "give the smaller size first")
            raise Invalid(f"the log of {told} entries cannot have grown from {old}", [reason])
        with self.cases.unit_of_work(write=False) as session:
            tree = Nodes(session).tree(told)
            path, before = consistency(old, tree), tree.root(0, old)
        if not is_consistent(old, told, path, before, bytes.fromhex(head["root"])):
            raise Torn("the log's hashes do not lead to its root; registry-hooks audit verify names what is wrong")
        return {
            "old": old,
            "old_root": before.hex(),
            "hashes": [each.hex() for each in path],
            "proof": head["note"] and str(GrowthProof(old, tuple(path), head["note"].encode())),
            "checkpoint": head,
        }

    def audit_leaves(self, after: int | None = None, until: int | None = None) -> Iterator[bytes]:
        """Entries behind number ``after``, up to ``until``: a line is the hash in the tree, a space, and the entry.

        An entry that was redacted is told as it is now, and its hash is that of what it was.
        """
        at, lines = after or 0, b"some"
        while lines and (until is None or at < until):
            # A transaction a batch: on SQLite an open one keeps everybody from writing while a reader dawdles.
            with self.cases.unit_of_work(write=False) as session:
                lines = Nodes(session).lines(at, min(at + _BATCH, until or at + _BATCH))
            at += _BATCH
            if lines:
                yield lines

    def _checkpoint(self, size: int | None) -> Answer:
        """The head, or the checkpoint of a size; unsigned where nobody signed at that size."""
        self.checkpointing.fill()
        newest = self.checkpointing.audit_checkpoint()
        if size is None or size == newest["size"]:
            return newest
        if size > newest["size"]:
            raise NotFound(f"the log has {newest['size']} entries, and not {size}")
        with self.cases.unit_of_work(write=False) as session:
            kept = Checkpoints(session).of(size)
            if kept is not None:
                return checkpoint_json(kept)
            root = Nodes(session).tree(size).root(0, size)
        why = f"no checkpoint of {size} entries was signed"
        unsigned: Answer = {"note": None, "key": None, "witnesses": [], "why_unsigned": why}
        return {**newest, "size": size, "root": root.hex(), **unsigned}
