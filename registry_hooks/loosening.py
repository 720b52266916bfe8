"""What an operator may loosen by name, how it is set, and what he is told who does so."""

from __future__ import annotations

from collections.abc import Iterable

from registry_hooks.errors import Invalid, Reason
from registry_hooks.surface import POWERS, Power

ALLOW = "REGISTRY_HOOKS_UNSAFE_ALLOW"
"""The variable with names of powers, separated by commas; ``--unsafe-allow`` sets it for the workers of a server."""


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


def warnings(powers: Iterable[Power]) -> list[str]:
    """What an operator is told who has turned these on."""
    return [f"UNSAFE: {power} is turned on: {POWERS[power]}" for power in sorted(powers)]


def _names_in(text: str) -> set[str]:
    return {name.strip() for name in text.split(",")} - {""}
