"""Checkpoints of the log: signed when asked for and behind every change, and never on the way of a decision.

A decision neither signs nor waits for a signature. Where there is no key, or signing would contradict what was signed
before, there is no signed checkpoint; the answer says why, and decisions go on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from registry_hooks.desk.answers import Answer
from registry_hooks.desk.grounds.case import Cases, check_text, require_admin
from registry_hooks.errors import Conflict, Invalid, NotFound, RegistryError
from registry_hooks.records import LogKey
from registry_hooks.rules.log import trust
from registry_hooks.rules.log.checkpoints import Checkpoint, opened, read_checkpoint
from registry_hooks.rules.log.merkle import Tree
from registry_hooks.rules.log.notes import COSIGNS, Note, Vkey, cosigned_at, read_note, read_vkey, sign, vkey_of
from registry_hooks.storage.ledger import Ledger
from registry_hooks.storage.log import outside
from registry_hooks.storage.log.auditing import parted
from registry_hooks.storage.log.checkpoints import Checkpoints, Kept
from registry_hooks.storage.log.nodes import Nodes
from registry_hooks.storage.log.outside import NoKey, NotKept
from registry_hooks.storage.retry import again_if_undone

FILLED_AT_ONCE = 64
"""Tiles whose hashes are added in one transaction: on SQLite nobody else writes meanwhile."""

_logger = logging.getLogger(__name__)


class Contradicted(RegistryError):
    """The log is not the one that was signed before: it was rewritten, or taken back to a backup."""

    code = "RESOURCE_CONFLICT"


class Empty(NoKey):
    """There is nothing to sign yet."""


@dataclass(frozen=True)
class Standing:
    """The log as it stands: its head, and the key that its checkpoints are signed with, if there was one yet."""

    head: Tree
    keys: tuple[LogKey, ...]
    first_leaf: str

    @property
    def key(self) -> Vkey | None:
        """The key in force."""
        return read_vkey(self.keys[-1].vkey) if self.keys else None

    @property
    def origin(self) -> str:
        """The log's name: that of its key; before there is one, the operator's, or one made of its first entry."""
        return self.key.name if self.key else outside.origin() or f"registry-hooks/{self.first_leaf[:16]}"

    def keys_at(self, size: int) -> list[Vkey]:
        """The key that signs the checkpoint of a size, if there is one: an older key does not speak for later."""
        held = [key for key in self.keys if key.since <= size]
        return [read_vkey(held[-1].vkey)] if held else []


@dataclass(frozen=True)
class Checkpointing:
    """Signs the log's head, and keeps what was signed.

    Args:
        tell: is told, once, that the log is not the one that was signed.
    """

    cases: Cases
    tell: Callable[[str], None]

    def audit_checkpoint(self) -> Answer:
        """The log's head as a signed checkpoint; unsigned where it cannot be signed, and ``why_unsigned`` says why."""
        try:
            kept = self.signed()
        except (NoKey, Contradicted, NotKept) as error:
            standing = self.standing()
            return unsigned_json(standing, str(error))
        return checkpoint_json(kept)

    def keep(self) -> str | None:
        """Sign the head and keep the checkpoint outside the database too; what kept it from that, if anything did.

        For the work behind decisions: it raises nothing that is the fault of a key or of a disk.
        """
        try:
            kept = self.signed()
        except Empty:
            return None
        except Contradicted as error:
            _tampered(str(error), self.tell)
            return _said(str(error))
        except (NoKey, NotKept) as error:
            return _said(str(error))
        why = _said("; ".join(_kept_nowhere(kept)) or None)
        self._tell_forks()
        return why

    def _tell_forks(self) -> None:
        """Tell where the log has not grown from a copy of another name or key; under a new name it is signed still."""
        with suppress(NotKept):
            if others := outside.copies_outside()[1:]:
                with self.cases.unit_of_work(write=False) as session:
                    forks = [each for copy in others for each in parted(Nodes(session), copy)]
                _tampered("; ".join(forks), self.tell)

    def audit_keys(self) -> Answer:
        """The keys of the log's checkpoints, oldest first, and why this server cannot sign where it cannot."""
        standing, why, no_witnesses = self.standing(), None, None
        try:
            self._key(standing)
        except NoKey as error:
            why = str(error)
        try:
            witnesses = [str(key) for key in outside.witnesses()]
        except RegistryError as error:
            witnesses, no_witnesses = [], str(error)
        return {
            "origin": standing.origin,
            "keys": [key.as_json() for key in standing.keys],
            "witnesses": witnesses,
            "why_unsigned": why,
            "why_no_witnesses": no_witnesses,
        }

    @again_if_undone
    def audit_key_rotate(self, reason: str) -> Answer:
        """Have the log's checkpoints signed by the key that the server's file holds now. Administrators only."""
        actor = require_admin("the log's key is changed")
        check_text("reason", reason, required=True)
        key = outside.log_key(make=True)
        with self.cases.unit_of_work(write=True) as session:
            ledger = Ledger(session)
            ledger.lock_policies()
            standing = _standing(session)
            new, before = vkey_of(outside.origin() or standing.origin, key), standing.key
            if new == before:
                raise Conflict("the key's file still holds the key that the log is signed with; move it away, and "
                               "another one is made")  # fmt: skip
            body = {"before": None if before is None else str(before), "key": str(new), "reason": reason}
            entry = ledger.append(
                "log-key-changed", actor, self.cases.clock(), model=None, version=None, body=body, scope=trust.SCOPE
            )
        return {"key": str(new), "before": body["before"], "entry": entry.seq}

    @again_if_undone
    def audit_cosign(self, note: str) -> Answer:
        """Keep the cosignatures of configured witnesses under a checkpoint of this log."""
        given, standing = read_note(note.encode()), self.standing()
        known = outside.witnesses()
        signed = opened(note.encode(), [*standing.keys_at(read_checkpoint(given.text).size), *known])
        if len(given.signatures) > 1 and not signed.witnesses:
            raise Invalid(
                "no configured witness has cosigned it; REGISTRY_HOOKS_WITNESSES names the file of their keys"
            )
        with self.cases.unit_of_work(write=True) as session:
            checkpoints, size = Checkpoints(session), signed.checkpoint.size
            kept = checkpoints.of(size, lock=True)
            if kept is None:
                raise NotFound(f"there is no checkpoint of {size} entries; registry-hooks audit checkpoint makes one")
            if kept.note.text != given.text:
                raise Conflict(f"the log has forked: it signed two checkpoints of {size} entries")
            merged = _merged(kept.note, given, known)
            checkpoints.put(size, merged)
        return checkpoint_json(Kept(kept.checkpoint, merged, kept.vkey, kept.at))

    def standing(self) -> Standing:
        """The log as it stands."""
        with self.cases.unit_of_work(write=False) as session:
            return _standing(session)

    def signed(self) -> Kept:
        """The signed checkpoint of the head, made if it is not there yet.

        Raises:
            NoKey: when there is no key to sign with, or nothing to sign.
            Contradicted: when the log is not the one that was signed before.
        """
        standing = self.standing()
        if not standing.head.size:
            raise Empty("the log is empty: there is nothing to sign")
        key, vkey = self._key(standing, make=True)
        copy = _copy(standing, vkey)
        with self.cases.unit_of_work(write=False) as session:
            found = self._signed_before(session, vkey, copy)
        if found is None:
            self.fill()
            found = self._sign(key, vkey, copy)
        return found

    def covering(self, size: int) -> Kept | None:
        """The smallest signed checkpoint that has the first ``size`` entries; None where none can be signed."""
        with self.cases.unit_of_work(write=False) as session:
            kept = Checkpoints(session).covering(size)
        if kept is not None:
            return kept
        try:
            return self.signed()
        except (NoKey, Contradicted, NotKept):
            return None

    def sealed(self, text: str) -> bytes | None:
        """A text signed by the log's key, as a note; None where there is no key.

        Raises:
            ValueError: when it could be read as a checkpoint, which says something about the log.
        """
        with suppress(Invalid):
            read_checkpoint(text)
            raise ValueError("a checkpoint is signed when the log is known to lead to it, and not otherwise")
        try:
            key, vkey = self._key(self.standing())
        except NoKey:
            return None
        return bytes(sign(text, vkey.name, key))

    def fill(self) -> None:
        """Add the tree's hashes of entries that were written since."""
        with self.cases.unit_of_work(write=False) as session:
            behind = Nodes(session).behind()
        while behind:
            behind = not self._fill()

    @again_if_undone
    def _fill(self) -> bool:
        with self.cases.unit_of_work(write=True) as session:
            return Nodes(session).fill(FILLED_AT_ONCE)

    @staticmethod
    def _signed_before(session: Any, vkey: Vkey, copy: Checkpoint | None) -> Kept | None:
        """The checkpoint of the head where that is signed, once the head is known to have grown from all before."""
        nodes, newest = Nodes(session), Checkpoints(session).newest()
        for before in (None if newest is None else newest.checkpoint, copy):
            if before is not None and before.origin == vkey.name:
                _require_grown(nodes, before)
        same = newest is not None and newest.checkpoint.size == nodes.head.size and newest.vkey == vkey
        return newest if same else None

    @again_if_undone
    def _sign(self, key: Ed25519PrivateKey, vkey: Vkey, copy: Checkpoint | None) -> Kept:
        with self.cases.unit_of_work(write=True) as session:
            if (found := self._signed_before(session, vkey, copy)) is not None:
                return found
            checkpoints, head = Checkpoints(session), Ledger(session).head
            now, checkpoint = self.cases.clock(), Checkpoint(vkey.name, head.size, head.root)
            note = sign(checkpoint.text, vkey.name, key)
            if not checkpoints.add(note, vkey, now):
                kept = checkpoints.of(head.size)
                if kept is None or kept.vkey != vkey:
                    raise Contradicted(f"another key has signed the log of {head.size} entries")
                return kept
            return Kept(checkpoint, note, vkey, now.isoformat())

    @staticmethod
    def _key(standing: Standing, *, make: bool = False) -> tuple[Ed25519PrivateKey, Vkey]:
        key = outside.log_key(make=make and standing.key is None)
        try:
            vkey = vkey_of(standing.origin, key)
        except Invalid as error:
            raise NoKey(f"{outside.ORIGIN}: {error}") from error
        if standing.key not in (None, vkey):
            raise NoKey(f"the key in the server's file is {vkey}, and the log's key is {standing.key}: put that one "
                        "back, or name the new one in the log with registry-hooks audit key rotate")  # fmt: skip
        return key, vkey


