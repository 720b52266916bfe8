"""Routes that can do more than keep records are shut until an operator turns their power on by name.

Which routes these are stands in `registry_hooks.mlflow_surface.http_routes`. On each of MLflow's two paths the route is
the one that its own router has found, or would find: no path is read here a second time, in another way.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from registry_hooks.app import refusing
from registry_hooks.app.people.actors import AsgiApp, Receive, Scope, Send
from registry_hooks.errors import Reason, Refused
from registry_hooks.mlflow_surface.http_routes import Power, power_of
from registry_hooks.mlflow_surface.loosening import ALLOW

_STATIC_PREFIX = "_MLFLOW_STATIC_PREFIX"


class Native(NamedTuple):
    """A route that FastAPI serves itself."""

    verb: str
    path: str


FLASK = Native("MOUNT", "")  # Flask's app, mounted at the root: its routes are asked for one by one
"""The one mount that there is."""


def static_prefix() -> str:
    """What stands before the path of every route of MLflow, as it has been told; mostly nothing."""
    return os.environ.get(_STATIC_PREFIX, "").rstrip("/")


def native_routes(routes: Iterable[Any]) -> Iterator[Native]:
    """Every route below FastAPI's own, however it keeps what `include_router` was given."""
    for route in routes:
        if hasattr(route, "effective_candidates"):
            yield from native_routes([*route.effective_candidates(), *route.effective_low_priority_routes()])
        else:
            verbs = getattr(route, "methods", None) or {type(route).__name__.upper()}  # a mount, a web socket
            yield from (Native(verb, getattr(route, "path", f"/?{route!r}")) for verb in verbs)


def shut_in_flask(app: Any, powers: frozenset[Power]) -> None:
    """Refuse, before anybody is asked who he is, what has not been turned on."""
    from flask import request

    def refuse() -> Any:
        rule = request.url_rule
        if rule is None or request.method == "OPTIONS":  # which Flask answers itself, about any route
            return None
        verb = "GET" if request.method == "HEAD" else request.method
        power = power_of(verb, rule.rule, static_prefix())
        return None if power is None or power in powers else refusing.in_flask(_shut(power))

    app.before_request_funcs.setdefault(None, []).insert(0, refuse)


class PowersMiddleware:
    """Shuts FastAPI's own routes of powers that are not on, and web sockets, of which MLflow asks no login."""

    def __init__(self, app: AsgiApp, routes: Iterable[Native], powers: frozenset[Power]) -> None:
        from starlette.routing import compile_path

        self._app = app
        self._shut = [
            (compile_path(route.path)[0], power)
            for route in routes
            if (power := power_of(route.verb, route.path, static_prefix())) is not None and power not in powers
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve what is not shut, whatever its verb."""
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        power = self._power(scope) if scope["type"] == "http" else None
        if power is None:
            await self._app(scope, receive, send)
        else:
            await refusing.in_asgi(_shut(power), send)

    def _power(self, scope: Scope) -> Power | None:
        from starlette._utils import get_route_path  # what Starlette's own routes match against

        path = get_route_path(scope)
        return next((power for pattern, power in self._shut if pattern.match(path)), None)


def _shut(power: Power) -> Refused:
    expected = f"a server whose operator has turned {power} on"
    mend = f"an operator starts it with --unsafe-allow {power} (or {ALLOW}={power}), and is warned of what that gives"
    return Refused(f"{power} is shut on this server", [Reason(power, expected, "one where it is shut", mend)])
