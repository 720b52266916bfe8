"""What must hold before a worker serves, and how four workers start without treading on each other."""

from __future__ import annotations

import hashlib
import logging
import multiprocessing
import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NoReturn

from registry_hooks.app.artifacts import serving_files
from registry_hooks.app.guards import powers
from registry_hooks.app.people import sso
from registry_hooks.app.watching import metrics
from registry_hooks.errors import Invalid, RegistryError
from registry_hooks.mlflow_surface.http_routes import Power, effect_of, unknown_routes
from registry_hooks.mlflow_surface.loosening import ALLOW, ALLOW_ORIGINS, origins_in, powers_in, warnings
from registry_hooks.rules.log.accounts import check_methods
from registry_hooks.storage.databases import SCHEME, is_a_databases
from registry_hooks.storage.upgrading import alone

_logger = logging.getLogger(__name__)

NOT_GOVERNED = (
    "registry-hooks: refusing to start, because the model registry of this server is not governed: expected "
    "--registry-store-uri governed:<database uri>, found {found}. Start it with `registry-hooks server`, or give "
    "`mlflow server` that option."
)
WITHOUT_LOGIN = (
    "registry-hooks: refusing to start, because MLflow would ask for no login at these routes, whose paths begin like "
    "those of its pages: {found}. Choose another --static-prefix."
)
UNKNOWN_ROUTES = (
    "registry-hooks: refusing to start, because this server has routes of which nobody has judged what they can do, "
    "and which are not let by: {found}. Use an MLflow that setup.cfg admits, without plugins that add routes, or a "
    "newer registry-hooks."
)

UNKNOWN_ACTS = (
    "registry-hooks: refusing to start, because this MLflow can delete runs or write artifacts in ways of which nobody "
    "has judged what they pull away: {found}. Use an MLflow that setup.cfg admits, or a newer registry-hooks."
)


def require_governed_store() -> None:
    """End the server, not only this worker, unless the registry store is a governed one.

    Reads of runs join the units of work of this store, where both are on one database.

    Raises:
        SystemExit: with one message.
    """
    from mlflow.server.constants import ARTIFACTS_ONLY_ENV_VAR, REGISTRY_STORE_URI_ENV_VAR
    from mlflow.server.handlers import _get_model_registry_store, _get_tracking_store

    if os.environ.get(ARTIFACTS_ONLY_ENV_VAR):
        _end_server(NOT_GOVERNED.format(found="--artifacts-only"))
    # MLflow opens the tracking store with the first request about runs, and only then do clients within this process
    # ask it; before, they would follow MLFLOW_TRACKING_URI, or make a database of their own.
    with one_worker_at_a_time(*_store_uris()):
        tracking, registry = _get_tracking_store(), _get_model_registry_store()
    if getattr(registry, "desk", None) is None:
        uri = os.environ.get(REGISTRY_STORE_URI_ENV_VAR)
        # Only the scheme is told: a database URI may hold a password.
        scheme = uri.split(":", 1)[0] + ":…" if uri else "no --registry-store-uri"
        _end_server(NOT_GOVERNED.format(found=scheme))
    getattr(registry, "join_reads_of")(tracking)  # noqa: B009 (MLflow's type does not know it)


def require_known_accounts(auth: Any) -> None:
    """End the server when MLflow's auth store has a method that our table of account changes lacks.

    Raises:
        SystemExit: naming the methods.
    """
    try:
        check_methods(auth.SqlAlchemyStore)
    except RegistryError as error:
        _end_server(f"registry-hooks: refusing to start, because {error}")


def require_known_loosening() -> tuple[frozenset[Power], frozenset[str]]:
    """The powers and the origins that an operator has let in, each with a warning.

    Raises:
        SystemExit: naming what is neither.
    """
    try:
        allowed = powers_in(os.environ.get(ALLOW, ""))
        origins = origins_in(os.environ.get(ALLOW_ORIGINS, ""))
    except Invalid as error:
        _end_server(f"registry-hooks: refusing to start: {error}")
    for told in warnings(allowed, origins):
        _logger.warning("%s", told)
    return allowed, origins


