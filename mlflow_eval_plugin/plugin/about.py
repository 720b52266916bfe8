"""Who is judged, by what software, when."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from mlflow_eval_plugin.evidence import Producer, Subject
from mlflow_eval_plugin.plugin.files import digest_at
from mlflow_eval_plugin.plugin.registered import registered_as

_PACKAGE = "mlflow-registry-hooks"


def subject_of(model: Any, given: str | None, *, model_id: str | None, run_id: str) -> Subject:
    """The model that is judged, with the digest of its files.

    Args:
        given: where its files are, as the configs say; where its MLmodel says so itself, None.
        model_id: MLflow's id of the logged model, if the call has one.
    """
    metadata = getattr(model, "metadata", None)
    document = metadata.to_dict() if metadata is not None else {}
    uri = given or _uri_in(document)
    return Subject(
        model_uri=uri or (f"models:/{model_id}" if model_id else None),
        model_id=model_id,
        model_digest=digest_at(uri, document) if uri and document else None,
        run_id=run_id,
        registered=registered_as(uri or (f"models:/{model_id}" if model_id else None)),
    )


def _uri_in(document: Mapping[str, Any]) -> str | None:
    """Where a model says that it was logged. MLflow's id of a call's model may be that of the active one, another."""
    if model_id := document.get("model_id"):
        return f"models:/{model_id}"
    run_id, path = document.get("run_id"), document.get("artifact_path")
    return f"runs:/{run_id}/{path}" if run_id and path else None


def producer() -> Producer:
    """This package, by its version."""
    try:
        return Producer(name=_PACKAGE, version=version(_PACKAGE))
    except PackageNotFoundError:
        return Producer(name=_PACKAGE, version="unknown")


def now() -> str:
    """The time, RFC 3339 in UTC."""
    # The only clock of the evaluation side.
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
