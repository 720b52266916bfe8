"""Which methods of the registry's store each way into the registry ends in: literal tables.

The gate is in the store (`registry_hooks.mlflow_surface.store_methods`), whatever route leads there. These tables are
how we know that every route does lead there: `tests/contract/test_services.py` walks MLflow's protobuf services, its
Flask and FastAPI routes and its GraphQL schema, and drives the writes against a real store to see where they end.

Paths are written as in `registry_hooks.mlflow_surface.http_routes`.
"""

from __future__ import annotations

from registry_hooks.mlflow_surface.http_routes import effect_of, plain_path

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


def ends_in(verb: str, path: str) -> Methods | None:
    """Methods of the store that a route ends in: none for one without registry, None for one that is not known."""
    plain = plain_path(path)
    known = SURFACE.get((verb, plain))
    kind = effect_of(verb, path)
    return () if known is None and kind not in (None, "registry") else known
