"""Canonical JSON (RFC 8785), and digests of it: the same for the same content, whoever wrote the bytes."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from typing import Any

import rfc8785

_quoted = json.JSONEncoder(ensure_ascii=False).encode
Digest = str  # "sha256:" and 64 lower-case hex digits


class EvidenceError(ValueError):
    """A document that cannot be trusted; the message says what was expected, what was found and what to do."""


def canonical(document: Any) -> bytes:
    """RFC 8785 canonical JSON.

    Raises:
        EvidenceError: for NaN, infinity, integers beyond 2**53, values JSON has no form for, and too deep a nesting.
    """
    try:
        return _written(document).encode()
    except (rfc8785.CanonicalizationError, UnicodeEncodeError, RecursionError, TypeError) as error:
        raise EvidenceError(f"not canonical JSON (RFC 8785): {error}") from error


def _written(value: Any) -> str:
    # rfc8785 takes thrice the time: it is left the values whose form in Python is another, or that have none.
    kind = type(value)
    if kind is dict:
        return "{" + ",".join([name + _written(value[key]) for key, name in _members(tuple(value))]) + "}"
    if kind is list or kind is tuple:
        return "[" + ",".join([_written(one) for one in value]) + "]"
    if kind is str:
        return _quoted(value)
    if kind is float:
        return _number(value)
    if kind is int and abs(value) < 2**53:
        return str(value)
    return "null" if value is None else rfc8785.dumps(value).decode()


@lru_cache(maxsize=256)
def _members(names: tuple[Any, ...]) -> tuple[tuple[str, str], ...]:
    """The names of an object's members in their order, each with what stands before the value."""
    if not all(isinstance(name, str) for name in names):
        raise TypeError("the names of members must be text")
    return tuple((name, _quoted(name) + ":") for name in sorted(names, key=lambda name: name.encode("utf-16-be")))


def _number(value: float) -> str:
    text = repr(value)
    if text.endswith(".0"):
        return text[:-2] if value else "0"
    # Python has an exponent from 1e16 on and below 1e-4, ECMAScript from 1e21 and below 1e-6.
    return rfc8785.dumps(value).decode() if "e" in text or "n" in text else text


def digest_of(document: Any) -> Digest:
    """``sha256:`` and the hex SHA-256 of the canonical form."""
    return "sha256:" + hashlib.sha256(canonical(document)).hexdigest()
