"""A policy in words: what it asks of whom, one sentence a line."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from registry_hooks.rules.policy import Policy, RequiredApprovals, RequiredEvidence


def promotion_in_words(policy: Policy) -> list[str]:
    """What a version needs before it serves."""
    return list(_promotion(policy))


def policy_in_words(policy: Policy) -> list[str]:
    """The whole policy."""
    return [*_nomination(policy), *_promotion(policy), *_afterwards(policy)]


def _nomination(policy: Policy) -> Iterator[str]:
    models = ", ".join(policy.models)
    but = f", but not {', '.join(policy.exempt)}" if policy.exempt else ""
    yield f"It governs {models}{but}."
    for role, members in policy.roles.items():
        who = [*members.users, *(f"whoever has the MLflow role {name}" for name in members.mlflow_roles)]
        yield f"{role}: {', '.join(who)}."
    yield f"{_holders(policy.nominate.by)} may nominate a version as challenger."


def _promotion(policy: Policy) -> Iterator[str]:
    promote = policy.promote
    for evidence in promote.evidence:
        yield _evidence(evidence)
    approvals = " and ".join(map(_approvals, promote.approvals))
    yield f"{approvals} must say yes, who neither asked for it nor registered the version; each counts once."
    if promote.reauthenticate:
        yield "Each gives the password once more with the signature."
    if promote.settled is not None:
        yield f"An approver's account, password and role must be {span(promote.settled)} old."
    yield f"{_holders(promote.by)} may ask for a promotion and make it, within {span(promote.expires)} of the request."
    if promote.overdue_reviews == "block":
        yield "A review that is overdue keeps the next version from serving."


def _afterwards(policy: Policy) -> Iterator[str]:
    yield (
        f"{_holders(policy.rollback.by)} may roll back at any time; the review of it is due within "
        f"{span(policy.rollback.review_due)}."
    )
    glass = policy.break_glass
    yield (
        f"{_holders(glass.by)} may promote past the rules in an emergency; the review of it is due within "
        f"{span(glass.review_due)}."
        if glass
        else "There is no way past these rules."
    )
    yield f"{_holders(policy.review_roles)} may close a review, but not of what they did themselves."
    if policy.delegation is not None:
        yield f"A role may be lent for at most {span(policy.delegation.longest)}."


def _evidence(needed: RequiredEvidence) -> str:
    verdict = "must not fail" if needed.insufficient == "allow" else "must pass"
    signed = f", signed with a key called {' or '.join(needed.signed_by)}" if needed.signed_by else ""
    against = " It is with the champion." if needed.kind == "comparison" else ""
    if needed.baseline == "required":
        against += " It is held against the baseline that the ledger names for the version."
    return f"{needed.kind.capitalize()} Evidence {verdict}, at most {span(needed.max_age)} old{signed}.{against}"


def _approvals(needed: RequiredApprovals) -> str:
    lasts = f" (a yes counts for {span(needed.expires)})" if needed.expires else ""
    return f"{needed.count} {'holder' if needed.count == 1 else 'holders'} of {needed.role}{lasts}"


def _holders(roles: tuple[str, ...]) -> str:
    return f"Holders of {' or '.join(roles)}"


def span(length: timedelta) -> str:
    """A duration for a reader: ``7 days``, ``36 hours``."""
    seconds = int(length.total_seconds())
    for size, one in ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        if seconds % size == 0 and (seconds >= 2 * size or size in (1, seconds)):
            return f"{seconds // size} {one}{'' if seconds == size else 's'}"
    return f"{seconds} seconds"
