"""The JSON API as an OpenAPI 3.1 document, made from the table of routes: what is not in the table is not in here.

``python -m registry_hooks.app.api.openapi`` prints it; ``docs/openapi.json`` is that output.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import fields
from importlib.metadata import version
from typing import Any

from registry_hooks.app.api.bodies import LARGEST_BODY, schema_of, value_schema
from registry_hooks.app.api.routes import ROUTES, Route
from registry_hooks.errors import Reason

PREFIX = "/api/2.0/registry-hooks"
_ERRORS = {
    "400": "The request is not understood, or the registry's state does not allow it.",
    "403": "The rules, or MLflow's permissions, say no.",
    "404": "There is no such model, version, proposal, policy or key.",
    "409": "Something else changed it meanwhile, or it exists already.",
    "429": "Others have asked for what takes long; ask again in a minute.",
}


_STREAMED = {
    "application/x-ndjson": "One JSON object a line.",
    "application/zip": "A zip file.",
    "text/plain": "Lines of text.",
}


def document(routes: Iterable[Route] = ROUTES) -> dict[str, Any]:
    """The document of these routes."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault("/" + route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "mlflow-registry-hooks",
            "version": version("mlflow-registry-hooks"),
            "description": "A model version serves only on evidence and human approval. Every refusal gives all its "
            f"reasons. Bodies have at most {LARGEST_BODY} bytes, and no name twice in an object.",
        },
        "servers": [{"url": PREFIX}],
        "security": [{"login": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"login": {"type": "http", "scheme": "basic"}},
            "responses": _refusals(),
            "schemas": {"Error": _error(), "Reason": _reason()},
        },
    }


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.answers,
        "responses": {"200": _answered(route), **_refused()},
    }
    if route.admin_only:
        operation["description"] = "For administrators only."
    if route.method == "POST":
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema_of(route.body)}},
        }
    elif route.body.model_fields:
        schema = schema_of(route.body)
        operation["parameters"] = [
            {"name": name, "in": "query", "required": name in schema["required"], "schema": value_schema(told)}
            for name, told in schema["properties"].items()
        ]
    return operation


def _answered(route: Route) -> dict[str, Any]:
    if route.streams:
        return {"description": _STREAMED[route.streams], "content": {route.streams: {}}}
    return {"description": "Done.", "content": {"application/json": {"schema": {"type": "object"}}}}


def _refused() -> dict[str, Any]:
    return {
        status: {"$ref": f"#/components/responses/{status}"} for status in ("400", "401", "403", "404", "409", "429")
    }


def _refusals() -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    told = {status: {"description": words, "content": content} for status, words in _ERRORS.items()}
    return {"401": {"description": "Nobody is logged in."}, **told}


def _error() -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "error_code": {"type": "string"},
            "message": {"type": "string"},
            "reasons": {"type": "array", "items": {"$ref": "#/components/schemas/Reason"}},
        },
        "required": ["error_code", "message", "reasons"],
        "additionalProperties": False,
    }


def _reason() -> dict[str, Any]:
    names = [each.name for each in fields(Reason)]
    return {
        "type": "object",
        "properties": {name: {"type": "string"} for name in names},
        "required": names,
        "additionalProperties": False,
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(document(), indent=2) + "\n")
