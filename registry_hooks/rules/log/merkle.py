"""The Merkle tree of RFC 6962 over the ledger's entries, and its verification; pure functions of bytes.

The hash of a leaf is SHA-256(0x00 || entry) and that of a node SHA-256(0x01 || left || right) (RFC 6962, section 2.1).
An append needs only the *frontier*: the roots of the complete subtrees along the tree's right edge, largest first, one
for each one-bit of the size. Every entry also names the root of the tree before it, so that a changed entry is found
by its number even when its stored leaf hash was changed to match.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pydantic_core import from_json

from registry_hooks.rules.log import accounts, altered, trust


def leaf_hash(entry: bytes) -> bytes:
    """SHA-256 of 0x00 and the entry."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256 of 0x01 and the two children."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True)
class Tree:
    """A Merkle tree by its size and frontier.

    Args:
        size: number of leaves.
        frontier: roots of the complete subtrees, largest (leftmost) first; as many as ``size`` has one-bits.
    """

    size: int = 0
    frontier: tuple[bytes, ...] = ()

    def append(self, leaf: bytes) -> Tree:
        """The tree with one more leaf hash; O(log n)."""
        frontier, carry, size = list(self.frontier), leaf, self.size
        while size & 1:
            carry = node_hash(frontier.pop(), carry)
            size >>= 1
        return Tree(self.size + 1, (*frontier, carry))

    @property
    def root(self) -> bytes:
        """The tree head; SHA-256 of nothing for the empty tree."""
        if not self.frontier:
            return hashlib.sha256(b"").digest()
        root = self.frontier[-1]
        for left in reversed(self.frontier[:-1]):
            root = node_hash(left, root)
        return root


class Growing:
    """A tree that many leaves are put into, one after another, without a new tree for each."""

    def __init__(self) -> None:
        self.size = 0
        self.frontier: list[bytes] = []

    def append(self, leaf: bytes) -> None:
        """Put in one more leaf hash."""
        size = self.size
        while size & 1:
            leaf = node_hash(self.frontier.pop(), leaf)
            size >>= 1
        self.frontier.append(leaf)
        self.size += 1

    @property
    def root(self) -> bytes:
        """The tree head, as `Tree.root`."""
        if not self.frontier:
            return hashlib.sha256(b"").digest()
        sha256, root = hashlib.sha256, self.frontier[-1]
        for left in self.frontier[-2::-1]:
            root = sha256(b"\x01" + left + root).digest()  # node_hash; ten of them for each of a million entries
        return root

    def tree(self) -> Tree:
        """The tree as it is now."""
        return Tree(self.size, tuple(self.frontier))


class Columns(NamedTuple):
    """What stands beside an entry in its row, for searches: its scope and its action."""

    scope: str | None
    action: str


class StoredEntry(NamedTuple):
    """A ledger row as the database gives it back; nothing in it is trusted. One of a file has no ``columns``."""

    seq: int
    entry: bytes
    leaf_hash: str
    columns: Columns | None = None


@dataclass(frozen=True)
class Problem:
    """What does not add up, and at which entry; ``seq`` is None where no single entry can be named."""

    seq: int | None
    what: str


@dataclass(frozen=True)
class Verification:
    """The outcome of ``verify``: the tree as recomputed from the entries, and every problem found.

    ``states`` are the digests of the states that a purge kept, as `altered.Altered.states`. ``redacted`` has the rows
    that lack a text, each with the entry that took it, and ``purged`` says how many rows lack their body.
    """

    tree: Tree
    problems: tuple[Problem, ...]
    states: Mapping[str, str] = field(default_factory=dict)
    redacted: Mapping[int, int] = field(default_factory=dict)
    purged: int = 0

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.problems

    def lacking(self) -> dict[str, Any]:
        """What the log says that it lacks, as plain JSON."""
        rows = [{"seq": seq, "by": by} for seq, by in self.redacted.items()]
        return {"redacted": rows, "purged": self.purged}


