"""The work beside requests: jobs that one worker of all workers and replicas of a database does, each at its own pace.

Every worker has a thread that keeps or wants the lease (`registry_hooks.storage.lease`). While a worker holds it, each
job of `JOBS` runs in a thread of its own, so that a slow one delays no other. The holder beats every second; when it is
killed, another worker has the lease ``PATIENCE`` seconds later. For a moment two workers may do the same job: every job
is one that may be done twice. A job that fails is logged, and done again at its next turn.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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

    def start(self) -> Background:
        """Begin, in threads that do not keep the process from ending."""
        threads = [threading.Thread(target=self._keep, name="registry-hooks-lease", daemon=True)]
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
        if self._holding.is_set() and self._seen is not None:
            self._holding.clear()
            with _logged("the lease could not be given back"), self._desk.cases.unit_of_work(write=True) as session:
                Lease(session).take("", self._seen)

    @property
    def holding(self) -> bool:
        """Whether this is the worker that does the jobs."""
        return self._holding.is_set()

    def _keep(self) -> None:
        while not self._ended.is_set():
            held = False
            with _logged("the lease cannot be asked for"):
                held = self._held()
            (self._holding.set if held and not self._ended.is_set() else self._holding.clear)()
            self._ended.wait(self._beat)

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
        while not self._ended.wait(job.every):
            if self._holding.is_set():
                with _logged(f"{job.name} failed, and is done again in {job.every:g} s"), acting_as(SYSTEM):
                    job.run(self._desk)


@contextmanager
def _logged(told: str) -> Iterator[None]:
    """Any error is logged and goes no further: a background thread has nobody above it."""
    try:
        yield
    except Exception as error:
        _logger.error("%s: %s", told, error, exc_info=error)


def begin(app: Any) -> None:
    """Begin in this process, and with the first request in each that is forked off it and serves ``app`` (Flask's)."""
    app.before_request(partial(_begin_once, app))
    _begin_once(app)


def _begin_once(app: Any) -> None:
    name = f"registry-hooks-background-{os.getpid()}"
    if name not in app.extensions:
        app.extensions[name] = background = Background(governed_desk()).start()
        util.Finalize(None, background.stop, exitpriority=10)  # unlike atexit's, called in forked processes as well
