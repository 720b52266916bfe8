"""Name a baseline, nominate, promote, and the plan that says what a promotion would meet."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from registry_hooks.desk.answers import Answer, baseline_json, moved_json, proposal_json, reasons_json, warnings
from registry_hooks.desk.grounds.absence import purged_soon
from registry_hooks.desk.grounds.baselines import baseline_at
from registry_hooks.desk.grounds.bound import pages_of
from registry_hooks.desk.grounds.case import (
    Case,
    Cases,
    changed_evidence,
    changed_files,
    check_text,
    files_of,
    reading_again,
    refuse_if,
)
from registry_hooks.desk.grounds.condemning import before, condemned_by, condemned_since, held_against
from registry_hooks.desk.grounds.evidence import Serving, trusted_evidence
from registry_hooks.errors import Invalid, NotFound, Reason
from registry_hooks.records import NamedBaseline, Nomination
from registry_hooks.rules import pair
from registry_hooks.rules.approval.approvals import holds, overdue_reviews, quorum_reasons
from registry_hooks.rules.approval.people import lacks_role
from registry_hooks.rules.baselines import DOCUMENT, TABLES, Frozen, may_name, place_of_baseline
from registry_hooks.rules.evidence_gate import evidence_reasons, judge_evidence
from registry_hooks.rules.sight import shown_nomination
from registry_hooks.storage.mlflow_io import lineage, manifest
from registry_hooks.storage.places import deleted_reasons, held_by, rests_of
from registry_hooks.storage.retry import again_if_undone


@dataclass(frozen=True)
class Transitions:
    """What changes roles by the rules, and the baseline that a version's Evidence is held against."""

    cases: Cases

    @again_if_undone
    def baseline(self, model: str, version: int, address: str, reason: str) -> Answer:
        """Name the baseline of ``version``, or another one in its place: the folder of a run, with the reason."""
        check_text("reason", reason, required=True)
        place, headline = place_of_baseline(address), f"{address[:200]} cannot be the baseline of version {version}"
        with self.cases.case(model, write=False) as case:
            row = case.registry.version(model, version)
            refuse_if(headline, _nominate_role(case))
        frozen, files = baseline_at(place), files_of(row)
        unread = frozen if isinstance(frozen, list) else []
        rests = rests_of(row, [(place.run_id, f"{place.path}/{name}") for name in (DOCUMENT, TABLES)])
        gone = deleted_reasons(row, [place.run_id])
        with self.cases.case(model, write=True) as case:
            case.registry.version(model, version)
            reasons = [*_nominate_role(case), *case.unsettled(), *unread, *gone]
            if isinstance(frozen, Frozen):
                reasons += may_name(case.state, version, frozen, files.digest)
            refuse_if(headline, reasons)
            assert isinstance(frozen, Frozen)  # else it was refused
            old = case.state.baselines.get(version)
            named = NamedBaseline(**place._asdict(), digest=frozen.digest, actor=case.actor.name, at=case.facts.now)
            case.ledger.rests.note(rests)
            body = {"baseline": named.as_json(), "replaces": old.digest if old else None, "reason": reason}
            entry = case.record("baseline-named", version, body)
            told = baseline_json(version, named, case.facts.sight)
        return {"model": model, **told, "replaces": body["replaces"], "reason": reason, "entry": entry.seq}

    @again_if_undone
    def nominate(
        self, model: str, version: int, runs: Iterable[str] = (), comment: str = "", via: str = "registry-hooks"
    ) -> Answer:
        """Make ``version`` the challenger, on the Evidence in ``runs`` (by default the run that made the version)."""
        check_text("comment", comment)
        with self.cases.case(model, write=False) as case:
            row = case.registry.version(model, version)
            refuse_if(f"version {version} of {model} cannot be nominated", _nominate_role(case))
            trust, champion, condemned = case.facts.trust, _serving(case), before(case)
        files = files_of(row)
        held = held_against(files, condemned)
        taken = trusted_evidence(row, files, list(runs), trust, champion)
        pages, history = pages_of(taken.evidence), lineage(row)
        gone = deleted_reasons(row, (item.run_id for item in taken.evidence))
        rests = rests_of(row, held_by(taken.evidence, pages))
        with self.cases.case(model, write=True) as case:
            case.registry.version(model, version)
            nomination = Nomination(
                version=version, evidence=taken.evidence, files_digest=files.digest, actor=case.actor.name,
                at=case.facts.now, comment=comment, pages=pages, content=files.content,
                condemned_by=condemned_by(case, version, files.content, held.condemned), resembles=held.resembles,
            )  # fmt: skip
            reasons = [
                *_nominate_role(case),
                *case.unsettled(),
                *pair.may_nominate(case.state, shown_nomination(nomination, case.facts.sight)),
                *judge_evidence(taken.evidence, case.state, version, case.facts, taken.passed_over),
                *gone,
            ]
            refuse_if(f"version {version} of {model} cannot be nominated", reasons)
            after = pair.nominate(case.state, nomination).pair
            body = {"nomination": nomination.as_json(), "before": case.state.pair.as_json(), "via": via}
            case.move(after)
            case.ledger.save_manifest(model, version, files.digest, files.files)
            case.ledger.rests.note(rests)
            entry = case.record("nominated", version, {**body, "after": after.as_json(), "lineage": history})
        return {**_nominated(nomination, case), "pair": after.as_json(), "entry": entry.seq}

    @again_if_undone
    @reading_again
    def promote(self, model: str, version: int, via: str = "registry-hooks") -> Answer:
        """Make the challenger ``version`` champion, on an approved Proposal that still holds."""
        with self.cases.case(model, write=True, **self.cases.as_it_is(model, version)) as case:
            refuse_if(f"version {version} of {model} cannot become champion", promote_reasons(case, version))
            proposal = case.state.open_proposal(version)
            assert proposal is not None  # promote_reasons has seen to it
            before, after = case.state.pair, pair.pair_after_promotion(case.state, version)
            body = {"proposal": proposal.as_json(), "before": before.as_json(), "after": after.as_json(), "via": via}
            case.move(after)
            entry = case.record("promoted", version, body)
        return {**moved_json(model, before, after, entry), "version": version, "proposal": proposal.id}

    @reading_again
    def plan(self, model: str, version: int) -> Answer:
        """What a promotion of ``version`` by this actor would meet now; allowed exactly when there is no reason."""
        with self.cases.case(model, write=False, **self.cases.as_it_is(model, version)) as case:
            reasons = promote_reasons(case, version)
            proposal = case.state.open_proposal(version)
            after = case.state.pair if reasons else pair.pair_after_promotion(case.state, version)
            return {
                "model": model,
                "version": version,
                "allowed": not reasons,
                "reasons": reasons_json(reasons),
                "pair": case.state.pair.as_json(),
                "after": after.as_json(),
                "proposal": proposal_json(proposal, case.state, case.facts) if proposal else None,
            }


