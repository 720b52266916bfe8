"""A Proposal with all that it rests on, as somebody reads it who is asked to sign."""

from __future__ import annotations

import hashlib
from concurrent.futures import TimeoutError as StillRunning
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from mlflow_eval_plugin.canonical import EvidenceError
from mlflow_eval_plugin.evidence import loads
from registry_hooks.desk.answers import Answer, proposal_json, reasons_json
from registry_hooks.desk.grounds.bound import read_within
from registry_hooks.desk.grounds.case import Case, Cases, refuse_if
from registry_hooks.desk.signing import MEANINGS, find_proposal
from registry_hooks.errors import NotFound, Reason, RegistryError
from registry_hooks.identity import Actor
from registry_hooks.records import EvidenceRef, ModelState, Nomination, Proposal
from registry_hooks.rules.approval.approvals import may_sign, who_could_sign, would_not_count
from registry_hooks.rules.approval.people import Facts, lent_to, standing
from registry_hooks.rules.approval.stakes import role_sources
from registry_hooks.rules.files import Files
from registry_hooks.rules.findings import findings
from registry_hooks.rules.grounds.bound import another_page
from registry_hooks.rules.pair import pair_after_promotion
from registry_hooks.rules.sight import shown_lineage
from registry_hooks.rules.wording import promotion_in_words
from registry_hooks.storage.mlflow_io import run_file

WITH_THE_FORM = "re-authentication"
"""The rule that only the signature itself can meet."""
_NEWEST = 30  # entries among which the nomination of an open Proposal is looked for


@dataclass(frozen=True)
class Shown:
    """What a Proposal rests on."""

    cases: Cases

    def proposal(self, model: str, version: int | None = None, proposal: str | None = None) -> Answer:
        """A Proposal: what it would change, on what Evidence, files and policy, who signed, and what the Actor may.

        What the Evidence says is read from the documents that the Proposal is bound to, and from no others.
        """
        with self.cases.case(model, write=False) as case:
            found = find_proposal(case, version, proposal)
            nomination = case.state.nominations.get(found.version)
            answer = {
                "proposal": proposal_json(found, case.state, case.facts),
                "pair": case.state.pair.as_json(),
                "after": pair_after_promotion(case.state, found.version).as_json(),
                "author": case.state.authors.get(found.version),
                "could_sign": who_could_sign(found, case.state, found.version, case.facts),
                "you": _you(case, found),
                "policy": _policy(case),
                "files": _files(case, found),
                "lineage": _lineage(case, found.version),
                "meddled": reasons_json(case.unsettled()),
            }
        return {**answer, "evidence": [_said(item, case.facts) for item in found.evidence], **_pages(nomination, case)}

    def report(self, model: str, proposal: str, run: str, path: str) -> bytes:
        """A report page or figure that a Proposal is bound to, in the very bytes that were nominated.

        Raises:
            NotFound: when the Proposal is bound to no such file, or the Actor may not READ its run.
            Refused: when the file is no longer what was nominated.
        """
        with self.cases.case(model, write=False) as case:
            found = find_proposal(case, None, proposal)
            nomination = case.state.nominations.get(found.version)
            may = case.facts.sight.run(run)
        bound = nomination.pages if nomination and nomination.pages_digest == found.pages_digest else ()
        page = next((each for each in bound if (each.run_id, each.path) == (run, path)), None) if may else None
        if page is None:
            raise NotFound(f"{found.id} is bound to no report {path[:200]!r} that you may read")
        text = read_within(lambda: run_file(run, path), [run])
        sha256 = hashlib.sha256(text).hexdigest() if text is not None else None
        refuse_if(f"{path[:200]} is not shown", another_page(page, sha256))
        assert text is not None  # another_page has seen to it
        return text


def cannot_sign(actor: Actor, proposal: Proposal, state: ModelState, facts: Facts) -> list[Reason]:
    """Why a yes of the Actor would be refused, apart from the password that the signature itself may ask for."""
    as_ = standing(actor, facts)
    reasons = [*may_sign(actor, proposal, state, facts, as_), *would_not_count(actor, proposal, state, facts, as_)]
    return [reason for reason in reasons if reason.rule != WITH_THE_FORM]


