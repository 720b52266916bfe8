"""Who is told of changes: targets are added, listed, tried and removed; a courier tells them."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import wraps
from hashlib import sha256
from typing import Any, ParamSpec

from registry_hooks.desk.answers import Answer
from registry_hooks.desk.grounds.case import Cases, require_admin
from registry_hooks.errors import Conflict, Invalid, NotFound, Reason
from registry_hooks.identity import Actor
from registry_hooks.notify.contract import Undelivered
from registry_hooks.notify.courier import Courier
from registry_hooks.notify.falling_due import FallingDue
from registry_hooks.notify.kinds import KINDS
from registry_hooks.notify.sealing import sealed
from registry_hooks.records import Action, Entry
from registry_hooks.rules.telling.events import EVENTS, Chosen, Event
from registry_hooks.rules.telling.messages import Message
from registry_hooks.storage.ledger import Ledger
from registry_hooks.storage.outbox import webhooks
from registry_hooks.storage.outbox.streams import STREAMS, Streams
from registry_hooks.storage.outbox.targets import Kind, Line, Target, Targets
from registry_hooks.storage.retry import again_if_undone, or_logged

P = ParamSpec("P")
MOST_TARGETS = 50  # each may keep a thread busy


@dataclass(frozen=True)
class Notifying:
    """Targets, for administrators: what they are told leaves the house."""

    cases: Cases
    courier: Courier = field(init=False)
    falling_due: FallingDue = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "falling_due", FallingDue(self.cases.unit_of_work, self.cases.clock))
        object.__setattr__(self, "courier", Courier(self.cases.unit_of_work, self.cases.clock))

    @again_if_undone
    def notify_add(
        self,
        name: str,
        kind: Kind,
        address: str = "",
        events: Sequence[Event] = EVENTS,
        models: Sequence[str] = ("*",),
    ) -> Answer:
        """Begin to tell a target of every change from now on; its secret is in this answer, and in no other."""
        actor = require_admin("targets are added")
        kept, shown = KINDS[kind].checked(address), KINDS[kind].shown(address)
        chosen = Chosen(events=tuple(dict.fromkeys(events)), models=tuple(dict.fromkeys(models)))
        encrypted = sealed(kept) if kept else None
        with self.cases.unit_of_work(write=True) as session:
            ledger, targets = Ledger(session), Targets(session)
            ledger.lock_policies()
            _refuse_more(targets.all(), name)
            seq, now = ledger.next_seq, self.cases.clock()
            target = Target(
                f"T-{seq}", name, kind, shown, encrypted, chosen, actor.name, now.isoformat(),
                {**Streams(session).sizes(), "ledger": seq},
            )  # fmt: skip
            targets.add(target)
            entry = self._note(ledger, "notify-added", actor, target)
        return {"target": _shown(target), "secret": kept.get("secret"), "entry": entry.seq}

    def of_tampering(self, look: Callable[P, Answer]) -> Callable[P, Answer]:
        """Have targets told of the problems that ``look`` finds: of the same ones once a day."""

        @wraps(look)
        def looking(*arguments: P.args, **options: P.kwargs) -> Answer:
            answer = look(*arguments, **options)
            if answer["problems"]:
                with or_logged("what was found wrong could not be noted for targets"):
                    self._note_tampering(answer)
            return answer

        return looking

    def tell_tampering(self, what: str) -> None:
        """Have targets told of what work beside requests found wrong."""
        with or_logged("what was found wrong could not be noted for targets"):
            self._note_tampering({"problems": [{"seq": None, "what": what}]})

    @again_if_undone
    def _note_tampering(self, answer: Answer) -> None:
        told = [_problem(each) for each in answer["problems"]]
        now, model = self.cases.clock(), answer.get("model")
        said = sha256("\n".join([f"{now:%Y-%m-%d}", str(model), *sorted(told)]).encode()).hexdigest()
        summary = f"what is there is not what the ledger says: {told[0][:300]}"
        summary += f"; and {len(told) - 1} more" if len(told) > 1 else ""
        body = {"summary": summary, "problems": [each[:300] for each in told[:20]], "version": None}
        with self.cases.unit_of_work(write=True) as session:
            Streams(session).note(said, "tampering-seen", model, now, body)

    def hear_webhooks(self, session: Any) -> None:
        """In the unit of work that made a webhook of MLflow's: it hears from there on."""
        webhooks.take_in(session)

    def notify_list(self) -> Answer:
        """Every target, how far each has heard, and what it does not take."""
        require_admin("targets are listed")
        with self.cases.unit_of_work(write=False) as session:
            targets, streams = Targets(session), Streams(session)
            sizes, held = streams.sizes(), targets.all_lines()
            found = []
            for each in targets.all():
                lines = [line for target_id, line in held if target_id == each.id]
                found.append({**_shown(each), **_behind(each, lines, streams, sizes)})
        return {"targets": found}

    def notify_test(self, name: str) -> Answer:
        """Send a target a message that says it is a test, now; ``found`` is why it was not taken."""
        actor = require_admin("targets are tried")
        with self.cases.unit_of_work(write=False) as session:
            target = _found(Targets(session), name)
            _refuse_mlflows(target, "MlflowClient().test_webhook tries it")
            try:
                send = KINDS[target.kind].open(target, session)
            except Undelivered as error:
                return {"target": _shown(target), "ok": False, "found": str(error)}
        now = self.cases.clock()
        data = {"event": "test", "summary": "a test: nothing has changed", "actor": actor.name, "model": None}
        message = Message(f"test-{uuid.uuid4().hex}", "other", now, data)
        try:
            if send is None:
                raise Undelivered("it is turned off")
            send(message)
        except Undelivered as error:
            return {"target": _shown(target), "ok": False, "found": str(error)}
        return {"target": _shown(target), "ok": True, "found": "it was taken"}

    @again_if_undone
    def notify_remove(self, name: str) -> Answer:
        """Tell a target no more; what waits for it is not sent."""
        actor = require_admin("targets are removed")
        with self.cases.unit_of_work(write=True) as session:
            ledger, targets = Ledger(session), Targets(session)
            ledger.lock_policies()
            target = _found(targets, name)
            _refuse_mlflows(target, "MlflowClient().delete_webhook ends it")
            targets.remove(target.id)
            entry = self._note(ledger, "notify-removed", actor, target)
        return {"target": _shown(target), "entry": entry.seq}

    def _note(self, ledger: Ledger, action: Action, actor: Actor, target: Target) -> Entry:
        return ledger.append(action, actor, self.cases.clock(), model=None, version=None, body=_shown(target))


