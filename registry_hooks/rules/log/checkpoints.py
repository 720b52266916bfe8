"""Checkpoints (c2sp.org/tlog-checkpoint): a log's name, its size and its root, as the text of a signed note."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from registry_hooks.errors import Invalid
from registry_hooks.rules.log.notes import COSIGNS, Note, Vkey, as_base64, cosigned_at, from_base64, read_note, verified

_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True)
class Checkpoint:
    """What a log says of itself.

    Args:
        origin: the log's name.
        size: how many entries it has.
        root: the root of their Merkle tree (RFC 6962).
        extensions: lines of other meaning behind these; a checkpoint of ours has none.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The text of its note."""
        return "".join(f"{line}\n" for line in (self.origin, self.size, as_base64(self.root), *self.extensions))


@dataclass(frozen=True)
class Signed:
    """A checkpoint whose note was verified, and by which keys."""

    checkpoint: Checkpoint
    note: Note
    keys: tuple[Vkey, ...]

    @property
    def witnesses(self) -> dict[str, int]:
        """The witnesses among ``keys``, each with when it cosigned, in seconds since 1970."""
        known = {(key.name, key.id) for key in self.keys if key.kind == COSIGNS}
        return {line.name: cosigned_at(line) for line in self.note.signatures if (line.name, line.id) in known}


def read_checkpoint(text: str) -> Checkpoint:
    """A checkpoint from the text of a note.

    Raises:
        Invalid: when it is none.
    """
    lines = text.split("\n")
    if len(lines) < 4 or lines.pop() != "" or not all(lines):
        raise Invalid("a checkpoint is at least three lines that are not empty: the log's name, its size, its root")
    origin, size, told, *more = lines
    root = from_base64(told, "root")
    if len(root) != 32:
        raise Invalid(f"the root of a tree has 32 bytes, found {len(root)}")
    return Checkpoint(origin, number(size, "size"), root, tuple(more))


def opened(data: bytes, keys: Iterable[Vkey]) -> Signed:
    """A checkpoint that one of the log's keys signed; the keys of witnesses alone do not make one.

    Raises:
        Invalid: when it is none, or no key of the log signed it, or a signature by any of ``keys`` is wrong.
    """
    note, keys = read_note(data), tuple(keys)
    checkpoint = read_checkpoint(note.text)
    signed = verified(note, keys)
    mine = [key for key in signed if key.kind != COSIGNS]
    if not mine:
        raise Invalid(f"the checkpoint of {checkpoint.origin[:80]} is signed by witnesses alone, and not by the log")
    if not any(key.name == checkpoint.origin for key in mine):
        # A key of one log says nothing about another.
        raise Invalid(f"the checkpoint is of the log {checkpoint.origin[:80]!r}, and signed by {mine[0].name[:80]!r}")
    return Signed(checkpoint, note, signed)


def forks(named: Mapping[str, Checkpoint]) -> list[str]:
    """Where two checkpoints of one log, each under the name of where it was found, have one size and two roots."""
    first: dict[tuple[str, int], str] = {}
    found = []
    for name, each in named.items():
        other = first.setdefault((each.origin, each.size), name)
        if named[other].root != each.root:
            found.append(f"the log has forked: {other} and {name} are both of {each.size} entries, with the roots "
                         f"{named[other].root.hex()} and {each.root.hex()}")  # fmt: skip
    return found


def number(text: str, what: str) -> int:
    """A whole number in its one form.

    Raises:
        Invalid: naming ``what`` is none.
    """
    if not _NUMBER.fullmatch(text):
        raise Invalid(f"the {what} is no whole number in plain digits: {text[:40]!r}")
    return int(text)
