"""Proofs as text that others read: of an entry (c2sp.org/tlog-proof), and of an older head (c2sp.org/tlog-witness).

Both end with the checkpoint that they lead to. The first has the entry itself as its extra data, so that one file is
checked without anything else; the second is what a witness is sent as ``add-checkpoint``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from registry_hooks.errors import Invalid
from registry_hooks.rules.log.checkpoints import Signed, number, opened
from registry_hooks.rules.log.merkle import leaf_hash
from registry_hooks.rules.log.notes import Vkey, as_base64, from_base64
from registry_hooks.rules.log.proofs import is_consistent, is_included

FIRST_LINE = "c2sp.org/tlog-proof@v1"
MOST_HASHES = 126
"""Of a proof between trees of fewer than 2**63 entries."""


@dataclass(frozen=True)
class EntryProof:
    """A proof of one entry, as it was read; nothing in it is verified.

    Args:
        index: of the entry, counted from 0.
        path: from the leaf's sibling to the root's child.
        note: the checkpoint.
        entry: the entry's bytes, where they are told.
    """

    index: int
    path: tuple[bytes, ...]
    note: bytes
    entry: bytes | None = None

    def __str__(self) -> str:
        extra = [] if self.entry is None else [f"extra {as_base64(self.entry)}"]
        return _joined([FIRST_LINE, *extra, f"index {self.index}"], self.path, self.note)


@dataclass(frozen=True)
class GrowthProof:
    """A proof that a log of ``old`` entries is the beginning of the checkpoint's; nothing in it is verified."""

    old: int
    path: tuple[bytes, ...]
    note: bytes

    def __str__(self) -> str:
        return _joined([f"old {self.old}"], self.path, self.note)


def read_proof(data: bytes) -> EntryProof | GrowthProof:
    """A proof of either kind.

    Raises:
        Invalid: when it is none.
    """
    head, blank, note = data.partition(b"\n\n")
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise Invalid(f"the proof is no plain text: {error}") from error
    if not blank:
        raise Invalid("a proof ends with an empty line and a checkpoint")
    if lines[0].startswith("old "):
        return GrowthProof(number(lines[0][4:], "old size"), _path(lines[1:]), note)
    if lines.pop(0) != FIRST_LINE:
        raise Invalid(f"expected a proof that begins with {FIRST_LINE!r} or 'old', found neither")
    entry = from_base64(lines.pop(0)[6:], "extra data") if lines and lines[0].startswith("extra ") else None
    if not lines or not lines[0].startswith("index "):
        raise Invalid("the proof names no index")
    return EntryProof(number(lines[0][6:], "index"), _path(lines[1:]), note, entry)


def proven(proof: EntryProof, keys: Iterable[Vkey], entry: bytes | None = None) -> Signed:
    """The checkpoint under which an entry is proven to be in the log.

    Args:
        proof: as it was read.
        keys: of the log and of witnesses, from somewhere else than the proof.
        entry: the entry's bytes; by default those in the proof.

    Raises:
        Invalid: when it proves nothing, and why.
    """
    signed = opened(proof.note, keys)
    told = proof.entry if entry is None else entry
    if told is None:
        raise Invalid("the proof has no entry in it; give the entry beside it")
    size, root = signed.checkpoint.size, signed.checkpoint.root
    if not is_included(leaf_hash(told), proof.index, size, proof.path, root):
        raise Invalid(f"this is not entry {proof.index + 1} of the log whose {size} entries the checkpoint is over")
    return signed


def grown(proof: GrowthProof, old: bytes, keys: Iterable[Vkey]) -> Signed:
    """The newer checkpoint, proven to be over the same log as the checkpoint ``old``.

    Raises:
        Invalid: when it is not, or is not shown to be.
    """
    keys = tuple(keys)
    before, after = opened(old, keys).checkpoint, opened(proof.note, keys)
    now = after.checkpoint
    if before.origin != now.origin:
        raise Invalid(f"the checkpoints are of two logs: {before.origin[:80]!r} and {now.origin[:80]!r}")
    if before.size != proof.old:
        raise Invalid(f"the proof is from {proof.old} entries on, and the older checkpoint has {before.size}")
    if not is_consistent(before.size, now.size, proof.path, before.root, now.root):
        raise Invalid(f"the log of {before.size} entries is not the beginning of that of {now.size}: it has forked")
    return after


def _joined(lines: list[str], path: Sequence[bytes], note: bytes) -> str:
    return "\n".join([*lines, *map(as_base64, path), "", note.decode()])


def _path(lines: list[str]) -> tuple[bytes, ...]:
    path = tuple(from_base64(line, "hash") for line in lines)
    if len(path) > MOST_HASHES or any(len(each) != 32 for each in path):
        raise Invalid(f"a proof has at most {MOST_HASHES} hashes of 32 bytes each")
    return path
