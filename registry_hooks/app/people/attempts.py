"""Failed logins: told in the log, answered more and more slowly, and as slowly for a user who does not exist.

Only what failed is made to wait. Whoever knows the password gets in at once, however often somebody else has tried to
guess it: a lock that opens by the clock would let anybody keep the person on call out at night. Each process counts on
its own.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import wraps
from types import ModuleType
from typing import Any

from registry_hooks.app.people.actors import AsgiApp, Receive, Scope, Send

FIRST_WAIT, LONGEST_WAIT = 0.05, 2.0  # seconds: after the second failure in a row, then doubled
LONGEST_IN_A_THREAD = 0.5  # seconds, where a waiting answer keeps a thread from serving others
FORGOTTEN_AFTER = 900.0  # seconds without a failure
MOST = 10_000  # users at addresses that are remembered; those that failed longest ago go first
_LONGEST_NAME = 256

_logger = logging.getLogger(__name__)


class Attempts:
    """Failures in a row of each user at each address.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._failures: OrderedDict[tuple[str, str], tuple[int, float]] = OrderedDict()

    def failed(self, user: str, address: str) -> tuple[int, float]:
        """Count one more failure. Gives how many in a row there are, and how many seconds the answer has to wait."""
        key, now = (user[:_LONGEST_NAME], address), self._clock()
        with self._lock:
            number, since = self._failures.pop(key, (0, now))
            number = 1 if now - since > FORGOTTEN_AFTER else number + 1
            self._failures[key] = number, now
            if len(self._failures) > MOST:
                self._failures.popitem(last=False)
        # min of the exponent first: 2 to the power of a million failures is no float
        return number, min(FIRST_WAIT * 2 ** min(number - 2, 20), LONGEST_WAIT) if number > 1 else 0.0

    def __len__(self) -> int:
        return len(self._failures)


@dataclass
class _Asking:
    """One request as its middleware sees it: from where it comes, and how long its answer is to wait."""

    address: str
    wait: float = field(default=0.0)


_asking: ContextVar[_Asking | None] = ContextVar("registry_hooks_asking", default=None)


def guard_logins(auth: ModuleType, attempts: Attempts | None = None) -> None:
    """Make every check of a password by MLflow's auth store count, on Flask's path and on FastAPI's.

    Checks that MLflow's credential cache answers are of passwords that were right before.
    """
    from werkzeug.security import check_password_hash, generate_password_hash

    check, counted = auth.store.authenticate_user, attempts or Attempts()
    nobodys = generate_password_hash(secrets.token_urlsafe(32))

    @wraps(check)
    def authenticate_user(username: str, password: str, **options: Any) -> bool:
        if check(username, password, **options):
            return True
        if not auth.store.has_user(username):  # for whom no hash was computed, which shows in the time
            check_password_hash(nobodys, password or "")
        _tell(counted, str(username))
        return False

    auth.store.authenticate_user = authenticate_user
    _tell_other_refusals(auth)


def _tell_other_refusals(auth: ModuleType) -> None:
    """Log the refusals of an authorization function that is not MLflow's own. Only that function knows the user."""
    from flask import Response, request
    from mlflow.server.auth.config import DEFAULT_AUTHORIZATION_FUNCTION

    authenticate, function = auth.authenticate_request, auth.auth_config.authorization_function
    if function == DEFAULT_AUTHORIZATION_FUNCTION:
        return

    @wraps(authenticate)
    def told() -> Any:
        found = authenticate()
        if isinstance(found, Response) and "Authorization" in request.headers:
            _logger.warning("failed login from %s: refused by %s", _address_in_flask(), function)
        return found

    auth.authenticate_request = told  # type: ignore[attr-defined]


def _tell(attempts: Attempts, user: str) -> None:
    asking = _asking.get()
    address = asking.address if asking else _address_in_flask()
    number, wait = attempts.failed(user, address)
    _logger.warning("failed login of %r from %s: number %d in a row", user[:_LONGEST_NAME], address, number)
    if asking is not None:
        asking.wait = max(asking.wait, wait)
    else:
        time.sleep(min(wait, LONGEST_IN_A_THREAD))


def _address_in_flask() -> str:
    from flask import has_request_context, request

    return (request.remote_addr or "nowhere") if has_request_context() else "nowhere"


class AttemptMiddleware:
    """Lets the answer to a failed login wait without keeping a thread, whichever path the request takes."""

    def __init__(self, app: AsgiApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; what it is answered waits, where a login failed in it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        asking = _Asking(str((scope.get("client") or ("nowhere",))[0]))
        token = _asking.set(asking)

        async def send_later(message: Any) -> None:
            if asking.wait:
                wait, asking.wait = asking.wait, 0.0
                await asyncio.sleep(wait)
            await send(message)

        try:
            await self._app(scope, receive, send_later)
        finally:
            _asking.reset(token)
