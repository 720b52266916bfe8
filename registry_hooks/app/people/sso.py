"""Single sign-on: who somebody is says a header that the proxy in front writes, and that nobody else could have.

MLflow's auth calls `authenticate` for each request, in Flask and for FastAPI's own routes, as the
``authorization_function`` of its configuration. A request counts only where the proxy is known by a secret that it
sends, or by the address that it connects from, and by both where both are set. With neither, every request is refused.

The proxy must drop what a client sends under the header's name. A header that comes twice, in whatever spelling, is
refused here, and so is what can be no name.
"""

from __future__ import annotations

import hmac
import ipaddress
import json
import logging
import os
import secrets
import unicodedata
from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache, wraps
from types import ModuleType
from typing import Any

from registry_hooks.app.governed import governed_desk
from registry_hooks.app.people.actors import AsgiApp, Receive, Scope, Send
from registry_hooks.errors import Reason, Unauthenticated
from registry_hooks.mlflow_surface.sign_on import FUNCTION, PROXIES, SECRET_FILE, UNKNOWN_USERS, SignOn, sign_on

NOT_SET = (
    f"single sign-on is not set up: neither {SECRET_FILE} nor {PROXIES} says how the proxy is known, so that every "
    "request is refused"
)
_LONGEST_NAME = 255
_PEER = "registry_hooks.peer"
_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Came:
    """A request as it came in.

    Args:
        headers: name and value of each, repeated ones too.
        peer: the address that connected, which no header can change; None where it is not known.
    """

    headers: tuple[tuple[str, bytes], ...]
    peer: str | None

    def values(self, name: str) -> list[bytes]:
        """All values of a header. To servers of WSGI an underscore is a hyphen."""
        return [value for key, value in self.headers if key.lower().replace("_", "-") == name]


_came: ContextVar[Came | None] = ContextVar("registry_hooks_came", default=None)


def user_of(came: Came, settings: SignOn) -> str:
    """The name of the user whom the proxy has signed on.

    Raises:
        Unauthenticated: with every reason why the request does not count as the proxy's, or names nobody.
    """
    reasons = [*_not_the_proxy(came, settings)]
    name, against = _name(came.values(settings.header), settings.header)
    reasons += against
    if reasons:
        raise Unauthenticated("not signed on", reasons)
    return name


def _not_the_proxy(came: Came, settings: SignOn) -> Iterable[Reason]:
    if not settings.is_set:
        yield Reason("sso", "a server that knows its sign-on proxy", "one that does not", "ask its operator")
    if settings.secrets:
        sent = came.values(settings.secret_header)
        # All are compared, so that the time does not tell which came near.
        equal = [hmac.compare_digest(each, sent[0]) for each in settings.secrets] if len(sent) == 1 else []
        if not any(equal):
            found = ("no proof", "one that is not the proxy's")[min(len(sent), 1)] if len(sent) < 2 else "several"
            yield Reason("sso-proxy", "a request that came through the sign-on proxy", found, "use the proxy's address")
    if settings.proxies and not _is_within(came.peer, settings):
        expected = "a connection from the sign-on proxy"
        yield Reason("sso-address", expected, f"one from {came.peer or 'nowhere'}", "use the proxy's address")


def _is_within(peer: str | None, settings: SignOn) -> bool:
    try:
        address = ipaddress.ip_address(peer or "")
    except ValueError:  # a socket file, or a name
        return False
    plain = getattr(address, "ipv4_mapped", None) or address
    return any(plain in network for network in settings.proxies)


def _name(values: list[bytes], header: str) -> tuple[str, list[Reason]]:
    expected = f"the name of one user in {header}"
    mend = "let the proxy write the header, and drop what clients send under its name"
    if len(values) != 1 or not values[0].strip():
        return "", [Reason("sso-header", expected, "several" if len(values) > 1 else "none", mend)]
    try:
        name = values[0].decode()
    except UnicodeDecodeError:
        return "", [Reason("sso-header", expected, "what is not UTF-8", mend)]
    # Two values that something on the way has made one have a comma between them.
    fit = (
        len(name) <= _LONGEST_NAME
        and "," not in name
        and name == name.strip() == unicodedata.normalize("NFC", name)
        and not any(unicodedata.category(letter).startswith("C") for letter in name)
    )
    return (name, []) if fit else ("", [Reason("sso-header", expected, ascii(name)[:100], mend)])


