"""The page of the audit log: search it, see a model as it stood, prove one entry, and have all of it recomputed."""

from __future__ import annotations

from registry_hooks.app.api.asking import ask
from registry_hooks.app.pages.table import Fields, Shown
from registry_hooks.errors import Invalid, Reason

_ASKED = ("model", "actor", "action", "since", "until")


def show(fields: Fields) -> Shown:
    """What was asked for; without a question, the newest entries."""
    # A field that an empty date leaves, and a date without a time, are read as people mean them.
    asked = {name: _moment(name, value) for name, value in fields.items()}
    if "seq" in asked:
        return _entry(asked)
    if "verify" in asked:
        return Shown("verified.html.j2", {"found": ask("audit_verify", _without(asked, "verify"))})
    if "at" in asked:
        return _as_of(asked)
    found = ask("audit_search", asked)
    older = {**{name: fields[name] for name in _ASKED if name in fields}, "before": found["older"]}
    kept = {name: fields.get(name, "") for name in (*_ASKED, "at")}
    return Shown("audit.html.j2", {"found": found, "asked": kept, "older": older if found["older"] else None,
                                   "then": None})  # fmt: skip


def _entry(asked: dict[str, str]) -> Shown:
    proof = ask("audit_prove", asked)
    seq = proof["seq"]
    told = ask("audit_search", {"before": seq + 1, "limit": 1})["entries"]
    entry = told[0] if told and told[0]["seq"] == seq else None
    return Shown("entry.html.j2", {"proof": proof, "entry": entry})


def _as_of(asked: dict[str, str]) -> Shown:
    if "model" not in asked:
        raise Invalid("as of when, of which model?", [Reason("model", "a model", "none", "give its name as well")])
    found = ask("history", {"model": asked["model"], "at": asked["at"]})
    entries = [{"model": asked["model"], **each} for each in reversed(found["entries"])]
    kept = {name: asked.get(name, "") for name in (*_ASKED, "at")}
    return Shown("audit.html.j2", {"found": {"entries": entries}, "asked": kept, "older": None,
                                   "then": found["as_of"]})  # fmt: skip


def _moment(name: str, value: str) -> str:
    """A time as a form gives it, which has no zone, is in UTC; a date is its beginning, or its end."""
    if name not in ("since", "until", "at"):
        return value
    if len(value) == len("2026-11-30"):
        return f"{value}T00:00:00Z" if name == "since" else f"{value}T23:59:59.999Z"
    return f"{value}Z" if len(value) in (len("2026-11-30T12:00"), len("2026-11-30T12:00:00")) else value


def _without(asked: dict[str, str], name: str) -> dict[str, str]:
    return {each: value for each, value in asked.items() if each != name}
