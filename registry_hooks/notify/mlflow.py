"""MLflow's own registered webhooks hear of roles that move, in the very words of MLflow's own handlers.

Those send from an in-memory pool, once a request has set an alias. The desk moves several aliases at once, and not by
such a request; a server that is killed forgets what waited in the pool. So what moves roles is told from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cryptography.fernet import InvalidToken
from mlflow.entities.webhook import Webhook, WebhookAction, WebhookEntity, WebhookEvent
from mlflow.webhooks.delivery import _send_webhook_request
from mlflow.webhooks.types import ModelVersionAliasCreatedPayload, ModelVersionAliasDeletedPayload

from registry_hooks.errors import Invalid, Reason
from registry_hooks.notify.contract import Send, Undelivered
from registry_hooks.notify.http import Session, require_taken, told_as_undelivered
from registry_hooks.rules.telling.aliases import Moved
from registry_hooks.rules.telling.messages import Message
from registry_hooks.storage.outbox.targets import Target
from registry_hooks.storage.outbox.webhooks import webhook

_CREATED = WebhookEvent(WebhookEntity.MODEL_VERSION_ALIAS, WebhookAction.CREATED)
_DELETED = WebhookEvent(WebhookEntity.MODEL_VERSION_ALIAS, WebhookAction.DELETED)


class MlflowWebhook:
    """Targets of the kind ``mlflow``, whose id is the webhook's."""

    def checked(self, address: str) -> Mapping[str, str]:
        """Refused: MLflow adds and removes them."""
        reason = Reason("kind", "a kind that is added here", "mlflow", "MlflowClient().create_webhook makes one")
        raise Invalid("the target cannot be added", [reason])

    def shown(self, address: str) -> str:
        """The webhook's name."""
        return address

    def open(self, target: Target, session: Any) -> Send | None:
        """What sends to it; None where it is turned off, or wants none of these events."""
        try:
            found = webhook(session, target.id)
        except InvalidToken as error:
            raise Undelivered("MLflow's secret of this webhook was encrypted by another key") from error
        if found is None or not found.status.is_active():
            return None
        http = Session()

        def send(message: Message) -> None:
            for moved in message.moved:
                _tell(found, message.data["model"], moved, http)

        return send


def _tell(found: Webhook, model: str, moved: Moved, http: Session) -> None:
    event = _DELETED if moved.version is None else _CREATED
    if event not in found.events:
        return
    payload = (
        ModelVersionAliasDeletedPayload(name=model, alias=moved.alias)
        if moved.version is None
        else ModelVersionAliasCreatedPayload(name=model, alias=moved.alias, version=str(moved.version))
    )
    with told_as_undelivered(), http.cut_off():
        require_taken(_send_webhook_request(found, payload, event, http))
