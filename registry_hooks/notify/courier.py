"""Tells every target all that it chose, at least once, and in order within a line.

A target has a number up to which it has heard each stream. What it does not take is *held*: the line (a model's
entries, say) stands still at that message, and is tried again after a pause that grows; other lines go on. So a message
that a receiver never takes delays its own line, and nothing else. Where what is new fails one line after the other, the
whole target is given a pause that grows as well. Nothing is ever given up.

Each target is told in a thread of its own, so that none waits for another. What is to be sent is read in one unit of
work, sent in none, and noted in a second, which is refused where somebody else has noted more meanwhile. A courier that
is killed between the two sends a message again, under the same id.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple

from registry_hooks.notify.contract import Send, TargetKind, Undelivered
from registry_hooks.notify.kinds import KINDS
from registry_hooks.notify.making import made
from registry_hooks.rules.telling.messages import Message
from registry_hooks.storage.outbox import webhooks
from registry_hooks.storage.outbox.streams import STREAMS, Item, Stream, Streams
from registry_hooks.storage.outbox.targets import Failing, Kind, Line, Target, Targets

BATCH = 50  # items that are read, sent and noted together
LONGEST = 1.0  # seconds after which what was sent is noted, though there is more
_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Work:
    """What is to be sent to a target now.

    Args:
        target: as it was read.
        items: what there is, in order, each with its message; None for what it did not choose, or has held.
        done_to: how far it has heard the streams when all of it is sent; None where ``line`` says so.
        line: the held line that the items are of.
        last: whether there was no more when it was read.
        send: what sends.
    """

    target: Target
    items: list[tuple[Item, Message | None]]
    done_to: dict[Stream, int]
    send: Send | None
    line: Line | None = None
    last: bool = False
    failed: tuple[Item, Undelivered] | None = field(default=None)


class Outcome(NamedTuple):
    """Whether there may be more to send at once, and whether the target has lines that are held."""

    more: bool = False
    lines: bool = False


class Courier:
    """Delivers what the streams hold to all targets.

    Args:
        unit_of_work: opens a transaction on the registry's database.
        clock: gives the time in UTC.
        kinds: how each kind of target is told.
    """

    def __init__(
        self,
        unit_of_work: Callable[..., Any],
        clock: Callable[[], datetime],
        kinds: Mapping[Kind, TargetKind] = KINDS,
    ) -> None:
        self._unit_of_work, self._clock, self._kinds = unit_of_work, clock, kinds
        self._busy: set[str] = set()
        self._alone: dict[str, Failing] = {}  # targets of which not even a failure could be noted
        self._lock = threading.Lock()

    def round(self) -> None:
        """Begin to tell each target for which there is something, unless it is being told already."""
        self.take_in_webhooks()
        now = self._now()
        for target_id in self.due():
            with self._lock:
                if target_id in self._busy or not self._alone.get(target_id, Failing()).is_due(now):
                    continue
                self._busy.add(target_id)
            threading.Thread(target=self._tell_alone, args=(target_id,), name=f"tell-{target_id}", daemon=True).start()

    def take_in_webhooks(self) -> None:
        """Make targets of MLflow's webhooks that were made past the store, and forget those that are gone."""
        with self._unit_of_work(write=False) as session:
            same = not webhooks.unlike(session, Targets(session).all())
        if not same:
            with self._unit_of_work(write=True) as session:
                webhooks.take_in(session)

    def due(self) -> list[str]:
        """Ids of the targets for which there is something now."""
        now = self._now()
        with self._unit_of_work(write=False) as session:
            targets, sizes = Targets(session), Streams(session).sizes()
            waiting = {target_id for target_id, line in targets.all_lines() if line.failing.is_due(now)}
            return [
                each.id
                for each in targets.all()
                if each.failing.is_due(now)
                and (each.id in waiting or any(each.done_to[stream] < sizes[stream] for stream in STREAMS))
            ]

    def tell(self, target_id: str) -> None:
        """Tell a target all that it can be told now."""
        more = True
        while more:  # what is new first; then, however much of it there is, one line that was held
            fresh = self._batch(target_id, self._fresh)
            held = self._batch(target_id, self._held) if fresh.lines else Outcome()
            more = fresh.more or held.more

    def _tell_alone(self, target_id: str) -> None:
        try:
            self.tell(target_id)
            self._alone.pop(target_id, None)
        except Exception as error:  # nobody is above this thread
            # On a full disk, say: what was sent is not noted, and would be sent again four times a second.
            _logger.error("target %s is left alone for a while: %s", target_id, error, exc_info=error)
            self._alone[target_id] = self._alone.get(target_id, Failing()).again(self._now(), str(error))
        finally:
            with self._lock:
                self._busy.discard(target_id)

    def _batch(self, target_id: str, part: Callable[[Target, list[Line], Any], Work | None]) -> Outcome:
        """Send what there is, up to ``BATCH`` items."""
        with self._unit_of_work(write=False) as session:
            target = Targets(session).get(target_id)
            if target is None or not target.failing.is_due(self._now()):
                return Outcome()
            lines = Targets(session).lines(target_id)
            work = part(target, lines, session)
        if work is None:
            return Outcome(lines=bool(lines))
        sent, failed = _sent(work)
        with self._unit_of_work(write=True) as session:
            noted = _note(work, sent, failed, Targets(session), self._now())
        done = work.last and work.line is None and len(sent) == len(work.items)
        return Outcome(more=noted and failed is None and not done, lines=bool(lines))

    def _fresh(self, target: Target, lines: list[Line], session: Any) -> Work | None:
        streams, held = Streams(session), {(line.stream, line.name) for line in lines}
        items = [item for stream in STREAMS for item in streams.items(stream, target.done_to[stream], BATCH)]
        if not items:
            return None
        done_to = {**target.done_to, **{item.stream: item.number for item in items}}
        open_ = [item for item in items if (item.stream, item.line) not in held]
        last = all(sum(item.stream == stream for item in items) < BATCH for stream in STREAMS)
        return self._made(Work(target, [(item, None) for item in open_], done_to, None, last=last), session)

    def _held(self, target: Target, lines: list[Line], session: Any) -> Work | None:
        line = next((each for each in lines if each.failing.is_due(self._now())), None)
        if line is None:
            return None
        upto = target.done_to[line.stream]
        items = Streams(session).items(line.stream, line.done_to, BATCH, line=line.name, upto=upto)
        work = Work(target, [(item, None) for item in items], target.done_to, None, line, len(items) < BATCH)
        return self._made(work, session)

    def _made(self, work: Work, session: Any) -> Work:
        """The work with its messages, up to the first that cannot be made."""
        wanted: list[tuple[Item, Message | None]] = []
        send: Send | None = None
        for item, _ in work.items:
            event = work.target.chosen.event_for(item.events, item.model)
            try:
                if event is not None and send is None:
                    send = self._kinds[work.target.kind].open(work.target, session)
                message = made(item, event, session, server_address()) if event is not None and send else None
            except Undelivered as error:
                return replace(work, items=wanted, send=send, failed=(item, error))
            wanted.append((item, message))
        return replace(work, items=wanted, send=send)

    def _now(self) -> int:
        return int(self._clock().timestamp() * 1000)


