"""What a purge would take, found without a lock; and what has happened since, which is little, under the locks."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic_core import from_json

from registry_hooks.desk.answers import Answer
from registry_hooks.desk.grounds.case import Cases, refuse_if
from registry_hooks.desk.log.auditing import Seen, seen
from registry_hooks.desk.log.whole import Whole, documents, whole_log
from registry_hooks.errors import Conflict, Reason, RegistryError
from registry_hooks.records import AccountsState, ModelState, TrustState
from registry_hooks.rules.log import altered, redaction
from registry_hooks.rules.log.merkle import Tree, leaf_hash, scope_of
from registry_hooks.rules.log.retention import Purge, kept_for, live, too_young
from registry_hooks.rules.policy_file import policy_digest
from registry_hooks.storage.ledger import Ledger
from registry_hooks.storage.log.outside import retention
from registry_hooks.storage.outbox.streams import Streams
from registry_hooks.storage.replay import Replay
from registry_hooks.storage.snapshots import Snapshot

_MOST_TOLD = 20
State = ModelState | TrustState | AccountsState


class Outdated(Conflict):
    """What a plan rests on changed since."""


class Until(Replay):
    """A replay of the whole log that also keeps the states as they were before the first entry of a time."""

    def __init__(self, snapshots: Mapping[str, Snapshot], before: datetime) -> None:
        super().__init__(snapshots)
        self._before = before
        self.through: int | None = None
        self.then: dict[str, State] = {}

    def read(self, seq: int, document: dict[str, Any]) -> None:
        """As `Replay.read`."""
        if self.through is None and not self._is_older(document):
            self._stop(seq - 1)
        super().read(seq, document)

    def end(self, size: int) -> None:
        """All entries were read."""
        if self.through is None:
            self._stop(size)

    def _is_older(self, document: dict[str, Any]) -> bool:
        if altered.purged_by(document) is not None:
            return True
        try:
            return datetime.fromisoformat(str(document.get("at")).replace("Z", "+00:00")) < self._before
        except (ValueError, TypeError):
            return False

    def _stop(self, seq: int) -> None:
        self.through, self.then = seq, {**self.states, **self.scopes}


@dataclass
class Plan:
    """What a purge takes, and what it leaves, as of the entries that it has read.

    Args:
        through: the last entry that is old enough.
        purge: which of them go.
        in_force: the digests of the policies in force.
        tree: the log as far as it was read.
        now: the states as they are, ``left`` those of the scopes that lose entries without the texts that go.
        snapshots: what is kept of these scopes in place of their entries.
        texts: the texts that go, by scope.
        changed: the scopes whose state has any of them.
        notices: what notices say without them, of the first ``noticed``.
        ours: the entries that carry it out.
    """

    through: int
    purge: Purge
    in_force: frozenset[str]
    tree: Tree
    now: Until
    left: Replay
    snapshots: dict[str, Snapshot] = field(default_factory=dict)
    texts: dict[str, list[redaction.Text]] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)
    notices: dict[int, str] = field(default_factory=dict)
    noticed: int = 0
    ours: set[int] = field(default_factory=set)

    def catch_up(self, ledger: Ledger) -> None:
        """Take in what was written since; with the locks held that is all that can have changed.

        Raises:
            Outdated: when it bears on what goes.
            Refused: when the log has not grown from what was read.
        """
        if frozenset(each.digest for each in ledger.policies()) != self.in_force:
            raise Outdated("policies were applied while the purge was planned")
        for row in ledger.rows(self.tree.size):
            self._take(row.seq, from_json(row.entry))
            self.tree = self.tree.append(leaf_hash(row.entry))
        if self.tree != ledger.head:
            problem = {"seq": None, "what": "the log has not grown from the one that was read"}
            refuse_if("the log cannot be purged", [_unsound(problem)])

    def _take(self, seq: int, document: dict[str, Any]) -> None:
        if seq in self.ours:
            return
        if document["action"] in ("redacted", "purged"):
            raise Outdated("entries were redacted or purged while the purge was planned")
        self.now.read(seq, document)
        if (scope := scope_of(document)) is None:
            return
        if scope in self.snapshots:
            self.left.read(seq, document)
            self.differs(scope)
        if scope in self.now.states and self.purge.takes_needed(scope, self.now.states[scope], document):
            raise Outdated("a version that the purge would take entries of is needed again")

    def differs(self, scope: str) -> None:
        """Note whether the state of a scope has a text that goes."""
        if scope in self.left.broken:
            raise RegistryError(f"{scope}: {self.left.broken[scope]}")
        if self.left.of(scope) != self.now.of(scope):
            self.changed.add(scope)

    def digests(self, scopes: list[str]) -> dict[str, str]:
        """What binds the states that are kept of scopes."""
        return {altered.hidden(each): altered.digest_of_text(self.snapshots[each].state.encode()) for each in scopes}


def planned(cases: Cases, until: datetime) -> Plan:
    """What goes of the entries of before a time.

    Raises:
        Refused: when that is too young, or the log does not add up.
    """
    with cases.unit_of_work(write=False) as session:
        _require_old(cases, Ledger(session), until)
    with whole_log(cases, lambda snapshots: Until(snapshots, until)) as whole:
        _require_old(cases, Ledger(whole.session), until)
        found, policies = seen(whole), Ledger(whole.session).policy_texts()
    plan = _begun(whole, found, frozenset(map(policy_digest, policies.values())))
    for _, document in documents(cases, 0, plan.tree.size):
        plan.purge.needs(document)
    for _, document in documents(cases, 0, plan.through):
        if plan.purge.goes(document) and (scope := scope_of(document)) is not None:
            plan.texts.setdefault(scope, []).extend(redaction.all_texts(document))
    _fold(cases, plan)
    with cases.unit_of_work(write=False) as session:
        streams = Streams(session)
        plan.noticed, plan.notices = streams.sizes()["notices"], streams.without(plan.texts)
    return plan


def _require_old(cases: Cases, ledger: Ledger, until: datetime) -> None:
    kept = kept_for([*(each.policy.retention for each in ledger.policies()), retention()])
    refuse_if("the log cannot be purged", too_young(until, cases.clock(), kept))


def _begun(whole: Whole[Until], seen: Seen, in_force: frozenset[str]) -> Plan:
    found, replay = seen.answer(), whole.replay
    refuse_if("the log cannot be purged", [_unsound(each) for each in found["problems"][:_MOST_TOLD]])
    replay.end(found["size"])
    purge = Purge({model: live(state) for model, state in replay.states.items()}, set(in_force))
    return Plan(replay.through or 0, purge, in_force, whole.found.tree, replay, Replay())


def _fold(cases: Cases, plan: Plan) -> None:
    """The states of scopes that lose entries, then and now, without the texts that go with them."""
    plan.snapshots = dict(_kept(plan))
    plan.left = Replay(plan.snapshots)
    for seq, document in documents(cases, plan.through, plan.tree.size):
        if scope_of(document) in plan.snapshots:
            plan.left.read(seq, document)
    for scope in plan.snapshots:
        plan.differs(scope)


def _kept(plan: Plan) -> Iterator[tuple[str, Snapshot]]:
    for scope, texts in plan.texts.items():
        state, _ = redaction.without(plan.now.then[scope].as_json(), texts)
        before = plan.now.snapshots.get(scope)
        through = plan.through if before is None else max(plan.through, before.seq)
        yield scope, Snapshot(scope, through, json.dumps(state))


def _unsound(problem: Answer) -> Reason:
    where = f"entry {problem['seq']}: " if problem["seq"] else ""
    mend = "find out who did; what was changed is not to be lost in a purge"
    return Reason("log", "a log that adds up, by registry-hooks audit verify", where + problem["what"], mend)
