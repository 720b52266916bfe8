"""A request that names a workspace is refused: a governed server has none, and never guesses which one was meant.

MLflow refuses it too, but with HTTP 500, which its client asks for again for minutes.
"""

from __future__ import annotations

import json
from typing import Any

from registry_hooks.app.people.actors import AsgiApp, Receive, Scope, Send

HEADER = "X-MLFLOW-WORKSPACE"
_UNASKED = "/mlflow/server-info"  # by which clients find out whether there are workspaces
_REFUSAL = {
    "error_code": "INVALID_PARAMETER_VALUE",
    "message": f"this server has no workspaces: leave out the header {HEADER} (MLFLOW_WORKSPACE, for MLflow's client)",
}


def refuse_in_flask(app: Any) -> None:
    """Refuse before MLflow's own hook does."""
    from flask import Response, request

    def refuse() -> Any:
        if request.headers.get(HEADER, "").strip() and not request.path.rstrip("/").endswith(_UNASKED):
            return Response(json.dumps(_REFUSAL), 400, mimetype="application/json")
        return None

    app.before_request_funcs.setdefault(None, []).insert(0, refuse)


class WorkspaceMiddleware:
    """Refuses before MLflow's own middleware does, for native routes and for Flask's alike."""

    def __init__(self, app: AsgiApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request that names no workspace."""
        headers = scope.get("headers") or ()
        named = any(name.lower() == HEADER.lower().encode() and value.strip() for name, value in headers)
        if scope["type"] == "http" and named and not scope["path"].rstrip("/").endswith(_UNASKED):
            await send(
                {"type": "http.response.start", "status": 400, "headers": [(b"content-type", b"application/json")]}
            )
            await send({"type": "http.response.body", "body": json.dumps(_REFUSAL).encode()})
        else:
            await self._app(scope, receive, send)
