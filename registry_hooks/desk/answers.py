"""What the desk answers with: records as plain JSON, with the judgement of the moment beside the facts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from registry_hooks.errors import Reason
from registry_hooks.identity import Sight
from registry_hooks.records import Entry, ModelState, NamedBaseline, Nomination, Pair, Proposal, Resemblance
from registry_hooks.rules.approval.approvals import count, proposal_state, uncounted
from registry_hooks.rules.approval.people import Facts
from registry_hooks.rules.sight import WITHHELD, shown_baseline, shown_proposal
from registry_hooks.rules.telling.sentences import sentence

Answer = dict[str, Any]


def reasons_json(reasons: list[Reason]) -> list[Answer]:
    """Reasons as JSON objects."""
    return [asdict(reason) for reason in reasons]


def proposal_json(proposal: Proposal, state: ModelState, facts: Facts) -> Answer:
    """A Proposal, its state now and why, and which signatures it needs and has."""
    verdict, reasons = proposal_state(proposal, state, facts)
    have = count(proposal, state, facts)
    needs = [
        {"role": item.role, "count": item.count, "have": have[item.role]} for item in facts.policy.promote.approvals
    ]
    shown = shown_proposal(proposal, facts.sight)
    judged = {"state": verdict, "reasons": reasons_json(reasons), "needs": needs, "warnings": warnings(shown)}
    return {**shown.as_json(), **judged, "uncounted": reasons_json(uncounted(proposal, state, facts))}


def warnings(found: Nomination | Proposal) -> list[str]:
    """Warnings: the version has the bytes of a condemned one, or resembles one."""
    told, by = [_resembles(each) for each in found.resembles], found.condemned_by
    if by is not None:
        where = f"version {by.version} of {by.model}"
        told.insert(0, f"is made of what {where} is, which a rollback condemned at {by.at:%Y-%m-%d %H:%M:%S}Z")
    return told


def _resembles(each: Resemblance) -> str:
    near = f"; {', '.join(each.near)} of about the same size" if each.near else ""
    return (
        f"resembles version {each.version} of {each.model}, which a rollback condemned at "
        f"{each.at:%Y-%m-%d %H:%M:%S}Z: {each.same} of its {each.files} files are the same{near}"
    )


def moved_json(model: str, before: Pair, after: Pair, entry: Entry) -> Answer:
    """A change of roles: the pair before and after, and the ledger entry that records it."""
    return {"model": model, "before": before.as_json(), "after": after.as_json(), "entry": entry.seq}


def status_json(state: ModelState, facts: Facts, policy: Answer) -> Answer:
    """A governed model as it stands."""
    return {
        "model": state.model,
        "policy": policy,
        "pair": state.pair.as_json(),
        "condemned": sorted(state.condemned),
        "baselines": [baseline_json(version, named, facts.sight) for version, named in sorted(state.baselines.items())],
        "file_check": state.file_check.as_json() if state.file_check else None,
        "proposals": [proposal_json(proposal, state, facts) for proposal in state.proposals.values()],
        "reviews": [{**review.as_json(), "overdue": facts.now > review.due_at} for review in state.reviews],
    }


def baseline_json(version: int, named: NamedBaseline, sight: Sight) -> Answer:
    """The baseline that the ledger names for a version, without its address where the run may not be read."""
    shown = shown_baseline(named, sight)
    address = WITHHELD if shown.run_id == WITHHELD else shown.address
    told = {"address": address, "digest": named.digest, "actor": named.actor, "at": named.as_json()["at"]}
    return {"version": version, **told}


def state_json(state: ModelState, sight: Sight) -> Answer:
    """A model's roles, Proposals and reviews as they stood at some time, without today's judgement."""
    return {
        "model": state.model,
        "pair": state.pair.as_json(),
        "condemned": sorted(state.condemned),
        "proposals": [shown_proposal(proposal, sight).as_json() for proposal in state.proposals.values()],
        "reviews": [review.as_json() for review in state.reviews],
    }


def tenures(entries: Iterable[Entry]) -> list[Answer]:
    """Who was champion from when to when, how each came to be, and by whose act; the last one's end is None."""
    found: list[Answer] = []
    for entry in entries:
        serves = _champion_after(entry)
        if serves is None or (found and found[-1]["version"] == serves and found[-1]["until"] is None):
            continue
        at = entry.as_json()["at"]
        if found:
            found[-1]["until"] = at
        found.append(
            {"version": serves, "since": at, "until": None, "by": entry.actor, "how": entry.action, "seq": entry.seq}
        )
    return found


def _champion_after(entry: Entry) -> int | None:
    if entry.action in ("promoted", "rolled-back", "broke-glass"):
        return entry.version
    return Pair.model_validate(entry.body["pair"]).champion if entry.action == "adopted" else None


def entry_json(entry: Entry) -> Answer:
    """One line of history: who did what when, in a sentence."""
    at = entry.as_json()["at"]
    version = entry.version
    return {
        "seq": entry.seq,
        "at": at,
        "actor": entry.actor,
        "action": entry.action,
        "version": version,
        "summary": sentence(entry),
    }