def _kept_nowhere(kept: Kept) -> Iterator[str]:
    """Keep a checkpoint in each place outside, and say of which it could not be; one does not hinder the other."""
    for keep in (outside.keep_outside, outside.keep_in_run):
        try:
            keep(kept.checkpoint.size, bytes(kept.note))
        except NotKept as error:
            yield str(error)


def checkpoint_json(kept: Kept) -> Answer:
    """A signed checkpoint, as it is told."""
    witnesses = [
        {"name": line.name, "at": cosigned_at(line)}
        for line in kept.note.signatures
        if (line.name, line.id) != (kept.vkey.name, kept.vkey.id)
    ]
    return {
        **_head_json(kept.checkpoint),
        "note": bytes(kept.note).decode(),
        "key": str(kept.vkey),
        "witnesses": witnesses,
        "why_unsigned": None,
    }


def unsigned_json(standing: Standing, why: str) -> Answer:
    """A head that nobody signed, as it is told."""
    head = Checkpoint(standing.origin, standing.head.size, standing.head.root)
    return {**_head_json(head), "note": None, "key": None, "witnesses": [], "why_unsigned": why}


def _head_json(head: Checkpoint) -> Answer:
    return {"origin": head.origin, "size": head.size, "root": head.root.hex()}


@lru_cache(maxsize=1)
def _said(why: str | None) -> str | None:
    """Log why checkpoints are not signed or not kept, once: it is asked every second."""
    if why is not None:
        _logger.error("checkpoints of the audit log: %s", why)
    return why


