"""Signed notes (c2sp.org/signed-note): text, and lines that sign it; Ed25519 alone.

A key has a *name*, and its *id* is the first four bytes of SHA-256(name || 0x0A || kind || public key): ``0x01`` is the
kind of a signature over the text, ``0x04`` that of a witness's cosignature with its time (c2sp.org/tlog-cosignature).
A key is written as ``name+id+base64(kind || public key)``, the *vkey* of Go's ``sumdb/note``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from registry_hooks.errors import Invalid

SIGNS: Final = 1
COSIGNS: Final = 4
MOST_SIGNATURES: Final = 100
LONGEST_NOTE: Final = 1_000_000
_DASH = "\u2014 "
_LATEST = 2**63 - 1


@dataclass(frozen=True)
class Vkey:
    """A public key that notes are verified with.

    Args:
        name: of the key; without spaces and plus signs.
        public: 32 bytes of an Ed25519 key (RFC 8032).
        kind: ``SIGNS`` or ``COSIGNS``.
    """

    name: str
    public: bytes
    kind: Literal[1, 4] = SIGNS

    @property
    def id(self) -> bytes:
        """The four bytes that signatures by this key begin with."""
        return hashlib.sha256(f"{self.name}\n".encode() + bytes([self.kind]) + self.public).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{as_base64(bytes([self.kind]) + self.public)}"


@dataclass(frozen=True)
class Signature:
    """A line that signs: whose it says to be, and the bytes behind the key's id."""

    name: str
    id: bytes
    data: bytes

    def __str__(self) -> str:
        return f"{_DASH}{self.name} {as_base64(self.id + self.data)}\n"


@dataclass(frozen=True)
class Note:
    """A signed note as it was read; nothing in it is verified.

    Args:
        text: what is signed, with its last newline.
        signatures: in the order of the lines.
    """

    text: str
    signatures: tuple[Signature, ...]

    def __bytes__(self) -> bytes:
        return (self.text + "\n" + "".join(map(str, self.signatures))).encode()


def vkey_of(name: str, key: Ed25519PrivateKey, kind: Literal[1, 4] = SIGNS) -> Vkey:
    """The public half of a key, under a name.

    Raises:
        Invalid: when no key can have that name.
    """
    return Vkey(_name(name), key.public_key().public_bytes_raw(), kind)


def read_vkey(text: str) -> Vkey:
    """A key from its text.

    Raises:
        Invalid: when it is none of Ed25519, or its id is not that of the name and the key.
    """
    parts = text.strip().split("+", 2)
    if len(parts) != 3:
        raise Invalid(f"expected a key such as name+1a2b3c4d+AbCd…, found {text.strip()[:80]!r}")
    name, told_id, told = parts
    data = from_base64(told, "key")
    if len(data) != 33 or data[0] not in (SIGNS, COSIGNS):
        raise Invalid(f"the key {name[:80]!r} is no Ed25519 key that signs notes (1) or cosigns checkpoints (4)")
    key = Vkey(_name(name), data[1:], SIGNS if data[0] == SIGNS else COSIGNS)
    if key.id.hex() != told_id:
        raise Invalid(f"the key {name[:80]!r} has the id {key.id.hex()}, and says to have {told_id[:16]!r}")
    return key


def sign(text: str, name: str, key: Ed25519PrivateKey) -> Note:
    """The note with one signature over ``text``.

    Raises:
        Invalid: when ``text`` cannot be that of a note, or no key can be named so.
    """
    _check_text(text)
    return Note(text, (Signature(name, vkey_of(name, key).id, key.sign(text.encode())),))


def cosign(text: str, name: str, key: Ed25519PrivateKey, timestamp: int) -> Signature:
    """A witness's line under a checkpoint, at a time in seconds since 1970."""
    data = timestamp.to_bytes(8, "big") + key.sign(_cosigned(text, timestamp))
    return Signature(name, vkey_of(name, key, COSIGNS).id, data)


def read_note(data: bytes) -> Note:
    """A note from its bytes; each note has one form only.

    Raises:
        Invalid: when it is none.
    """
    if len(data) > LONGEST_NOTE:
        raise Invalid(f"a note has at most {LONGEST_NOTE} bytes, found {len(data)}")
    try:
        whole = data.decode()
    except UnicodeDecodeError as error:
        raise Invalid(f"the note is not UTF-8: {error}") from error
    text, blank, lines = whole.rpartition("\n\n")
    text += "\n"
    _check_text(text)
    signed = lines.split("\n")
    if not blank or signed.pop() != "" or not 1 <= len(signed) <= MOST_SIGNATURES:
        raise Invalid(f"a note is text, an empty line, and 1 to {MOST_SIGNATURES} lines that sign it")
    return Note(text, tuple(map(_signature, signed)))


def verified(note: Note, keys: Iterable[Vkey]) -> tuple[Vkey, ...]:
    """Those of ``keys`` that signed the note, in the order of its lines; lines of other keys count for nothing.

    Raises:
        Invalid: when none did, or a line that names one of them is not its signature.
    """
    known = {(key.name, key.id): key for key in keys}
    found: dict[Vkey, None] = {}
    for line in note.signatures:
        key = known.get((line.name, line.id))
        if key is None:
            continue
        if not _signed_by(key, line, note.text):
            raise Invalid(f"the signature by {key.name} is not over this text")
        found[key] = None
    if not found:
        names = ", ".join(sorted({line.name for line in note.signatures}))[:200]
        raise Invalid(f"none of the keys given signed it; its signatures are by {names}")
    return tuple(found)


def cosigned_at(line: Signature) -> int:
    """When a cosignature was made, in seconds since 1970, as its line says."""
    return int.from_bytes(line.data[:8], "big")


def as_base64(data: bytes) -> str:
    """Standard base64 with padding."""
    return base64.b64encode(data).decode()


def from_base64(text: str, what: str) -> bytes:
    """The bytes of standard base64 in its one form.

    Raises:
        Invalid: naming ``what`` is not so.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Invalid(f"the {what} is no base64 text: {error}") from error
    if as_base64(data) != text:
        raise Invalid(f"the {what} is not base64 in its one form")
    return data


def _signed_by(key: Vkey, line: Signature, text: str) -> bool:
    signature, message = line.data, text.encode()
    if key.kind == COSIGNS:
        if len(line.data) != 72 or cosigned_at(line) > _LATEST:
            return False
        signature, message = line.data[8:], _cosigned(text, cosigned_at(line))
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _cosigned(text: str, timestamp: int) -> bytes:
    return f"cosignature/v1\ntime {timestamp}\n{text}".encode()


def _signature(line: str) -> Signature:
    name, _, told = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH):
        raise Invalid(f"a line that signs begins with an em dash, found {line[:40]!r}")
    data = from_base64(told, "signature")
    if len(data) < 5:
        raise Invalid("a signature is the four bytes of a key's id and at least one more")
    return Signature(_name(name), data[:4], data[4:])


def _name(name: str) -> str:
    if not name or "+" in name or any(each.isspace() or ord(each) < 0x20 for each in name):
        raise Invalid(f"the name of a key has no space, no plus sign and is not empty, found {name[:80]!r}")
    return name


def _check_text(text: str) -> None:
    if not text.endswith("\n") or text == "\n":
        raise Invalid("the text of a note is not empty and ends with a newline")
    if any(ord(each) < 0x20 and each != "\n" for each in text):
        raise Invalid("the text of a note has no control characters but newlines")
