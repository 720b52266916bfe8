"""What plain MLflow calls may not do to a governed model, and what to use instead."""

from __future__ import annotations

from registry_hooks.errors import Reason


def governed(model: str) -> Reason:
    """The refusal of what is for models alone that no policy governs."""
    fix = "an admin takes it out of the policy first (registry-hooks policy apply)"
    return Reason("policy", "a model that no policy names", f"{model!r} is named by one", fix)


def own_tag(key: str) -> Reason:
    """The refusal to say in the desk's own tags what it did not say."""
    return Reason("tag", "a tag of another name", f"{key!r}, which the desk keeps true", "choose another name")


def no_direct_change(model: str, what: str, why: str) -> Reason:
    """The refusal to change a role, or the stage of one, in a way that no use case has."""
    fix = f"registry-hooks nominate, promote or rollback {model}"
    return Reason("role", "a nomination, promotion or rollback", f"a direct change of {what}; {why}", fix)
