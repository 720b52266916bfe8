"""The server app with routes that tell who is acting, for test_app_identity: one in Flask, native ones in FastAPI."""

from __future__ import annotations

import gc
import threading
import time
from typing import Any

from registry_hooks.app import create_app as real
from registry_hooks.identity import current_actor


def told() -> dict[str, Any]:
    """Who is acting before and after a while in which others are served, and what share of all objects stays."""
    before = current_actor()
    time.sleep(0.02)
    after = current_actor()
    return {
        "before": before.name if before else None,
        "after": after.name if after else None,
        "admin": after.is_admin if after else None,
        "roles": sorted(after.mlflow_roles) if after else None,
        "how": after.authenticated_by if after else None,
        "thread": threading.get_ident(),
        "uncollected": gc.get_freeze_count() / (gc.get_freeze_count() + len(gc.get_objects())),
    }


def create_app() -> Any:
    """`registry_hooks.app.create_app` with the routes added."""
    from mlflow.server import app as flask_app
    from mlflow.server import auth

    served = real()
    flask_app.add_url_rule("/api/2.0/probe", "probe", told)
    flask_app.add_url_rule("/static-probe", "static-probe", told)  # below a prefix for which MLflow asks for no login
    auth.BEFORE_REQUEST_VALIDATORS["/api/2.0/probe", "GET"] = lambda: True
    if served is not flask_app:
        # Below a prefix that MLflow's FastAPI middleware authenticates; first, so that the Flask mount does not win.
        served.add_api_route("/ajax-api/3.0/mlflow/assistant/probe", told)
        served.add_api_route("/ajax-api/3.0/mlflow/assistant/async-probe", _told_async)
        served.router.routes[:0] = [served.router.routes.pop(), served.router.routes.pop()]
    return served


async def _told_async() -> dict[str, Any]:
    return told()
