"""MLflow's own "Permission denied" as JSON, as all its other errors are.

MLflow says it in plain text, of which its pages make ``INTERNAL_ERROR``, and its clients an error without a code.
"""

from __future__ import annotations

import json
from functools import wraps
from types import ModuleType
from typing import Any

_FORBIDDEN = 403
_PROGRAMS = ("/api/", "/ajax-api/", "/graphql", "/get-artifact")
"""What stands in the paths of routes whose answers programs read."""


def tell_in_json(auth: ModuleType) -> None:
    """Have refusals of MLflow's permissions carry an error code and say whom to ask, on both of MLflow's paths."""
    from flask import Response, g, request
    from starlette.responses import JSONResponse

    plain_in_flask, plain_in_asgi = auth.make_forbidden_response, auth.PlainTextResponse

    @wraps(plain_in_flask)
    def in_flask() -> Any:
        if not any(part in request.path for part in _PROGRAMS):
            return plain_in_flask()
        return Response(json.dumps(_body(g.get("mlflow_authenticated_user"))), _FORBIDDEN, mimetype="application/json")

    def in_asgi(content: Any = None, status_code: int = 200, **more: Any) -> Any:
        if status_code != _FORBIDDEN:
            return plain_in_asgi(content, status_code=status_code, **more)
        return JSONResponse(_body(None), status_code=status_code, **more)

    auth.make_forbidden_response = in_flask  # type: ignore[attr-defined]
    auth.PlainTextResponse = in_asgi  # type: ignore[attr-defined]


def _body(user: str | None) -> dict[str, str]:
    told = f"Permission denied: MLflow's permissions do not let {user or 'you'} do this.\nTo fix: ask an administrator."
    return {"error_code": "PERMISSION_DENIED", "message": told}
