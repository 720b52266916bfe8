"""MLflow's handlers tell its webhooks of an alias that was set; of a role's, the outbox does, and they do not."""

from __future__ import annotations

from functools import wraps
from typing import Any

from registry_hooks.app.governed import governed_desk
from registry_hooks.records import ROLES


def leave_roles_to_the_outbox() -> None:
    """Keep MLflow's handlers from telling of roles of governed models, or their webhooks would hear it twice."""
    from mlflow.entities.webhook import WebhookEntity
    from mlflow.server import handlers as handlers_of_mlflow

    handlers: Any = handlers_of_mlflow  # its own imports are no exports to mypy
    deliver = handlers.deliver_webhook

    @wraps(deliver)
    def delivered(*, event: Any, payload: Any, store: Any) -> None:
        of_role = event.entity is WebhookEntity.MODEL_VERSION_ALIAS and payload["alias"] in ROLES
        if not (of_role and governed_desk().native.governs(payload["name"])):
            deliver(event=event, payload=payload, store=store)

    handlers.deliver_webhook = delivered
