"""What somebody who opens the registry is to see first: what waits for them, what they asked for, what changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice

from registry_hooks.desk.answers import Answer, entry_json, proposal_json
from registry_hooks.desk.grounds.case import Case, Cases, case_at, remembering
from registry_hooks.desk.shown.proposal import cannot_sign
from registry_hooks.identity import Actor, current_directory, current_sight, require_actor
from registry_hooks.records import Proposal
from registry_hooks.rules.approval.people import Facts
from registry_hooks.rules.matters import Matter, sortable
from registry_hooks.rules.policy import governing
from registry_hooks.storage.ledger import Ledger
from registry_hooks.storage.mlflow_rows import Registry

RECENT = timedelta(hours=24)
MOST = 15
"""How many of each are told."""
_MOST_CHANGES = 50
_MOST_LOOKED_AT = 500  # rows of the table of what waits
_LOT = MOST + 1  # models whose states are read at once


@dataclass(frozen=True)
class Inbox:
    """What waits for the Actor."""

    cases: Cases

    def inbox(self) -> Answer:
        """What waits for the Actor's signature, what they asked for, reviews, and what changed since yesterday.

        At most 15 of each are told; ``more`` names those of which there may be others.
        """
        actor = require_actor()
        with self.cases.unit_of_work(write=False) as session:
            desk = _Reader(self.cases, actor, Ledger(session), Registry(session))
            waiting, asked, reviews = desk.waiting(), desk.asked(), desk.reviews()
            lists = {"waiting": waiting, "asked": asked, "reviews": reviews}
            more = [name for name, told in lists.items() if len(told) > MOST]
            return {**{name: told[:MOST] for name, told in lists.items()}, "changed": desk.changed(), "more": more}


class _Reader:
    """The table of what waits, and the states of the models that it names, read for one Actor."""

    def __init__(self, cases: Cases, actor: Actor, ledger: Ledger, registry: Registry) -> None:
        self._actor, self._ledger, self._registry = actor, ledger, registry
        self._now, self._sight = cases.clock(), current_sight()
        self._keys, self._people = ledger.trust(), ledger.accounts()
        self._policies = [(applied.policy, applied) for applied in ledger.policies()]
        self._directory = remembering(current_directory())
        self._cases: dict[str, Case | None] = {}

    def waiting(self) -> list[Answer]:
        name, now = self._actor.name, sortable(self._now)
        rows = self._ledger.waiting.proposals(name, self._approving(), now, _MOST_LOOKED_AT)
        return self._told(rows, lambda case, row: self._to_sign(case, row.item))

    def asked(self) -> list[Answer]:
        rows = self._ledger.waiting.asked_by(self._actor.name, _MOST_LOOKED_AT)
        return self._told(rows, lambda case, row: _proposal(case.state.proposals.get(row.item), case))

    def reviews(self) -> list[Answer]:
        return self._told(self._ledger.waiting.reviews(_MOST_LOOKED_AT), _review)

    def changed(self) -> list[Answer]:
        return [
            {"model": entry.model, **entry_json(entry)}
            for entry in reversed(self._ledger.entries(newest=_MOST_CHANGES))
            if self._now - entry.at <= RECENT and entry.model is not None and self._sight.model(entry.model)
        ]

    def _approving(self) -> dict[str, bool]:
        """The policies in force under which the Actor approves, in their own right or in another's, by digest.

        With each whether a signature under it lapses.
        """
        lent = {loan.policy for loan in self._keys.delegations.values() if loan.to == self._actor.name}
        return {
            each.digest: any(item.expires for item in policy.promote.approvals)
            for policy, each in self._policies
            if policy.name in lent or set(policy.roles_of(self._actor)) & set(policy.approver_roles)
        }

    def _to_sign(self, case: Case, item: str) -> Answer | None:
        proposal = case.state.proposals.get(item)
        if proposal is None or cannot_sign(self._actor, proposal, case.state, case.facts):
            return None
        return _proposal(proposal, case)

    def _told(self, rows: Iterable[Matter], tell: Callable[[Case, Matter], Answer | None]) -> list[Answer]:
        """What is told of the first rows that there is something to tell of, one more than are shown."""
        found: list[Answer] = []
        readable = (row for row in rows if self._sight.model(row.model))
        while len(found) <= MOST and (lot := list(islice(readable, _LOT))):
            self._read({row.model for row in lot})
            told = (tell(case, row) for row in lot if (case := self._cases[row.model]) is not None)
            found += [each for each in told if each is not None]
        return found[: MOST + 1]

    def _read(self, models: set[str]) -> None:
        states = self._ledger.states([model for model in models if model not in self._cases])
        for model in models - self._cases.keys():
            # A prompt, which no pattern governs, has no state.
            applied = governing(model, self._policies) if model in states else None
            self._cases[model] = None
            if applied is not None:
                facts = Facts(self._now, applied.policy, applied.digest, None, self._keys, self._directory, self._sight,
                              self._people, applied.applied_by)  # fmt: skip
                case = Case(self._actor, self._ledger, self._registry, states[model], applied, facts)
                self._cases[model] = case_at(case)


def _proposal(proposal: Proposal | None, case: Case) -> Answer | None:
    if proposal is None:
        return None
    told = proposal_json(proposal, case.state, case.facts)
    kept = ("model", "version", "requester", "created_at", "expires_at", "comment", "state", "needs")
    return {"proposal": told["id"], "champion": case.state.pair.champion, **{name: told[name] for name in kept}}


def _review(case: Case, row: Matter) -> Answer | None:
    review = next((each for each in case.state.reviews if each.id == row.item), None)
    if review is None:
        return None
    roles = set(case.applied.policy.roles_of(case.actor)) & set(case.applied.policy.review_roles)
    mine, overdue = bool(roles) and review.opened_by != case.actor.name, case.facts.now > review.due_at
    return {"model": case.model, **review.as_json(), "overdue": overdue, "yours_to_close": mine}
