"""Every request has an id, which comes back in its answer; every refusal is a line of the log with it, and counted.

It is read off the answer, at one place for all doors: the JSON API, MLflow's own routes in Flask and in FastAPI, and
what guards refuse before anybody is asked who he is. Only pages for people say it otherwise (`asked.note_refusal`).
"""

from __future__ import annotations

import json
import logging
import re
import uuid
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any

from registry_hooks.app import asked
from registry_hooks.app.asked import Asked
from registry_hooks.app.people.actors import AsgiApp, Receive, Scope, Send
from registry_hooks.app.watching import numbers

HEADER = "X-Request-ID"
_ID = re.compile(r"[A-Za-z0-9._:+/=-]{1,128}")
_LARGEST = 64 * 1024  # bytes of an answer that is read for its reasons
_TOLD = (401, 403, 429)  # these are told even where the answer gives no reasons, as MLflow's own do not
_LONGEST = 500  # characters of anything that a client chose

_logger = logging.getLogger("registry_hooks.refused")


def id_of(given: Iterable[str]) -> str:
    """The id of a request: the one that it was given, where that is one and can stand in a line; else a new one."""
    values = list(given)
    return values[0] if len(values) == 1 and _ID.fullmatch(values[0]) else uuid.uuid4().hex


def tell(request: Asked, verb: str, path: str, status: int, body: bytes) -> None:
    """Write one line about an answer that is a refusal, and count it."""
    code, reasons = _found(request, body)
    if status < 400:
        if verb == "GET" and path.endswith("/registry-hooks/audit/verify"):
            _count(numbers.verified)
        return
    if not reasons and status not in _TOLD:
        return
    _count(numbers.refused, path, code, [str(reason.get("rule")) for reason in reasons])
    rules = ", ".join(str(reason.get("rule"))[:80] for reason in reasons[:20]) or code or "no reason given"
    shown, user = path[:_LONGEST], request.user or "nobody"
    _logger.warning(
        "refused %d %s %r to %r: %s (request %s)", status, verb, shown, user, rules, request.id,
        extra={"fields": {"status": status, "verb": verb, "path": shown, "user": request.user, "error_code": code,
                          "reasons": [_short(reason) for reason in reasons[:20]]}},
    )  # fmt: skip


def _count(count: Callable[..., None], *what: object) -> None:
    try:
        count(*what)
    except OSError as error:  # a full disk must not keep anybody from an answer
        _logger.error("refusals are not counted: %s", error)


def _found(request: Asked, body: bytes) -> tuple[str | None, list[dict[str, Any]]]:
    if request.error is not None:
        return request.error.code, [asdict(reason) for reason in request.error.reasons]
    try:
        answer = json.loads(body)
    except ValueError:
        return None, []
    if not isinstance(answer, dict):
        return None, []
    reasons = answer.get("reasons")
    listed = [each for each in reasons if isinstance(each, dict)] if isinstance(reasons, list) else []
    code = answer.get("error_code")
    return (code if isinstance(code, str) else None), listed


def _short(reason: dict[str, Any]) -> dict[str, str]:
    return {str(name)[:40]: str(value)[:_LONGEST] for name, value in list(reason.items())[:4]}


class RefusalMiddleware:
    """Gives each request its id, and tells refusals, of all that is served under ASGI."""

    def __init__(self, app: AsgiApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        name = HEADER.lower().encode()
        request = Asked(id_of(value.decode("latin-1") for key, value in scope["headers"] if key.lower() == name))
        asked.begin(request)
        status, body = 0, b""

        async def send_told(message: Any) -> None:
            nonlocal status, body
            if message["type"] == "http.response.start":
                status = message["status"]
                kept = [each for each in message.get("headers", ()) if each[0].lower() != name]
                message = {**message, "headers": [*kept, (name, request.id.encode())]}
            elif status >= 400 and len(body) <= _LARGEST:
                body += message.get("body", b"")
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                # Before the last byte goes out: who has the answer finds it counted.
                request.user = request.user or scope.get("state", {}).get("username")
                tell(request, scope["method"], scope["path"], status, body)
            await send(message)

        await self._app(scope, receive, send_told)


def tell_in_flask(app: Any, *, alone: bool) -> None:
    """Note who asks, in Flask; and where Flask is served ``alone``, without ASGI, do what the middleware does."""
    from flask import g, request

    def name_it() -> None:
        asked.begin(Asked(id_of(request.headers.getlist(HEADER))))

    def note_user() -> None:
        current = asked.current_request()
        if current is not None:
            current.user = g.get("mlflow_authenticated_user")

    def tell_it(response: Any) -> Any:
        current = asked.current_request()
        if current is not None:
            response.headers[HEADER] = current.id
            told = response.status_code >= 400 and not response.is_streamed
            body = response.get_data()[:_LARGEST] if told else b""
            tell(current, request.method, request.path, response.status_code, body)
        return response

    app.before_request(note_user)
    if alone:
        app.before_request_funcs.setdefault(None, []).insert(0, name_it)
        app.after_request_funcs.setdefault(None, []).insert(0, tell_it)  # those added last are called first
