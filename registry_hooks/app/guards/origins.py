"""Pages of other origins change nothing here, whatever MLflow allows them, and read nothing of our own routes.

A browser sends a visitor's login with what any page asks of this server, and MLflow lets pages of every
``http://localhost:*`` ask. A browser also says which page asks (``Origin``, ``Sec-Fetch-Site``), and lets no page say
otherwise; other clients say neither.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from registry_hooks.app import refusing
from registry_hooks.app.guards.powers import static_prefix
from registry_hooks.app.people.actors import AsgiApp, Receive, Scope, Send
from registry_hooks.errors import Reason, Refused
from registry_hooks.mlflow_surface.http_routes import OURS, plain_path
from registry_hooks.mlflow_surface.loosening import ALLOW_ORIGINS

_SAFE = ("GET", "HEAD", "OPTIONS")
_PORTS = {"http": ":80", "https": ":443"}


def refused(
    verb: str, path: str, headers: Mapping[str, str], scheme: str, allowed: frozenset[str] = frozenset()
) -> Refused | None:
    """Why a request is refused for the page that it comes from; None where it is not.

    Args:
        verb: of the request.
        path: of the route.
        headers: with names in small letters.
        scheme: by which the request came to this server.
        allowed: origins beside the server's own.
    """
    ours = plain_path(path, static_prefix()).startswith(OURS)
    if verb in _SAFE and not (ours and verb == "GET"):
        return None
    origin = headers.get("origin")
    if origin is None:
        site = headers.get("sec-fetch-site", "none")
        return None if verb in _SAFE or site in ("same-origin", "none") else _refusal(f"a page that is {site}")
    if origin.lower() in allowed or _is_own(origin.lower(), headers.get("host", "").lower(), scheme):
        return None
    return _refusal(origin[:200] or "an empty one")


def _is_own(origin: str, host: str, scheme: str) -> bool:
    asking, separator, at = origin.partition("://")
    # Behind a proxy that does TLS a page has https where this server sees http; never the other way round.
    if not separator or asking not in (scheme, "https"):
        return False
    return bool(host) and at.removesuffix(_PORTS.get(asking, "")) == host.removesuffix(_PORTS.get(asking, ""))


def refuse_in_flask(app: Any, allowed: frozenset[str]) -> None:
    """Refuse before anybody is asked who he is."""
    from flask import request

    def refuse() -> Any:
        headers = {name.lower(): value for name, value in request.headers.items()}
        error = refused(request.method, request.path, headers, request.scheme, allowed)
        return None if error is None else refusing.in_flask(error)

    app.before_request_funcs.setdefault(None, []).insert(0, refuse)


class OriginMiddleware:
    """Refuses requests of pages of other origins to all that FastAPI serves, Flask's half included."""

    def __init__(self, app: AsgiApp, allowed: frozenset[str]) -> None:
        self._app, self._allowed = app, allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve what comes from the server's own pages, or from no page."""
        error = None
        if scope["type"] == "http":
            from starlette._utils import get_route_path

            headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
            error = refused(scope["method"], get_route_path(scope), headers, scope.get("scheme", "http"), self._allowed)
        if error is None:
            await self._app(scope, receive, send)
        else:
            await refusing.in_asgi(error, send)


def _refusal(found: str) -> Refused:
    expected = "a page of this server's own origin, or a client that is no browser"
    mend = f"an operator who trusts that origin starts the server with --unsafe-allow-origin (or {ALLOW_ORIGINS})"
    return Refused("a page of another origin may not do this", [Reason("origin", expected, found, mend)])
