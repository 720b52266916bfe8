"""Of all workers and replicas of one database one does the work beside requests, and another when it is gone."""

import threading
import time
from contextlib import contextmanager

import pytest
from support.probes.pace import patience

from registry_hooks.app.background import REMINDER, Background, Complaints, Job
from registry_hooks.identity import require_actor
from registry_hooks.storage.lease import Lease

SOON, PATIENCE = 0.02, 0.6


class Counted:
    """A job that counts its runs, and fails at each when it is told to."""

    def __init__(self, fails: bool = False) -> None:
        self.runs, self.fails, self.actors = 0, fails, set()

    def __call__(self, desk) -> None:
        self.runs += 1
        self.actors.add(require_actor().name)
        if self.fails:
            raise RuntimeError("made for a test")


@contextmanager
def worker(desk, *jobs, **settings):
    made = Background(
        desk,
        tuple(Job(f"job-{n}", SOON, job) for n, job in enumerate(jobs)),
        **{"beat": SOON, "patience": PATIENCE, **settings},
    ).start()
    try:
        yield made
    finally:
        made.stop()


def until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "did not come to be"
        time.sleep(0.005)


def test_one_of_two_workers_does_the_jobs_and_the_other_when_it_ends(any_world):
    desk, first, second = any_world.desk, Counted(), Counted()
    with worker(desk, first) as one:
        until(lambda: first.runs > 1)
        with worker(desk, second) as other:
            runs = first.runs
            until(lambda: first.runs > runs + 20)
            assert one.holding and not other.holding and second.runs == 0
            begun = time.monotonic()
            one.stop()
            until(lambda: second.runs > 0)
            assert time.monotonic() - begun < patience(PATIENCE)  # it was given back, and nobody waited for it
            assert not one.holding and other.holding
    assert first.actors == second.actors == {"registry-hooks"}


def test_a_worker_that_was_killed_is_followed_by_another_after_a_while_and_no_sooner(world):
    with world.store.unit_of_work(write=True) as session:
        lease = Lease(session)
        assert lease.take("of a worker that was killed", lease.seen())
    job, begun = Counted(), time.monotonic()
    with worker(world.desk, job):
        until(lambda: job.runs > 0)
        assert time.monotonic() - begun >= PATIENCE


def test_a_beat_of_another_keeps_the_lease(world):
    def beat(stopped):
        while not stopped.wait(PATIENCE / 10):
            with world.store.unit_of_work(write=True) as session:
                lease = Lease(session)
                lease.take("alive", lease.seen())

    stopped, job = threading.Event(), Counted()
    beats = threading.Thread(target=beat, args=(stopped,), daemon=True)
    beats.start()
    until(lambda: _seen(world).owner == "alive")
    with worker(world.desk, job) as waiting:
        end = time.monotonic() + 3 * PATIENCE
        while time.monotonic() < end:
            assert not waiting.holding
            time.sleep(0.02)
        assert job.runs == 0
        stopped.set()
        beats.join()
        until(lambda: job.runs > 0)


def _seen(world):
    with world.store.unit_of_work(write=False) as session:
        return Lease(session).seen()


def test_a_lease_that_another_took_meanwhile_is_not_taken(any_world):
    with any_world.store.unit_of_work(write=False) as session:
        seen = Lease(session).seen()
    with any_world.store.unit_of_work(write=True) as session:
        assert Lease(session).take("first", seen)
    with any_world.store.unit_of_work(write=True) as session:
        assert Lease(session).take("second", seen) is None
    assert _seen(any_world).owner == "first"


def test_a_job_that_fails_is_logged_and_done_again_and_delays_no_other(world, caplog):
    failing, other, hanging = Counted(fails=True), Counted(), threading.Event()
    with worker(world.desk, failing, other, lambda desk: hanging.wait(30)):
        until(lambda: failing.runs > 2 and other.runs > 2)
        hanging.set()
    assert "job-0 failed" in caplog.text and "made for a test" in caplog.text


def test_a_database_that_does_not_answer_ends_the_work_until_it_does(world, monkeypatch, caplog):
    job, away = Counted(), threading.Event()
    real = world.desk.cases.unit_of_work

    def unit_of_work(*, write):
        if away.is_set():
            raise ConnectionError("gone away")
        return real(write=write)

    monkeypatch.setattr(world.desk.cases, "unit_of_work", unit_of_work)
    with worker(world.desk, job) as only:
        until(lambda: job.runs > 0)
        away.set()
        until(lambda: not only.holding)
        runs = job.runs
        time.sleep(5 * SOON)
        assert job.runs <= runs + 1  # the one that was under way
        away.clear()
        until(lambda: job.runs > runs + 2)
    assert "gone away" in caplog.text


@pytest.mark.parametrize("ended", [False, True])
def test_what_is_stopped_begins_nothing_more(world, ended):
    job = Counted()
    with worker(world.desk, job) as only:
        until(lambda: job.runs > 0)
        only.stop()
        if ended:
            only.stop()  # a second time is no error
        until(lambda: _seen(world).owner == "")
        runs = job.runs
        time.sleep(5 * SOON)
        assert job.runs <= runs + 1


def test_a_failure_that_lasts_is_told_once_again_after_a_while_and_when_it_has_ended(caplog):
    caplog.set_level("WARNING", "registry_hooks.app.background")
    clock = iter([0.0, 1.0, 2.0, 3.0, 2.0 + REMINDER])
    complaints = Complaints("the lease cannot be asked for", lambda: next(clock))
    for kind in (OSError, OSError, ValueError, ValueError, ValueError):
        with complaints:
            raise kind("made for a test")
    assert [(record.levelname, record.exc_info[0]) for record in caplog.records] == [
        ("ERROR", OSError), ("ERROR", ValueError), ("ERROR", ValueError),
    ]  # fmt: skip
    for _ in range(2):
        with complaints:
            assert True
    assert caplog.messages[-1] == "the lease cannot be asked for: 5 times, and no longer" and len(caplog.records) == 4
    with pytest.raises(KeyboardInterrupt), complaints:
        raise KeyboardInterrupt
