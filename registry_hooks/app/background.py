"""The work beside requests: jobs that one worker of all workers and replicas of a database does, each at its own pace.

Every worker has a thread that keeps or wants the lease (`registry_hooks.storage.lease`). While a worker holds it, each
job of `JOBS` runs in a thread of its own, so that a slow one delays no other. The holder beats every second; when it is
killed, another worker has the lease ``PATIENCE`` seconds later. For a moment two workers may do the same job: every job
is one that may be done twice. A job that fails is done again at its next turn. The log says so once, and again after
``REMINDER`` seconds: a database that is away for a night fills no disk.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from multiprocessing import util
from typing import Any

from registry_hooks.app.governed import governed_desk
from registry_hooks.desk import Desk
from registry_hooks.identity import SYSTEM, acting_as
from registry_hooks.storage.lease import Lease, Seen

BEAT = 1.0  # seconds between two looks at the lease
PATIENCE = 5.0  # seconds without a beat after which a lease is anybody's
REMINDER = 600.0  # seconds after which a failure that lasts is told again

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """What is done beside requests.

    Args:
        name: for the log.
        every: seconds between the end of one run and the next.
        run: does it, as the server itself; must not hold a transaction open while it waits for a network.
    """

    name: str
    every: float
    run: Callable[[Desk], None]


def _sign_the_head(desk: Desk) -> None:
    desk.checkpointing.keep()


JOBS: tuple[Job, ...] = (
    Job("checkpoint", 1.0, _sign_the_head),
    Job("notify", 0.25, lambda desk: desk.notifying.courier.round()),
    Job("reviews", 10.0, lambda desk: desk.notifying.falling_due.look()),
)
"""All jobs."""


class Background:
    """Keeps the lease where it can, and runs the jobs while it has it.

    Args:
        desk: whose database the lease is in.
        jobs: what to run.
        beat: seconds between two looks at the lease.
        patience: seconds without a beat after which another's lease is taken.
    """

    def __init__(
        self, desk: Desk, jobs: tuple[Job, ...] = JOBS, beat: float = BEAT, patience: float = PATIENCE
    ) -> None:
        self._desk, self._jobs, self._beat, self._patience = desk, jobs, beat, patience
        self._owner = uuid.uuid4().hex
        self._seen: Seen | None = None
        self._seen_since = 0.0
        self._holding, self._ended = threading.Event(), threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="registry-hooks-lease", daemon=True)

    def start(self) -> Background:
        """Begin, in threads that do not keep the process from ending."""
        threads = [self._keeper]
        threads += [
            threading.Thread(target=self._work, args=(job,), name=f"registry-hooks-{job.name}", daemon=True)
            for job in self._jobs
        ]
        for thread in threads:
            thread.start()
        return self

    def stop(self) -> None:
        """End, and give the lease back, so that another need not wait for it."""
        self._ended.set()
        self._keeper.join(self._patience)  # a beat that is under way would move the lease on after it was given back
        if self._keeper.is_alive() or self._seen is None or self._seen.owner != self._owner:
            return
        unit_of_work = self._desk.cases.unit_of_work
        with Complaints("the lease could not be given back"), unit_of_work(write=True) as session:
            self._seen = Lease(session).take("", self._seen)

    @property
    def holding(self) -> bool:
        """Whether this is the worker that does the jobs."""
        return self._holding.is_set()

    def _keep(self) -> None:
        complaints = Complaints("the lease cannot be asked for")
        while not self._ended.is_set():
            held = False
            with complaints:
                held = self._held()
            (self._holding.set if held and not self._ended.is_set() else self._holding.clear)()
            self._ended.wait(self._beat)
        self._holding.clear()

    def _held(self) -> bool:
        with self._desk.cases.unit_of_work(write=False) as session:
            seen = Lease(session).seen()
        now = time.monotonic()
        if seen != self._seen:
            self._seen, self._seen_since = seen, now
        if seen.owner not in ("", self._owner) and now - self._seen_since < self._patience:
            return False
        with self._desk.cases.unit_of_work(write=True) as session:
            taken = Lease(session).take(self._owner, seen)
        if taken is not None:
            self._seen, self._seen_since = taken, now
        return taken is not None

    def _work(self, job: Job) -> None:
        complaints = Complaints(f"{job.name} failed, and is done again every {job.every:g} s")
        while not self._ended.wait(job.every):
            if self._holding.is_set():
                with complaints, acting_as(SYSTEM):
                    job.run(self._desk)


class Complaints:
    """Any error is logged and goes no further: a background thread has nobody above it.

    An error of one kind is told when it begins, every ``REMINDER`` seconds while it lasts, and when it has ended.

    Args:
        told: what an error means.
        clock: gives seconds that only grow.
    """

    def __init__(self, told: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._told, self._clock = told, clock
        self._kind: type[BaseException] | None = None
        self._said_at = 0.0
        self._times = 0

    def __enter__(self) -> None:
        """Nothing is logged yet."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        if kind is None:
            if self._kind is not None:
                _logger.warning("%s: %d times, and no longer", self._told, self._times)
            self._kind, self._times = None, 0
            return False
        if not issubclass(kind, Exception):
            return False
        self._times += 1
        now = self._clock()
        if kind is not self._kind or now - self._said_at >= REMINDER:
            _logger.error("%s (%d times now): %s", self._told, self._times, error, exc_info=error)
            self._kind, self._said_at = kind, now
        return True


def begin(app: Any) -> None:
    """Begin in this process, and with the first request in each that is forked off it and serves ``app`` (Flask's)."""
    app.before_request(partial(_begin_once, app))
    _begin_once(app)


def _begin_once(app: Any) -> None:
    name = f"registry-hooks-background-{os.getpid()}"
    if name not in app.extensions:
        app.extensions[name] = background = Background(governed_desk()).start()
        util.Finalize(None, background.stop, exitpriority=10)  # unlike atexit's, called in forked processes as well
