"""The server door: MLflow's own app with logins, plus who is acting and the registry's JSON API.

``mlflow server --app-name registry-hooks`` calls `create_app` in every worker. MLflow's basic auth stays in front of
everything, with its custom ``authorization_function`` and its RBAC roles; behind it this door only says *who acts*
(`registry_hooks.identity`) and passes our routes on to the desk. It decides nothing: the rules stand in the store.
"""

from __future__ import annotations

import gc
from typing import Any


def create_app() -> Any:
    """The app that MLflow serves: FastAPI under uvicorn, Flask under gunicorn and waitress.

    Raises:
        SystemExit: when the registry store is not a governed one, for logins without the gate would look like safety;
            or when there is a route, or a method of MLflow's auth store, of which nobody has judged what it can do.
    """
    # Not at the top: mlflow.server.auth reads its configuration when it is imported, and MLflow's launching process
    # imports this module only to see whether `create_app` is a function.
    from mlflow.server import app as flask_app
    from mlflow.server import auth

    from registry_hooks.app import background, startup
    from registry_hooks.app.guards import origins
    from registry_hooks.app.people import actors, attempts, keeping
    from registry_hooks.app.watching import refusals

    startup.require_governed_store()
    startup.require_known_accounts(auth)
    allowed, trusted = startup.require_known_loosening()
    startup.require_known_acts()
    startup.require_sign_on(auth)
    _hold_files()
    with startup.one_worker_at_a_time(auth.auth_config.database_uri):
        served = auth.create_app(flask_app)
    keeping.keep_accounts(auth)
    attempts.guard_logins(auth)
    actors.authenticate_once_per_request(auth)
    actors.name_the_actor_in_flask(flask_app)
    _add_ours(flask_app)
    startup.require_known_routes(flask_app, served)
    _guard_in_flask(flask_app, allowed)
    refusals.tell_in_flask(flask_app, alone=served is flask_app)
    if served is flask_app:
        origins.refuse_in_flask(flask_app, trusted)
    else:
        _guard_in_asgi(served, allowed, trusted)
    background.begin(flask_app)
    _leave_uncollected()
    return served


def _leave_uncollected() -> None:
    """Have the garbage collector pass over what the worker has loaded, which stays as long as it does.

    MLflow and what it imports are several hundred thousand objects. A full collection walks all of them, for a quarter
    of a second, in the middle of somebody's request.
    """
    gc.collect()
    gc.freeze()


def _hold_files() -> None:
    """What is written and read of files is asked about in the methods that all routes end in."""
    from registry_hooks.app.artifacts import serving_files, sources, traces

    serving_files.hold()
    traces.keep_places()
    sources.keep_to_places()


def _add_ours(flask_app: Any) -> None:
    """Our own routes, for programs, people and those who watch; and word of roles goes our own way."""
    from registry_hooks.app import roles_once, startup
    from registry_hooks.app.api import door
    from registry_hooks.app.guards import powers
    from registry_hooks.app.pages import frame, linking
    from registry_hooks.app.watching import logs, metrics, numbers

    logs.as_operator_asks()
    numbers.prepare()
    door.install(flask_app)
    frame.install(flask_app)
    linking.link_from_mlflow(flask_app)
    metrics.install(flask_app, startup.require_metrics_tokens(), powers.static_prefix())
    roles_once.leave_roles_to_the_outbox()


def _guard_in_flask(flask_app: Any, allowed: frozenset[Any]) -> None:
    """The guards of Flask; the first one added is asked first."""
    from mlflow.server import auth

    from registry_hooks.app.artifacts import beside, locations
    from registry_hooks.app.guards import forbidden, malformed, once, powers, workspaces

    forbidden.tell_in_json(auth)
    workspaces.refuse_in_flask(flask_app)
    powers.shut_in_flask(flask_app, allowed)
    once.refuse_in_flask(flask_app)
    malformed.refuse_malformed(flask_app)
    locations.guard_locations(flask_app)
    beside.require_leave(flask_app)


def _guard_in_asgi(served: Any, allowed: frozenset[Any], trusted: frozenset[str]) -> None:
    """The guards of FastAPI, which serves MLflow's native routes and Flask's; the last one added is asked first."""
    from registry_hooks.app.guards import limits, once, origins, powers, workspaces
    from registry_hooks.app.people import actors, attempts, sso
    from registry_hooks.app.watching import refusals

    actors.name_the_actor_in_asgi(served)
    native = tuple(powers.native_routes(served.routes))
    served.add_middleware(once.OnceMiddleware, routes=native)
    served.add_middleware(workspaces.WorkspaceMiddleware)
    served.add_middleware(origins.OriginMiddleware, allowed=trusted)
    served.add_middleware(powers.PowersMiddleware, routes=native, powers=allowed)
    served.add_middleware(attempts.AttemptMiddleware)
    served.add_middleware(limits.LimitsMiddleware)
    served.add_middleware(sso.CameMiddleware)
    served.add_middleware(refusals.RefusalMiddleware)
