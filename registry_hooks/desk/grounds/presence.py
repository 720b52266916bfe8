"""Whether the files of a version are where it rests on them: looked for, not read, and never for long."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as StillRunning
from threading import Thread
from typing import TypeVar

from registry_hooks.errors import Reason, RegistryError
from registry_hooks.rules.files import Files, missing_reason, unreachable_reason
from registry_hooks.storage.mlflow_io import missing_files
from registry_hooks.storage.mlflow_rows import VersionRow

R = TypeVar("R")
LOOK = 5.0  # seconds in which the artifact store says whether files are there


def beside(call: Callable[[], R]) -> Future[R]:
    """The outcome of ``call``, which runs beside what follows.

    On a daemon: a server that is told to stop does not wait for a store that is silent, or for gigabytes to be read.
    """
    done: Future[R] = Future()

    def run() -> None:
        try:
            done.set_result(call())
        except BaseException as error:  # noqa: BLE001 (whoever waits for it is told, not this thread)
            done.set_exception(error)

    Thread(target=run, daemon=True).start()
    return done


def absent(row: VersionRow, nominated: Files | None) -> tuple[str, ...]:
    """Files of a version that are not there, by name.

    Raises:
        RegistryError: when the artifact store does not say, or not within ``LOOK``.
    """
    try:
        return beside(lambda: missing_files(row, nominated)).result(LOOK)
    except StillRunning:
        raise RegistryError(f"the artifact store did not answer within {LOOK:g} s") from None


def presence_reasons(row: VersionRow, nominated: Files | None, others: list[int]) -> list[Reason]:
    """Why a version cannot serve as far as its files go: some are not there, or nobody can tell.

    ``others`` are earlier champions that a rollback may go to instead.
    """
    try:
        missing = absent(row, nominated)
    except RegistryError as error:
        return [unreachable_reason(row.version, error.headline)]
    return [missing_reason(row.model, row.version, missing, others)] if missing else []
