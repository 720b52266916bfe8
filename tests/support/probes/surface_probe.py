"""Starts the governed app in this process, tells every way in, and drives the registry's writes through it.

Run by test_services.py as a process of its own, because MLflow's Flask app is a module's global: once it has logins
there is no way back. The store and its database are real; its methods only note that they were called.
"""

from __future__ import annotations

import base64
import importlib
import inspect
import json
import os
import pkgutil
import sys
import types
from collections.abc import Iterator
from contextvars import ContextVar
from functools import wraps
from pathlib import Path
from typing import Any

from registry_hooks.mlflow_surface.store_methods import CLOSURE
from registry_hooks.store import GovernedStore

_inside: ContextVar[bool] = ContextVar("inside", default=False)
called: list[str] = []
OPENS_REGISTRY = "_get_model_registry_store"


def note_calls() -> None:
    """Note each call of the store from outside; what its methods call in turn belongs to them."""
    for name in CLOSURE:
        method = getattr(GovernedStore, name)
        if inspect.isfunction(method):
            setattr(GovernedStore, name, _noting(name, method))


def _noting(name: str, method: Any) -> Any:
    @wraps(method)
    def noting(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not _inside.get():
            called.append(name)
        token = _inside.set(True)
        try:
            return method(self, *args, **kwargs)
        finally:
            _inside.reset(token)

    return noting


def services() -> dict[str, list[tuple[str, str, str]]]:
    """Every protobuf service of MLflow: its RPCs with verb and path."""
    import mlflow.protos
    from mlflow.protos import databricks_pb2
    from mlflow.server.handlers import _get_paths

    found: dict[str, list[tuple[str, str, str]]] = {}
    for module in pkgutil.iter_modules(mlflow.protos.__path__):
        if module.name.endswith("_pb2"):
            descriptor = importlib.import_module(f"mlflow.protos.{module.name}").DESCRIPTOR
            for service in descriptor.services_by_name.values():
                found[service.full_name] = [
                    (rpc.name, each.method, path)
                    for rpc in service.methods
                    for each in rpc.GetOptions().Extensions[databricks_pb2.rpc].endpoints
                    for path in _get_paths(each.path, version=each.since.major)
                ]
    return found


def graphql_fields() -> list[str]:
    """Every query and mutation, and every other field that has a resolver of its own."""
    from mlflow.server.graphql.graphql_schema_extensions import schema

    graph = schema.graphql_schema
    fields = {f"{kind.name}.{name}" for kind in (graph.query_type, graph.mutation_type) for name in kind.fields}
    for kind in graph.type_map.values():
        graphene_type = getattr(kind, "graphene_type", None)
        for name in getattr(kind, "fields", {}):
            snake = "".join("_" + letter.lower() if letter.isupper() else letter for letter in name)
            if hasattr(graphene_type, f"resolve_{snake}"):
                fields.add(f"{kind.name}.{name}")
    return sorted(fields)


def opens_registry(view: Any, seen: set[Any] | None = None) -> bool:
    """Whether a view's code, or code of MLflow's server that it names, opens the registry."""
    seen = set() if seen is None else seen
    function = inspect.unwrap(view)
    if not isinstance(function, types.FunctionType) or function in seen:
        return False
    seen.add(function)
    for name in _names(function.__code__):
        if name == OPENS_REGISTRY:
            return True
        named = function.__globals__.get(name)
        if getattr(named, "__module__", "").startswith("mlflow.server.handlers") and opens_registry(named, seen):
            return True
    return False


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)


def drive(flask_app: Any, requests: list[list[Any]]) -> list[dict[str, Any]]:
    """Send each request as the administrator; what it answered, and which methods of the store it called."""
    login = base64.b64encode(f"admin:{os.environ['MLFLOW_AUTH_ADMIN_PASSWORD']}".encode()).decode()
    client, answers, webhook = flask_app.test_client(), [], ""
    for verb, route, body in requests:
        called.clear()
        path = route.replace("<webhook_id>", webhook)
        query = {"query_string": body} if verb == "GET" else {"json": body}
        answer = client.open(path, method=verb, headers={"Authorization": f"Basic {login}"}, **query)
        if answer.is_json and "webhook" in answer.json:
            webhook = answer.json["webhook"]["webhook_id"]
        answers.append({"status": answer.status_code, "text": answer.get_data(as_text=True)[:300], "called": called[:]})
    return answers


def main(requests_file: str, answer_file: str, added_by_mlflow: str = "") -> None:
    note_calls()
    from mlflow.server import app as flask_app

    from registry_hooks.app import create_app
    from registry_hooks.app.startup import routes_of

    if added_by_mlflow:
        flask_app.add_url_rule(added_by_mlflow, "added", lambda: "", methods=["POST"])
    served = create_app()
    told = {
        "routes": sorted(set(routes_of(flask_app, served))),
        "services": services(),
        "graphql": graphql_fields(),
        "opening": sorted(
            (verb, rule.rule)
            for rule in flask_app.url_map.iter_rules()
            for verb in rule.methods - {"HEAD", "OPTIONS"}
            if opens_registry(flask_app.view_functions[rule.endpoint])
        ),
        "driven": drive(flask_app, json.loads(Path(requests_file).read_text())),
    }
    Path(answer_file).write_text(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
