"""Each thing once in a request, on both of MLflow's paths; what is given twice is answered 400 before anything runs.

What counts as twice stands in `registry_hooks.app.guards.given`. In Flask it is asked between MLflow's login and
MLflow's permissions; of FastAPI's own routes before either.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from registry_hooks.app import refusing
from registry_hooks.app.guards import limits
from registry_hooks.app.guards.given import Given, in_graphql, in_headers, in_json, is_list, twice
from registry_hooks.app.guards.powers import Native, static_prefix
from registry_hooks.app.people.actors import AsgiApp, Receive, Scope, Send
from registry_hooks.errors import Invalid, Reason
from registry_hooks.mlflow_surface.http_routes import OURS, plain_path

RAW = frozenset(
    {
        ("POST", "/mlflow/upload-artifact"),
        ("PUT", "/mlflow-artifacts/artifacts/{artifact_path}"),
        ("POST", "/v1/traces"),
    }
)
"""Routes whose body is a file or a protobuf message, of which MLflow reads no field as JSON."""
BELOW = frozenset(
    ("POST", f"/mlflow-artifacts/mpu/{step}/{{artifact_path}}") for step in ("create", "complete", "abort")
)
"""Routes whose body names, as ``path``, a file below the folder that stands in the path of the route: two things."""
LISTS: Mapping[tuple[str, str], frozenset[str]] = {
    ("GET", "/mlflow/metrics/get-history-bulk"): frozenset({"run_id"}),
    ("GET", "/mlflow/roles/list"): frozenset({"workspace"}),
    ("GET", "/mlflow/scorers/online-configs"): frozenset({"scorer_ids"}),
    ("GET", "/mlflow/mcp-servers"): frozenset({"order_by"}),
    ("GET", "/mlflow/mcp-servers/endpoints"): frozenset({"order_by"}),
    ("GET", "/mlflow/mcp-servers/{name}/endpoints"): frozenset({"order_by"}),
    ("GET", "/mlflow/mcp-servers/{name}/versions"): frozenset({"order_by"}),
}
"""Names that a query may repeat, of routes that MLflow reads without a protobuf message; a message says so itself."""


def refuse_in_flask(app: Any) -> None:
    """Refuse what gives a thing twice, once MLflow knows who asks and before it asks whether he may."""
    from flask import Response, request
    from mlflow.server import auth
    from mlflow.server.handlers import catch_mlflow_exception

    messages = _messages()

    @catch_mlflow_exception  # type: ignore[untyped-decorator]
    def refuse() -> Any:
        if request.url_rule is None or auth.is_unprotected_route(request.path):
            return None
        if isinstance(auth.authenticate_request(), Response):
            return None  # MLflow says so itself
        reasons = _of_flask(request, messages)
        return refusing.in_flask(_refusal(reasons)) if reasons else None

    hooks = app.before_request_funcs[None]
    hooks.insert(hooks.index(auth._before_request), refuse)


class OnceMiddleware:
    """Refuses what is given twice to FastAPI's own routes. Requests to Flask pass, once their headers are looked at."""

    def __init__(self, app: AsgiApp, routes: Iterable[Native]) -> None:
        from starlette.routing import compile_path

        self._app = app
        self._routes = [(route.verb, compile_path(route.path)[0], plain_path(route.path, static_prefix()))
                        for route in routes if route.verb != "MOUNT"]  # fmt: skip

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request that gives each thing once."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = in_headers((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"])
        matched = self._match(scope)
        if matched is None:
            reasons = twice(headers)
        else:
            verb, plain, parameters = matched
            given = [*headers, *parameters, *_in_query(scope["query_string"].decode("latin-1"))]
            reasons = []
            if (verb, plain) not in RAW:
                body, receive = await _read(receive)
                reasons = limits.too_much_json(body)
                in_body, unfit = ([], []) if reasons else _in_body(verb, body, None)
                given, reasons = (
                    [*given, *in_body],
                    [*reasons, *unfit, *limits.too_much_to_search([*given, *in_body], plain)],
                )
                if len(body) > limits.LARGEST_BODY:
                    reasons = [Reason("body", f"at most {limits.LARGEST_BODY} bytes", "more", "send less")]
            reasons += twice(given, LISTS.get((verb, plain), frozenset()))
        if reasons:
            await refusing.in_asgi(_refusal(reasons), send)
        else:
            await self._app(scope, receive, send)

    def _match(self, scope: Scope) -> tuple[str, str, list[Given]] | None:
        from starlette._utils import get_route_path

        path = get_route_path(scope)
        for verb, pattern, plain in self._routes:
            found = pattern.match(path) if verb == scope["method"] else None
            if found:
                return verb, plain, [Given(name, "path", (value,)) for name, value in found.groupdict().items()]
        return None


