"""The second click of a rollback: what will serve then is shown, a reason is given, and it is done."""

from __future__ import annotations

from typing import Any

from registry_hooks.app.api.asking import ask
from registry_hooks.app.pages.table import Done, Fields, Shown
from registry_hooks.errors import Invalid, Reason, Refused
from registry_hooks.identity import require_actor

ABOUT = ("model", "to")
WRITTEN = ("reason",)
_SHOWN = {"expected": "the version that served when the page was made", "to": "the version that is to serve then"}
_MOVED = frozenset({"champion-changed", "pair"})


def show(fields: Fields) -> Shown:
    """What a rollback would do now, and the form that does it."""
    found = ask("model", fields)
    return Shown("rollback.html.j2", {"held": found, "back": found["rollback"]})


def act(fields: Fields) -> Done:
    """Roll back from the version that the page showed to the one that it showed."""
    lacking = [
        Reason(name, what, "none", "send the form that the page shows")
        for name, what in _SHOWN.items()
        if name not in fields
    ]
    if lacking:
        raise Invalid("the form does not say what the page showed", lacking)
    model = {"model": fields.get("model", "")}
    try:
        done = ask("rollback", fields)
    except Refused as error:
        if said := _done_before(error, fields):
            return Done(said, "model", model)
        raise
    review = done["review"]
    return Done(
        f"Version {done['version']} serves again, and version {done['before']['champion']} does not. "
        f"Ledger entry {done['entry']}; review {review['id']} of it is open.", "model", model,
    )  # fmt: skip


def _done_before(error: Refused, fields: Fields) -> str:
    """What to say where the very same was done a moment ago, by a second click or somebody else; else empty."""
    if {reason.rule for reason in error.reasons} - _MOVED:
        return ""
    newest: dict[str, Any] = next(iter(ask("model", {"model": fields["model"]})["tenures"]), {})
    before = newest.get("version"), newest.get("how")
    if before != (int(fields["to"]), "rolled-back"):
        return ""
    who = "You" if newest["by"] == require_actor().name else newest["by"]
    return f"{who} had rolled back to version {newest['version']} already. Nothing was done a second time."
