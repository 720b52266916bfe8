"""Every way into MLflow's registry over HTTP, and which methods of the store it ends in: one literal table.

The gate is in the store (`registry_hooks.closure`), whatever route leads there. This table is how we know that every
route does lead there: `tests/contract/test_services.py` walks MLflow's protobuf services, its Flask and FastAPI routes
and its GraphQL schema, fails on any that is neither here nor below a prefix without registry, and drives the writes
against a real store to see where they end. At start a server stops at a write that reads as one of the registry's and
is not here.

Paths are written without what stands before them: the static prefix, and ``/api/2.0`` or ``/ajax-api/3.0``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

Methods = tuple[str, ...]

SURFACE: dict[tuple[str, str], Methods] = {
    ("POST", "/mlflow/registered-models/create"): ("create_registered_model",),
    ("POST", "/mlflow/registered-models/rename"): ("rename_registered_model",),
    ("PATCH", "/mlflow/registered-models/update"): ("update_registered_model",),
    ("DELETE", "/mlflow/registered-models/delete"): ("delete_registered_model",),
    ("GET", "/mlflow/registered-models/get"): ("get_registered_model",),
    ("GET", "/mlflow/registered-models/search"): ("search_registered_models",),
    ("GET", "/mlflow/registered-models/get-latest-versions"): ("get_latest_versions",),
    ("POST", "/mlflow/registered-models/get-latest-versions"): ("get_latest_versions",),
    ("POST", "/mlflow/registered-models/set-tag"): ("set_registered_model_tag",),
    ("DELETE", "/mlflow/registered-models/delete-tag"): ("delete_registered_model_tag",),
    ("POST", "/mlflow/registered-models/alias"): ("set_registered_model_alias",),
    ("DELETE", "/mlflow/registered-models/alias"): ("delete_registered_model_alias",),
    ("GET", "/mlflow/registered-models/alias"): ("get_model_version_by_alias",),
    ("POST", "/mlflow/model-versions/create"): ("create_model_version",),
    ("PATCH", "/mlflow/model-versions/update"): ("update_model_version",),
    ("POST", "/mlflow/model-versions/transition-stage"): ("transition_model_version_stage",),
    ("DELETE", "/mlflow/model-versions/delete"): ("delete_model_version",),
    ("GET", "/mlflow/model-versions/get"): ("get_model_version",),
    ("GET", "/mlflow/model-versions/search"): ("search_model_versions",),
    ("GET", "/mlflow/model-versions/get-download-uri"): ("get_model_version_download_uri",),
    ("POST", "/mlflow/model-versions/set-tag"): ("set_model_version_tag",),
    ("DELETE", "/mlflow/model-versions/delete-tag"): ("delete_model_version_tag",),
    ("GET", "/model-versions/get-artifact"): ("get_model_version_download_uri",),
    ("POST", "/mlflow/webhooks"): ("create_webhook",),
    ("GET", "/mlflow/webhooks"): ("list_webhooks",),
    ("GET", "/mlflow/webhooks/{webhook_id}"): ("get_webhook",),
    ("PATCH", "/mlflow/webhooks/{webhook_id}"): ("update_webhook",),
    ("DELETE", "/mlflow/webhooks/{webhook_id}"): ("delete_webhook",),
    ("POST", "/mlflow/webhooks/{webhook_id}/test"): (),  # reads the webhook and sends to it
    # Example prompts, made and removed by a client in the worker.
    ("POST", "/mlflow/demo/generate"): (
        "create_registered_model",
        "create_model_version",
        "set_prompt_alias",
        "set_prompt_tag",
        "set_registered_model_tag",
    ),
    ("POST", "/mlflow/demo/delete"): ("delete_prompt_alias", "delete_prompt"),
    # Its job registers the prompt that it arrived at.
    ("POST", "/mlflow/prompt-optimization/jobs"): ("create_model_version",),
    # Fields of the schema stand in GRAPHQL.
    ("GET", "/graphql"): ("search_model_versions",),
    ("POST", "/graphql"): ("search_model_versions",),
}
"""Routes that touch the registry, with the methods of the store that they end in."""

GRAPHQL: dict[str, Methods] = {
    "Query.test": (),
    "Query.mlflowGetExperiment": (),
    "Query.mlflowGetMetricHistoryBulkInterval": (),
    "Query.mlflowGetRun": (),
    "Query.mlflowListArtifacts": (),
    "Query.mlflowSearchModelVersions": ("search_model_versions",),
    "Query.mlflowSearchRuns": (),
    "Mutation.testMutation": (),
    "Mutation.mlflowSearchDatasets": (),
    "Mutation.mlflowSearchRuns": (),
    # Fields that have a resolver of their own, wherever their type is reached from.
    "MlflowRunExtension.experiment": (),
    "MlflowRunExtension.modelVersions": ("search_model_versions",),
    "MlflowMetricExtension.value": (),
}
"""Every query, mutation and resolved field of MLflow's GraphQL schema; MLflow has no mutation that writes."""

