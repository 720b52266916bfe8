"""What a request gives, where, and what of it is given twice.

MLflow authorises what it finds in one place of a request (or under one spelling) and acts on what it finds in another:
``run_id`` here and ``run_uuid`` there, ``run_id`` and ``runId``, the query and the body. So a request may give each
thing once. The exceptions are what MLflow's own clients send: one value both in the path and in the query or the body,
and one value under both names of a thing, side by side.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from types import MappingProxyType
from typing import Any, Literal

from registry_hooks.errors import Reason

Place = Literal["path", "query", "body", "header", "form"]
MOST_NAMES = 1000
"""Names of a JSON body's own object; the longest of MLflow's messages has some thirty."""
_HEADER = "x-mlflow-"
_SINGLE = frozenset({"authorization", "content-type", "host", "origin"})
_OTHER_NAMES = {"requestid": "traceid", "artifactpath": "path"}  # beside -uuid for -id, and -ids for one of them
_IDENTIFIER = re.compile(r"(?:^|_)(?:ids?|uuid|names?)$")


@dataclass(frozen=True)
class Given:
    """One name that a request gives, in one place.

    Args:
        name: as it is spelled there.
        place: where.
        values: as texts; several where a name is repeated, or where a list stands.
        listed: whether it stands in one of a list of objects, each of which may have its own.
    """

    name: str
    place: Place
    values: tuple[str, ...]
    listed: bool = False

    def __str__(self) -> str:
        return f"{self.name[:80]} in the {self.place}"


def twice(given: Iterable[Given], repeatable: frozenset[str] = frozenset()) -> list[Reason]:
    """One reason for each thing that is given twice.

    Args:
        given: all that a request gives.
        repeatable: names of lists, which a query may repeat.
    """
    by_thing = sorted(given, key=lambda each: _thing(each.name))
    groups = [list(group) for _, group in groupby(by_thing, lambda each: _thing(each.name))]
    return [reason for group in groups for reason in _of_one_thing(group, repeatable)]


def in_headers(headers: Iterable[tuple[str, str]]) -> list[Given]:
    """What headers name, and the login."""
    values: dict[str, list[str]] = {}
    for name, value in ((name.lower(), value) for name, value in headers):
        if name.startswith(_HEADER):
            values.setdefault(name.removeprefix(_HEADER).replace("-", "_"), []).append(value)
        elif name in _SINGLE:  # with a colon, so that no field of that name is taken for the same thing
            values.setdefault(f"{name}:", []).append(value)
    return [Given(name, "header", tuple(found)) for name, found in values.items()]


def in_json(
    text: bytes | str, message: Any = None, most_listed: Mapping[str, int] = MappingProxyType({})
) -> tuple[list[Given], list[Reason]]:
    """What a JSON body gives, and what is wrong with it whatever else the request gives.

    Args:
        text: the body. One that is no JSON gives nothing, as to MLflow.
        message: the descriptor of the protobuf message that MLflow reads it as, where it does.
        most_listed: by ``folded`` name, how many a list of objects may hold; those of a longer one, which is refused,
            are not looked at.
    """
    reasons: list[Reason] = []

    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        if len(found) != len(pairs):
            seen: set[str] = set()
            again = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
            reasons.append(_reason(again, "one value", "its name twice in one object of the body"))
        return found

    try:
        body = json.loads(text, object_pairs_hook=once)
        if isinstance(body, str):  # MLflow's oldest clients sent JSON within a JSON text
            body = json.loads(body, object_pairs_hook=once)
    except (ValueError, RecursionError):
        return [], reasons
    if not isinstance(body, dict) or reasons:
        return [], reasons
    if len(body) > MOST_NAMES:
        return [], [Reason("body", f"at most {MOST_NAMES} names in its object", f"{len(body)}", "send fewer")]
    if _has_half_a_pair(text, body):
        reasons.append(_reason("body", "text", "half of a surrogate pair"))  # which no database takes
    return list(_in_object(body, message, reasons, most_listed=most_listed)), reasons


def in_graphql(document: Any, variables: object) -> list[Reason]:
    """What one input object of a GraphQL request gives twice.

    Args:
        document: the parsed query.
        variables: what stands beside it.
    """
    from graphql import ObjectValueNode, Visitor, print_ast, visit

    reasons: list[Reason] = []

    class Inputs(Visitor):
        def enter_object_value(self, node: ObjectValueNode, *_: object) -> None:
            nonlocal reasons
            reasons += twice(Given(each.name.value, "query", (print_ast(each.value),)) for each in node.fields)

    visit(document, Inputs())
    return reasons + [reason for each in _objects_in(variables) for reason in twice(_shallow(each))]


def _objects_in(value: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, dict):
        yield value
    inner: Iterable[object] = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for each in inner:
        yield from _objects_in(each)


def _in_object(
    body: Mapping[str, Any],
    message: Any,
    reasons: list[Reason],
    *,
    within: bool = False,
    listed: bool = False,
    most_listed: Mapping[str, int] = MappingProxyType({}),
) -> Iterator[Given]:
    """What an object gives: all that it names, or, ``within`` another, the identifiers."""
    fields = {} if message is None else _spellings(message)
    if within:
        reasons += twice(_shallow(body))
    for name, value in body.items():
        field = fields.get(name)
        if field is not None:
            reasons += _unlike(name, value, field)
        inner = _message_within(field)
        if inner is not None:
            items = value if isinstance(value, list) else [value]
            if isinstance(value, list) and not within:
                yield Given(name, "body", ("",) * len(value), listed=True)  # that it is there, and how long
                if len(value) > most_listed.get(folded(name), len(value)):
                    continue
            for item in (item for item in items if isinstance(item, dict)):
                yield from _in_object(item, inner, reasons, within=True, listed=listed or isinstance(value, list))
        elif not within:
            yield Given(name, "body", _texts(value))
        elif field is not None and field.name.endswith("_id"):
            yield Given(name, "body", _texts(value), listed=listed)


def _unlike(name: str, value: Any, field: Any) -> Iterator[Reason]:
    """How a value's type differs from that of the field in MLflow's message, on which its validators would fail."""
    identifier = _IDENTIFIER.search(field.name) is not None
    if name != field.name and identifier:
        yield _reason(name, f"the spelling {field.name}", f"{name} in the body")
    if field.message_type is not None and _message_within(field) is None and not _is_list_of_messages(field):
        return  # a map, or a type that may be any JSON
    items = value if isinstance(value, list) else [value]
    if is_list(field):
        if not isinstance(value, list) and (value is not None or identifier):
            yield _reason(name, "a list", _kind_of(value))
        elif field.message_type is not None and not all(isinstance(item, dict) for item in value or ()):
            yield _reason(name, "a list of objects", "others in it")
    elif isinstance(value, list) or (isinstance(value, dict) and field.message_type is None):
        yield _reason(name, "one value", _kind_of(value))
    if identifier and field.type == field.TYPE_STRING and not all(isinstance(item, str | None) for item in items):
        yield _reason(name, "text", "another value")


def _is_list_of_messages(field: Any) -> bool:
    return is_list(field) and not field.message_type.GetOptions().map_entry


def _kind_of(value: object) -> str:
    return "a list" if isinstance(value, list) else "an object" if isinstance(value, dict) else "one value"


def is_list(field: Any) -> bool:
    """Whether a field of a protobuf message is repeated."""
    # Newer releases of protobuf have the one, older ones the other.
    return bool(field.is_repeated) if hasattr(field, "is_repeated") else field.label == field.LABEL_REPEATED


def _shallow(body: Mapping[str, Any]) -> list[Given]:
    return [Given(name, "body", _texts(value)) for name, value in body.items()]


def _spellings(message: Any) -> dict[str, Any]:
    return {spelled: field for field in message.fields for spelled in (field.name, field.json_name)}


def _message_within(field: Any) -> Any:
    """The message that a field holds; None for a plain value, and for maps, whose names are the caller's own."""
    inner = None if field is None else field.message_type
    if inner is None or inner.GetOptions().map_entry or inner.full_name.startswith("google.protobuf."):
        return None
    return inner