def _you(case: Case, found: Proposal) -> Answer:
    as_ = standing(case.actor, case.facts)
    lenders = sorted({loan.by for loan in lent_to(case.actor.name, case.facts)})
    no = [reason for reason in may_sign(case.actor, found, case.state, case.facts, as_) if reason.rule != WITH_THE_FORM]
    return {
        "roles": list(as_.roles),
        "for_whom": as_.person if as_.person != case.actor.name else None,
        "lenders": lenders,
        "sources": [source.as_json() for source in role_sources(case.actor, as_, case.facts)],
        "against_yes": reasons_json(cannot_sign(case.actor, found, case.state, case.facts)),
        "against_no": reasons_json(no),
        "reauthenticate": case.facts.policy.promote.reauthenticate,
        "meanings": dict(MEANINGS),
    }


def _policy(case: Case) -> Answer:
    applied = case.applied
    words = promotion_in_words(applied.policy)
    return {"name": applied.policy.name, "version": applied.version, "digest": applied.digest, "words": words}


def _files(case: Case, found: Proposal) -> Answer:
    """The list of files that was nominated, held against that of the champion where both are known."""
    mine = case.ledger.manifest(case.model, found.version, found.files_digest)
    champion = case.state.pair.champion
    serving = case.state.nominations.get(champion) if champion else None
    theirs = case.ledger.manifest(case.model, champion, serving.files_digest) if champion and serving else None
    listed = [{"path": path, "size": size, "sha256": sha} for path, (size, sha) in sorted((mine or {}).items())]
    changed = _changed(mine, theirs) if mine is not None and theirs is not None else None
    return {"digest": found.files_digest, "listed": listed if mine is not None else None, "from_champion": changed}


def _changed(mine: Files, theirs: Files) -> Answer:
    both = mine.keys() & theirs.keys()
    return {
        "same": sum(mine[path] == theirs[path] for path in both),
        "changed": sorted(path for path in both if mine[path] != theirs[path]),
        "added": sorted(mine.keys() - theirs.keys()),
        "removed": sorted(theirs.keys() - mine.keys()),
    }


def _lineage(case: Case, version: int) -> Answer | None:
    for entry in reversed(case.ledger.entries(case.model, newest=_NEWEST)):
        if entry.action == "nominated" and entry.version == version:
            return shown_lineage(entry.body.get("lineage"), case.facts.sight)
    return None


def _pages(nomination: Nomination | None, case: Case) -> Answer:
    pages = nomination.pages if nomination else ()
    return {"pages": [page.as_json() for page in pages if case.facts.sight.run(page.run_id)]}


def _said(item: EvidenceRef, facts: Facts) -> Answer:
    """What a document says, and whose signatures it carries; or why it cannot be told."""
    signed = [facts.trust.key_name(key) or f"a key no longer trusted ({key[:19]}…)" for key in item.signed_by]
    told = {"kind": item.kind, "digest": item.digest, "verdict": item.verdict, "signed_by": signed,
            "created_at": item.as_json()["created_at"]}  # fmt: skip
    if not facts.sight.run(item.run_id):
        why = "it is in a run that you may not READ; ask an administrator for READ on its experiment"
        return {**told, "run_id": None, "findings": None, "untold": why}
    try:
        return {**told, "run_id": item.run_id, "findings": _findings(item.run_id, item.path, item.digest), "untold": ""}
    except StillRunning:
        why = "the artifact store does not answer"
    except (RegistryError, EvidenceError) as error:
        why = str(error).splitlines()[0]
    return {**told, "run_id": item.run_id, "findings": None, "untold": why}


@lru_cache(maxsize=512)
def _findings(run_id: str, path: str, digest: str) -> dict[str, Any]:
    # Of a document with this digest they never change; whether it is still there, the signature itself asks.
    text = read_within(lambda: run_file(run_id, path), [run_id])
    if text is None:
        raise NotFound("the document is no longer in its run")
    evidence = loads(text)
    if evidence.digest != digest:
        raise NotFound("another document is in its place")
    return findings(evidence)
