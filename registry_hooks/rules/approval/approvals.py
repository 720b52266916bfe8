"""Four eyes: who may sign a Proposal, whether a Proposal still holds, and whether it has enough signatures.

Pure functions of records, a policy, the people as they are now, and the time. Nothing is stored about a Proposal being
void, expired or approved: it is judged anew, from its digests, whenever somebody asks.

A signature is somebody's own, or stands for a holder of the role who lent it (`Delegation`). The person whose seat it
takes must be neither the requester nor the version's author, must hold the role now, and counts once; so must the one
who signs be neither of the two. Nor may the accounts and roles of both come from somebody with a stake (`stakes`).
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from functools import cache
from typing import Literal

from registry_hooks.errors import Reason
from registry_hooks.identity import Actor
from registry_hooks.records import Approval, ModelState, Proposal
from registry_hooks.rules.approval.people import (
    Facts,
    Standing,
    ask_one_of,
    holds_role,
    is_gone,
    lacks_role,
    lent_to,
    listed,
    who_could,
)
from registry_hooks.rules.approval.stakes import Signature, Why, Worth, judged, role_sources
from registry_hooks.rules.quorum import Seat, seated

_EXPECTED = {
    "stake": "an account and a role that come from nobody with a stake in the Proposal",
    "settled": "an account and a role that are as old as promote.settled of the policy asks",
}
ProposalState = Literal["open", "approved", "rejected", "void", "expired"]


def may_sign(actor: Actor, proposal: Proposal, state: ModelState, facts: Facts, as_: Standing) -> list[Reason]:
    """Why ``actor`` cannot sign ``proposal``, standing as they do; empty when they can."""
    model, version, policy = proposal.model, proposal.version, facts.policy
    what = f"approve version {version} of {model}"

    @cache  # looks people up, and only a refusal needs it
    def others() -> str:
        without = {actor.name, as_.person}
        return ask_one_of(who_could_sign(proposal, state, version, facts, without), facts)

    reasons = [] if as_.roles else lacks_role(actor, policy.approver_roles, what, facts, others())
    lenders = sorted({d.by for d in lent_to(actor.name, facts)})
    if not as_.roles and (not reasons or len(lenders) > 1):
        reasons = [Reason("delegation", "one person in whose place you sign", f"{', '.join(lenders) or 'nobody'} lent "
                          "you a role", "say which one: --for USER")]  # fmt: skip
    for name in dict.fromkeys((actor.name, as_.person)):
        if name == proposal.requester:
            reasons.append(Reason("four-eyes", "somebody other than the requester", f"{name} requested it", others()))
        if name == state.authors.get(version):
            found = f"{name} registered it"
            reasons.append(Reason("four-eyes", "somebody other than the version's author", found, others()))
        if any(name in (a.actor, a.person) and _stands(a, proposal, state, facts) for a in proposal.approvals):
            reasons.append(Reason("twice", "one signature a person", f"{name} has signed {proposal.id}", others()))
    if policy.promote.reauthenticate and not actor.reauthenticated:
        reasons.append(
            Reason("re-authentication", "the password once more, with the signature itself", "the login alone",
                   f"registry-hooks approve {model} {version} --reauthenticate, which asks for it")
        )  # fmt: skip
    return [*reasons, *holds(proposal, state, facts)]


def would_not_count(actor: Actor, proposal: Proposal, state: ModelState, facts: Facts, as_: Standing) -> list[Reason]:
    """Why a yes of ``actor`` would count for nothing, because of where the account and the roles come from."""
    signature = Signature(actor.name, as_.person, as_.roles, facts.now, role_sources(actor, as_, facts))
    worth = judged(signature, proposal, state, proposal.version, facts)
    if not as_.roles or worth.roles:
        return []
    others = _ask(proposal, state, proposal.version, facts, {actor.name, as_.person})
    return [Reason(why.rule, _EXPECTED[why.rule], why.found, _mend(why, others)) for why in worth.why_not]


def holds(proposal: Proposal, state: ModelState, facts: Facts) -> list[Reason]:
    """Why ``proposal`` no longer holds (rejected, expired, or what it was bound to has changed)."""
    again = f"registry-hooks request {proposal.model} {proposal.version}"
    reasons: list[Reason] = []
    if proposal.rejected_by:
        reasons.append(Reason("rejected", "no rejection", f"{proposal.rejected_by} rejected {proposal.id}", again))
    if facts.now >= proposal.expires_at:
        reasons.append(
            Reason(
                "expired", f"an answer before {proposal.expires_at:%Y-%m-%d %H:%M:%S}Z", f"{proposal.id} expired", again
            )
        )
    nomination = state.nominations.get(proposal.version)
    now_evidence = tuple(e.digest for e in nomination.evidence) if nomination else ()
    bound: list[tuple[str, object, object]] = [
        ("champion", proposal.expected_champion, state.pair.champion),
        ("policy", proposal.policy_digest, facts.policy_digest),
        ("evidence", tuple(e.digest for e in proposal.evidence), now_evidence),
        ("files", proposal.files_digest, facts.files_digest or proposal.files_digest),
        ("reports", proposal.pages_digest, nomination.pages_digest if nomination else None),
    ]
    for what, then, now in bound:
        if then != now:
            reasons.append(Reason(f"{what}-changed", f"{what} {_short(then)}", f"{what} is now {_short(now)}", again))
    return reasons


def still_signed(approval: Approval, proposal: Proposal, state: ModelState, facts: Facts) -> frozenset[str]:
    """The roles that an Approval still stands for: those it was signed in and that its person holds now."""
    excluded = {proposal.requester, state.authors.get(proposal.version)}
    if approval.decision != "yes" or approval.proposal_digest != proposal.digest:
        return frozenset()
    if excluded & {approval.actor, approval.person} or is_gone(approval.actor, facts):
        return frozenset()
    worth = _worth(approval, proposal, state, facts)
    forever = facts.now - approval.at + timedelta(days=1)
    lapse = {item.role: item.expires or forever for item in facts.policy.promote.approvals}
    return frozenset(
        role
        for role in worth.roles
        if role in lapse
        and facts.now < approval.at + lapse[role]
        and holds_role(approval.person, role, facts, otherwise=True)
    )


def _stands(approval: Approval, proposal: Proposal, state: ModelState, facts: Facts) -> bool:
    # One that has lapsed may be given anew; a no stands until it is taken back.
    return approval.decision == "no" or bool(still_signed(approval, proposal, state, facts))


def count(proposal: Proposal, state: ModelState, facts: Facts) -> dict[str, int]:
    """Filled seats per role of the quorum; each person fills one."""
    signed: dict[str, frozenset[str]] = {}
    for each in proposal.approvals:  # one that counts for nothing takes nothing from another of the same person
        signed[each.person] = signed.get(each.person, frozenset()) | still_signed(each, proposal, state, facts)
    wanted = facts.policy.promote.approvals
    seats = list(dict.fromkeys(Seat(item.role, number) for item in wanted for number in range(item.count)))
    filled = seated(seats, signed)
    return {item.role: sum(seat.role == item.role for seat in filled) for item in wanted}


def quorum_reasons(proposal: Proposal | None, state: ModelState, version: int, facts: Facts) -> list[Reason]:
    """Why the approvals do not suffice; empty when they do."""
    policy = facts.policy
    if proposal is None:
        mend = _ask(proposal, state, version, facts)
        asked = " and ".join(f"{item.count} of {item.role}" for item in policy.promote.approvals)
        again = f"registry-hooks request {state.model} {version}"
        return [
            Reason("proposal", "an open Proposal for this version", "none", again),
            Reason("approvals", f"yes from {asked}", "no Proposal that could be approved", mend),
        ]
    have = count(proposal, state, facts)
    missing = [item for item in policy.promote.approvals if have[item.role] < item.count]
    if not missing:
        return []
    mend = _ask(proposal, state, version, facts)
    told = [
        Reason("approvals", f"{item.count} yes from {item.role}", f"{have[item.role]} on {proposal.id}", mend)
        for item in missing
    ]
    return [*told, *uncounted(proposal, state, facts)]


def uncounted(proposal: Proposal, state: ModelState, facts: Facts) -> list[Reason]:
    """A reason for each yes, or role of a yes, that does not count because of who gave its account or role."""
    signed = [each for each in proposal.approvals if each.decision == "yes"]
    lost = [(each.actor, why) for each in signed for why in _worth(each, proposal, state, facts).why_not]
    mend = _ask(proposal, state, proposal.version, facts) if lost else ""  # whom to ask is looked up one by one
    return [
        Reason(why.rule, _EXPECTED[why.rule], f"the yes of {name} does not count: {why.found}", _mend(why, mend))
        for name, why in lost
    ]


def _worth(approval: Approval, proposal: Proposal, state: ModelState, facts: Facts) -> Worth:
    signature = Signature(approval.actor, approval.person, approval.roles, approval.at, approval.sources)
    return judged(signature, proposal, state, proposal.version, facts)


def _mend(why: Why, others: str) -> str:
    if why.rule == "settled":
        return f"sign once they are old enough, or {others}"
    return f"{others}; or have an administrator without a stake in it reset the password, or give the role anew"


def overdue_reviews(state: ModelState, facts: Facts) -> list[Reason]:
    """A reason for each review that nobody closed in time, where the policy lets those block a promotion."""
    if facts.policy.promote.overdue_reviews == "allow":
        return []
    return [
        Reason(
            "review-overdue",
            f"review {review.id} closed by {review.due_at:%Y-%m-%d %H:%M}Z",
            f"it is open: {review.kind} of version {review.version} by {review.opened_by}",
            f"{ask_one_of(who_could(facts.policy.review_roles, facts, {review.opened_by}), facts)} to run "
            f"registry-hooks review close {state.model} {review.id} --finding …",
        )
        for review in state.reviews
        if facts.now > review.due_at
    ]


def proposal_state(proposal: Proposal, state: ModelState, facts: Facts) -> tuple[ProposalState, list[Reason]]:
    """What to call the Proposal now, and why."""
    reasons = holds(proposal, state, facts)
    rules = {reason.rule for reason in reasons}
    if "rejected" in rules:
        return "rejected", reasons
    if "expired" in rules:
        return "expired", reasons
    if reasons:
        return "void", reasons
    missing = quorum_reasons(proposal, state, proposal.version, facts)
    return ("open", missing) if missing else ("approved", [])


def who_could_sign(
    proposal: Proposal | None, state: ModelState, version: int, facts: Facts, without: Collection[str] = ()
) -> list[str]:
    """Names of a few whose yes would count: not the requester, author, signers, or whom one with a stake put there."""
    signed = [a for a in proposal.approvals if _stands(a, proposal, state, facts)] if proposal else []
    out = {state.authors.get(version), *without, *(name for a in signed for name in (a.actor, a.person))}
    out |= {proposal.requester} if proposal else set()

    def put_there(name: str) -> bool:
        roles = tuple(role for role in facts.policy.approver_roles if name in facts.policy.roles[role].users)
        signature = Signature(name, name, roles, facts.now)
        return not judged(signature, proposal, state, version, facts).roles

    return who_could(facts.policy.approver_roles, facts, out, put_there)


def _ask(
    proposal: Proposal | None, state: ModelState, version: int, facts: Facts, without: Collection[str] = ()
) -> str:
    names = who_could_sign(proposal, state, version, facts, without)
    what = f"registry-hooks approve {state.model} {version}" + ("" if proposal else ", once requested")
    return f"ask {listed(names) or 'more holders of the role'} to run {what}"


def _short(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(_short(item) for item in value) or "none"
    text = str(value) if value is not None else "none"
    return text[:19] + "…" if text.startswith("sha256:") else text
