"""What stands between a request and the desk: its fields are checked, its Actor asked for, its answer made JSON.

Every route of `registry_hooks.app.api.routes` is served here, and ``health`` and ``openapi`` are answered here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator
from functools import partial
from itertools import chain
from typing import Any

from registry_hooks.app.api import openapi
from registry_hooks.app.api.asking import ask_route
from registry_hooks.app.api.bodies import LARGEST_BODY, parse_json
from registry_hooks.app.api.routes import ROUTES, Route
from registry_hooks.app.governed import governed_desk
from registry_hooks.app.people import actors
from registry_hooks.app.refusing import status_of
from registry_hooks.errors import Invalid, Reason, RegistryError
from registry_hooks.identity import Actor, require_actor

OURS = "registry-hooks:"  # what Flask's names of our routes begin with


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
            return _json(error.as_json(), status_of(error))

    view.__name__ = f"registry_hooks_{route.answers}"  # MLflow's log names it
    caught: Callable[[], Any] = catch_mlflow_exception(view)
    return caught


def _answer(route: Route, actor: Actor) -> Any:
    answers = _OF_THE_DOOR.get(route.answers) or getattr(governed_desk(), route.answers)
    answer = ask_route(route, partial(_values, route), answers)
    if route.streams:
        return _streamed(answer, actor, route.streams)
    return _json(answer)


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


def _health() -> dict[str, Any]:
    from importlib.metadata import version

    return {"version": version("mlflow-registry-hooks"), "governed": True}  # a server that is not does not start


_OF_THE_DOOR: dict[str, Callable[[], dict[str, Any]]] = {"health": _health, "openapi": openapi.document}


def _json(answer: object, status: int = 200) -> Any:
    from flask import Response

    body = json.dumps(answer, ensure_ascii=False, allow_nan=False)
    return Response(body, status, {"Cache-Control": "no-store"}, mimetype="application/json")


def _streamed(chunks: Iterator[bytes], actor: Actor, media_type: str) -> Any:
    """Stream what the desk yields; the first chunk is awaited here, where an error still becomes a status."""
    from flask import Response

    first = _next_of(chunks, actor)
    rest = iter(lambda: _next_of(chunks, actor), None)
    body = rest if first is None else chain([first], rest)
    response = Response(body, 200, {"Cache-Control": "no-store"}, mimetype=media_type)
    if isinstance(chunks, Generator):
        response.call_on_close(chunks.close)  # a reader who goes away must not leave a transaction open
    return response


def _next_of(chunks: Iterator[bytes], actor: Actor) -> bytes | None:
    # The server asks for chunks after Flask has ended the request, when its Actor is gone.
    with actors.acting(actor):
        return next(chunks, None)
