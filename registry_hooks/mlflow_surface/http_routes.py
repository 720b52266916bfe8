"""Every way into MLflow's server over HTTP, and what it can do: one literal table of all releases that are admitted.

- ``page``: the user interface, its files, and what anybody may ask of a server.
- ``read``, ``write``: records (runs, traces, data sets, settings), under MLflow's own permissions.
- ``files``: artifacts.
- ``people``: users, roles and permissions.
- ``registry``: touches the model registry; `registry_hooks.mlflow_surface.endings` says which methods of the store it
  ends in.
- a name of `POWERS`: runs code, starts jobs, fetches addresses or acts with the server's rights for who may call it.
  Such a route is shut until an operator turns its power on by name, and is warned.

A route that a new MLflow, or a plugin, adds and this table lacks stops the server at start, by name.

Paths are written without what stands before them: the static prefix, and ``/api/2.0`` or ``/ajax-api/3.0``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal, get_args

Power = Literal["assistant", "demo", "gateway", "jobs", "webhooks"]
Effect = Literal["page", "read", "write", "files", "people", "registry"] | Power

POWERS: dict[Power, str] = {
    "assistant": "whoever can log in may have MLflow's assistant run commands as the user that this server runs as",
    "demo": "whoever can log in may have this server make and remove example data, for seconds and with its own rights",
    "gateway": "whoever may use an endpoint has this server send requests to other addresses, with its stored secrets",
    "jobs": "whoever can log in may start jobs on this host, which run scorers and call language models",
    "webhooks": "whoever may manage webhooks has this server send requests to addresses of his choice",
}
"""What can be turned on by name, and what that gives to whom."""

EFFECTS: dict[str, dict[str, Effect]] = {
    "/": {"GET": "page"},
    "/build/{filename}": {"GET": "page"},
    "/gateway/anthropic/v1/messages": {"POST": "gateway"},
    "/gateway/gemini/v1beta/models/{endpoint_name}:generateContent": {"POST": "gateway"},
    "/gateway/gemini/v1beta/models/{endpoint_name}:streamGenerateContent": {"POST": "gateway"},
    "/gateway/mlflow/v1/chat/completions": {"POST": "gateway"},
    "/gateway/mlflow/v1/models": {"GET": "gateway"},
    "/gateway/openai/v1/chat/completions": {"POST": "gateway"},
    "/gateway/openai/v1/embeddings": {"POST": "gateway"},
    "/gateway/openai/v1/responses": {"POST": "gateway"},
    "/gateway/openai/v1/responses/compact": {"POST": "gateway"},
    "/gateway/proxy/{endpoint_name}/{path}": {"POST": "gateway"},
    "/gateway/typesafe/v1/systemone": {"POST": "gateway"},
    "/gateway/{endpoint_name}/mlflow/invocations": {"POST": "gateway"},
    "/get-artifact": {"GET": "files"},
    "/graphql": {"GET": "registry", "POST": "registry"},
    "/health": {"GET": "page"},
    "/jobs/": {"POST": "jobs"},
    "/jobs/cancel/{job_id}": {"PATCH": "write"},
    "/jobs/search": {"POST": "read"},
    "/jobs/{job_id}": {"GET": "read"},
    "/metrics": {"GET": "read"},  # with --expose-prometheus
    "/mlflow-artifacts/artifacts": {"GET": "files"},
    "/mlflow-artifacts/artifacts/{artifact_path}": {"DELETE": "files", "GET": "files", "PUT": "files"},
    "/mlflow-artifacts/mpu/abort/{artifact_path}": {"POST": "files"},
    "/mlflow-artifacts/mpu/complete/{artifact_path}": {"POST": "files"},
    "/mlflow-artifacts/mpu/create/{artifact_path}": {"POST": "files"},
    "/mlflow-artifacts/presigned/{artifact_path}": {"GET": "files"},
    "/mlflow/artifacts/list": {"GET": "files"},
    "/mlflow/artifacts/presigned-download-url": {"POST": "files"},
    "/mlflow/artifacts/presigned-upload-url": {"POST": "files"},
    "/mlflow/assistant/config": {"GET": "assistant", "PUT": "assistant"},
    "/mlflow/assistant/message": {"POST": "assistant"},
    "/mlflow/assistant/providers": {"GET": "assistant"},
    "/mlflow/assistant/providers/{provider}/health": {"GET": "assistant"},
    "/mlflow/assistant/providers/{provider}/models": {"GET": "assistant"},
    "/mlflow/assistant/sessions/{session_id}": {"PATCH": "assistant"},
    "/mlflow/assistant/sessions/{session_id}/permission": {"POST": "assistant"},
    "/mlflow/assistant/sessions/{session_id}/stream": {"GET": "assistant"},
    "/mlflow/assistant/sessions/{session_id}/tool-result": {"POST": "assistant"},
    "/mlflow/assistant/skills/install": {"POST": "assistant"},
    "/mlflow/datasets/create": {"POST": "write"},
    "/mlflow/datasets/search": {"GET": "read", "POST": "read"},
    "/mlflow/datasets/{dataset_id}": {"DELETE": "write", "GET": "read"},
    "/mlflow/datasets/{dataset_id}/add-experiments": {"POST": "write"},
    "/mlflow/datasets/{dataset_id}/experiment-ids": {"GET": "read"},
    "/mlflow/datasets/{dataset_id}/records": {"DELETE": "write", "GET": "read", "POST": "write"},
    "/mlflow/datasets/{dataset_id}/remove-experiments": {"POST": "write"},
    "/mlflow/datasets/{dataset_id}/tags": {"PATCH": "write"},
    "/mlflow/datasets/{dataset_id}/tags/{key}": {"DELETE": "write"},
    "/mlflow/demo/delete": {"POST": "demo"},
    "/mlflow/demo/generate": {"POST": "demo"},
    "/mlflow/experiments/create": {"POST": "write"},
    "/mlflow/experiments/delete": {"POST": "write"},
    "/mlflow/experiments/delete-experiment-tag": {"POST": "write"},
    "/mlflow/experiments/get": {"GET": "read"},
    "/mlflow/experiments/get-by-name": {"GET": "read"},
    "/mlflow/experiments/restore": {"POST": "write"},
    "/mlflow/experiments/search": {"GET": "read", "POST": "read"},
    "/mlflow/experiments/search-datasets": {"POST": "read"},
    "/mlflow/experiments/set-experiment-tag": {"POST": "write"},
    "/mlflow/experiments/update": {"POST": "write"},
    "/mlflow/gateway-proxy": {"GET": "gateway", "POST": "gateway"},
    "/mlflow/gateway/budgets/create": {"POST": "write"},
    "/mlflow/gateway/budgets/delete": {"DELETE": "write"},
    "/mlflow/gateway/budgets/get": {"GET": "read"},
    "/mlflow/gateway/budgets/list": {"GET": "read"},
    "/mlflow/gateway/budgets/update": {"POST": "write"},
    "/mlflow/gateway/budgets/windows": {"GET": "read"},
    "/mlflow/gateway/endpoints/bindings/create": {"POST": "write"},
    "/mlflow/gateway/endpoints/bindings/delete": {"DELETE": "write"},
    "/mlflow/gateway/endpoints/bindings/list": {"GET": "read"},
    "/mlflow/gateway/endpoints/create": {"POST": "write"},
    "/mlflow/gateway/endpoints/delete": {"DELETE": "write"},
    "/mlflow/gateway/endpoints/delete-tag": {"DELETE": "write"},
    "/mlflow/gateway/endpoints/get": {"GET": "read"},
    "/mlflow/gateway/endpoints/list": {"GET": "read"},
    "/mlflow/gateway/endpoints/models/attach": {"POST": "write"},
    "/mlflow/gateway/endpoints/models/detach": {"POST": "write"},
    "/mlflow/gateway/endpoints/set-tag": {"POST": "write"},
    "/mlflow/gateway/endpoints/update": {"POST": "write"},
    "/mlflow/gateway/guardrails/add-to-endpoint": {"POST": "write"},
    "/mlflow/gateway/guardrails/create": {"POST": "write"},
    "/mlflow/gateway/guardrails/delete": {"DELETE": "write"},
    "/mlflow/gateway/guardrails/get": {"GET": "read"},
    "/mlflow/gateway/guardrails/list": {"GET": "read"},
    "/mlflow/gateway/guardrails/list-for-endpoint": {"GET": "read"},
    "/mlflow/gateway/guardrails/remove-from-endpoint": {"DELETE": "write"},
    "/mlflow/gateway/guardrails/update-config": {"PATCH": "write"},
    "/mlflow/gateway/model-definitions/create": {"POST": "write"},
    "/mlflow/gateway/model-definitions/delete": {"DELETE": "write"},
    "/mlflow/gateway/model-definitions/get": {"GET": "read"},
    "/mlflow/gateway/model-definitions/list": {"GET": "read"},
    "/mlflow/gateway/model-definitions/update": {"POST": "write"},
    "/mlflow/gateway/provider-config": {"GET": "read"},
    "/mlflow/gateway/secrets/config": {"GET": "read"},
    "/mlflow/gateway/secrets/create": {"POST": "write"},
    "/mlflow/gateway/secrets/delete": {"DELETE": "write"},
    "/mlflow/gateway/secrets/get": {"GET": "read"},
    "/mlflow/gateway/secrets/list": {"GET": "read"},
    "/mlflow/gateway/secrets/update": {"POST": "write"},
    "/mlflow/gateway/supported-models": {"GET": "read"},
    "/mlflow/gateway/supported-providers": {"GET": "read"},
    "/mlflow/genai/evaluate/invoke": {"POST": "jobs"},
    "/mlflow/get-online-trace-details": {"GET": "read"},
    "/mlflow/get-trace-artifact": {"GET": "files"},
    "/mlflow/issues": {"POST": "write"},
    "/mlflow/issues/invoke": {"POST": "jobs"},
    "/mlflow/issues/search": {"POST": "read"},
    "/mlflow/issues/{issue_id}": {"GET": "read", "PATCH": "write"},
    "/mlflow/jobs/cancel/{job_id}": {"PATCH": "write"},
    "/mlflow/jobs/{job_id}": {"GET": "read"},
    "/mlflow/label-schemas/create": {"POST": "write"},
    "/mlflow/label-schemas/delete": {"DELETE": "write"},
    "/mlflow/label-schemas/get": {"GET": "read"},
    "/mlflow/label-schemas/get-by-name": {"GET": "read"},
    "/mlflow/label-schemas/list": {"GET": "read"},
    "/mlflow/label-schemas/update": {"PATCH": "write"},
    "/mlflow/logged-models": {"POST": "write"},
    "/mlflow/logged-models/search": {"POST": "read"},
    "/mlflow/logged-models/{model_id}": {"DELETE": "write", "GET": "read", "PATCH": "write"},
    "/mlflow/logged-models/{model_id}/artifacts/directories": {"GET": "files"},
    "/mlflow/logged-models/{model_id}/artifacts/files": {"GET": "files"},
    "/mlflow/logged-models/{model_id}/params": {"POST": "write"},
    "/mlflow/logged-models/{model_id}/tags": {"PATCH": "write"},
    "/mlflow/logged-models/{model_id}/tags/{tag_key}": {"DELETE": "write"},
    "/mlflow/mcp-servers": {"GET": "read", "POST": "write"},
    "/mlflow/mcp-servers/endpoints": {"GET": "read"},
    "/mlflow/mcp-servers/{name}": {"DELETE": "write", "GET": "read", "PATCH": "write"},
    "/mlflow/mcp-servers/{name}/aliases": {"POST": "write"},
    "/mlflow/mcp-servers/{name}/aliases/{alias}": {"DELETE": "write", "GET": "read"},
    "/mlflow/mcp-servers/{name}/endpoints": {"GET": "read", "POST": "write"},
    "/mlflow/mcp-servers/{name}/endpoints/{endpoint_id}": {"DELETE": "write", "GET": "read", "PATCH": "write"},
    "/mlflow/mcp-servers/{name}/tags": {"POST": "write"},
    "/mlflow/mcp-servers/{name}/tags/{key}": {"DELETE": "write"},
    "/mlflow/mcp-servers/{name}/versions": {"GET": "read", "POST": "write"},
    "/mlflow/mcp-servers/{name}/versions/{version}": {"DELETE": "write", "GET": "read", "PATCH": "write"},
    "/mlflow/mcp-servers/{name}/versions/{version}/tags": {"POST": "write"},
    "/mlflow/mcp-servers/{name}/versions/{version}/tags/{key}": {"DELETE": "write"},
    "/mlflow/metrics/get-history": {"GET": "read"},
    "/mlflow/metrics/get-history-bulk": {"GET": "read"},
    "/mlflow/metrics/get-history-bulk-interval": {"GET": "read"},
    "/mlflow/model-versions/create": {"POST": "registry"},
    "/mlflow/model-versions/delete": {"DELETE": "registry"},
    "/mlflow/model-versions/delete-tag": {"DELETE": "registry"},
    "/mlflow/model-versions/get": {"GET": "registry"},
    "/mlflow/model-versions/get-download-uri": {"GET": "registry"},
    "/mlflow/model-versions/search": {"GET": "registry"},
    "/mlflow/model-versions/set-tag": {"POST": "registry"},
    "/mlflow/model-versions/transition-stage": {"POST": "registry"},
    "/mlflow/model-versions/update": {"PATCH": "registry"},
    "/mlflow/prompt-optimization/jobs": {"POST": "jobs"},
    "/mlflow/prompt-optimization/jobs/search": {"GET": "read", "POST": "read"},
    "/mlflow/prompt-optimization/jobs/{job_id}": {"DELETE": "write", "GET": "read"},
    "/mlflow/prompt-optimization/jobs/{job_id}/cancel": {"POST": "write"},
    "/mlflow/registered-models/alias": {"DELETE": "registry", "GET": "registry", "POST": "registry"},
    "/mlflow/registered-models/create": {"POST": "registry"},
    "/mlflow/registered-models/delete": {"DELETE": "registry"},
    "/mlflow/registered-models/delete-tag": {"DELETE": "registry"},
    "/mlflow/registered-models/get": {"GET": "registry"},
    "/mlflow/registered-models/get-latest-versions": {"GET": "registry", "POST": "registry"},
    "/mlflow/registered-models/rename": {"POST": "registry"},
    "/mlflow/registered-models/search": {"GET": "registry"},
    "/mlflow/registered-models/set-tag": {"POST": "registry"},
    "/mlflow/registered-models/update": {"PATCH": "registry"},
    "/mlflow/review-queues/create": {"POST": "write"},
    "/mlflow/review-queues/delete": {"POST": "write"},
    "/mlflow/review-queues/get": {"GET": "read"},
    "/mlflow/review-queues/get-by-name": {"GET": "read"},
    "/mlflow/review-queues/get-or-create-user": {"POST": "write"},
    "/mlflow/review-queues/items/add": {"POST": "write"},
    "/mlflow/review-queues/items/list": {"GET": "read"},
    "/mlflow/review-queues/items/remove": {"POST": "write"},
    "/mlflow/review-queues/items/set-status": {"POST": "write"},
    "/mlflow/review-queues/list": {"GET": "read"},
    "/mlflow/review-queues/update": {"POST": "write"},
    "/mlflow/roles/assign": {"POST": "people"},
    "/mlflow/roles/create": {"POST": "people"},
    "/mlflow/roles/delete": {"DELETE": "people"},
    "/mlflow/roles/get": {"GET": "read"},
    "/mlflow/roles/list": {"GET": "read"},
    "/mlflow/roles/permissions/add": {"POST": "people"},
    "/mlflow/roles/permissions/list": {"GET": "read"},
    "/mlflow/roles/permissions/remove": {"DELETE": "people"},
    "/mlflow/roles/permissions/update": {"PATCH": "people"},
    "/mlflow/roles/unassign": {"DELETE": "people"},
    "/mlflow/roles/update": {"PATCH": "people"},
    "/mlflow/roles/users/list": {"GET": "read"},
    "/mlflow/runs/create": {"POST": "write"},
    "/mlflow/runs/create-promptlab-run": {"POST": "write"},
    "/mlflow/runs/delete": {"POST": "write"},
    "/mlflow/runs/delete-tag": {"POST": "write"},
    "/mlflow/runs/get": {"GET": "read"},
    "/mlflow/runs/log-batch": {"POST": "write"},
    "/mlflow/runs/log-inputs": {"POST": "write"},
    "/mlflow/runs/log-metric": {"POST": "write"},
    "/mlflow/runs/log-model": {"POST": "write"},
    "/mlflow/runs/log-parameter": {"POST": "write"},
    "/mlflow/runs/outputs": {"POST": "write"},
    "/mlflow/runs/restore": {"POST": "write"},
    "/mlflow/runs/search": {"POST": "read"},
    "/mlflow/runs/set-tag": {"POST": "write"},
    "/mlflow/runs/update": {"POST": "write"},
    "/mlflow/scorer/invoke": {"POST": "jobs"},
    "/mlflow/scorers/delete": {"DELETE": "write"},
    "/mlflow/scorers/get": {"GET": "read"},
    "/mlflow/scorers/list": {"GET": "read"},
    "/mlflow/scorers/online-config": {"PUT": "jobs"},
    "/mlflow/scorers/online-configs": {"GET": "read"},
    "/mlflow/scorers/register": {"POST": "write"},
    "/mlflow/scorers/versions": {"GET": "read"},
    "/mlflow/server-info": {"GET": "page"},
    "/mlflow/traces": {"GET": "read", "POST": "write"},
    "/mlflow/traces/batchGet": {"GET": "read"},
    "/mlflow/traces/batchGetInfos": {"POST": "read"},
    "/mlflow/traces/calculate-filter-correlation": {"POST": "read"},
    "/mlflow/traces/delete-traces": {"POST": "write"},
    "/mlflow/traces/get": {"GET": "read"},
    "/mlflow/traces/link-prompts": {"POST": "write"},
    "/mlflow/traces/link-to-run": {"POST": "write"},
    "/mlflow/traces/metrics": {"POST": "read"},
    "/mlflow/traces/search": {"POST": "read"},
    "/mlflow/traces/{request_id}": {"PATCH": "write"},
    "/mlflow/traces/{request_id}/info": {"GET": "read"},
    "/mlflow/traces/{request_id}/tags": {"DELETE": "write", "PATCH": "write"},
    "/mlflow/traces/{trace_id}": {"GET": "read"},
    "/mlflow/traces/{trace_id}/assessments": {"POST": "write"},
    "/mlflow/traces/{trace_id}/assessments/{assessment_id}": {"DELETE": "write", "GET": "read", "PATCH": "write"},
    "/mlflow/traces/{trace_id}/tags": {"DELETE": "write", "PATCH": "write"},
    "/mlflow/ui-telemetry": {"GET": "read", "POST": "write"},
    "/mlflow/unified-traces": {"GET": "read"},
    "/mlflow/upload-artifact": {"POST": "files"},
    "/mlflow/users/create": {"POST": "people"},
    "/mlflow/users/create-ui": {"POST": "people"},
    "/mlflow/users/current": {"GET": "read"},
    "/mlflow/users/current/permissions": {"GET": "read"},
    "/mlflow/users/delete": {"DELETE": "people"},
    "/mlflow/users/get": {"GET": "read"},
    "/mlflow/users/list": {"GET": "read"},
    "/mlflow/users/permissions/get": {"GET": "read"},
    "/mlflow/users/permissions/grant": {"POST": "people"},
    "/mlflow/users/permissions/list": {"GET": "read"},
    "/mlflow/users/permissions/revoke": {"POST": "people"},
    "/mlflow/users/roles/list": {"GET": "read"},
    "/mlflow/users/update-admin": {"PATCH": "people"},
    "/mlflow/users/update-password": {"PATCH": "people"},
    "/mlflow/webhooks": {"GET": "registry", "POST": "webhooks"},
    "/mlflow/webhooks/{webhook_id}": {"DELETE": "registry", "GET": "registry", "PATCH": "webhooks"},
    "/mlflow/webhooks/{webhook_id}/test": {"POST": "webhooks"},
    "/mlflow/workspaces": {"GET": "read", "POST": "write"},
    "/mlflow/workspaces/{workspace_name}": {"DELETE": "write", "GET": "read", "PATCH": "write"},
    "/model-versions/get-artifact": {"GET": "registry"},
    "/signup": {"GET": "read"},
    "/static-files/{path}": {"GET": "page"},
    "/v1/traces": {"POST": "write"},
    "/version": {"GET": "page"},
}
"""The kind of each verb of each path."""

OURS = "/registry-hooks/"
"""What our own routes are below, those of `registry_hooks.app.api.routes` and of `registry_hooks.app.pages.routes`."""

_BEFORE = re.compile(r"^/(?:ajax-)?api/[23]\.0(?=/?\w)")
_PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>|\{(?:\w+\.)?(\w+)(?::\w+)?\}")  # Flask's, and FastAPI's or a service's
_POWERS = frozenset(get_args(Power))


def plain_path(path: str, prefix: str = "") -> str:
    """A route's path as this table has it, from Flask's, FastAPI's or a protobuf service's.

    Args:
        path: the route's.
        prefix: the static prefix of the server, if it has one.
    """
    below = path.removeprefix(prefix) if prefix and path.startswith(f"{prefix}/") else path
    plain = _PARAMETER.sub(lambda found: f"{{{found[1] or found[2]}}}", _BEFORE.sub("", below))
    return plain if plain.startswith("/") else f"/{plain}"  # MLflow has one path that lacks its slash


def effect_of(verb: str, path: str, prefix: str = "") -> Effect | Literal["ours"] | None:
    """What a route can do; None for one that is not known."""
    plain = plain_path(path, prefix)
    return "ours" if plain.startswith(OURS) else EFFECTS.get(plain, {}).get(verb)


def power_of(verb: str, path: str, prefix: str = "") -> Power | None:
    """The power that must be turned on before a route answers; None where none is needed."""
    kind = effect_of(verb, path, prefix)
    return kind if kind in _POWERS else None  # type: ignore[return-value]


def unknown_routes(routes: Iterable[tuple[str, str]], prefix: str = "") -> list[str]:
    """Routes, as verb and path, that the table lacks: with one of them a server does not start."""
    return sorted({f"{verb} {path}" for verb, path in routes if effect_of(verb, path, prefix) is None})