def authenticate() -> Any:
    """Who asks, as MLflow's auth wants to know it: an ``Authorization``, or the answer to a request that is refused."""
    from flask import Response
    from werkzeug.datastructures import Authorization

    came = _came.get() or _in_flask()
    try:
        settings = _settings()
        name = _account(user_of(came, settings), settings)
    except Unauthenticated as error:
        told = "; ".join(str(reason) for reason in error.reasons)
        _logger.warning("failed sign-on from %s: %s", came.peer or "nowhere", told)
        # Without WWW-Authenticate: a browser that asks for a password would have nobody to send it to.
        return Response(json.dumps(error.as_json()), 401, {"Cache-Control": "no-store"}, mimetype="application/json")
    return Authorization("basic", {"username": name})


@cache
def _settings() -> SignOn:
    return sign_on(os.environ)


def _in_flask() -> Came:
    from flask import request

    headers = tuple((name, value.encode("latin-1", "replace")) for name, value in request.headers.items())
    return Came(headers, request.remote_addr)


def _account(name: str, settings: SignOn) -> str:
    """The account of somebody whom the proxy has signed on, as it is spelt; made where there is none and it may be.

    Raises:
        Unauthenticated: when there is none.
    """
    from mlflow.exceptions import MlflowException
    from mlflow.server import auth

    try:
        return str(auth.store.get_user(name).username)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise  # a database that does not answer says nothing about who asks
    if why := _why_not_made(name, settings, auth.store):
        mend = "ask an administrator to make the account"
        raise Unauthenticated("no account", [Reason("sso-user", f"an account of {name}", why, mend)])
    try:
        # Nobody knows the password, and nobody needs one.
        return str(auth.store.create_user(name, secrets.token_urlsafe(32)).username)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
        return str(auth.store.get_user(name).username)  # by another request of theirs, a moment ago


def _why_not_made(name: str, settings: SignOn, store: Any) -> str | None:
    if not settings.creates:
        return f"none, and this server makes none ({UNKNOWN_USERS})"
    if governed_desk().keeping.was_removed(name):
        return "one that was deleted; who signs on does not bring it back"
    others = [user.username for user in store.list_users() if user.username.casefold() == name.casefold()]
    # One person in two spellings would be two to a quorum.
    return f"one of {others[0]}, which differs in capital letters" if others else None


class CameMiddleware:
    """Keeps what came in, before anything on the way to MLflow's auth makes one header of two."""

    def __init__(self, app: AsgiApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        peer = scope.get(_PEER, scope.get("client"))
        headers = tuple((name.decode("latin-1"), value) for name, value in scope["headers"])
        token = _came.set(Came(headers, str(peer[0]) if peer else None))
        try:
            await self._app(scope, receive, send)
        finally:
            _came.reset(token)


def is_used(auth: ModuleType) -> bool:
    """Whether MLflow's auth asks `authenticate` who somebody is."""
    return bool(auth.auth_config.authorization_function == FUNCTION)


def prepare() -> None:
    """Make ready to be asked, before the server serves.

    Raises:
        Invalid: when it is set up in a way that means nothing.
    """
    _settings.cache_clear()
    if not _settings().is_set:
        _logger.warning("UNSAFE: %s", NOT_SET)
    _keep_the_peer()


def _keep_the_peer() -> None:
    """Note who connects before uvicorn believes a header about it, which it does of whoever is on the same host."""
    from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

    believe = ProxyHeadersMiddleware.__call__

    @wraps(believe)
    async def noted(self: Any, scope: Any, receive: Any, send: Any) -> None:
        scope[_PEER] = scope.get("client")
        await believe(self, scope, receive, send)

    ProxyHeadersMiddleware.__call__ = noted  # type: ignore[method-assign]