@lru_cache(maxsize=1)
def _tampered(what: str, tell: Callable[[str], None]) -> None:
    """Tell once that the log is not the one that was signed."""
    if what:
        _logger.error("the audit log is not the one that was signed: %s", what)
        tell(what)


@lru_cache(maxsize=1)
def _not_compared(name: str, why: str) -> None:
    _logger.error("checkpoints of %s are not compared with their copies: %s", name, why)


def _copy(standing: Standing, vkey: Vkey) -> Checkpoint | None:
    """The newest checkpoint outside; of another log only where an administrator named this one anew."""
    try:
        copy = outside.newest_outside()
    except NotKept as error:  # what cannot be read is no reason to leave the log unsigned
        _not_compared(vkey.name, str(error))
        return None
    named = bool(standing.keys) and standing.keys[-1].since > 0  # by an administrator, in an entry
    if copy is not None and copy.origin != vkey.name and not named:
        raise Contradicted(
            f"the folder of checkpoints ({outside.DIRECTORY}) holds those of another log, {copy.origin}: this log, "
            f"{vkey.name}, was rewritten from its first entry on, or needs a folder of its own"
        )
    return copy


def _require_grown(nodes: Nodes, before: Checkpoint) -> None:
    size = nodes.head.size
    if before == Checkpoint(before.origin, size, nodes.head.root):
        return
    if before.size < size and nodes.tree(before.size).root(0, before.size) == before.root:
        return
    raise Contradicted(
        f"the log of {size} entries has not grown from the checkpoint of {before.size} entries that was signed before: "
        "it was rewritten, or restored from a backup. Nothing is signed until the log has another name: set "
        f"{outside.ORIGIN} and run registry-hooks audit key rotate"
    )


def _merged(kept: Note, given: Note, known: Iterable[Vkey]) -> Note:
    wanted = {(key.name, key.id) for key in known if key.kind == COSIGNS}
    lines = {(line.name, line.id): line for line in kept.signatures}
    lines.update({(line.name, line.id): line for line in given.signatures if (line.name, line.id) in wanted})
    return Note(kept.text, tuple(lines.values()))


def _standing(session: Any) -> Standing:
    ledger = Ledger(session)
    first, keys = next(ledger.rows(0, 1), None), ledger.trust().log_keys
    if not keys and (newest := Checkpoints(session).newest()) is not None:
        keys = (LogKey(vkey=str(newest.vkey), since=0),)
    return Standing(ledger.head, keys, first.leaf_hash if first else "")
