"""The forms of a dossier: its members, canonical JSON (RFC 8785), the tree (RFC 6962) and signed notes."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

Json = dict[str, Any]


class Broken(Exception):
    """What does not hold, in words."""


class Members:
    """The files of a dossier, in a zip file or in a folder."""

    def __init__(self, place: Path) -> None:
        self._folder = place if place.is_dir() else None
        self._zip = None if place.is_dir() else zipfile.ZipFile(place)

    def open(self, name: str) -> Any:
        """The member, to read."""
        try:
            return self._zip.open(name) if self._zip else (self._within(name)).open("rb")
        except (KeyError, OSError) as error:
            raise Broken(f"{name} is missing") from error

    def _within(self, name: str) -> Path:
        assert self._folder is not None
        if name.startswith("/") or ".." in name.split("/") or "\\" in name or ":" in name:
            raise Broken(f"{name!r} is no name of a member")
        return self._folder / name

    def read(self, name: str) -> bytes:
        """The whole of a small member."""
        with self.open(name) as file:
            return bytes(file.read())

    def measured(self, name: str) -> tuple[int, str]:
        """Size and SHA-256, read piece by piece."""
        size, digest = 0, hashlib.sha256()
        with self.open(name) as file:
            while chunk := file.read(1 << 20):
                size += len(chunk)
                digest.update(chunk)
        return size, digest.hexdigest()

    def unlisted(self, listed: set[str]) -> Iterator[str]:
        """What a zip file holds and the list does not, or holds twice or compressed; a folder may hold more."""
        seen: set[str] = set()
        for info in self._zip.infolist() if self._zip else ():
            if info.filename not in listed or info.filename in seen:
                yield f"{info.filename} is not in the list of members, or is there twice"
            if info.compress_type != zipfile.ZIP_STORED:
                yield f"{info.filename} is compressed, which no member is"
            seen.add(info.filename)


# Canonical JSON (RFC 8785) ----------------------------------------------------------------------------------------


def canonical(value: Any) -> str:
    """RFC 8785."""
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be"))
        return "{" + ",".join(f"{canonical(name)}:{canonical(value[name])}" for name in names) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    if isinstance(value, float):
        return _number(value)
    return json.dumps(value, ensure_ascii=False)


def _number(value: float) -> str:
    """As ECMAScript writes it: the shortest digits, with an exponent from 1e21 on and below 1e-6."""
    if not math.isfinite(value):
        raise Broken("a document holds a number that JSON does not have")
    sign, (digits, point) = "-" if value < 0 else "", _digits(abs(value))
    if not value:
        return "0"
    if len(digits) <= point <= 21:
        return sign + digits.ljust(point, "0")
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    exponent = point - 1
    return f"{sign}{digits[0]}{'.' if digits[1:] else ''}{digits[1:]}e{'+' if exponent > 0 else '-'}{abs(exponent)}"


def _digits(value: float) -> tuple[str, int]:
    """The shortest digits, and how many of them stand before the point."""
    mantissa, _, exponent = repr(value).partition("e")
    whole, _, rest = mantissa.partition(".")
    digits, point = whole + rest, len(whole) + int(exponent or 0)
    stripped = digits.lstrip("0")
    return stripped.rstrip("0") or "0", point - (len(digits) - len(stripped))


def digest_of(value: Any) -> str:
    """As the product writes digests of documents."""
    return "sha256:" + hashlib.sha256(canonical(value).encode()).hexdigest()


def read_json(data: bytes, what: str) -> Json:
    """A JSON object in which no name stands twice."""

    def once(pairs: list[tuple[str, Any]]) -> Json:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise Broken(f"{what} gives a name twice")
        return found

    try:
        found = json.loads(data.decode(), object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise Broken(f"{what} is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise Broken(f"{what} is no JSON object")
    return found


# The tree (RFC 6962) and signed notes (c2sp.org/signed-note) ---------------------------------------------------------


def node(left: bytes, right: bytes) -> bytes:
    """The hash over two nodes."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_from(seq: int, leaf: bytes, size: int, path: list[bytes]) -> bytes | None:
    """The root that an audit path gives (RFC 9162, section 2.1.3.2)."""
    place, last, found = seq - 1, size - 1, leaf
    if not 0 <= place <= last:
        return None
    for beside in path:
        if last == 0:
            return None
        if place & 1 or place == last:
            found = node(beside, found)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            found = node(found, beside)
        place, last = place >> 1, last >> 1
    return found if last == 0 else None


def signed_by(note: bytes, vkeys: list[str]) -> str:
    """The text of a note that one of the keys signed."""
    text, blank, lines = note.decode().rpartition("\n\n")
    for vkey in vkeys if blank else ():
        name, key_id, public = _vkey(vkey)
        for line in lines.split("\n"):
            dash, _, signature = line.rpartition(" ")
            data = base64.b64decode(signature, validate=True) if dash == f"\u2014 {name}" else b""
            if data[:4] != key_id:
                continue
            try:
                Ed25519PublicKey.from_public_bytes(public).verify(data[4:], (text + "\n").encode())
            except InvalidSignature as error:
                raise Broken(f"the signature by {name} is not over this text") from error
            return text + "\n"
    raise Broken("it is not signed by a key that you gave")


def _vkey(text: str) -> tuple[str, bytes, bytes]:
    """A key's name, id and public half.

    It is ``name+id+base64(0x01 || public key)``, its id the first four bytes of SHA-256(name, newline, these).
    """
    name, _, rest = text.strip().partition("+")
    told_id, _, told = rest.partition("+")
    key = base64.b64decode(told, validate=True)
    key_id = hashlib.sha256(name.encode() + b"\n" + key).digest()[:4]
    if len(key) != 33 or key[:1] != b"\x01" or key_id.hex() != told_id:
        raise Broken(f"{text[:60]!r}, which you gave, is no key of a log")
    return name, key_id, key[1:]
