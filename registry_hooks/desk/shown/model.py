"""One model as a whole: who serves, since when and why, its versions, and what a rollback would do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from registry_hooks.desk.answers import Answer, entry_json, reasons_json, status_json, tenures, warnings
from registry_hooks.desk.emergency import rollback_reasons
from registry_hooks.desk.grounds.absence import GLANCE, Needed, held_in, in_roles, missing
from registry_hooks.desk.grounds.case import Case, Cases
from registry_hooks.records import ROLES, Entry, Nomination
from registry_hooks.rules import pair
from registry_hooks.rules.policy import in_words
from registry_hooks.rules.sight import shown_nomination

MOST_TENURES, MOST_VERSIONS, MOST_CLOSED = 50, 30, 20
_CROWNS = ("promoted", "rolled-back", "broke-glass", "adopted")


@dataclass(frozen=True)
class Models:
    """What is shown of one model."""

    cases: Cases

    def model(self, model: str, to: int | None = None) -> Answer:
        """A governed model: who served when and why, its newest versions with verdicts, reviews, and a rollback now.

        ``rollback`` says what a rollback by this Actor would do at this moment, to the fallback or to ``to``, and every
        reason against it that can be known before. The newest changes, versions and closed reviews are told.
        """
        with self.cases.case(model, write=False) as case:
            policy = {"name": case.applied.policy.name, "version": case.applied.version}
            told = status_json(case.state, case.facts, policy)
            reviews = [{**each, "yours_to_close": _may_close(case, each["id"])} for each in told["reviews"]]
            crowned = case.ledger.entries(model, MOST_TENURES, actions=_CROWNS)
            answer = {
                **told,
                "reviews": reviews,
                "closed": list(_closed(case)),
                "meddled": reasons_json(case.unsettled()),
                "tenures": _tenures(crowned),
                **_versions(case),
                "rollback": _rollback(case, to),
            }
            target = pair.rollback_target(case.state, to)
            held, back = in_roles(case), held_in(case, [target])
        return _as_far_as_looked(answer, held, back)


def _as_far_as_looked(answer: Answer, held: list[Needed], back: list[Needed]) -> Answer:
    """With what is missing of the versions in a role, and of the one to go back to, as far as the store answers."""
    known = {each.row.version for each in held}
    gone = missing([*held, *(each for each in back if each.row.version not in known)], GLANCE)
    return {**answer, "missing": gone}


def _rollback(case: Case, to: int | None) -> Answer:
    state, now = case.state, case.facts.now
    champion, target = state.pair.champion, pair.rollback_target(state, to)
    possible = not pair.may_roll_back(state, to) and target is not None
    after = pair.pair_after_rollback(state, target, now) if possible and target is not None else None
    return {
        "leaves": champion,
        "to": target,
        "could_be": [v for v in dict.fromkeys(reversed(state.champions)) if v != champion],
        "after": after.as_json() if after else None,
        "nominated": target in state.nominations,
        "review_due": in_words(case.applied.policy.rollback.review_due),
        "ends": [p.id for p in state.proposals.values() if p.expected_champion == champion and p.rejected_by is None],
        "reasons": reasons_json(rollback_reasons(case, to, champion)),
    }


def _may_close(case: Case, review: str) -> bool:
    roles = set(case.applied.policy.roles_of(case.actor)) & set(case.applied.policy.review_roles)
    return bool(roles) and not pair.may_close(case.state, review, case.actor.name)


def _closed(case: Case) -> Iterator[Answer]:
    """Reviews that were closed, newest first."""
    for entry in reversed(case.ledger.entries(case.model, MOST_CLOSED, actions=("review-closed",))):
        told = entry_json(entry)
        yield {"id": entry.body["review"], "version": entry.version, "finding": entry.body["finding"],
               "by": entry.actor, "at": told["at"], "seq": entry.seq}  # fmt: skip


def _tenures(crowned: Iterable[Entry]) -> list[Answer]:
    """Who served from when to when, newest first, and why each came to serve."""
    entries = list(crowned)
    by_seq = {entry.seq: entry for entry in entries}
    return [{**each, **_why(by_seq[each["seq"]])} for each in reversed(tenures(entries))]


def _why(entry: Entry) -> Answer:
    """What was said for the change, and the Proposal behind a promotion."""
    body = entry.body
    if entry.action == "promoted":
        return {"why": body["proposal"]["comment"], "proposal": body["proposal"]["id"]}
    return {"why": body["review"]["reason"] if "review" in body else "", "proposal": None}


def _versions(case: Case) -> Answer:
    """The newest versions, and those in a role, newest first; and how many more there are."""
    there = case.registry.versions(case.model)
    held = {getattr(case.state.pair, role) for role in ROLES}
    told = sorted({*there[-MOST_VERSIONS:], *(v for v in there if v in held)}, reverse=True)
    older = case.ledger.entries(case.model, MOST_VERSIONS, actions=("nominated",))
    found = [Nomination.model_validate(each.body["nomination"]) for each in older]
    known = {**{each.version: each for each in found}, **case.state.nominations}
    return {
        "versions": [_version(case, version, known.get(version)) for version in told],
        "more_versions": len(there) - len(told),
    }


def _version(case: Case, version: int, nomination: Nomination | None) -> Answer:
    state = case.state
    asked = [each for each in state.proposals.values() if each.version == version]
    condemned = state.condemned.get(version)
    return {
        "version": version,
        "roles": [role for role in ROLES if getattr(state.pair, role) == version],
        "author": state.authors.get(version),
        "served": version in state.champions,
        "condemned_at": condemned.isoformat().replace("+00:00", "Z") if condemned else None,
        "proposal": asked[-1].id if asked else None,
        "nominated": _nominated(nomination, case) if nomination else None,
    }


def _nominated(nomination: Nomination, case: Case) -> Answer:
    shown = shown_nomination(nomination, case.facts.sight)
    evidence = [{"kind": each.kind, "verdict": each.verdict} for each in shown.evidence]
    return {"by": shown.actor, "at": shown.as_json()["at"], "evidence": evidence, "warnings": warnings(shown)}
