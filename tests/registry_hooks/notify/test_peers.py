"""Which addresses are public, however they are written, on every MLflow."""

from __future__ import annotations

import sys

import pytest

from registry_hooks.notify.peers import PrivatePeer, public_peers_only


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "10.0.0.1", "169.254.169.254", "100.64.0.1", "::1", "fe80::1%eth0", "fd00::1", "::ffff:10.0.0.1",
     "2002:0a00:0001::", "64:ff9b::10.0.0.1", "mlflow.example", "/run/some.socket"],
)  # fmt: skip
def test_what_is_not_public_is_not_connected_to(host: str) -> None:
    with public_peers_only(), pytest.raises(PrivatePeer):
        sys.audit("socket.connect", None, (host, 443))


@pytest.mark.parametrize("host", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "::ffff:93.184.216.34"])
def test_what_is_public_is(host: str) -> None:
    with public_peers_only():
        sys.audit("socket.connect", None, (host, 443))
