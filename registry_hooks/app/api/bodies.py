"""What a request may say: every field named, typed and bounded, and everything else refused with all its reasons."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

from registry_hooks.errors import Invalid, Reason

LARGEST_BODY = 512 * 1024  # bytes; a policy of 256 KiB, escaped as JSON, still fits
_WHOLE = re.compile(r"[0-9]{1,10}")
LARGEST_WHOLE = 2**31 - 1  # what a version is in MLflow's tables
MOST_UNKNOWN = 10  # field names that an answer repeats; a body has room for fifty thousand

Kind = Literal["text", "whole", "texts", "choice"]
_EXPECTED: dict[Kind, str] = {
    "text": "text of 1 to {longest} characters",
    "whole": "a whole number from 1 to {largest}, as 3 or as '3'",
    "texts": "a list of at most {most} texts, each of 1 to {longest} characters",
    "choice": "one of {choices}",
}


@dataclass(frozen=True)
class Field:
    """One field of a request.

    Args:
        name: as in the JSON body or the query.
        kind: ``text``, ``whole`` (a whole number from 1, also as digits), ``texts`` or ``choice``.
        required: whether it must be there; null counts as not there.
        longest: characters at most, of the text or of each text.
        most: texts at most, of ``texts``.
        largest: of a ``whole``.
        choices: of a ``choice``.
    """

    name: str
    kind: Kind = "text"
    required: bool = False
    longest: int = 4000
    most: int = 50
    largest: int = LARGEST_WHOLE
    choices: tuple[str, ...] = ()

    @property
    def expected(self) -> str:
        """What a reader is told to send."""
        return _EXPECTED[self.kind].format(
            longest=self.longest, most=self.most, largest=self.largest, choices=", ".join(self.choices)
        )


def parse_json(body: bytes, content_type: str) -> Mapping[str, object]:
    """The JSON object in ``body``.

    Raises:
        Invalid: too large, not announced as JSON, not JSON, not an object, or with one name twice.
    """
    if len(body) > LARGEST_BODY:
        raise _wrong("body", f"at most {LARGEST_BODY} bytes", "more", "send less")
    if content_type != "application/json":
        # Also keeps a web page from posting with a visitor's login: this type makes a browser ask first.
        raise _wrong("content-type", "application/json", content_type or "none", "set the Content-Type header")
    try:
        found = json.loads(body, object_pairs_hook=_no_name_twice, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        told = "nesting without end" if isinstance(error, RecursionError) else str(error)
        raise _wrong("body", "a JSON object", told, "send valid JSON in UTF-8") from error
    if not isinstance(found, dict):
        raise _wrong("body", "a JSON object", _kind_of(found), 'send an object such as {"model": "churn"}')
    return found


def check(fields: Iterable[Field], values: Mapping[str, object]) -> dict[str, Any]:
    """The arguments that ``values`` give for ``fields``, or every reason why they do not.

    Raises:
        Invalid: with one reason for each field that is missing, wrong or unknown.
    """
    known = {field.name: field for field in fields}
    unknown = (name for name in values if name not in known)
    reasons = [_unknown(name, known) for name in islice(unknown, MOST_UNKNOWN)]
    if more := sum(1 for _ in unknown):
        send = f"send only: {', '.join(known) or 'no fields'}"
        reasons.append(Reason("fields", "fields that this route knows", f"{more} more unknown fields", send))
    arguments: dict[str, Any] = {}
    for field in known.values():
        value = values.get(field.name)
        if value is None:
            if field.required:
                reasons.append(Reason(field.name, field.expected, "nothing", f"send the field {field.name!r}"))
            continue
        try:
            arguments[field.name] = _READ[field.kind](value, field)
        except ValueError as error:
            reasons.append(Reason(field.name, field.expected, str(error), f"correct the field {field.name!r}"))
    if reasons:
        raise Invalid(f"the request is not understood: {', '.join(reason.rule for reason in reasons)}", reasons)
    return arguments


def _text(value: object, field: Field) -> str:
    if not isinstance(value, str):
        raise ValueError(_kind_of(value))
    if not value.strip():
        raise ValueError("empty text")
    if len(value) > field.longest:
        raise ValueError(f"text of {len(value)} characters")
    if "\x00" in value:
        raise ValueError("a NUL character")  # PostgreSQL cannot store one
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("half of a surrogate pair") from None
    return value


def _whole(value: object, field: Field) -> int:
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"the text {value[:40]!r}" if isinstance(value, str) else _kind_of(value))
    if not 1 <= value <= field.largest:
        raise ValueError(str(value)[:40])
    return value


def _texts(value: object, field: Field) -> list[str]:
    if not isinstance(value, list):
        raise ValueError(_kind_of(value))
    if len(value) > field.most:
        raise ValueError(f"a list of {len(value)}")
    return [_text(item, field) for item in value]


def _choice(value: object, field: Field) -> str:
    if not isinstance(value, str) or value not in field.choices:
        raise ValueError(f"the text {value[:40]!r}" if isinstance(value, str) else _kind_of(value))
    return value


_READ = {"text": _text, "whole": _whole, "texts": _texts, "choice": _choice}


def _unknown(name: str, known: Mapping[str, Field]) -> Reason:
    # JSON may name a field with half of a surrogate pair, which no answer could repeat as it is.
    name = name[:80].encode(errors="backslashreplace").decode()
    near = difflib.get_close_matches(name, known, n=1)
    mend = f"did you mean {near[0]!r}?" if near else f"send only: {', '.join(known) or 'no fields'}"
    return Reason(name, "a field that this route knows", f"unknown field {name!r}", mend)


def _kind_of(value: object) -> str:
    kinds = {bool: "true or false", int: "a number", float: "a number with a fraction", str: "text", list: "a list"}
    return "null" if value is None else kinds.get(type(value), "an object")


def _wrong(rule: str, expected: str, found: str, mend: str) -> Invalid:
    return Invalid(f"the request is not understood: {rule}", [Reason(rule, expected, found[:200], mend)])


def _no_name_twice(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("one name given twice in one object")
    return found


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON number")
