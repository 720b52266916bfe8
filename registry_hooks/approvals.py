"""Four eyes: who may sign a Proposal, whether a Proposal still holds, and whether it has enough signatures.

Pure functions of records, a policy and the time. Nothing is stored about a Proposal being void, expired or approved: it
is judged anew, from its digests, whenever somebody asks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from registry_hooks.errors import Reason
from registry_hooks.identity import Actor
from registry_hooks.policy import Policy
from registry_hooks.records import Approval, EvidenceRef, ModelState, Proposal

ProposalState = Literal["open", "approved", "rejected", "void", "expired"]


@dataclass(frozen=True)
class Facts:
    """What a Proposal is held against: the world as it is now.

    Args:
        now: the time of judgement.
        policy: the policy in force, ``policy_digest`` its digest.
        files_digest: digest of the version's files as they are; None where they were not read this time.
    """

    now: datetime
    policy: Policy
    policy_digest: str
    files_digest: str | None = None


def may_sign(actor: Actor, proposal: Proposal, state: ModelState, facts: Facts) -> list[Reason]:
    """Why ``actor`` cannot sign ``proposal``; empty when they can."""
    model, version = proposal.model, proposal.version
    wanted = tuple(item.role for item in facts.policy.promote.approvals)
    reasons = facts.policy.role_reasons(actor, wanted, f"approve version {version} of {model}")
    others = f"ask one of {', '.join(n for n in facts.policy.who(wanted) if n != actor.name)}"
    if actor.name == proposal.requester:
        reasons.append(Reason("four-eyes", "somebody other than the requester", f"{actor.name} requested it", others))
    if actor.name == state.authors.get(version):
        reasons.append(
            Reason("four-eyes", "somebody other than the version's author", f"{actor.name} registered it", others)
        )
    if any(a.actor == actor.name for a in proposal.approvals):
        reasons.append(Reason("twice", "one signature a person", f"{actor.name} has signed {proposal.id}", others))
    return [*reasons, *holds(proposal, state, facts)]


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
    ]
    for what, then, now in bound:
        if then != now:
            reasons.append(Reason(f"{what}-changed", f"{what} {_short(then)}", f"{what} is now {_short(now)}", again))
    return reasons


def still_signed(approval: Approval, proposal: Proposal, state: ModelState, policy: Policy) -> tuple[str, ...]:
    """The roles that an Approval still stands for: those its actor signed in and holds by today's policy.

    Where a role is held through MLflow's RBAC, membership was checked at signing and stands until the policy changes.
    """
    excluded = {proposal.requester, state.authors.get(proposal.version)}
    if approval.decision != "yes" or approval.proposal_digest != proposal.digest or approval.actor in excluded:
        return ()
    return tuple(
        role
        for role in approval.roles
        if role in policy.roles and (approval.actor in policy.roles[role].users or policy.roles[role].mlflow_roles)
    )


def count(proposal: Proposal, state: ModelState, policy: Policy) -> dict[str, int]:
    """Valid approvals per role that the policy asks for; one person counts once per role."""
    signed = [still_signed(a, proposal, state, policy) for a in proposal.approvals]
    return {item.role: sum(item.role in roles for roles in signed) for item in policy.promote.approvals}


def quorum_reasons(proposal: Proposal | None, state: ModelState, version: int, policy: Policy) -> list[Reason]:
    """Why the approvals do not suffice; empty when they do."""
    if proposal is None:
        asked = " and ".join(f"{item.count} of {item.role}" for item in policy.promote.approvals)
        return [
            Reason(
                "proposal",
                "an open Proposal for this version",
                "none",
                f"registry-hooks request {state.model} {version}",
            ),
            Reason(
                "approvals",
                f"yes from {asked}",
                "no Proposal that could be approved",
                _ask(proposal, state, version, policy),
            ),
        ]
    have = count(proposal, state, policy)
    return [
        Reason(
            "approvals",
            f"{item.count} yes from {item.role}",
            f"{have[item.role]} on {proposal.id}",
            _ask(proposal, state, version, policy),
        )
        for item in policy.promote.approvals
        if have[item.role] < item.count
    ]


def evidence_reasons(state: ModelState, version: int, facts: Facts) -> list[Reason]:
    """Why the nomination's Evidence does not open the gate, for each kind that the policy asks for."""
    nomination = state.nominations.get(version)
    evidence = nomination.evidence if nomination else ()
    return judge_evidence(evidence, state.model, version, facts.policy, facts.now)


def judge_evidence(
    evidence: tuple[EvidenceRef, ...], model: str, version: int, policy: Policy, now: datetime
) -> list[Reason]:
    """One reason for each kind of Evidence that is missing, stale, or not good enough."""
    by_kind = {item.kind: item for item in evidence}
    mend = f"evaluate version {version} with mlflow.models.evaluate, then registry-hooks nominate {model} {version}"
    reasons = []
    for required in policy.promote.evidence:
        found = by_kind.get(required.kind)
        if found is None:
            reasons.append(Reason("evidence", f"{required.kind} Evidence", "none taken in by a nomination", mend))
            continue
        if not required.accepts(found.verdict):
            failed = f" ({'; '.join(found.failed[:3])})" if found.failed else ""
            reasons.append(
                Reason("evidence", f"{required.kind} Evidence that passes", f"verdict {found.verdict}{failed}", mend)
            )
        age = now - found.created_at
        if age > required.max_age or age < -timedelta(minutes=5):
            reasons.append(
                Reason(
                    "evidence-age",
                    f"{required.kind} Evidence of the last {required.max_age}",
                    f"made {found.created_at:%Y-%m-%d %H:%M}Z",
                    mend,
                )
            )
    return reasons


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
    missing = quorum_reasons(proposal, state, proposal.version, facts.policy)
    return ("open", missing) if missing else ("approved", [])


def _ask(proposal: Proposal | None, state: ModelState, version: int, policy: Policy) -> str:
    excluded = {proposal.requester if proposal else None, state.authors.get(version)}
    signed = {a.actor for a in proposal.approvals} if proposal else set()
    left: Callable[[str], bool] = lambda name: name not in excluded | signed  # noqa: E731
    names = [n for n in policy.who(tuple(item.role for item in policy.promote.approvals)) if left(n)]
    what = f"registry-hooks approve {state.model} {version}" + ("" if proposal else ", once requested")
    return f"ask {', '.join(names) or 'more holders of the role'} to run {what}"


def _short(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(_short(item) for item in value) or "none"
    text = str(value) if value is not None else "none"
    return text[:19] + "…" if text.startswith("sha256:") else text
