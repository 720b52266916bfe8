"""Single sign-on by a header: how an operator sets it, for ``registry-hooks server`` and ``mlflow server`` alike."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from registry_hooks.errors import Invalid, Reason

FUNCTION = "registry_hooks.app.people.sso:authenticate"
"""What MLflow's auth configuration names as its ``authorization_function``."""

HEADER = "REGISTRY_HOOKS_SSO_HEADER"
SECRET_HEADER = "REGISTRY_HOOKS_SSO_SECRET_HEADER"
SECRET_FILE = "REGISTRY_HOOKS_SSO_SECRET_FILE"
PROXIES = "REGISTRY_HOOKS_SSO_PROXIES"
UNKNOWN_USERS = "REGISTRY_HOOKS_SSO_UNKNOWN_USERS"
"""The variables that workers read; options of ``registry-hooks server`` set them."""

VARIABLES = (HEADER, SECRET_HEADER, SECRET_FILE, PROXIES, UNKNOWN_USERS)
DEFAULT_HEADER, DEFAULT_SECRET_HEADER = "X-Forwarded-User", "X-Registry-Hooks-Proxy"
SHORTEST_SECRET = 32  # characters
_NAME = re.compile(r"[A-Za-z0-9-]{1,100}")
_NOT_OURS = frozenset({"authorization", "cookie", "host", "origin", "content-type", "content-length"})

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class SignOn:
    """What tells a request that the proxy has signed somebody on.

    Args:
        header: in small letters, that names the user.
        secret_header: in small letters, in which the proxy proves itself.
        secrets: any of which proves it; several while one is replaced by another.
        proxies: networks of which the peer that connects must be one; any where there are none.
        creates: whether a user who has no account yet gets one.
    """

    header: str = DEFAULT_HEADER.lower()
    secret_header: str = DEFAULT_SECRET_HEADER.lower()
    secrets: tuple[bytes, ...] = ()
    proxies: tuple[Network, ...] = ()
    creates: bool = False

    @property
    def is_set(self) -> bool:
        """Whether there is anything by which the proxy is known; without it every request is refused."""
        return bool(self.secrets or self.proxies)


def sign_on(variables: Mapping[str, str]) -> SignOn:
    """What an operator has set.

    Args:
        variables: the environment.

    Raises:
        Invalid: naming every variable that holds what it cannot.
    """
    reasons: list[Reason] = []
    header = _header(HEADER, variables.get(HEADER) or DEFAULT_HEADER, reasons)
    secret_header = _header(SECRET_HEADER, variables.get(SECRET_HEADER) or DEFAULT_SECRET_HEADER, reasons)
    if header == secret_header:
        reasons.append(Reason(SECRET_HEADER, "another header than the user's", header, "give the secret its own"))
    found = SignOn(
        header=header,
        secret_header=secret_header,
        secrets=_secrets(variables.get(SECRET_FILE, ""), reasons),
        proxies=_proxies(variables.get(PROXIES, ""), reasons),
        creates=_creates(variables.get(UNKNOWN_USERS) or "refuse", reasons),
    )
    if reasons:
        raise Invalid("single sign-on is not set up", reasons)
    return found


def _header(variable: str, name: str, reasons: list[Reason]) -> str:
    if not _NAME.fullmatch(name) or name.lower() in _NOT_OURS:
        expected = "a header of its own: letters, digits and hyphens"
        reasons.append(Reason(variable, expected, ascii(name)[:100], f"such as {DEFAULT_HEADER}"))
    return name.lower()


def _secrets(file: str, reasons: list[Reason]) -> tuple[bytes, ...]:
    if not file:
        return ()
    mend = f"openssl rand -hex 32 > {file}"
    try:
        lines = Path(file).read_bytes().splitlines()
    except OSError as error:
        reasons.append(Reason(SECRET_FILE, "a file that the server can read", f"{file}: {error.strerror}", mend))
        return ()
    secrets = tuple(line.strip() for line in lines if line.strip())
    if not secrets or any(len(each) < SHORTEST_SECRET for each in secrets):
        expected = f"a secret of at least {SHORTEST_SECRET} characters in each line"
        reasons.append(Reason(SECRET_FILE, expected, f"{file}: none, or a shorter one", mend))
    return secrets


def _proxies(text: str, reasons: list[Reason]) -> tuple[Network, ...]:
    found, wrong = [], []
    for each in filter(None, (part.strip() for part in text.split(","))):
        try:
            found.append(ipaddress.ip_network(each))
        except ValueError:
            wrong.append(each)
    wrong += [str(each) for each in found if each.prefixlen == 0]  # everybody is no proxy
    if wrong:
        expected = "addresses or networks such as 10.0.0.5, 10.1.0.0/24"
        reasons.append(Reason(PROXIES, expected, ", ".join(wrong)[:200], "name the proxies, separated by commas"))
    return tuple(found)


def _creates(text: str, reasons: list[Reason]) -> bool:
    if text not in ("refuse", "create"):
        reasons.append(Reason(UNKNOWN_USERS, "refuse or create", ascii(text)[:100], "choose one of the two"))
    return text == "create"
