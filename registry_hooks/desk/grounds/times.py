"""Times as callers write them."""

from __future__ import annotations

from datetime import datetime, timezone

from registry_hooks.errors import Invalid, Reason


def moment(name: str, text: str) -> datetime:
    """The time that a field gives; in UTC where it names no zone.

    Raises:
        Invalid: naming the field, where it gives none.
    """
    try:
        found = datetime.fromisoformat(text.strip().upper().replace("Z", "+00:00"))
    except ValueError as error:
        reason = Reason(name, "a time such as 2026-11-25T03:00:00Z", text[:80], "give date, time and zone")
        raise Invalid(f"{name}: no time: {text[:80]}", [reason]) from error
    return found if found.tzinfo else found.replace(tzinfo=timezone.utc)