def require_sign_on(auth: Any) -> None:
    """Make single sign-on ready, where it is used; end the server when it is set up in a way that means nothing.

    Raises:
        SystemExit: naming each variable.
    """
    if not sso.is_used(auth):
        return
    try:
        sso.prepare()
    except Invalid as error:
        _end_server(f"registry-hooks: refusing to start: {error}")


def require_metrics_tokens() -> tuple[bytes, ...]:
    """The tokens of scrapers; end the server when they cannot be read.

    Raises:
        SystemExit: naming the file.
    """
    try:
        return metrics.tokens()
    except Invalid as error:
        _end_server(f"registry-hooks: refusing to start: {error}")


def require_known_routes(flask_app: Any, served: Any) -> None:
    """End the server when it has a route that our table of routes lacks, or a route that asks for no login.

    Raises:
        SystemExit: naming the routes.
    """
    from mlflow.server import auth

    prefix, routes = powers.static_prefix(), set(routes_of(flask_app, served))
    unknown = unknown_routes(routes, prefix)
    if unknown:
        _end_server(UNKNOWN_ROUTES.format(found=", ".join(unknown)))
    # MLflow tells its pages by how a path begins: behind a prefix such as /healthcare everything would be a page.
    without = sorted({path for verb, path in routes if effect_of(verb, path, prefix) != "page"
                      and auth.is_unprotected_route(path)})  # fmt: skip
    if without:
        _end_server(WITHOUT_LOGIN.format(found=f"{len(without)}, such as {without[0]}"))


def require_known_acts() -> None:
    """End the server when MLflow has a way to delete or to write artifacts that our tables lack.

    Raises:
        SystemExit: naming the methods.
    """
    if unknown := serving_files.unknown_acts():
        _end_server(UNKNOWN_ACTS.format(found=", ".join(unknown)))


def routes_of(flask_app: Any, served: Any) -> Iterator[tuple[str, str]]:
    """Verb and path of every route of MLflow's Flask app, and of the FastAPI app around it if there is one."""
    for rule in flask_app.url_map.iter_rules():
        yield from ((verb, rule.rule) for verb in rule.methods - {"HEAD", "OPTIONS"})
    if served is not flask_app:
        yield from (route for route in powers.native_routes(served.routes) if route != powers.FLASK)


def _end_server(message: str) -> NoReturn:
    supervisor = multiprocessing.parent_process()
    if supervisor is not None and supervisor.pid is not None:
        # uvicorn's supervisor starts a worker that died again, for ever: the message would scroll by without end.
        os.kill(supervisor.pid, signal.SIGTERM)
    raise SystemExit(message)


@contextmanager
def one_worker_at_a_time(*database_uris: str) -> Iterator[None]:
    """Let one worker at a time, of all replicas, make the tables of databases, or the first administrator in one.

    MLflow itself does that once, before there are workers, but only for the app named ``basic-auth``. Four workers that
    migrate one empty SQLite file at once fail with "table already exists", and so do two replicas on PostgreSQL.
    """
    with ExitStack() as held:
        for uri in sorted(set(database_uris)):
            held.enter_context(_one_of_this_host(uri))
            try:
                held.enter_context(alone(uri))
            except RegistryError as error:
                _end_server(f"registry-hooks: refusing to start: {error}")
        yield


def _store_uris() -> list[str]:
    """Where runs and the registry are kept, as far as MLflow's launching process has said."""
    from mlflow.server.constants import BACKEND_STORE_URI_ENV_VAR, REGISTRY_STORE_URI_ENV_VAR

    said = (os.environ.get(name, "") for name in (BACKEND_STORE_URI_ENV_VAR, REGISTRY_STORE_URI_ENV_VAR))
    return [uri.removeprefix(SCHEME) for uri in said if is_a_databases(uri)]


@contextmanager
def _one_of_this_host(database_uri: str) -> Iterator[None]:
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
