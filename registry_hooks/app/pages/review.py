"""The page of a review: what was done past or against the usual way, and the form that closes it with a finding."""

from __future__ import annotations

from typing import Any

from registry_hooks.app.api.asking import ask
from registry_hooks.app.pages.table import Done, Fields, Shown
from registry_hooks.errors import NotFound, Refused

ABOUT = ("model", "review")
WRITTEN = ("finding",)


def show(fields: Fields) -> Shown:
    """A review, open or closed."""
    held = ask("model", {name: value for name, value in fields.items() if name != "review"})
    wanted = fields.get("review", "")
    opened = next((each for each in held["reviews"] if each["id"] == wanted), None)
    closed = next((each for each in held["closed"] if each["id"] == wanted), None)
    if opened is None and closed is None:
        raise NotFound(f"there is no review {wanted[:80]!r} of this model, or it was closed long ago")
    return Shown("review.html.j2", {"held": held, "opened": opened, "closed": closed})


def act(fields: Fields) -> Done:
    """Close it, as the form says."""
    model = {"model": fields.get("model", "")}
    try:
        done = ask("review_close", fields)
    except Refused as error:
        if said := _closed_before(error, fields):
            return Done(said, "model", model)
        raise
    return Done(f"Review {done['review']['id']} is closed. Ledger entry {done['entry']}.", "model", model)


def _closed_before(error: Refused, fields: Fields) -> str:
    """What to say where it was closed a moment ago, by a second click or somebody else; else empty."""
    if {reason.rule for reason in error.reasons} != {"review"}:
        return ""
    every: list[dict[str, Any]] = ask("model", {"model": fields["model"]})["closed"]
    by = next((each["by"] for each in every if each["id"] == fields["review"]), None)
    return f"{by} had closed {fields['review']} already. Nothing was done a second time." if by else ""
