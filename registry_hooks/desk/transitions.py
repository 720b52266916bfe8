"""Nominate, promote, roll back, and the plan that says what a promotion would meet."""

from __future__ import annotations

from collections.abc import Iterable

from registry_hooks import pair as rules
from registry_hooks.answers import Answer, moved_json, proposal_json, reasons_json
from registry_hooks.approvals import evidence_reasons, holds, judge_evidence, quorum_reasons
from registry_hooks.desk.case import BaseDesk, Case, changed_files, check_text, promote_role, refuse_if
from registry_hooks.desk.evidence import trusted_evidence
from registry_hooks.errors import Reason
from registry_hooks.mlflow_io import manifest
from registry_hooks.records import Nomination, Review


class Transitions(BaseDesk):
    """What changes roles."""

    def nominate(
        self, model: str, version: int, runs: Iterable[str] = (), comment: str = "", via: str = "registry-hooks"
    ) -> Answer:
        """Make ``version`` the challenger, on the Evidence in ``runs`` (by default the run that made the version)."""
        check_text("comment", comment)
        with self._case(model, write=False) as case:
            row = case.registry.version(model, version)
            refuse_if(f"version {version} of {model} cannot be nominated", self._nominate_role(case))
        files = manifest(row)
        evidence = trusted_evidence(row, files, list(runs))
        with self._case(model, write=True) as case:
            case.registry.version(model, version)
            nomination = Nomination(
                version=version,
                evidence=evidence,
                files_digest=files.digest,
                actor=case.actor.name,
                at=case.facts.now,
                comment=comment,
            )
            reasons = [
                *self._nominate_role(case),
                *case.meddling(),
                *rules.may_nominate(case.state, nomination),
                *judge_evidence(evidence, model, version, case.applied.policy, case.facts.now),
            ]
            refuse_if(f"version {version} of {model} cannot be nominated", reasons)
            after = rules.nominate(case.state, nomination).pair
            body = {"nomination": nomination.as_json(), "before": case.state.pair.as_json(), "via": via}
            entry = case.record("nominated", version, {**body, "after": after.as_json()})
            case.move(after)
        said = {"version": version, "evidence": [item.as_json() for item in evidence], "files_digest": files.digest}
        return {"model": model, **said, "pair": after.as_json(), "entry": entry.seq}

    def promote(self, model: str, version: int, via: str = "registry-hooks") -> Answer:
        """Make the challenger ``version`` champion, on an approved Proposal that still holds."""
        files = self._files_as_they_are(model, version)
        with self._case(model, write=True, files_digest=files) as case:
            refuse_if(f"version {version} of {model} cannot become champion", self._promote_reasons(case, version))
            proposal = case.state.open_proposal(version)
            assert proposal is not None  # _promote_reasons has seen to it
            before, after = case.state.pair, rules.promote(case.state, version).pair
            body = {"proposal": proposal.as_json(), "before": before.as_json(), "after": after.as_json(), "via": via}
            entry = case.record("promoted", version, body)
            case.move(after)
        return {**moved_json(model, before, after, entry), "version": version, "proposal": proposal.id}

    def rollback(
        self,
        model: str,
        reason: str,
        to: int | None = None,
        expected: int | None = None,
        via: str = "registry-hooks",
    ) -> Answer:
        """Make the fallback (or ``to``, any earlier champion) champion again; opens a review of it.

        ``expected`` is the champion that the caller sees; where another one serves by now, nothing happens.
        """
        check_text("reason", reason, required=True)
        with self._case(model, write=True) as case:
            policy = case.applied.policy
            reasons = [
                *policy.role_reasons(case.actor, policy.rollback.by, f"roll {model} back"),
                *case.meddling(),
                *rules.may_roll_back(case.state, to),
                *rules.meant_twice(case.state, case.facts.now, expected, to),
            ]
            refuse_if(f"{model} cannot be rolled back", reasons)
            before = case.state.pair
            target = before.fallback if to is None else to
            assert target is not None and before.champion is not None  # may_roll_back has seen to it
            case.registry.version(model, target)
            review = _review(case, before.champion, reason)
            after = rules.roll_back(case.state, target, case.facts.now, review).pair
            body = {"review": review.as_json(), "before": before.as_json(), "after": after.as_json(), "via": via}
            entry = case.record("rolled-back", target, body)
            case.move(after)
        return {**moved_json(model, before, after, entry), "version": target, "review": review.as_json()}

    def plan(self, model: str, version: int) -> Answer:
        """What a promotion of ``version`` by this actor would meet now; allowed exactly when there is no reason."""
        files = self._files_as_they_are(model, version)
        with self._case(model, write=False, files_digest=files) as case:
            reasons = self._promote_reasons(case, version)
            proposal = case.state.open_proposal(version)
            after = case.state.pair if reasons else rules.promote(case.state, version).pair
            return {
                "model": model,
                "version": version,
                "allowed": not reasons,
                "reasons": reasons_json(reasons),
                "pair": case.state.pair.as_json(),
                "after": after.as_json(),
                "proposal": proposal_json(proposal, case.state, case.facts) if proposal else None,
            }

    def _nominate_role(self, case: Case) -> list[Reason]:
        policy = case.applied.policy
        return policy.role_reasons(case.actor, policy.nominate.by, f"nominate a version of {case.model}")

    def _promote_reasons(self, case: Case, version: int) -> list[Reason]:
        proposal = case.state.open_proposal(version)
        return [
            *promote_role(case),
            *case.meddling(),
            *rules.may_promote(case.state, version),
            *evidence_reasons(case.state, version, case.facts),
            *changed_files(case.state.nominations.get(version), case.facts.files_digest),
            *(holds(proposal, case.state, case.facts) if proposal else ()),
            *quorum_reasons(proposal, case.state, version, case.applied.policy),
        ]


def _review(case: Case, version: int, reason: str) -> Review:
    return Review(
        id=f"R-{case.ledger.next_seq}",
        version=version,
        opened_by=case.actor.name,
        opened_at=case.facts.now,
        due_at=case.facts.now + case.applied.policy.rollback.review_due,
        reason=reason,
    )