NO_REGISTRY = (
    "/",
    "/build",
    "/gateway",
    "/get-artifact",
    "/health",
    "/jobs",
    "/mlflow-artifacts",
    "/mlflow/artifacts",
    "/mlflow/assistant",
    "/mlflow/datasets",
    "/mlflow/experiments",
    "/mlflow/gateway",
    "/mlflow/gateway-proxy",
    "/mlflow/genai",
    "/mlflow/get-online-trace-details",
    "/mlflow/get-trace-artifact",
    "/mlflow/issues",
    "/mlflow/jobs",
    "/mlflow/label-schemas",
    "/mlflow/logged-models",
    "/mlflow/mcp-servers",  # a registry of its own, in other tables
    "/mlflow/metrics",
    "/mlflow/prompt-optimization/jobs/{job_id}",
    "/mlflow/prompt-optimization/jobs/search",
    "/mlflow/review-queues",
    "/mlflow/roles",
    "/mlflow/runs",
    "/mlflow/scorer",
    "/mlflow/scorers",
    "/mlflow/server-info",
    "/mlflow/traces",
    "/mlflow/ui-telemetry",
    "/mlflow/unified-traces",
    "/mlflow/upload-artifact",
    "/mlflow/users",
    "/mlflow/workspaces",
    "/registry-hooks",  # our own, which ends in the desk
    "/signup",
    "/static-files",
    "/v1/traces",
    "/version",
)
"""Prefixes, of whole segments, below which nothing of the registry is."""

SERVED = frozenset(
    {
        "mlflow.MlflowService",
        "mlflow.ModelRegistryService",
        "mlflow.WebhookService",
        "mlflow.artifacts.MlflowArtifactsService",
    }
)
"""Protobuf services that MLflow's server answers."""

NOT_SERVED = frozenset(
    {
        "mlflow.DatabricksMlflowArtifactsService",
        "mlflow.databricks.DatabricksTrackingService",
        "mlflow.filesystem.FilesystemService",
        "mlflow.managedcatalog.DatabricksUnityCatalogService",
        "mlflow.ucmodelregistry.UcModelRegistryService",
        "mlflow.unitycatalog.UnityCatalogPromptService",
        "mlflow.unitycatalog.UnityCatalogService",
    }
)
"""Protobuf services that only Databricks answers; a server with one of their routes has something unknown."""

_BEFORE = re.compile(r"^.*?/(?:ajax-)?api/\d+\.\d+(?=/?\w)")
_PARAMETER = re.compile(r"[<{](?:\w+[:.])?(\w+)(?::\w+)?[>}]")
_OF_MLFLOW = re.compile(r"/(?:ajax-)?api/\d+\.\d+/mlflow/")
_WORDS = re.compile(r"registered.?model|model.?version|webhook|prompt|alias|stage|registr(?!y-hooks)", re.IGNORECASE)


def plain_path(path: str) -> str:
    """A route's path as this table has it, from Flask's, FastAPI's or a protobuf service's."""
    below = _PARAMETER.sub(r"{\1}", _BEFORE.sub("", path))
    return below if below.startswith("/") else f"/{below}"  # MLflow has one path that lacks its slash


def ends_in(verb: str, path: str) -> Methods | None:
    """Methods of the store that a route ends in: none for one without registry, None for one that is not known."""
    plain = plain_path(path)
    known = SURFACE.get((verb, plain))
    if known is None and any(_is_below(plain, prefix) for prefix in NO_REGISTRY):
        return ()
    return known


def _is_below(path: str, prefix: str) -> bool:
    return path == prefix or (prefix != "/" and path.startswith(prefix + "/"))


def unknown_routes(routes: Iterable[tuple[str, str]]) -> list[str]:
    """Routes, as verb and path, that the table lacks."""
    return sorted({f"{verb} {path}" for verb, path in routes if ends_in(verb, path) is None})


def unknown_writes(routes: Iterable[tuple[str, str]]) -> list[str]:
    """Those of them that write, are MLflow's own and read as the registry's: with them a server does not start.

    Routes of others are let by. What they do to the registry through MLflow, they do through the store, and its gates.
    """
    writes = ((verb, path) for verb, path in routes if verb not in ("GET", "HEAD", "OPTIONS"))
    return unknown_routes((verb, path) for verb, path in writes if _OF_MLFLOW.search(path) and _WORDS.search(path))
