"""What MLflow's own routes would answer with a 500, answered with a 400: MLflow's client retries a 500 for minutes."""

from __future__ import annotations

import json
from typing import Any

from registry_hooks.app.api.door import OURS
from registry_hooks.errors import Invalid, Reason


def refuse_malformed(app: Any) -> None:
    """Refuse bodies that are no object, GraphQL that cannot be read, and JSON without end.

    Asked after MLflow has authenticated the request, so that nobody's body is read before. Our own routes have rules
    of their own, which say more.
    """
    from flask import request

    def refuse() -> Any:
        if (request.endpoint or "").startswith(OURS):
            return None
        try:
            if request.path.endswith("/graphql"):
                _require_query(request.get_json(force=True, silent=True))
            elif request.is_json:
                _require_object(request.get_json(silent=True))
        except Invalid as error:
            return _answer(error)
        return None

    app.before_request(refuse)
    app.register_error_handler(RecursionError, lambda _error: _answer(_not("JSON", "nesting without end")))


def _require_object(body: object) -> None:
    if isinstance(body, str):  # MLflow's oldest clients sent JSON within a JSON text
        try:
            body = json.loads(body)
        except ValueError:
            raise _not("a JSON object", "text") from None
    if body is not None and not isinstance(body, dict):  # no body, or one that is no JSON, means no fields to MLflow
        raise _not("a JSON object", type(body).__name__)


def _require_query(body: object) -> None:
    from graphql import GraphQLError, parse

    query = body.get("query") if isinstance(body, dict) else None
    if not isinstance(query, str):
        raise _not('a JSON object with a text "query"', "none; queries come one at a time, by POST")
    try:
        parse(query)
    except GraphQLError as error:
        raise _not("GraphQL", error.message) from error


def _not(expected: str, found: str) -> Invalid:
    return Invalid(f"the request is not understood: expected {expected}, found {found[:200]}",
                   [Reason("body", expected, found[:200], "correct the request")])  # fmt: skip


def _answer(error: Invalid) -> Any:
    from flask import Response

    return Response(json.dumps(error.as_json()), 400, mimetype="application/json")
