"""What a request may say: JSON within bounds, held against its model, and everything else refused with all its reasons.

The models stand in `registry_hooks.app.api.requests`.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from itertools import islice
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from registry_hooks.app.api.requests import Body
from registry_hooks.errors import Invalid, Reason

LARGEST_BODY = 512 * 1024  # bytes; a policy of 256 KiB, escaped as JSON, still fits
MOST_UNKNOWN = 10  # field names that an answer repeats; a body has room for fifty thousand


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


def check(body: type[Body], values: Mapping[str, object]) -> dict[str, Any]:
    """The arguments that ``values`` give for a request, or every reason why they do not; what is null is not given.

    Raises:
        Invalid: with one reason for each field that is missing, wrong or unknown.
    """
    known = body.model_fields
    reasons = list(_unknown(known, [name for name in values if name not in known]))
    try:
        found = body.model_validate({name: values[name] for name in known if name in values})
    except ValidationError as error:
        reasons += _wrong_fields(body, error)
    if reasons:
        raise Invalid(f"the request is not understood: {', '.join(reason.rule for reason in reasons)}", reasons)
    return found.model_dump(exclude_none=True)


@cache
def schema_of(body: type[Body]) -> dict[str, Any]:
    """The JSON Schema of a request, as clients are told it."""
    found = body.model_json_schema()
    properties = {name: _shown(schema) for name, schema in found.get("properties", {}).items()}
    return {
        "type": "object",
        "properties": properties,
        "required": found.get("required", []),
        "additionalProperties": found["additionalProperties"],
    }


def value_schema(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema of a field's value, without the null that stands for none."""
    some = [option for option in schema.get("anyOf", ()) if option != {"type": "null"}]
    return some[0] if len(some) == 1 else {**schema, "anyOf": some} if some else schema


def _shown(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {name: told for name, told in schema.items() if name not in ("title", "default")}


def _expected(body: type[Body], name: str) -> str:
    """What a reader is told to send."""
    schema = value_schema(schema_of(body)["properties"][name])
    if "enum" in schema:
        return f"one of {', '.join(schema['enum'])}"
    if "anyOf" in schema:
        whole, _digits = schema["anyOf"]
        return f"a whole number from {whole['minimum']} to {whole['maximum']}, as 3 or as '3'"
    text = schema.get("items", schema)
    told = f"{text['minLength']} to {text['maxLength']} characters"
    return f"a list of at most {schema['maxItems']} texts, each of {told}" if "items" in schema else f"text of {told}"


def _unknown(known: Collection[str], names: Collection[str]) -> Iterator[Reason]:
    send = f"send only: {', '.join(known) or 'no fields'}"
    for name in islice(names, MOST_UNKNOWN):
        # JSON may name a field with half of a surrogate pair, which no answer could repeat as it is.
        shown = name[:80].encode(errors="backslashreplace").decode()
        near = difflib.get_close_matches(shown, known, n=1)
        mend = f"did you mean {near[0]!r}?" if near else send
        yield Reason(shown, "a field that this route knows", f"unknown field {shown!r}", mend)
    if (more := len(names) - MOST_UNKNOWN) > 0:
        yield Reason("fields", "fields that this route knows", f"{more} more unknown fields", send)


def _wrong_fields(body: type[Body], error: ValidationError) -> Iterator[Reason]:
    """A reason for each field: of a list the first of its texts that is wrong."""
    told: set[str] = set()
    for each in error.errors(include_url=False):
        name = str(each["loc"][0])
        if name in told:
            continue
        told.add(name)
        nothing = each["type"] == "missing" or (each["input"] is None and len(each["loc"]) == 1)
        found = "nothing" if nothing else _found(each)
        mend = f"send the field {name!r}" if nothing else f"correct the field {name!r}"
        yield Reason(name, _expected(body, name), found, mend)


def _found(error: ErrorDetails) -> str:
    value, kind = error["input"], error["type"]
    if kind == "string_too_short":
        return "empty text"
    if kind == "string_too_long":
        return f"text of {len(value)} characters"
    if kind == "string_unicode":
        return "half of a surrogate pair"
    if kind == "too_long":
        return f"a list of {len(value)}"
    if kind in ("greater_than_equal", "less_than_equal"):
        return str(value)[:40]
    if kind in ("int_type", "literal_error") and isinstance(value, str):
        return f"the text {value[:40]!r}"
    return error["msg"] if kind == "unsound" else _kind_of(value)


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
