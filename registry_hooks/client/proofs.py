"""What the server answers about the audit log's checkpoints and proofs."""

from __future__ import annotations

from typing import TypedDict


class Witness(TypedDict):
    """A witness that cosigned a checkpoint, and when, in seconds since 1970."""

    name: str
    at: int


class CheckpointAnswer(TypedDict):
    """The log's head. ``note`` is the signed checkpoint; None where nobody signed it, and ``why_unsigned`` says why."""

    origin: str
    size: int
    root: str
    note: str | None
    key: str | None
    witnesses: list[Witness]
    why_unsigned: str | None


class Proven(TypedDict):
    """The proof of one entry. ``proof`` is all of it as one text; None where the checkpoint is not signed."""

    seq: int
    leaf_hash: str
    hashes: list[str]
    entry: str | None
    proof: str | None
    checkpoint: CheckpointAnswer


class Grown(TypedDict):
    """The proof that the checkpoint's log has grown from that of ``old`` entries."""

    old: int
    old_root: str
    hashes: list[str]
    proof: str | None
    checkpoint: CheckpointAnswer


class LogKeyAnswer(TypedDict):
    """A key of the log's checkpoints: of those from ``since`` entries on, until the next key's."""

    vkey: str
    since: int


class LogKeys(TypedDict):
    """The keys of the log's checkpoints and of its witnesses.

    ``why_unsigned`` says why this server cannot sign, and ``why_no_witnesses`` why no witness counts.
    """

    origin: str
    keys: list[LogKeyAnswer]
    witnesses: list[str]
    why_unsigned: str | None
    why_no_witnesses: str | None


class LogKeyChanged(TypedDict):
    """The key that signs from now on."""

    key: str
    before: str | None
    entry: int
