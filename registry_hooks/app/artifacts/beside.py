"""What MLflow before 3.17 does not ask: leave for what a request names beside the run that it authorises.

There a metric, an input or an output of one's own run is written into anybody's logged model, and an address to upload
into anybody's run is given to whoever can log in. From 3.17 on MLflow asks, by rules that know more than these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from registry_hooks.app.artifacts.locations import guard_view
from registry_hooks.errors import Reason, Refused
from registry_hooks.identity import require_actor
from registry_hooks.mlflow_surface.releases import asks_about_all_that_is_named, may_update

Named = Callable[[Any], Iterable[str]]


def require_leave(app: Any) -> None:
    """Refuse what writes into a logged model or a run that its sender may not update.

    Raises:
        KeyError: when this MLflow does one of these elsewhere; then the server must not start.
    """
    if asks_about_all_that_is_named():
        return
    from mlflow.protos import service_pb2

    views: tuple[tuple[str, Any, str, Named], ...] = (
        ("_log_metric", service_pb2.LogMetric, "logged model", lambda asked: [asked.model_id]),
        ("_log_batch", service_pb2.LogBatch, "logged model", lambda asked: [each.model_id for each in asked.metrics]),
        ("_log_inputs", service_pb2.LogInputs, "logged model", lambda asked: [each.model_id for each in asked.models]),
        (
            "_log_outputs",
            service_pb2.LogOutputs,
            "logged model",
            lambda asked: [each.model_id for each in asked.models],
        ),
        ("_create_presigned_upload_url", service_pb2.CreatePresignedUploadUrl, "run", lambda asked: [asked.run_id]),
    )
    for view, message, kind, named in views:
        guard_view(app, view, message, _asking(kind, named))


def _models_of(things: Iterable[Any]) -> list[str]:
    return [each.model_id for each in things]


def _asking(kind: str, named: Named) -> Callable[[Any, dict[str, Any]], Refused | None]:
    def refuses(asked: Any, _parameters: dict[str, Any]) -> Refused | None:
        actor = require_actor()
        names = sorted({*named(asked)} - {""})
        if actor.is_admin or all(may_update(actor.name, kind, name) for name in names):
            return None
        reason = Reason("mlflow-permission", f"EDIT on each {kind} that is named", f"{actor.name} does not have it",
                        "ask its owner to grant it")  # fmt: skip
        return Refused("permission denied", [reason])

    return refuses