def _texts(value: Any) -> tuple[str, ...]:
    items = value if isinstance(value, list) else [value]
    return tuple(item if isinstance(item, str) else json.dumps(item, sort_keys=True) for item in items)


def folded(name: str) -> str:
    """A name without what one spelling of it has and another has not."""
    return name.replace("_", "").replace("-", "").lower()


def _thing(name: str) -> str:
    thing = folded(name)
    if thing.endswith("uuid"):
        thing = thing.removesuffix("uuid") + "id"
    elif thing.endswith("ids"):
        thing = thing.removesuffix("s")
    return _OTHER_NAMES.get(thing, thing)


def _has_half_a_pair(text: bytes | str, body: object) -> bool:
    escape = b"\\u" if isinstance(text, bytes) else "\\u"
    if escape not in text:  # type: ignore[operator]
        return False  # only an escape spells one
    try:
        json.dumps(body, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


def _of_one_thing(group: list[Given], repeatable: frozenset[str]) -> Iterator[Reason]:
    """Why these, which name the same thing, are not one."""
    for each in group:
        if len(each.values) > 1 and each.place != "body" and each.name not in repeatable:
            yield _reason(each.name, "one value", f"several in the {each.place}")
    above = [each for each in group if not each.listed]
    spelled = {each.name for each in above}
    if len(spelled) > len({folded(name) for name in spelled}):
        yield _reason(above[0].name, "one spelling", " and ".join(sorted(map(str, above))))
        return
    places = {each.place for each in group} - {"path"}
    values = {each.values for each in group} if above else set()
    if len(places) > 1 or len(values) > 1:
        found = " and ".join(sorted({str(each) for each in group}))
        yield _reason(group[0].name, "one value in one place", found)


def _reason(name: str, expected: str, found: str) -> Reason:
    # JSON may name a field with half of a surrogate pair, which no answer could repeat as it is.
    rule, found = (text[:200].encode(errors="backslashreplace").decode() for text in (name[:80], found))
    return Reason(rule, expected, found, "give it once")
