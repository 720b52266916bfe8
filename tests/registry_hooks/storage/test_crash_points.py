"""A process that ends at any statement of a unit of work leaves all of it or nothing.

Each case is forked: the child does one thing and ends, without a word to the database, right before or right after its
n-th statement or commit. The parent then holds registry, stages and ledger against each other and against what was
before; some n is beyond the last statement, and there the child comes through.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

import pytest
import sqlalchemy as sa
from support.databases import facts
from support.world import MODEL, POLICY, World

from registry_hooks.identity import Actor
from registry_hooks.storage.ledger import Ledger

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
THROUGH, CRASHED, FAILED = 0, 9, 1
EVERY = int(os.environ.get("REGISTRY_HOOKS_EVERY_CRASH_POINT", "23"))  # 1 for each point, as `make soak` does


@dataclass
class Crash:
    """Ends this process at the ``at``-th point: each statement and each commit has one before it and one after."""

    at: int
    passed: int = 0

    def point(self, *_anything: object) -> None:
        if self.passed == self.at:
            os._exit(CRASHED)
        self.passed += 1

    def install(self, engine: sa.Engine) -> None:
        sa.event.listen(engine, "before_cursor_execute", self.point)
        sa.event.listen(engine, "after_cursor_execute", self.point)
        commit = engine.dialect.do_commit

        def crashing_commit(connection: object) -> None:
            self.point()
            commit(connection)
            self.point()

        engine.dialect.do_commit = crashing_commit


def register(world: World) -> None:
    with world.acting("ana"):
        world.client.create_model_version(MODEL, "file:///tmp/x")


def delete(world: World) -> None:
    with world.acting("ana"):
        world.client.delete_model_version(MODEL, "4")


def nominate(world: World) -> None:
    with world.acting("ana"):
        world.desk.nominate(MODEL, 3)


def request(world: World) -> None:
    with world.acting("ana"):
        world.desk.request(MODEL, 3, "please")


def approve(world: World) -> None:
    world.approve(3, "mei")


def promote(world: World) -> None:
    with world.acting("ana"):
        world.client.set_registered_model_alias(MODEL, "champion", "3")


def rollback(world: World) -> None:
    with world.acting("oncall"):
        world.desk.rollback(MODEL, "complaints")


def apply(world: World) -> None:
    world.govern(POLICY.replace(f"[{MODEL}]", f"[{MODEL}, second]"))


def account(world: World) -> None:
    world.desk.keeping.account_change(Actor("boss", "test"), "user-created", {"user": "raj"})


def redact(world: World) -> None:
    with world.store.unit_of_work(write=False) as session:
        seq = [entry.seq for entry in Ledger(session).entries(MODEL) if entry.action == "requested"][-1]
    with world.acting("admin"):
        world.desk.redact(seq, "comment", "names a person")


def purge(world: World) -> None:
    world.later(days=400)
    with world.acting("admin"):
        world.desk.purge((world.now - timedelta(days=200)).isoformat(), "kept for long enough")


STORY: list[Callable[[World], None]] = [
    account, register, delete, nominate, request, approve, promote, rollback, apply, redact, purge,
]  # fmt: skip


def crash_in_child(world: World, act: Callable[[World], None], at: int) -> int:
    """Fork, and let ``act`` end at point ``at``; how the child ended."""
    world.store.engine.dispose()
    pid = os.fork()
    if pid == 0:
        with suppress(BaseException):  # whatever happens, the child must never return into pytest
            signal.alarm(60)
            world.store.engine.dispose(close=False)
            Crash(at).install(world.store.engine)
            act(world)
            os._exit(THROUGH)
        os._exit(FAILED)
    _pid, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def test_a_process_that_ends_at_any_statement_leaves_all_or_nothing(any_world):
    world = any_world
    world.govern()
    world.register(4)
    with world.acting("ana"):
        world.client.create_registered_model("second")
    world.promote(1)
    world.promote(2)
    points = 0
    for act in STORY:
        if act is approve:
            world.approve(3, "raj")
        at, before = 0, facts(world.store.engine)
        while (ended := crash_in_child(world, act, at)) != THROUGH:
            assert ended == CRASHED, f"{act.__name__} failed by itself at point {at}"
            world.assert_sound()
            points, after = points + 1, facts(world.store.engine)
            if after != before:
                assert after[0] != before[0] and len(after[0]) > len(before[0]), f"{act.__name__} at {at}: no entry"
                break  # it was committed: what follows in this call only reads
            at += EVERY
        world.assert_sound()
        assert facts(world.store.engine) != before, f"{act.__name__} changed nothing"
    assert points > len(STORY)
    assert world.roles() == {"champion": 2, "challenger": 1, "fallback": 1}
