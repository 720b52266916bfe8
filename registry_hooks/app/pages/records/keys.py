"""The page of keys and loans: whose signature on Evidence counts, and who signs in whose place."""

from __future__ import annotations

from registry_hooks.app.api.asking import ask
from registry_hooks.app.pages.table import Done, Fields, Shown
from registry_hooks.errors import NotFound
from registry_hooks.identity import require_actor


def show(fields: Fields) -> Shown:
    """Every key, and the loans in force that the reader is shown."""
    actor = require_actor()
    loans = [
        {**each, "yours": actor.is_admin or actor.name in (each["by"], each["to"])}
        for each in ask("delegations", fields)["delegations"]
    ]
    keys = ask("keys", fields)["keys"]
    return Shown("keys.html.j2", {"keys": sorted(keys, key=lambda each: each["revoked_at"] or ""), "loans": loans})


def act(fields: Fields) -> Done:
    """End a loan before its time."""
    try:
        ended = ask("delegation_end", fields)
    except NotFound:
        still = {each["id"] for each in ask("delegations", {})["delegations"]}
        if fields.get("delegation", "") in still:
            raise
        return Done("That loan is not in force any more, or never was yours to see. Nothing was done.", "keys")
    loan = ended["delegation"]
    return Done(f"The loan {loan['id']} of {loan['role']} to {loan['to']} has ended. Ledger entry {ended['entry']}.",
                "keys")  # fmt: skip
