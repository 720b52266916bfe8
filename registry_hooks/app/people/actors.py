"""Who is acting, on both of MLflow's paths: Flask handlers, and the routes that FastAPI serves natively.

MLflow authenticates each path in its own place and leaves the user's name behind: ``flask.g.mlflow_authenticated_user``
on one, ``request.state.username`` on the other. Here that name becomes the current Actor for the length of the request,
and no longer: worker threads are used again for the next person.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from functools import cache, wraps
from types import ModuleType
from typing import Any

from registry_hooks.errors import Reason, Refused
from registry_hooks.identity import MLFLOW_AUTH, SSO, Actor, Whoever, acting_as
from registry_hooks.mlflow_surface.releases import UserSight
from registry_hooks.mlflow_surface.sign_on import FUNCTION

_SYNTHETIC_ROLE = "__user_"  # the prefix under which MLflow stores a user's own grants as a role of one
_ACTING = "_registry_hooks_acting"
_AUTHORIZATION = "registry_hooks.authorization"

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]


def look_up(username: str) -> Actor | None:
    """The Actor whom MLflow's auth store knows by that name; None for somebody deleted since."""
    from mlflow.exceptions import MlflowException
    from mlflow.server import auth
    from mlflow.utils.workspace_utils import DEFAULT_WORKSPACE_NAME

    try:
        user = auth.store.get_user(username)
        # Workspaces are refused at start, so a role of another workspace must not count here.
        roles = auth.store.list_user_roles_for_workspace(user.id, DEFAULT_WORKSPACE_NAME)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise  # a database that does not answer says nothing about who asks
        return None
    how = auth.auth_config.authorization_function
    held = frozenset(role.name for role in roles if not role.name.startswith(_SYNTHETIC_ROLE))
    return Actor(user.username, _told(how), is_admin=user.is_admin, mlflow_roles=held)


def _told(function: str) -> str:
    from mlflow.server.auth.config import DEFAULT_AUTHORIZATION_FUNCTION

    return {DEFAULT_AUTHORIZATION_FUNCTION: MLFLOW_AUTH, FUNCTION: SSO}.get(function, f"{MLFLOW_AUTH}:{function}")


def reauthenticated(actor: Actor, password: str) -> Actor:
    """The Actor, who has proved the password in this very request; nothing remembered counts.

    Raises:
        Refused: when it is not the password, or when logins are not MLflow's own and it cannot be checked here.
    """
    from mlflow.server import auth
    from mlflow.server.auth.config import DEFAULT_AUTHORIZATION_FUNCTION

    if auth.auth_config.authorization_function != DEFAULT_AUTHORIZATION_FUNCTION:
        found = f"logins are made by {_told(auth.auth_config.authorization_function)}"
        mend = "leave the password out; a policy that asks for it (reauthenticate: true) does not fit this server"
        raise Refused("not re-authenticated", [Reason("re-authentication", "MLflow's own logins", found, mend)])
    if not auth.store.authenticate_user(actor.name, password):
        reason = Reason("re-authentication", f"the password of {actor.name}", "another one", "type it again")
        raise Refused("not re-authenticated", [reason])
    return replace(actor, reauthenticated=True)


def _named(username: str | None) -> Whoever:
    # Looked up at most once a request, and only when a rule asks: it costs two queries.
    return None if username is None else cache(lambda: look_up(username))


def acting(actor: Whoever) -> AbstractContextManager[None]:
    """Make ``actor`` the current one, among the users and under the permissions that MLflow's auth knows."""
    return acting_as(actor, look_up, cache(UserSight))


def name_the_actor_in_flask(app: Any) -> None:
    """Set the Actor once MLflow has authenticated the request, and take it back when the request ends."""
    from flask import g

    def begin() -> None:
        stack = ExitStack()
        stack.enter_context(acting(_named(g.get("mlflow_authenticated_user"))))
        setattr(g, _ACTING, stack)

    def end(_error: BaseException | None) -> None:
        stack = g.pop(_ACTING, None)
        if stack is not None:  # None where MLflow's own hook answered first, as with 401
            stack.close()

    app.before_request(begin)
    app.teardown_request(end)


class ActorMiddleware:
    """Names the Actor for routes that FastAPI serves natively, from what MLflow's middleware leaves in the scope.

    It stands outside of that middleware, which goes on acting for the user after the route has answered. Who that is is
    looked for when it is asked, and is nobody before.
    """

    def __init__(self, app: AsgiApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request as the user whom MLflow authenticated, or as nobody."""
        state = scope.setdefault("state", {}) if scope["type"] == "http" else {}
        named = cache(look_up)

        def whoever() -> Actor | None:
            username = state.get("username")
            return None if username is None else named(username)

        with acting(whoever):
            await self._app(scope, receive, send)


def name_the_actor_in_asgi(app: Any) -> None:
    """Put `ActorMiddleware` around all that MLflow has put there.

    Flask's half is mounted in the same app; there nobody is authenticated by that middleware, so it starts as nobody
    and its own hook names the Actor.
    """
    app.add_middleware(ActorMiddleware)


def authenticate_once_per_request(auth: ModuleType) -> None:
    """Make MLflow hash a password once a request instead of up to four times.

    Every permission lookup of MLflow authenticates again, and a hash is made to be slow (65 ms here). What was found
    lives as long as the request it was found for, so nothing can be out of date, unlike with
    ``auth_cache_ttl_seconds``.
    """
    from flask import request
    from mlflow.server.auth.config import DEFAULT_AUTHORIZATION_FUNCTION

    authenticate = auth.authenticate_request
    basic = auth.auth_config.authorization_function == DEFAULT_AUTHORIZATION_FUNCTION

    @wraps(authenticate)
    def once() -> Any:
        if basic and request.authorization is not None and request.authorization.type != "basic":
            return auth.make_basic_auth_response()  # MLflow's cache has no name to look up here, and answers 500
        if _AUTHORIZATION not in request.environ:
            request.environ[_AUTHORIZATION] = authenticate()
        return request.environ[_AUTHORIZATION]

    auth.authenticate_request = once  # type: ignore[attr-defined]
