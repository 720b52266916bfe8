"""Requests to addresses that somebody else chose: to public ones only, never redirected, and never for long.

MLflow has the same guard for its own webhooks, and an operator lets in the same for both: plain HTTP by
``MLFLOW_WEBHOOK_ALLOWED_SCHEMES``, private addresses by ``MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS``. The address is held
against them when it is given, and the peer of each connection when it is made, whatever a name resolves to then.
"""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

import requests
from mlflow.exceptions import MlflowException
from mlflow.utils.validation import _validate_webhook_url
from mlflow.webhooks.ssrf import SSRFProtectedHTTPAdapter, SSRFProtectionError
from urllib3.exceptions import HTTPError

from registry_hooks.errors import Invalid, Reason
from registry_hooks.notify.contract import Undelivered

CONNECT, READ = 5.0, 10.0  # seconds without a byte
LONGEST = 15.0  # seconds for all of it
TOLD = 200  # bytes of an answer that are told to administrators
_PATH = re.compile(r"( with url:) \S+|(https?://[^\s/?#]+)[/?#]\S*")  # which may be all that a receiver lets in by
_LET_IN = (
    "give a public https address; an operator lets others in by MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS=true and "
    "MLFLOW_WEBHOOK_ALLOWED_SCHEMES=http,https"
)


def check_address(address: str) -> None:
    """Refuse an address that this server does not send to.

    Raises:
        Invalid: saying why.
    """
    if not (address.isascii() and address.isprintable()) or " " in address or len(address) > 2000:
        reason = Reason("address", "a URL of at most 2,000 printable ASCII characters", ascii(address[:80]), _LET_IN)
        raise Invalid("the target cannot be added", [reason])
    try:
        _validate_webhook_url(address)
    except (MlflowException, ValueError) as error:
        told = error.message if isinstance(error, MlflowException) else str(error)
        reason = Reason("address", "an address that this server sends to", told[:400], _LET_IN)
        raise Invalid("the target cannot be added", [reason]) from error


class _Adapter(SSRFProtectedHTTPAdapter):
    """MLflow's guard, and a list of the connections, to cut them off."""

    def __init__(self) -> None:
        self.connections: list[Any] = []
        super().__init__(max_retries=0)

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options)
        manager: Any = self.poolmanager
        guarded = manager.pool_classes_by_scheme
        manager.pool_classes_by_scheme = {name: _noting(pool, self.connections) for name, pool in guarded.items()}


def _noting(pool: Any, connections: list[Any]) -> type:
    class Connection(pool.ConnectionCls):  # type: ignore[misc]
        def connect(self) -> None:
            super().connect()
            connections[:] = [self]  # one thread sends: an older one is closed

    return type("Pool", (pool,), {"ConnectionCls": Connection})


class Session(requests.Session):
    """Sends as `requests` does, to where MLflow's webhooks may be sent, and follows no redirection."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False  # a proxy would be the peer that is looked at
        self._adapter = _Adapter()
        for scheme in ("http://", "https://"):
            self.mount(scheme, self._adapter)

    def request(self, method: Any, url: Any, *arguments: Any, **options: Any) -> requests.Response:
        """As `requests` has it, with ``allow_redirects`` off and what is not asked for unread."""
        kept = {**options, "allow_redirects": False, "stream": True}
        return super().request(method, url, *arguments, **kept)

    @contextmanager
    def cut_off(self) -> Iterator[None]:
        """End whatever is not done within ``LONGEST``: a receiver may send a byte now and then for ever."""
        timer = threading.Timer(LONGEST, self._cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _cut(self) -> None:
        for connection in self._adapter.connections:
            with suppress(OSError, AttributeError):  # closed, or being closed
                connection.sock.shutdown(socket.SHUT_RDWR)


def post(session: Session, address: str, body: bytes, headers: Mapping[str, str]) -> None:
    """Send a body.

    Raises:
        Undelivered: unless the answer says that it was taken (2xx).
    """
    with told_as_undelivered(), session.cut_off():
        _validate_webhook_url(address)
        require_taken(session.post(address, data=body, headers=dict(headers), timeout=(CONNECT, READ)))


def require_taken(response: requests.Response) -> None:
    """Close the answer.

    Raises:
        Undelivered: unless it says that what was sent was taken (2xx).
    """
    with response:
        if 200 <= response.status_code < 300:
            return
        if response.is_redirect or 300 <= response.status_code < 400:
            raise Undelivered(f"HTTP {response.status_code}: it redirects, and redirections are not followed")
        wait = _wait(response.headers.get("Retry-After", ""))
        told = response.raw.read(TOLD, decode_content=False).decode("utf-8", "replace")
        raise Undelivered(f"HTTP {response.status_code} {told}".strip(), wait)


def _wait(given: str) -> float:
    """The seconds of ``Retry-After``, a number of them or a date (RFC 9110, 10.2.3); 0 for anything else."""
    if given.isascii() and given.isdecimal():
        return float(given[:9])
    try:
        return max((parsedate_to_datetime(given) - datetime.now(timezone.utc)).total_seconds(), 0.0)
    except (ValueError, TypeError, OverflowError):  # no date, or one of no zone
        return 0.0


@contextmanager
def told_as_undelivered() -> Iterator[None]:
    """What `requests`, what is below it, and the guard raise, as `Undelivered`; without the path of an address.

    The body of an answer is read past `requests`, and so raises what urllib3 does where it breaks off.
    """
    try:
        yield
    except MlflowException as error:
        raise Undelivered(_without_paths(str(error.message))) from error
    except (requests.RequestException, HTTPError, SSRFProtectionError, OSError, ValueError) as error:
        raise Undelivered(_without_paths(f"{type(error).__name__}: {error}")) from error


def _without_paths(told: str) -> str:
    return _PATH.sub(lambda found: f"{found[1] or found[2]} …", told)
