"""Old bodies are taken out of the log, as far as nothing that serves or is undecided rests on them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from registry_hooks.desk.answers import Answer
from registry_hooks.desk.grounds.case import Cases, check_text, refuse_if, require_admin
from registry_hooks.desk.grounds.times import moment
from registry_hooks.desk.reading import audited
from registry_hooks.errors import Conflict, Reason
from registry_hooks.records import AccountsState, ModelState, TrustState
from registry_hooks.rules.log import altered, redaction
from registry_hooks.rules.log.merkle import scope_of
from registry_hooks.rules.log.retention import Purge, kept_for, live, too_young
from registry_hooks.storage.gc_pause import unsearched
from registry_hooks.storage.ledger import Ledger
from registry_hooks.storage.log.outside import retention
from registry_hooks.storage.log.rows import StoredLog
from registry_hooks.storage.mlflow_rows import Registry
from registry_hooks.storage.outbox.streams import Streams
from registry_hooks.storage.replay import Replay, replayed
from registry_hooks.storage.retry import again_if_undone
from registry_hooks.storage.snapshots import Snapshot

_MOST_TOLD = 20
State = ModelState | TrustState | AccountsState


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
    """What a purge takes, and the states that it keeps."""

    through: int
    purge: Purge
    then: dict[str, State]
    texts: dict[str, list[redaction.Text]] = field(default_factory=dict)


@dataclass(frozen=True)
class Purging:
    """What administrators may take out of the log by its age."""

    cases: Cases

    def purge_plan(self, before: str) -> Answer:
        """What `purge` would take. Administrators only."""
        require_admin("the log is purged")
        with unsearched(), self.cases.unit_of_work(write=False) as session:
            return _told(self._plan(session, before))

    @again_if_undone
    def purge(self, before: str, reason: str) -> Answer:
        """Take out the bodies of entries of before a time; nothing that is younger than policies and the server keep.

        Leaf hashes stay, and so do the states that the entries are folded into, and the entries of what serves or is
        undecided. One entry says what is gone, and binds it. Administrators only.
        """
        actor = require_admin("the log is purged")
        check_text("reason", reason, required=True)
        with unsearched(), self.cases.unit_of_work(write=True) as session:
            ledger, registry = Ledger(session), Registry(session)
            ledger.lock_policies()
            registry.lock_all()
            plan = self._plan(session, before)
            if not plan.purge.gone:
                raise Conflict("there is nothing to purge: all entries of before that time are gone or still needed")
            by = ledger.next_seq
            _keep_states(ledger, plan)
            StoredLog(session).purge(plan.purge.gone, by)
            _refold(ledger, plan)
            for scope, texts in plan.texts.items():
                Streams(session).take_out(scope, texts)
            bound = {
                altered.hidden(scope): altered.digest_of_text(each.state.encode())
                for scope, each in ledger.snapshots.all().items()
            }
            body = {**_told(plan), "purged": plan.purge.gone, "states": bound, "before": before, "reason": reason}
            entry = ledger.append("purged", actor, self.cases.clock(), model=None, version=None, body=body)
        return {**_told(plan), "entry": entry.seq}

    def _plan(self, session: Any, before: str) -> Plan:
        ledger, until = Ledger(session), moment("before", before)
        kept = kept_for([*(each.policy.retention for each in ledger.policies()), retention()])
        refuse_if("the log cannot be purged", too_young(until, self.cases.clock(), kept))
        replay = Until(ledger.snapshots.all(), until)
        found = audited(session, replay)
        refuse_if("the log cannot be purged", [_unsound(each) for each in found["problems"][:_MOST_TOLD]])
        replay.end(found["size"])
        return _chosen(ledger, replay)


def _chosen(ledger: Ledger, replay: Until) -> Plan:
    """Which entries go, of those that were read."""
    through = replay.through or 0
    purge = Purge(
        {model: live(state) for model, state in replay.states.items()}, {each.digest for each in ledger.policies()}
    )
    plan = Plan(through, purge, replay.then)
    for row in ledger.rows(0, through):
        document = json.loads(row.entry)
        if altered.purged_by(document) is None:
            purge.needs(document)
    for row in ledger.rows(0, through):
        document = json.loads(row.entry)
        if altered.purged_by(document) is None and purge.goes(document) and (scope := scope_of(document)) is not None:
            plan.texts.setdefault(scope, []).extend(redaction.all_texts(document))
    return plan


def _unsound(problem: Answer) -> Reason:
    where = f"entry {problem['seq']}: " if problem["seq"] else ""
    mend = "find out who did; what was changed is not to be lost in a purge"
    return Reason("log", "a log that adds up, by registry-hooks audit verify", where + problem["what"], mend)


def _told(plan: Plan) -> Answer:
    return {"through": plan.through, "count": plan.purge.count, "kept": plan.purge.kept}


def _keep_states(ledger: Ledger, plan: Plan) -> None:
    """The states of scopes that lose entries, without the texts that go with them."""
    for scope, texts in plan.texts.items():
        state, _ = redaction.without(plan.then[scope].as_json(), texts)
        ledger.snapshots.put(Snapshot(scope, plan.through, json.dumps(state)))


def _refold(ledger: Ledger, plan: Plan) -> None:
    newest = ledger.scopes()
    for scope in plan.texts:
        ledger.save_state(scope, replayed(ledger, scope), newest.get(scope, plan.through))