class Verifying:
    """A verification that takes in rows (in order of ``seq``, from 1) as they are read.

    A changed entry is named by its number: its bytes no longer give its leaf hash and no later entry says so, or the
    next entry's ``tree`` no longer matches. A missing row is named by the number that is missing, and one whose columns
    say something else than its entry by its own. ``read`` is given the number and the document of each entry that can
    be read.
    """

    def __init__(self, read: Callable[[int, dict[str, Any]], None] | None = None) -> None:
        self.tree = Growing()
        self.changes = altered.Altered()
        self._read = read
        self._problems: list[Problem] = []
        self._chained, self._copied = True, False

    def take(self, row: StoredEntry) -> None:
        """One more row."""
        tree = self.tree
        for missing in range(tree.size + 1, row.seq):
            self._problems.append(Problem(missing, "this entry is missing"))
            tree.append(b"")
            self._chained = False
        document = _document(row.entry)
        if self._chained and document.get("tree") not in (None, tree.root.hex()):
            what = "this entry is not the one that the next entry was built on"
            self._problems.append(Problem(max(tree.size, 1), what))
            self._chained = False
        leaf = leaf_hash(row.entry)
        matches = leaf.hex() == row.leaf_hash
        self.changes.read(row.seq, row.entry, document, matches=matches)
        self._problems += _misplaced(row, document)
        self._copied = self._copied or row.columns is None
        if self._read is not None and document:
            self._read(row.seq, document)
        # Going on from the stored hash keeps one changed entry from blaming all that follow it.
        tree.append(leaf if matches else _from_hex(row.leaf_hash, leaf))

    def against(self, head: Tree) -> Verification:
        """What was found of all rows, held against the tree's head."""
        tree, changes = self.tree, self.changes
        found = (Problem(*each) for each in changes.problems(copied=self._copied))
        problems = sorted((*self._problems, *found), key=lambda each: each.seq or 0)
        if tree.size != head.size:
            problems.append(Problem(None, f"the ledger's head says {head.size} entries, {tree.size} were found"))
        elif tree.root != head.root and not problems:
            problems.append(Problem(tree.size or None, "the tree's root differs from the ledger's head"))
        return Verification(tree.tree(), tuple(problems), changes.states(), changes.redacted(), changes.purged())


def verify(
    rows: Iterable[StoredEntry], head: Tree, read: Callable[[int, dict[str, Any]], None] | None = None
) -> Verification:
    """Recompute the tree from ``rows`` and hold it against ``head``, as `Verifying`."""
    verifying = Verifying(read)
    for row in rows:
        verifying.take(row)
    return verifying.against(head)


def _misplaced(row: StoredEntry, document: dict[str, Any]) -> tuple[Problem, ...]:
    if document.get("seq") != row.seq:
        return (Problem(row.seq, "this entry is unreadable, or stands at another place than it was given"),)
    if row.columns is None:
        return ()
    gone = altered.purged_by(document) is not None
    action, scope = (altered.PURGED_BODY, altered.SCOPE) if gone else (document.get("action"), scope_of(document))
    if (row.columns.scope, row.columns.action) == (scope, action):
        return ()
    what = f"its row says {row.columns.action} of {row.columns.scope}, the entry itself {action} of {scope}"
    return (Problem(row.seq, f"this entry is filed under another name: {what}"),)


def scope_of(document: Mapping[str, Any]) -> str | None:
    """The scope of an entry, as the entry itself has it; None for one about a policy."""
    action, model = document.get("action"), document.get("model")
    if model is not None:
        return str(model)
    return trust.SCOPE if action in trust.ACTIONS else accounts.SCOPE if action in accounts.ACTIONS else None


def _from_hex(text: str, otherwise: bytes) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return otherwise


def _document(entry: bytes) -> dict[str, Any]:
    """The entry as an object; empty for what is none."""
    try:
        document = from_json(entry)  # a million of them: in half the time of the standard library
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}
