"""Connections of somebody else's code, to public addresses only: looked at when each is made, whatever opens it."""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache

from mlflow.environment_variables import _MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

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
        public = _plain(ipaddress.ip_address(str(host).partition("%")[0])).is_global
    except ValueError:  # a name that was not resolved yet, or a socket of this host
        public = False
    if not public:
        raise PrivatePeer(f"{host} is not a public address")


def _plain(address: _Address) -> _Address:
    """The IPv4 address that an IPv6 one leads to, where it does; MLflow asks so too, from 3.16."""
    if not isinstance(address, ipaddress.IPv6Address):
        return address
    teredo = address.teredo[1] if address.teredo else None
    within = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None
    return address.ipv4_mapped or address.sixtofour or teredo or within or address
