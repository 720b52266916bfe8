"""Proposals and their signatures: request, approve, reject, withdraw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from mlflow_eval_plugin.canonical import digest_of
from registry_hooks.desk.answers import Answer, entry_json, proposal_json
from registry_hooks.desk.grounds.bound import Bound, bound
from registry_hooks.desk.grounds.case import (
    Case,
    Cases,
    changed_evidence,
    check_text,
    reading_again,
    refuse_if,
)
from registry_hooks.desk.grounds.condemning import condemned_since
from registry_hooks.desk.transitions import request_reasons
from registry_hooks.errors import Conflict, NotFound
from registry_hooks.records import Action, Approval, Nomination, Proposal
from registry_hooks.rules.approval.approvals import may_sign, would_not_count
from registry_hooks.rules.approval.people import Standing, standing
from registry_hooks.rules.approval.proposals import already_open, another_than_read, may_withdraw, meant
from registry_hooks.rules.approval.stakes import role_sources
from registry_hooks.storage.retry import again_if_undone

Decision = Literal["yes", "no"]
MEANINGS: dict[Decision, str] = {
    "yes": "I have read the Evidence and approve this version for production use.",
    "no": "I reject this Proposal.",
}
"""What a signature means where its signer does not say."""

_NEWEST = 50  # entries among which is looked for what ended a Proposal


@dataclass(frozen=True)
class Signing:
    """What people ask for, and what others say to it."""

    cases: Cases

    @again_if_undone
    @reading_again
    def request(self, model: str, version: int, comment: str = "") -> Answer:
        """Open a Proposal to promote ``version``, bound to its files, Evidence, the policy and the champion."""
        check_text("comment", comment)
        with self.cases.case(model, write=True, **self.cases.as_it_is(model, version)) as case:
            if reasons := already_open(case.state, version, case.facts):
                raise Conflict(f"version {version} of {model} has an open Proposal already", reasons)
            nomination = case.state.nominations.get(version)
            refuse_if(
                f"the promotion of version {version} of {model} cannot be requested", request_reasons(case, version)
            )
            assert nomination is not None  # may_promote has seen to it
            proposal = _proposal(case, nomination, comment)
            case.record("requested", version, {"proposal": proposal.as_json()})
            state = case.ledger.state(model)
            return proposal_json(proposal, state, case.facts)

    @again_if_undone
    @reading_again
    def sign(
        self,
        decision: Decision,
        model: str,
        version: int | None = None,
        proposal: str | None = None,
        comment: str = "",
        meaning: str = "",
        digest: str | None = None,
        for_whom: str | None = None,
    ) -> Answer:
        """Say yes or no to a Proposal; a comment is required, and the meaning of the signature is recorded.

        One no ends the Proposal. Which Proposal is said by ``version`` or by ``proposal``, its id; with ``digest`` only
        if it is the one that was read. ``for_whom`` names the person who lent the role, where several did.
        """
        check_text("comment", comment, required=True)
        check_text("meaning", meaning)
        # A no is for Evidence in any state.
        held = self._bound_of(model, version, proposal) if decision == "yes" else None
        with self.cases.case(model, write=True, bound=held) as case:
            found = find_proposal(case, version, proposal)
            as_ = standing(case.actor, case.facts, for_whom)
            reasons = [
                *may_sign(case.actor, found, case.state, case.facts, as_),
                *another_than_read(found, digest),
            ]
            if decision == "yes":
                reasons += [
                    *would_not_count(case.actor, found, case.state, case.facts, as_),
                    *case.unsettled(),
                    *condemned_since(case, found.version),
                    *changed_evidence(case, found.version),
                ]
            refuse_if(f"{case.actor.name} cannot sign {found.id}", reasons)
            approval = _approval(case, found, as_, decision, meaning, comment)
            action: Action = "approved" if decision == "yes" else "rejected"
            case.record(action, found.version, {"approval": approval.as_json()})
            state = case.ledger.state(model)
            return proposal_json(state.proposals[found.id], state, case.facts)

    @again_if_undone
    def withdraw(
        self, model: str, version: int | None = None, proposal: str | None = None, comment: str = ""
    ) -> Answer:
        """Take back one's own: the requester the Proposal, an approver the yes or no given to it."""
        check_text("comment", comment, required=True)
        with self.cases.case(model, write=True) as case:
            found = find_proposal(case, version, proposal)
            body = {"proposal": found.id, "comment": comment}
            if case.actor.name == found.requester:
                entry = case.record("withdrawn", found.version, body)
                return {"model": model, "version": found.version, "withdrawn": found.id, "entry": entry.seq}
            headline = f"{case.actor.name} has nothing to withdraw from {found.id}"
            refuse_if(headline, may_withdraw(case.actor, found, case.facts))
            case.record("approval-withdrawn", found.version, body)
            state = case.ledger.state(model)
            return proposal_json(state.proposals[found.id], state, case.facts)

    def _bound_of(self, model: str, version: int | None, proposal: str | None) -> Bound:
        with self.cases.case(model, write=False) as case:
            found = find_proposal(case, version, proposal)
            nomination, trust = case.state.nominations.get(found.version), case.facts.trust
        return bound(nomination, trust)


