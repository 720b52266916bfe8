"""What serves, did, or may serve again: why the runs and files of a version stay where they are."""

from __future__ import annotations

from registry_hooks.errors import Reason
from registry_hooks.identity import Sight
from registry_hooks.records import ROLES, ModelState


def standing(state: ModelState, version: int) -> str | None:
    """What a version is, for which its files must stay; None where nothing asks for them."""
    if roles := [role for role in ROLES if getattr(state.pair, role) == version]:
        return f"is {' and '.join(roles)}"
    return "was champion, and a rollback may go back to it" if version in state.champions else None


def rested_on(model: str, version: int, run: str, held_as: str, *, evidence: bool, sight: Sight) -> Reason:
    """The refusal to take away what a version rests on.

    Args:
        model: whose version it is. Who may write into the run need not be one who may READ the model that came of it.
        version: its number.
        run: the run that is touched; empty where the version names none.
        held_as: its standing.
        evidence: whether its Evidence is touched, and not its own files.
        sight: what the caller may READ.
    """
    of_run = f" of run {run}" if run else ""
    named = model if sight.model(model) else "a model that you may not read"
    fix = (
        "write beside it, under another name or into another run"
        if evidence
        else "leave it; it may go once its version is deleted from the registry"
    )
    found = f"the {'Evidence' if evidence else 'files'}{of_run} of version {version} of {named}, which {held_as}"
    return Reason("serves", "what no version needs that serves, has served or may serve again", found, fix)
