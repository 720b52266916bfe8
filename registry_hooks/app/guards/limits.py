"""What one request may hold: its size, how many values, how many conditions. What holds more is refused before it runs.

MLflow reads a JSON body as a whole, several times over, and a filter as a query with a join for each condition: ten
megabytes of small values keep an interpreter for seconds, and five hundred conditions take half a gigabyte. Files are
not counted here, and neither are our own routes, whose bodies have rules of their own
(`registry_hooks.app.api.bodies`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from registry_hooks.app import refusing
from registry_hooks.app.guards.given import Given, folded
from registry_hooks.app.guards.powers import static_prefix
from registry_hooks.app.people.actors import AsgiApp, Receive, Scope, Send
from registry_hooks.errors import Invalid, Reason
from registry_hooks.mlflow_surface.http_routes import plain_path

LARGEST_BODY = 8 * 1024 * 1024
"""Bytes of a body that is no file."""
LARGEST_GRAPHQL = 64 * 1024
MOST_VALUES = 100_000
"""Values of a JSON body, told by its commas and brackets."""
MOST_CONDITIONS = 50
"""Conditions of a filter, and columns of an order: each is a join of the query that MLflow makes of it."""
LONGEST_FILTER = 64 * 1024
"""Characters, which MLflow takes apart one by one."""
_DRAINED = 64 * 1024 * 1024  # bytes that are let run out, so that a client who sends on reads the answer
_FILES = ("/mlflow/upload-artifact", "/mlflow-artifacts/artifacts/", "/v1/traces")
MOST_LISTED: dict[str, int] = {
    "orderby": MOST_CONDITIONS, "runid": 200, "runids": 200, "traceid": 200, "traceids": 200, "requestids": 200,
    "datasets": 200, "locations": 1000, "experimentids": 500,
}  # fmt: skip
"""How many a list may name of what MLflow joins or asks permission for one by one; its own clients send 100 at most."""
_AND = re.compile(r"\band\b", re.IGNORECASE)  # comments and brackets part words as well as spaces do


def too_much_json(body: bytes) -> list[Reason]:
    """A reason where a JSON body holds more values than one request may, told before it is read."""
    values = sum(body.count(mark) for mark in (b",", b"[", b"{"))
    if values <= MOST_VALUES:
        return []
    return [Reason("body", f"at most {MOST_VALUES} values", f"{values} commas and brackets", "send fewer at a time")]


def too_much_graphql(body: bytes) -> list[Reason]:
    """A reason where a GraphQL request is longer than any that a page sends."""
    if len(body) <= LARGEST_GRAPHQL:
        return []
    return [Reason("body", f"at most {LARGEST_GRAPHQL} bytes of GraphQL", f"{len(body)}", "ask for less at a time")]


def too_much_to_search(given: Iterable[Given], path: str = "") -> list[Reason]:
    """A reason for each filter, order or list that is longer or of more parts than a person writes.

    Args:
        given: what the request gives.
        path: of its route; a search may name any number of experiments, which MLflow asks permission for at once.
    """
    named = ((folded(each.name), each) for each in given)
    of_all = path.endswith(("/runs/search", "/logged-models/search"))
    return [r for name, each in named if not (of_all and name == "experimentids") for r in _of_a_search(name, each)]


def _of_a_search(name: str, given: Given) -> Iterator[Reason]:
    mend = "ask for less at a time"
    if name in MOST_LISTED and len(given.values) > MOST_LISTED[name]:
        yield Reason(given.name, f"at most {MOST_LISTED[name]} in a list", f"{len(given.values)}", mend)
    elif "filter" not in name and name != "orderby":
        return
    elif (length := sum(map(len, given.values))) > LONGEST_FILTER:
        yield Reason(given.name, f"at most {LONGEST_FILTER} characters", f"{length}", mend)
    elif "filter" in name and (found := sum(map(_conditions, given.values))) > MOST_CONDITIONS:
        yield Reason(given.name, f"at most {MOST_CONDITIONS} conditions", f"{found}", mend)


def too_much_in_graphql(document: Any, variables: object) -> list[Reason]:
    """A reason where a GraphQL request holds a list, or a text of conditions, longer than any that a page sends.

    Args:
        document: the parsed query.
        variables: what stands beside it.
    """
    from graphql import ListValueNode, StringValueNode, Visitor, visit

    lists, texts = [0], [0]

    class Values(Visitor):
        def enter_list_value(self, node: ListValueNode, *_: object) -> None:
            lists.append(len(node.values))

        def enter_string_value(self, node: StringValueNode, *_: object) -> None:
            texts.append(_conditions(node.value))

    visit(document, Values())
    left = [variables]
    while left:
        value = left.pop()
        if isinstance(value, str):
            texts.append(_conditions(value))
        elif isinstance(value, list):
            lists.append(len(value))
            left += value
        elif isinstance(value, dict):
            left += value.values()
    found = (("a list", max(lists), "values"), ("a filter", max(texts), "conditions"))
    return [
        Reason(what, f"at most {MOST_CONDITIONS} {of} of GraphQL", f"{number}", "ask for less at a time")
        for what, number, of in found
        if number > MOST_CONDITIONS
    ]


def _conditions(text: str) -> int:
    return len(_AND.findall(text)) + 1


def too_large(length: int) -> Invalid:
    """The refusal of a body of so many bytes, or more."""
    reason = Reason("body", f"at most {LARGEST_BODY} bytes", f"{length} or more", "send less at a time")
    return Invalid("the request is too large", [reason])


class LimitsMiddleware:
    """Refuses bodies that are no files and too large, whether or not they say their length."""

    def __init__(self, app: AsgiApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request whose body may be read into memory."""
        if scope["type"] != "http" or plain_path(scope["path"], static_prefix()).startswith(_FILES):
            await self._app(scope, receive, send)
            return
        length = _told_length(scope["headers"])
        messages: list[Any] = []
        if length is None:
            length, messages = await _read(receive)
        if length <= LARGEST_BODY:
            await self._app(scope, _again(messages, receive), send)
            return
        while length <= _DRAINED:
            message = await receive()
            length += len(message.get("body", b""))
            if message["type"] != "http.request" or not message.get("more_body", False):
                break
        await refusing.in_asgi(too_large(LARGEST_BODY), send)


def _told_length(headers: Iterable[tuple[bytes, bytes]]) -> int | None:
    for name, value in headers:
        if name == b"transfer-encoding":
            return None
        if name == b"content-length":
            return int(value) if value.isdigit() else None
    return 0


async def _read(receive: Receive) -> tuple[int, list[Any]]:
    messages, length = [], 0
    while length <= LARGEST_BODY:
        messages.append(await receive())
        length += len(messages[-1].get("body", b""))
        if not messages[-1].get("more_body", False):
            break
    return length, messages


def _again(messages: list[Any], receive: Receive) -> Receive:
    async def again() -> Any:
        return messages.pop(0) if messages else await receive()

    return again