def _proposal(case: Case, nomination: Nomination, comment: str) -> Proposal:
    unsealed: dict[str, Any] = {
        "id": f"P-{case.ledger.next_seq}",
        "model": case.model,
        "version": nomination.version,
        "requester": case.actor.name,
        "created_at": case.facts.now,
        "expires_at": case.facts.now + case.applied.policy.promote.expires,
        "expected_champion": case.state.pair.champion,
        "evidence": nomination.evidence,
        "files_digest": nomination.files_digest,
        "policy_digest": case.applied.digest,
        "pages_digest": nomination.pages_digest,
        "condemned_by": nomination.condemned_by,
        "resembles": nomination.resembles,
        "comment": comment,
    }
    body = Proposal(**unsealed, digest="").as_json()
    return Proposal(**unsealed, digest=digest_of({k: v for k, v in body.items() if k not in ("digest", "approvals")}))


def _approval(case: Case, found: Proposal, as_: Standing, decision: Decision, meaning: str, comment: str) -> Approval:
    return Approval(
        proposal=found.id,
        proposal_digest=found.digest,
        actor=case.actor.name,
        roles=as_.roles,
        decision=decision,
        meaning=meaning or MEANINGS[decision],
        comment=comment,
        at=case.facts.now,
        for_whom=as_.person if as_.person != case.actor.name else None,
        reauthenticated=case.actor.reauthenticated,
        sources=role_sources(case.actor, as_, case.facts),
    )


def find_proposal(case: Case, version: int | None, proposal_id: str | None) -> Proposal:
    """The Proposal of a version, or with an id; of several that of a version which still holds.

    Raises:
        NotFound: when there is none, or more than one. Of one that is no longer there it says what became of it.
    """
    known = case.state.proposals.values()
    matching = meant(case.state, version, proposal_id, case.facts)
    if len(matching) != 1:
        listed = ", ".join(f"{p.id} (version {p.version})" for p in known) or "none"
        asked = proposal_id or (f"for version {version}" if version is not None else "at all")
        became = _what_became_of(proposal_id, case) if proposal_id and not matching else ""
        raise NotFound(f"{len(matching)} Proposals of {case.model} {asked}; there are: {listed}{became}")
    return matching[0]


def _what_became_of(proposal_id: str, case: Case) -> str:
    """Which entry ended a Proposal, in a clause; empty where none of the newest did."""
    for entry in reversed(case.ledger.entries(case.model, newest=_NEWEST)):
        held = entry.body.get("proposal")
        ended = held.get("id") if isinstance(held, dict) else held
        if entry.action in ("promoted", "withdrawn") and ended == proposal_id:
            told = entry_json(entry)
            return f". {proposal_id} has ended: {entry.actor}, {entry.at:%Y-%m-%d %H:%M:%S}Z: {told['summary']}"
    return ""