def request_reasons(case: Case, version: int) -> list[Reason]:
    """Why this actor may not ask for a promotion of the version now; empty when they may."""
    return [
        *lacks_role(case.actor, case.applied.policy.promote.by, f"promote a version of {case.model}", case.facts),
        *case.unsettled(),
        *pair.may_promote(case.state, version),
        *condemned_since(case, version),
        *evidence_reasons(case.state, version, case.facts),
        *changed_evidence(case, version),
        *changed_files(case, version),
    ]


def promote_reasons(case: Case, version: int) -> list[Reason]:
    """Why this actor may not promote the version now; empty when they may."""
    proposal = case.state.open_proposal(version)
    return [
        *request_reasons(case, version),
        *purged_soon(case, version),
        *(holds(proposal, case.state, case.facts) if proposal else ()),
        *quorum_reasons(proposal, case.state, version, case.facts),
        *overdue_reviews(case.state, case.facts),
    ]


def _nominated(nomination: Nomination, case: Case) -> Answer:
    return {
        "model": case.model,
        "version": nomination.version,
        "evidence": [item.as_json() for item in nomination.evidence],
        "files_digest": nomination.files_digest,
        "warnings": warnings(shown_nomination(nomination, case.facts.sight)),
    }


def _nominate_role(case: Case) -> list[Reason]:
    return lacks_role(case.actor, case.applied.policy.nominate.by, f"nominate a version of {case.model}", case.facts)


def _serving(case: Case) -> Serving | None:
    """The champion; its files are read only if a comparison names others than those that were nominated."""
    version = case.state.pair.champion
    if version is None:
        return None
    nomination = case.state.nominations.get(version)
    try:
        row = case.registry.version(case.model, version)
    except NotFound:  # meddled with, which has a reason of its own
        return None

    @cache
    def as_they_are() -> str | None:
        try:
            return manifest(row).digest
        except Invalid:
            return None

    return Serving(version, nomination.files_digest if nomination else None, as_they_are)
