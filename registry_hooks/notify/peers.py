"""Connections of somebody else's code, to public addresses only: looked at when each is made, whatever opens it."""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache

from mlflow.environment_variables import _MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS
from mlflow.utils.validation import _is_public_ip

_guarded: ContextVar[bool] = ContextVar("registry_hooks_public_peers_only", default=False)


class PrivatePeer(OSError):
    """A connection to an address that is not public was about to be made."""


@contextmanager
def public_peers_only() -> Iterator[None]:
    """For the length of the block this thread connects to public addresses only, unless an operator lets others in.

    Python tells its audit hooks of every connection with the address that a name was resolved to.
    """
    _watch()
    token = _guarded.set(not _MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS.get())
    try:
        yield
    finally:
        _guarded.reset(token)


@cache
def _watch() -> None:
    sys.addaudithook(_look)  # which cannot be taken away again, and costs little where nothing is guarded


def _look(event: str, arguments: tuple[object, ...]) -> None:
    if event not in ("socket.connect", "socket.sendto") or not _guarded.get():
        return
    address = arguments[1]
    host = address[0] if isinstance(address, tuple) and address else address
    try:
        public = _is_public_ip(ipaddress.ip_address(str(host).partition("%")[0]))
    except ValueError:  # a name that was not resolved yet, or a socket of this host
        public = False
    if not public:
        raise PrivatePeer(f"{host} is not a public address")