def _messages() -> dict[tuple[str, str], Any]:
    """The descriptor of the protobuf message that MLflow reads each route's request as."""
    from mlflow.protos import mlflow_artifacts_pb2, model_registry_pb2, service_pb2, webhooks_pb2
    from mlflow.server.handlers import get_service_endpoints

    services = (
        service_pb2.MlflowService,
        model_registry_pb2.ModelRegistryService,
        webhooks_pb2.WebhookService,
        mlflow_artifacts_pb2.MlflowArtifactsService,
    )
    return {
        (verb, path): message.DESCRIPTOR
        for service in services
        for path, message, verbs in get_service_endpoints(service, lambda message: message)
        for verb in verbs
    }


def _of_flask(request: Any, messages: Mapping[tuple[str, str], Any]) -> list[Reason]:
    verb = "GET" if request.method == "HEAD" else request.method
    route = verb, plain_path(request.url_rule.rule, static_prefix())
    message = messages.get((verb, request.url_rule.rule))
    given = [*in_headers(request.headers.items()), *_parameters(request, route), *_lists("query", request.args)]
    repeatable = LISTS.get(route, frozenset()) | _repeated(message)
    if route[1].startswith(OURS):  # whose bodies have rules of their own
        unread = [_unread("query", "a body")] if verb == "POST" and request.args else []
        return unread + twice(given)
    if route in RAW:
        return twice(given, repeatable)
    body = request.get_data()
    if reasons := limits.too_much_json(body):
        return reasons
    if route[1] == "/graphql" and (reasons := limits.too_much_graphql(body)):
        return reasons
    in_body, reasons = _in_body(verb, body, message)
    reasons += limits.too_much_to_search([*given, *in_body], route[1])
    if request.mimetype in ("application/x-www-form-urlencoded", "multipart/form-data"):
        in_body += [*_lists("form", request.form), *_lists("form", request.files)]
    if route[1] == "/graphql" and not reasons:
        reasons += _of_graphql(request.get_json(force=True, silent=True))
    return reasons + twice([*given, *in_body], repeatable)


def _in_body(verb: str, body: bytes, message: Any) -> tuple[list[Given], list[Reason]]:
    given, reasons = in_json(body, message, limits.MOST_LISTED)
    if given and verb == "GET":  # which MLflow reads from the query, and from the body where there is no query
        reasons.append(_unread("body", "a query"))
    return given, reasons


def _of_graphql(body: object) -> list[Reason]:
    from graphql import GraphQLError, parse

    if not isinstance(body, dict) or not isinstance(body.get("query"), str):
        return []
    try:
        document = parse(body["query"])
    except (GraphQLError, RecursionError):
        return []  # which `malformed` says
    variables = body.get("variables")
    return limits.too_much_in_graphql(document, variables) or in_graphql(document, variables)


def _parameters(request: Any, route: tuple[str, str]) -> list[Given]:
    # With a colon, so that no field of that name is taken for the same thing.
    end = ":" if route in BELOW else ""
    return [Given(name + end, "path", (str(value),)) for name, value in (request.view_args or {}).items()]


def _lists(place: Any, values: Any) -> list[Given]:
    return [Given(name, place, tuple(map(str, found))) for name, found in values.lists()]


def _in_query(text: str) -> list[Given]:
    values: dict[str, list[str]] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        values.setdefault(name, []).append(value)
    return [Given(name, "query", tuple(found)) for name, found in values.items()]


def _repeated(message: Any) -> frozenset[str]:
    return frozenset() if message is None else frozenset(field.name for field in message.fields if is_list(field))


async def _read(receive: Receive) -> tuple[bytes, Receive]:
    """The body of a request, and how to receive it once more."""
    messages, length = [], 0
    while True:
        message = await receive()
        messages.append(message)
        length += len(message.get("body", b""))
        if length > limits.LARGEST_BODY or not message.get("more_body", False):
            break
    body = b"".join(message.get("body", b"") for message in messages)

    async def again() -> Any:
        return messages.pop(0) if messages else await receive()

    return body, again


def _unread(place: str, other: str) -> Reason:
    return Reason(place, f"{other} alone, which is what this verb is read from", f"a {place}", f"leave the {place} out")


def _refusal(reasons: list[Reason]) -> Invalid:
    names = ", ".join(dict.fromkeys(reason.rule for reason in reasons))
    return Invalid(
        f"the request is not understood, for it does not say each thing once, and as what it is: {names}"[:500],
        reasons[:20],
    )
