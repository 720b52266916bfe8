"""The page on which a Proposal is read and signed. What is signed is the digest that the page showed."""

from __future__ import annotations

from typing import Any

from registry_hooks.app.api import requests
from registry_hooks.app.api.asking import ask, ask_route
from registry_hooks.app.api.routes import Route
from registry_hooks.app.governed import governed_desk
from registry_hooks.app.pages.table import Done, Fields, File, Shown
from registry_hooks.errors import Invalid, Reason, Refused
from registry_hooks.identity import require_actor

ABOUT = ("model", "proposal")
WRITTEN = ("comment", "meaning")
_SIGNS = {"yes": "approve", "no": "reject"}
_KINDS = {".html": "text/html; charset=utf-8", ".png": "image/png", ".svg": "image/svg+xml"}


def show(fields: Fields) -> Shown:
    """A Proposal with all that it rests on, and the form to sign it with."""
    found = ask("proposal", fields)
    return Shown("proposal.html.j2", {"found": found, "held": found["proposal"], "mine": _mine(found)})


def act(fields: Fields) -> Done:
    """Say yes or no, as the form says."""
    decision, sent = fields.get("decision", ""), {name: each for name, each in fields.items() if name != "decision"}
    if decision not in _SIGNS:
        reason = Reason("decision", "yes or no", decision[:80] or "neither", "choose one of the two, then sign")
        raise Invalid("you have not said whether you approve or reject", [reason])
    back = {name: fields[name] for name in ABOUT if name in fields}
    if "digest" not in fields:
        reason = Reason("digest", "the digest of the Proposal that was read", "none", "sign on the page that shows it")
        raise Invalid("the form does not say what was read", [reason])
    try:
        held = ask(_SIGNS[decision], sent)
    except Refused as error:
        if said := _said_before(error, decision, back):
            return Done(said, "proposal", back)
        raise
    have = ", ".join(f"{need['have']} of {need['count']} yes from {need['role']}" for need in held["needs"])
    told = f"It has {have} now." if decision == "yes" else "It has ended with this."
    return Done(f"You said {decision} to {held['id']}. {told}", "proposal", back)


def report(fields: Fields) -> File:
    """A report page that a Proposal is bound to."""
    route = Route("GET", "report", "report", requests.Report)
    content = ask_route(route, lambda: fields, governed_desk().report)
    ending = next((each for each in _KINDS if fields["path"].endswith(each)), "")
    return File(content, _KINDS.get(ending, "text/plain; charset=utf-8"))


def _mine(found: dict[str, Any]) -> list[dict[str, Any]]:
    """The signatures of the reader, newest last."""
    return [signed for signed in found["proposal"]["approvals"] if signed["actor"] == require_actor().name]


def _said_before(error: Refused, decision: str, back: Fields) -> str:
    """What to say where the same was signed a moment ago, as by a second click; empty where it was not."""
    if all(reason.rule != "twice" for reason in error.reasons):
        return ""
    mine = _mine(ask("proposal", back))
    if not mine or mine[-1]["decision"] != decision:
        return ""
    return f"You had said {decision} to {mine[-1]['proposal']} already. Nothing was signed a second time."
