"""What an operator may loosen by name, how it is set, and what he is told who does so."""

from __future__ import annotations

import re
from collections.abc import Iterable

from registry_hooks.errors import Invalid, Reason
from registry_hooks.mlflow_surface.http_routes import POWERS, Power

ALLOW = "REGISTRY_HOOKS_UNSAFE_ALLOW"
"""The variable with names of powers, separated by commas; ``--unsafe-allow`` sets it for the workers of a server."""

ALLOW_ORIGINS = "REGISTRY_HOOKS_UNSAFE_ALLOW_ORIGINS"
"""The variable with origins, separated by commas; ``--unsafe-allow-origin`` sets it for the workers of a server."""

_ORIGIN = re.compile(r"https?://(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")


def powers_in(text: str) -> frozenset[Power]:
    """The powers that an operator has turned on.

    Args:
        text: what stands in the variable `ALLOW`.

    Raises:
        Invalid: naming every one that there is none of.
    """
    asked = _names_in(text)
    unknown = sorted(asked - set(POWERS))
    if unknown:
        expected, found = f"some of {', '.join(POWERS)}", ", ".join(unknown)[:200]
        raise Invalid(f"{ALLOW} names what is none", [Reason(ALLOW, expected, found, "correct it, or leave it out")])
    return frozenset(power for power in POWERS if power in asked)


def origins_in(text: str) -> frozenset[str]:
    """The origins whose pages may act here, beside the server's own.

    Args:
        text: what stands in the variable `ALLOW_ORIGINS`.

    Raises:
        Invalid: naming every one that is none; neither ``*`` nor ``null`` is.
    """
    asked = {name.lower() for name in _names_in(text)}
    wrong = sorted(name for name in asked if not _ORIGIN.fullmatch(name))
    if wrong:
        expected, found = "origins such as https://portal.example", ", ".join(wrong)[:200]
        reason = Reason(ALLOW_ORIGINS, expected, found, "give scheme, host and port of each, and nothing else")
        raise Invalid(f"{ALLOW_ORIGINS} names what is none", [reason])
    return frozenset(asked)


def warnings(powers: Iterable[Power], origins: Iterable[str] = ()) -> list[str]:
    """What an operator is told who has turned these on."""
    return [
        *(f"UNSAFE: {power} is turned on: {POWERS[power]}" for power in sorted(powers)),
        *(f"UNSAFE: pages of {origin} may act here with their visitors' logins" for origin in sorted(origins)),
    ]


def _names_in(text: str) -> set[str]:
    return {name.strip() for name in text.split(",")} - {""}
