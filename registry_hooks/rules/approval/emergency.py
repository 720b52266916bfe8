"""Emergencies: who may break the glass, and whose account may close the review that is left behind."""

from __future__ import annotations

from collections.abc import Iterable

from registry_hooks.errors import Reason
from registry_hooks.identity import Actor
from registry_hooks.rules.approval.people import Facts, ask_one_of, lacks_role, who_could
from registry_hooks.rules.approval.stakes import Signature, judged_against


def lacks_break_glass(actor: Actor, model: str, facts: Facts) -> list[Reason]:
    """Why ``actor`` may not promote past the rules; empty when the policy's ``break_glass`` names a role of theirs."""
    policy = facts.policy
    if policy.break_glass is None:
        return [Reason("break-glass", "a policy that lets somebody break the glass", f"none in policy {policy.name!r}",
                       "an admin adds break_glass: to the policy")]  # fmt: skip
    return lacks_role(actor, policy.break_glass.by, f"promote a version of {model} past the rules", facts)


def no_need_to_break(model: str, version: int, overridden: list[Reason]) -> list[Reason]:
    """Why the glass stays whole: no rule keeps the version from an ordinary promotion."""
    if overridden:
        return []
    fix = f"registry-hooks promote {model} {version}"
    return [Reason("break-glass", "a rule that stands in the way", "none: it may be promoted", fix)]


def past_the_rules(reasons: Iterable[Reason]) -> list[Reason]:
    """Those Reasons against a promotion that an emergency overrides: all but a meddled registry and changed files."""
    return [reason for reason in reasons if reason.rule not in ("meddled", "files")]


def closer_lacks_role(actor: Actor, model: str, opener: str | None, facts: Facts) -> list[Reason]:
    """Why ``actor`` may not close reviews of ``model``; whom to ask leaves out who opened this one."""
    roles = facts.policy.review_roles
    others = ask_one_of(who_could(roles, facts, {opener, actor.name}), facts)
    return lacks_role(actor, roles, f"close reviews of {model}", facts, others)


def closer_put_there(actor: Actor, review: str, opener: str | None, facts: Facts) -> list[Reason]:
    """A reason where the person whose act opened the review made the closer's account, or gave it its role."""
    policy = facts.policy
    roles = tuple(role for role in policy.roles_of(actor) if role in policy.review_roles)
    if opener is None or opener == actor.name or not roles:
        return []
    signature = Signature(actor.name, actor.name, roles, facts.now)
    worth = judged_against({opener: f"opened {review[:80]}"}, signature, facts)
    if worth.roles:
        return []
    fix = ask_one_of(who_could(policy.review_roles, facts, {opener, actor.name}), facts)
    expected = "an account and a role that do not come from the one whose act opened the review"
    return [Reason(why.rule, expected, why.found, fix) for why in worth.why_not if why.rule == "stake"]
