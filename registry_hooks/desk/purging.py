"""Old bodies are taken out of the log, as far as nothing that serves or is undecided rests on them.

What goes is found without a lock. It is taken in steps, each a transaction of its own under the locks of all models,
and each with an entry that says what is gone: so decisions wait for a step, and after any step the log adds up. First
come the states that are kept of scopes, a few hundred a step, and then the bodies.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from registry_hooks.desk.answers import Answer
from registry_hooks.desk.grounds.case import Cases, check_text, require_admin
from registry_hooks.desk.grounds.times import moment
from registry_hooks.desk.log.purge_plans import Outdated, Plan, planned
from registry_hooks.errors import Conflict
from registry_hooks.identity import Actor
from registry_hooks.rules.log.altered import Ranges
from registry_hooks.rules.log.retention import count, lots
from registry_hooks.storage.gc_pause import unsearched
from registry_hooks.storage.ledger import Ledger
from registry_hooks.storage.log.rows import StoredLog
from registry_hooks.storage.mlflow_rows import Registry
from registry_hooks.storage.outbox.streams import Streams
from registry_hooks.storage.outbox.targets import Targets
from registry_hooks.storage.retry import again_if_undone

ROWS_AT_ONCE, RANGES_AT_ONCE, STATES_AT_ONCE = 10_000, 1_000, 200
"""Of one step."""
_PLANS = 5
_BREATH = 0.2  # seconds between steps, at least; on SQLite whoever waits looks again ten times a second


@dataclass(frozen=True)
class Step:
    """One transaction of a purge: the scopes whose states are kept, and the entries that lose their bodies."""

    scopes: list[str]
    gone: Ranges


@dataclass
class Done:
    """What a purge has done so far: how many bodies went, and the entries that say so."""

    count: int = 0
    entries: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Purging:
    """What administrators may take out of the log by its age."""

    cases: Cases

    def purge_plan(self, before: str) -> Answer:
        """What `purge` would take. Administrators only."""
        require_admin("the log is purged")
        with unsearched():
            return _told(planned(self.cases, moment("before", before)))

    def purge(self, before: str, reason: str) -> Answer:
        """Take out the bodies of entries of before a time; nothing that is younger than policies and the server keep.

        Leaf hashes stay, and so do the states that the entries are folded into, and the entries of what serves or is
        undecided. Entries say what is gone, and bind it. Administrators only.
        """
        actor = require_admin("the log is purged")
        check_text("reason", reason, required=True)
        done, said = Done(), {"before": before, "reason": reason}
        with unsearched():
            for left in reversed(range(_PLANS)):
                plan = planned(self.cases, moment("before", before))
                if not plan.purge.gone and not done.entries:
                    raise Conflict(
                        "there is nothing to purge: all entries of before that time are gone or still needed"
                    )
                try:
                    self._carry_out(plan, actor, said, done)
                    break
                except Outdated:
                    if not left:
                        raise
        return {**_told(plan), "count": done.count, "entry": done.entries[-1], "entries": done.entries}

    def _carry_out(self, plan: Plan, actor: Actor, said: dict[str, str], done: Done) -> None:
        with self.cases.unit_of_work(write=False) as session:
            plan.catch_up(Ledger(session))
        took = None
        for step in _steps(plan):
            if took is not None:
                time.sleep(max(_BREATH, took))
            begun = time.monotonic()
            seq = self._take(plan, step, actor, said)
            took = time.monotonic() - begun
            plan.ours.add(seq)
            done.entries.append(seq)
            done.count += count(step.gone)

    @again_if_undone
    def _take(self, plan: Plan, step: Step, actor: Actor, said: dict[str, str]) -> int:
        with self.cases.unit_of_work(write=True) as session:
            ledger = Ledger(session)
            ledger.lock_policies()
            Registry(session).lock_all()
            plan.catch_up(ledger)
            _keep_states(session, ledger, plan, step)
            Targets(session).forget_errors()
            StoredLog(session).purge(step.gone, ledger.next_seq)
            body = {**_told(plan), "count": count(step.gone), "purged": step.gone, "states": plan.digests(step.scopes)}
            entry = ledger.append("purged", actor, self.cases.clock(), model=None, version=None, body={**body, **said})
        return entry.seq


def _steps(plan: Plan) -> Iterator[Step]:
    """All states are kept before the first body goes; the last of them in one step with it."""
    scopes, bodies = sorted(plan.snapshots), lots(plan.purge.gone, ROWS_AT_ONCE, RANGES_AT_ONCE)
    states = [scopes[at : at + STATES_AT_ONCE] for at in range(0, len(scopes), STATES_AT_ONCE)] or [[]]
    yield from (Step(some, []) for some in states[:-1])
    yield from (Step(states[-1] if not number else [], some) for number, some in enumerate(bodies))


def _keep_states(session: Any, ledger: Ledger, plan: Plan, step: Step) -> None:
    """The states of scopes that lose entries, without the texts that go with them; and what is told of them."""
    ledger.snapshots.put(*(plan.snapshots[scope] for scope in step.scopes))
    for scope in plan.changed.intersection(step.scopes):
        ledger.save_state(scope, plan.left.of(scope))
    if step.scopes and step.gone:
        streams = Streams(session)
        streams.rewrite({**plan.notices, **streams.without(plan.texts, after=plan.noticed)})


def _told(plan: Plan) -> Answer:
    return {"through": plan.through, "count": plan.purge.count, "kept": plan.purge.kept}
