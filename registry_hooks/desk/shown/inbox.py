"""What somebody who opens the registry is to see first: what waits for them, what they asked for, what changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from registry_hooks.desk.answers import Answer, entry_json, proposal_json
from registry_hooks.desk.grounds.case import Case, Cases, case_at, remembering
from registry_hooks.desk.reading import governed_models
from registry_hooks.desk.shown.proposal import cannot_sign
from registry_hooks.identity import Actor, current_directory, current_sight, require_actor
from registry_hooks.records import Proposal
from registry_hooks.rules.approval.people import Facts
from registry_hooks.storage.ledger import Ledger, read_model_state
from registry_hooks.storage.mlflow_rows import Registry

RECENT = timedelta(hours=24)
_MOST_CHANGES = 50


@dataclass(frozen=True)
class Inbox:
    """What waits for the Actor."""

    cases: Cases

    def inbox(self) -> Answer:
        """What waits for the Actor's signature, what they asked for, reviews, and what changed since yesterday."""
        actor = require_actor()
        with self.cases.unit_of_work(write=False) as session:
            ledger, registry = Ledger(session), Registry(session)
            found = list(self._cases(actor, ledger, registry))
            return {
                "waiting": [told for case in found for told in _waiting(case)],
                "asked": [told for case in found for told in _asked(case)],
                "reviews": sorted((told for case in found for told in _reviews(case)), key=lambda each: each["due_at"]),
                "changed": list(_changed(ledger, self.cases.clock())),
            }

    def _cases(self, actor: Actor, ledger: Ledger, registry: Registry) -> Iterator[Case]:
        stored, keys, people = dict(ledger.stored_states()), ledger.trust(), ledger.accounts()
        directory, sight, now = remembering(current_directory()), current_sight(), self.cases.clock()
        for name, applied in governed_models(ledger, registry).items():
            if name in stored and sight.model(name):
                facts = Facts(
                    now, applied.policy, applied.digest, None, keys, directory, sight, people, applied.applied_by
                )
                state = read_model_state(name, stored[name])
                yield case_at(Case(actor, ledger, registry, state, applied, facts))


def _waiting(case: Case) -> Iterator[Answer]:
    for proposal in case.state.proposals.values():
        if not cannot_sign(case.actor, proposal, case.state, case.facts):
            yield _proposal(proposal, case)


def _asked(case: Case) -> Iterator[Answer]:
    for proposal in case.state.proposals.values():
        if proposal.requester == case.actor.name:
            yield _proposal(proposal, case)


def _proposal(proposal: Proposal, case: Case) -> Answer:
    told = proposal_json(proposal, case.state, case.facts)
    kept = ("model", "version", "requester", "created_at", "expires_at", "comment", "state", "needs")
    return {"proposal": told["id"], "champion": case.state.pair.champion, **{name: told[name] for name in kept}}


def _reviews(case: Case) -> Iterator[Answer]:
    roles = set(case.applied.policy.roles_of(case.actor)) & set(case.applied.policy.review_roles)
    for review in case.state.reviews:
        mine = bool(roles) and review.opened_by != case.actor.name
        overdue = case.facts.now > review.due_at
        yield {"model": case.model, **review.as_json(), "overdue": overdue, "yours_to_close": mine}


def _changed(ledger: Ledger, now: datetime) -> Iterator[Answer]:
    sight = current_sight()
    for entry in reversed(ledger.entries(newest=_MOST_CHANGES)):
        if now - entry.at <= RECENT and entry.model is not None and sight.model(entry.model):
            yield {"model": entry.model, **entry_json(entry)}
