"""What must hold before a worker serves, and how four workers start without treading on each other."""

from __future__ import annotations

import hashlib
import logging
import multiprocessing
import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_logger = logging.getLogger(__name__)

NOT_GOVERNED = (
    "registry-hooks: refusing to start, because the model registry of this server is not governed: expected "
    "--registry-store-uri governed:<database uri>, found {found}. Start it with `registry-hooks server`, or give "
    "`mlflow server` that option."
)


def require_governed_store() -> None:
    """End the server, not only this worker, unless the registry store is a governed one.

    Raises:
        SystemExit: with one message.
    """
    from mlflow.server.constants import ARTIFACTS_ONLY_ENV_VAR, REGISTRY_STORE_URI_ENV_VAR
    from mlflow.server.handlers import _get_model_registry_store, _get_tracking_store

    if os.environ.get(ARTIFACTS_ONLY_ENV_VAR):
        _end_server(NOT_GOVERNED.format(found="--artifacts-only"))
    # MLflow opens the tracking store with the first request about runs, and only then do clients within this process
    # ask it; before, they would follow MLFLOW_TRACKING_URI, or make a database of their own.
    _get_tracking_store()
    if getattr(_get_model_registry_store(), "desk", None) is None:
        uri = os.environ.get(REGISTRY_STORE_URI_ENV_VAR)
        # Only the scheme is told: a database URI may hold a password.
        scheme = uri.split(":", 1)[0] + ":…" if uri else "no --registry-store-uri"
        _end_server(NOT_GOVERNED.format(found=scheme))


def _end_server(message: str) -> None:
    supervisor = multiprocessing.parent_process()
    if supervisor is not None and supervisor.pid is not None:
        # uvicorn's supervisor starts a worker that died again, for ever: the message would scroll by without end.
        os.kill(supervisor.pid, signal.SIGTERM)
    raise SystemExit(message)


@contextmanager
def one_worker_at_a_time(database_uri: str) -> Iterator[None]:
    """Let one worker of this host at a time create or upgrade the auth database and its first administrator.

    MLflow itself does that once, before there are workers, but only for the app named ``basic-auth``. Four workers that
    migrate one empty SQLite file at once fail with "table already exists".
    """
    try:
        import fcntl
    except ImportError:  # Windows, where MLflow serves with waitress: one process
        yield
        return
    digest = hashlib.sha256(database_uri.encode()).hexdigest()[:16]
    path = Path(tempfile.gettempdir()) / f"registry-hooks-{os.getuid()}-{digest}.lock"
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        _logger.warning("no start-up lock at %s (%s): workers may restart once while the database is made", path, error)
        yield
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)  # which also gives the lock back
