"""The JSON API, one literal table: which path and method, which fields, and which method of the desk answers.

Each route exists under ``/api/2.0/registry-hooks/`` for clients and under ``/ajax-api/2.0/registry-hooks/`` for pages.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal

from registry_hooks.app import actors, openapi
from registry_hooks.app.bodies import LARGEST_BODY, Field, check, parse_json
from registry_hooks.errors import Invalid, Reason, Refused, RegistryError
from registry_hooks.identity import Actor, acting_as, require_actor
from registry_hooks.releases import may_read

PASSWORD = "password"
"""The field that no use case sees: it re-authenticates the Actor."""
OURS = "registry-hooks:"  # what Flask's names of our routes begin with
MODEL = Field("model", required=True, longest=256)
ANY_MODEL = Field("model", longest=256)
VERSION = Field("version", "whole", required=True)
ANY_VERSION = Field("version", "whole")
COMMENT = Field("comment")
PROPOSAL = Field("proposal", longest=64)
YAML = Field("yaml", required=True, longest=256 * 1024)
REASON = Field("reason", required=True)
NAME = Field("name", required=True, longest=256)
VERIFY = Field("verify", "choice", choices=("parallel", "now", "later"))
ROLLBACK = (MODEL, REASON, Field("to", "whole"), Field("expected", "whole"), VERIFY)
SIGNED = (Field("digest", longest=80), Field("for_whom", longest=256), Field(PASSWORD, longest=1024))
DECISION = (MODEL, ANY_VERSION, PROPOSAL, COMMENT, Field("meaning"), *SIGNED)
DELEGATE = (
    Field("policy", required=True, longest=256),
    Field("role", required=True, longest=256),
    Field("to", required=True, longest=256),
    Field("lasts", required=True, longest=16),
    REASON,
)

Reads = Literal["model", "models", "everything", "nothing"]


@dataclass(frozen=True)
class Route:
    """One route.

    Args:
        method: GET or POST.
        path: below ``registry-hooks/``.
        answers: the desk's method.
        fields: of the body, or of the query for a GET.
        reads: what somebody who is no administrator must be allowed to READ in MLflow: the ``model`` that the request
            names, each of the ``models`` that the answer names (others are left out), ``everything`` in the registry,
            or ``nothing``.
        admin_only: whether only an administrator may.
        streams: whether the desk answers with lines, not with an object.
    """

    method: Literal["GET", "POST"]
    path: str
    answers: str
    fields: tuple[Field, ...] = ()
    reads: Reads = "model"
    admin_only: bool = False
    streams: bool = False


ROUTES = (
    Route("POST", "policy/check", "policy_check", (YAML,), reads="nothing"),
    Route("POST", "policy/apply", "policy_apply", (YAML,), reads="nothing", admin_only=True),
    Route("GET", "policy", "policy_show", (ANY_MODEL, Field("name", longest=256))),
    Route("POST", "nominate", "nominate", (MODEL, VERSION, Field("runs", "texts", longest=64), COMMENT)),
    Route("GET", "plan", "plan", (MODEL, VERSION)),
    Route("POST", "request", "request", (MODEL, VERSION, COMMENT)),
    Route("POST", "approve", "approve", DECISION),
    Route("POST", "reject", "reject", DECISION),
    Route("POST", "withdraw", "withdraw", (MODEL, ANY_VERSION, PROPOSAL, COMMENT)),
    Route("POST", "promote", "promote", (MODEL, VERSION)),
    Route("POST", "break-glass", "break_glass", (MODEL, VERSION, REASON)),
    Route(
        "POST",
        "review/close",
        "review_close",
        (MODEL, Field("review", required=True, longest=64), Field("finding", required=True)),
    ),
    Route("POST", "rollback", "rollback", ROLLBACK),
    Route("GET", "status", "status", (ANY_MODEL,), reads="models"),
    Route("GET", "history", "history", (MODEL, Field("limit", "whole"), Field("at", longest=64))),
    Route("GET", "lineage", "lineage", (MODEL, VERSION)),
    Route("POST", "reconcile", "reconcile", (MODEL,)),
    Route("POST", "key/trust", "key_trust", (NAME, Field("public", required=True)), reads="nothing", admin_only=True),
    Route(
        "POST",
        "key/revoke",
        "key_revoke",
        (Field("key", required=True, longest=80), REASON),
        reads="nothing",
        admin_only=True,
    ),
    Route("GET", "key", "keys", reads="nothing"),
    Route("POST", "delegate", "delegate", DELEGATE, reads="nothing"),
    Route("POST", "delegate/end", "delegation_end", (Field("delegation", required=True, longest=64),), reads="nothing"),
    Route("GET", "delegate", "delegations", reads="nothing"),
    Route("GET", "audit/verify", "audit_verify", reads="nothing"),
    Route("GET", "audit/export", "audit_export", reads="everything", streams=True),
    Route("GET", "health", "health", reads="nothing"),
    Route("GET", "openapi.json", "openapi", reads="nothing"),
)
"""All routes. ``health`` and ``openapi`` are those that the door answers itself."""


def install(app: Any) -> None:
    """Add every route to the Flask app, and tell MLflow's auth that they authorise themselves.

    With ``MLFLOW_BASIC_AUTH_FAIL_CLOSED``, on by default, MLflow denies everybody but administrators a route that it
    has no validator for.
    """
    from mlflow.server import auth
    from mlflow.server.handlers import _get_paths

    for route in ROUTES:
        view = _view(route)
        for path in _get_paths(f"/registry-hooks/{route.path}"):
            app.add_url_rule(path, f"{OURS}{route.method} {path}", view, methods=[route.method])
            auth.BEFORE_REQUEST_VALIDATORS[path, route.method] = _authorised_by_the_view


def _authorised_by_the_view() -> bool:
    return True


def _view(route: Route) -> Callable[[], Any]:
    from mlflow.server.handlers import catch_mlflow_exception

    def view() -> Any:
        try:
            return _answer(route, require_actor())
        except RegistryError as error:
            return _json(error.as_json(), _status_of(error))

    view.__name__ = f"registry_hooks_{route.answers}"  # MLflow's log names it
    caught: Callable[[], Any] = catch_mlflow_exception(view)
    return caught


def _answer(route: Route, actor: Actor) -> Any:
    from mlflow.server.handlers import _get_model_registry_store

    if route.admin_only and not actor.is_admin:
        found = f"{actor.name}, who is none"
        raise Refused(
            f"only an administrator may {route.path.replace('/', ' ')}",
            [Reason("administrator", "an administrator of this server", found, "ask an administrator")],
        )
    arguments = check(route.fields, _values(route))
    _require_read(route, actor, arguments.get("model"))
    if route.answers in _OF_THE_DOOR:
        return _json(_OF_THE_DOOR[route.answers]())
    desk = getattr(_get_model_registry_store(), "desk")  # noqa: B009 (MLflow's type does not know it)
    answer = _as_reauthenticated(actor, arguments, getattr(desk, route.answers))
    if route.streams:
        return _lines(answer, actor)
    if route.reads == "models" and not actor.is_admin:
        answer["models"] = [each for each in answer["models"] if may_read(actor.name, each["model"])]
    return _json(answer)


def _as_reauthenticated(actor: Actor, arguments: dict[str, Any], answers: Callable[..., Any]) -> Any:
    """The desk's answer, to an Actor who has proved the password once more where one was sent."""
    password = arguments.pop(PASSWORD, None)
    if password is None:
        return answers(**arguments)
    with acting_as(actors.reauthenticated(actor, password), actors.look_up):
        return answers(**arguments)


