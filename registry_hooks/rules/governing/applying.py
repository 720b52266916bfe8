"""What keeps a policy that is sound by itself from coming into force here."""

from __future__ import annotations

from collections.abc import Iterable

from registry_hooks.errors import Reason
from registry_hooks.identity import Actor
from registry_hooks.rules.policy import Policy


def clash(policy: Policy, in_force: Iterable[Policy]) -> list[Reason]:
    """A reason for each policy of another name that names or matches its models in the very same words."""
    reasons = []
    for other in in_force:
        both = ", ".join(sorted(set(other.models) & set(policy.models)))
        if other.name != policy.name and both:
            reasons.append(Reason("policy", "models that no other policy names, since a model has one policy",
                                  f"{both} is governed by policy {other.name!r} already",
                                  f"take it out of policy {other.name!r} first"))  # fmt: skip
    return reasons


def unprovable(policy: Policy, actor: Actor | None) -> list[Reason]:
    """Why nobody could ever sign: ``reauthenticate``, where logins are not MLflow's passwords."""
    if not policy.promote.reauthenticate or actor is None or actor.by_password:
        return []
    fix = "take reauthenticate out of the policy, or use MLflow's own logins (authorization_function)"
    return [Reason("re-authentication", "logins by MLflow's own passwords, which a signer can be asked for once more",
                   f"logins by {actor.authenticated_by}", fix)]  # fmt: skip
