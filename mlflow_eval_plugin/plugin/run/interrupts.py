"""Ctrl-C in a call of our own: the run is KILLED and has nothing of ours, or has all of it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import mlflow
from mlflow.entities import RunStatus


@contextmanager
def killed_if_interrupted() -> Iterator[str]:
    """The id of the active run, or of a new one that ends with this; a run that is interrupted is KILLED.

    A run of the caller's is ended too: MLflow would say that it FAILED.
    """
    active = mlflow.active_run()
    run = active or mlflow.start_run()
    status = RunStatus.FAILED
    try:
        yield run.info.run_id
        status = RunStatus.FINISHED
    except _WrittenFirst:
        status = RunStatus.FINISHED
        raise
    except KeyboardInterrupt as stopped:
        _end(run.info.run_id, RunStatus.KILLED)
        raise KeyboardInterrupt(f"run {run.info.run_id} is KILLED, and nothing of this call is in it") from stopped
    finally:
        if active is None:
            _end(run.info.run_id, status)


class _WrittenFirst(KeyboardInterrupt):
    """An interrupt that came when all was computed: the run has all of it."""


@contextmanager
def undisturbed() -> Iterator[None]:
    """Write all or nothing: an interrupt meanwhile is kept until all is written; a second one is not.

    Signals reach the main thread alone, so there is nothing to keep in others.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kept: list[int] = []
    before = signal.getsignal(signal.SIGINT)

    def keep(number: int, frame: FrameType | None) -> None:
        del frame
        kept.append(number)
        signal.signal(signal.SIGINT, before)

    if before is None:  # set by something that is not Python, which cannot be put back
        yield
        return
    signal.signal(signal.SIGINT, keep)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if kept:
        raise _WrittenFirst("all was computed by then, and is in the run")


def _end(run_id: str, status: int) -> None:
    run = mlflow.active_run()
    if run is not None and run.info.run_id == run_id:
        mlflow.end_run(RunStatus.to_string(status))