def _values(route: Route) -> Any:
    from flask import request

    if route.method == "POST":
        if (request.content_length or 0) > LARGEST_BODY:  # told by its length, and so not read at all
            body = b" " * (LARGEST_BODY + 1)
        else:
            body = request.get_data(cache=False)
        return parse_json(body, request.mimetype)
    twice = [name for name, given in request.args.lists() if len(given) > 1]
    if twice:
        reason = Reason(twice[0], "one value", "several", "give it once")
        raise Invalid(f"the request is not understood: {twice[0]}", [reason])
    return request.args.to_dict()


def _require_read(route: Route, actor: Actor, model: str | None) -> None:
    if actor.is_admin or route.reads == "nothing":
        return
    name = model if route.reads in ("model", "models") else "*"
    if name is None or may_read(actor.name, name):
        return
    expected = "READ on every registered model" if name == "*" else f"READ on the registered model {name!r}"
    reason = Reason("mlflow-permission", expected, f"{actor.name} has not", "ask an administrator to grant it")
    raise Refused("permission denied", [reason])


def _health() -> dict[str, Any]:
    from importlib.metadata import version

    return {"version": version("mlflow-registry-hooks"), "governed": True}  # a server that is not does not start


_OF_THE_DOOR: dict[str, Callable[[], dict[str, Any]]] = {"health": _health, "openapi": lambda: openapi.document(ROUTES)}


def _json(answer: object, status: int = 200) -> Any:
    from flask import Response

    body = json.dumps(answer, ensure_ascii=False, allow_nan=False)
    return Response(body, status, {"Cache-Control": "no-store"}, mimetype="application/json")


def _lines(chunks: Iterator[bytes], actor: Actor) -> Any:
    """Stream what the desk yields; the first chunk is awaited here, where an error still becomes a status."""
    from flask import Response

    first = _next_of(chunks, actor)
    rest = iter(lambda: _next_of(chunks, actor), None)
    body = rest if first is None else chain([first], rest)
    response = Response(body, 200, {"Cache-Control": "no-store"}, mimetype="application/x-ndjson")
    if isinstance(chunks, Generator):
        response.call_on_close(chunks.close)  # a reader who goes away must not leave a transaction open
    return response


def _next_of(chunks: Iterator[bytes], actor: Actor) -> bytes | None:
    # The server asks for chunks after Flask has ended the request, when its Actor is gone.
    with acting_as(actor, actors.look_up):
        return next(chunks, None)


def _status_of(error: RegistryError) -> int:
    from mlflow.exceptions import MlflowException
    from mlflow.protos import databricks_pb2

    code = databricks_pb2.ErrorCode.Value(error.code)
    return int(MlflowException(error.headline, error_code=code).get_http_status_code())