def _problem(found: Answer | str) -> str:
    if isinstance(found, str):
        return found
    return found["what"] if found["seq"] is None else f"entry {found['seq']}: {found['what']}"


def _refuse_more(there: list[Target], name: str) -> None:
    if any(each.name == name for each in there):
        raise Conflict(f"there is a target {name!r} already; registry-hooks notify remove {name} ends it")
    if len([each for each in there if each.kind != "mlflow"]) >= MOST_TARGETS:
        reason = Reason("targets", f"at most {MOST_TARGETS}", str(len(there)), "remove one that nobody needs")
        raise Invalid("the target cannot be added", [reason])


def _found(targets: Targets, name: str) -> Target:
    found = next((each for each in targets.all() if each.name == name), None)
    if found is None:
        raise NotFound(f"there is no target {name[:80]!r}; registry-hooks notify list shows them")
    return found


def _refuse_mlflows(target: Target, mend: str) -> None:
    if target.kind == "mlflow":
        found = f"{target.name}, a webhook that MLflow keeps"
        raise Invalid("MLflow keeps its webhooks itself", [Reason("kind", "a target that was added here", found, mend)])


def _shown(target: Target) -> Answer:
    return {
        "id": target.id,
        "name": target.name,
        "kind": target.kind,
        "address": target.address,
        "events": list(target.chosen.events),
        "models": list(target.chosen.models),
    }


def _behind(target: Target, lines: list[Line], streams: Streams, sizes: dict[Any, int]) -> Answer:
    """How much waits, since when, and why."""
    failing = max((target.failing, *(line.failing for line in lines)), key=lambda each: each.failures)
    since = [each for each in (target.failing.since, *(line.failing.since for line in lines)) if each]
    return {
        "added_by": target.added_by,
        "added_at": target.added_at,
        "waiting": sum(sizes[stream] - target.done_to[stream] for stream in STREAMS)
        + sum(streams.waiting(line.stream, line.name, line.done_to, target.done_to[line.stream]) for line in lines),
        "held": [line.name for line in lines],
        "failing_since": _moment(min(since, default=None)),
        "failures": failing.failures,
        "retry_at": _moment(failing.retry_at or None),
        "error": failing.error or None,
    }


def _moment(milliseconds: int | None) -> str | None:
    if milliseconds is None:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, timezone.utc).isoformat().replace("+00:00", "Z")