def server_address() -> str:
    """Where people reach this server's pages, as the operator says; empty where nobody does."""
    return os.environ.get("REGISTRY_HOOKS_PUBLIC_URL", "")


def _sent(work: Work) -> tuple[list[Item], tuple[Item, Undelivered] | None]:
    """The items that are done with, in order, and the first that was not taken."""
    done: list[Item] = []
    until = time.monotonic() + LONGEST
    for item, message in work.items:
        if message is not None and work.send is not None:
            try:
                work.send(message)
            except Undelivered as error:
                return done, (item, error)
            except Exception as error:  # of the code that sends, which is somebody else's: noted as any other failure
                _logger.error("target %s: %s", work.target.name, error, exc_info=error)
                return done, (item, Undelivered(f"{type(error).__name__}: {error}"))
        done.append(item)
        if time.monotonic() >= until and len(done) < len(work.items):
            return done, None
    return done, work.failed


def _note(work: Work, sent: list[Item], failed: tuple[Item, Undelivered] | None, targets: Targets, now: int) -> bool:
    """Write down how far the target has heard; False where somebody else did meanwhile, or it was removed."""
    told = any(message is not None for _, message in work.items[: len(sent)])
    before = Failing() if told else work.target.failing
    if work.line is not None:  # which waits by itself, and does not make the target wait
        if not targets.move(work.target, work.target.done_to, before):
            return False
        _note_line(work, work.line, sent, failed, targets, now)
        return True
    failing = _again(before, now, failed[1]) if failed else before
    if failed is None and len(sent) == len(work.items):
        return targets.move(work.target, work.done_to, failing)
    done_to = {**work.target.done_to, **{each.stream: each.number for each in sent}}
    if failed is None:
        return targets.move(work.target, done_to, failing)
    item, error = failed
    # The target goes on behind it, and its line is held: what follows in it stays behind it.
    if not targets.move(work.target, {**done_to, item.stream: item.number}, failing):
        return False
    targets.hold(work.target.id, [Line(item.stream, item.line, item.number - 1, _again(Failing(), now, error))])
    return True


def _again(before: Failing, now: int, error: Undelivered) -> Failing:
    return before.again(now, str(error), error.wait)


def _note_line(
    work: Work, line: Line, sent: list[Item], failed: tuple[Item, Undelivered] | None, targets: Targets, now: int
) -> None:
    done_to = sent[-1].number if sent else line.done_to
    if failed is not None:
        before = Failing(since=line.failing.since) if sent else line.failing
        targets.hold(work.target.id, [replace(line, done_to=done_to, failing=_again(before, now, failed[1]))])
    elif work.last and len(sent) == len(work.items):
        targets.free(work.target.id, line)
    else:
        targets.hold(work.target.id, [replace(line, done_to=done_to, failing=Failing(since=line.failing.since))])
