"""Who may lend which role to whom, for how long, and who may take it back."""

from __future__ import annotations

from datetime import timedelta

from registry_hooks.errors import Reason
from registry_hooks.identity import Actor
from registry_hooks.records import Delegation
from registry_hooks.rules.approval.people import Facts, holds_role, is_gone
from registry_hooks.rules.policy import in_words


def may_lend(actor: Actor, role: str, to: str, length: timedelta, facts: Facts) -> list[Reason]:
    """Why ``actor`` cannot lend ``role`` of the policy to ``to`` for so long; empty when they can."""
    policy = facts.policy
    if policy.delegation is None:
        fix = "an admin adds delegation: to the policy"
        return [Reason("delegation", "a policy that lets roles be lent", f"none in {policy.name!r}", fix)]
    reasons: list[Reason] = []
    own = policy.roles_of(actor)  # what is lent to somebody is not theirs to lend on
    if role not in own:
        wanted = f"a holder of {role[:80]}, in their own right"
        found = f"{actor.name}, who holds {', '.join(own) or 'no role of this policy'}"
        reasons.append(Reason("role", wanted, found, "ask somebody who holds it"))
    if length > policy.delegation.longest:
        reasons.append(
            Reason("delegation", f"at most {in_words(policy.delegation.longest)}", in_words(length), "lend it for less")
        )
    # Who is a user, and who holds what, is not for everybody to try out.
    return reasons + (_may_borrow(actor, role, to, facts) if role in own else [])


def _may_borrow(actor: Actor, role: str, to: str, facts: Facts) -> list[Reason]:
    if to == actor.name or is_gone(to, facts):
        return [Reason("delegation", "another user of this server", to[:80], "name one by login")]
    if role in facts.policy.roles and holds_role(to, role, facts, otherwise=False):
        return [Reason("delegation", f"somebody who does not hold {role}", f"{to} does", "nothing to lend")]
    return []


def may_end(actor: Actor, lent: Delegation) -> list[Reason]:
    """Why ``actor`` cannot end a delegation; the lender, the borrower and an administrator can."""
    if actor.is_admin or actor.name in (lent.by, lent.to):
        return []
    return [Reason("role", f"{lent.by}, {lent.to} or an administrator", actor.name, f"ask {lent.by}")]
