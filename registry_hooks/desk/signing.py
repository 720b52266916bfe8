"""Proposals and their signatures: request, approve, reject."""

from __future__ import annotations

from typing import Any, Literal

from mlflow_eval_plugin.evidence import digest_of
from registry_hooks import pair as rules
from registry_hooks.answers import Answer, proposal_json
from registry_hooks.approvals import evidence_reasons, holds, may_sign
from registry_hooks.desk.case import BaseDesk, Case, changed_files, check_text, promote_role, refuse_if
from registry_hooks.errors import Conflict, NotFound
from registry_hooks.records import Approval, Nomination, Proposal

MEANING = "I have read the Evidence and approve this version for production use."


class Signing(BaseDesk):
    """What people ask for, and what others say to it."""

    def request(self, model: str, version: int, comment: str = "") -> Answer:
        """Open a Proposal to promote ``version``, bound to its files, Evidence, the policy and the champion."""
        check_text("comment", comment)
        files = self._files_as_they_are(model, version)
        with self._case(model, write=True, files_digest=files) as case:
            _refuse_second_proposal(case, version)
            nomination = case.state.nominations.get(version)
            reasons = [
                *promote_role(case),
                *case.meddling(),
                *rules.may_promote(case.state, version),
                *evidence_reasons(case.state, version, case.facts),
                *changed_files(nomination, files),
            ]
            refuse_if(f"the promotion of version {version} of {model} cannot be requested", reasons)
            assert nomination is not None  # may_promote has seen to it
            proposal = _proposal(case, nomination, comment)
            case.record("requested", version, {"proposal": proposal.as_json()})
            state = case.ledger.state(model)
            return proposal_json(proposal, state, case.facts)

    def approve(
        self, model: str, version: int | None = None, proposal: str | None = None, comment: str = "", meaning: str = ""
    ) -> Answer:
        """Say yes to a Proposal; a comment is required, and the meaning of the signature is recorded."""
        check_text("meaning", meaning)
        return self._sign("yes", model, version, proposal, comment, meaning or MEANING)

    def reject(
        self, model: str, version: int | None = None, proposal: str | None = None, comment: str = "", meaning: str = ""
    ) -> Answer:
        """Say no to a Proposal, with the reason as comment; one no ends it."""
        check_text("meaning", meaning)
        return self._sign("no", model, version, proposal, comment, meaning or "I reject this Proposal.")

    def _sign(
        self,
        decision: Literal["yes", "no"],
        model: str,
        version: int | None,
        proposal_id: str | None,
        comment: str,
        meaning: str,
    ) -> Answer:
        check_text("comment", comment, required=True)
        with self._case(model, write=True) as case:
            proposal = _find_proposal(case, version, proposal_id)
            wanted = tuple(item.role for item in case.applied.policy.promote.approvals)
            refuse_if(
                f"{case.actor.name} cannot sign {proposal.id}", may_sign(case.actor, proposal, case.state, case.facts)
            )
            approval = Approval(
                proposal=proposal.id,
                proposal_digest=proposal.digest,
                actor=case.actor.name,
                roles=tuple(role for role in case.applied.policy.roles_of(case.actor) if role in wanted),
                decision=decision,
                meaning=meaning,
                comment=comment,
                at=case.facts.now,
            )
            case.record(
                "approved" if decision == "yes" else "rejected", proposal.version, {"approval": approval.as_json()}
            )
            state = case.ledger.state(model)
            return proposal_json(state.proposals[proposal.id], state, case.facts)


def _refuse_second_proposal(case: Case, version: int) -> None:
    proposal = case.state.open_proposal(version)
    if proposal and not holds(proposal, case.state, case.facts):
        raise Conflict(
            f"version {version} of {case.model} has an open Proposal already: {proposal.id}, requested by "
            f"{proposal.requester}; approve or reject it (registry-hooks approve|reject {case.model} {version})"
        )


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
        "comment": comment,
    }
    body = Proposal(**unsealed, digest="").as_json()
    return Proposal(**unsealed, digest=digest_of({k: v for k, v in body.items() if k not in ("digest", "approvals")}))


def _find_proposal(case: Case, version: int | None, proposal_id: str | None) -> Proposal:
    known = list(case.state.proposals.values())
    matching = [p for p in known if proposal_id in (None, p.id) and version in (None, p.version)]
    if len(matching) != 1:
        listed = ", ".join(f"{p.id} (version {p.version})" for p in known) or "none"
        asked = proposal_id or (f"for version {version}" if version is not None else "at all")
        raise NotFound(f"{len(matching)} Proposals of {case.model} {asked}; there are: {listed}")
    return matching[0]
