"""MLflow's own registered webhooks, which are targets that nobody need add."""

from __future__ import annotations

from typing import Any, cast

import sqlalchemy as sa
from mlflow.store.model_registry.dbmodels.models import SqlWebhook
from sqlalchemy.orm import Session

from registry_hooks.identity import SYSTEM
from registry_hooks.rules.telling.events import Chosen
from registry_hooks.storage.outbox.streams import Streams
from registry_hooks.storage.outbox.targets import Target, Targets

_webhooks = cast(sa.Table, SqlWebhook.__table__).c
_THERE = sa.select(_webhooks.webhook_id, _webhooks.name).where(_webhooks.deleted_timestamp.is_(None))
CHOSEN = Chosen(events=("promoted", "rolled-back", "broke-glass", "nominated", "adopted"))
"""The events that can move an alias."""


def webhook(session: Session, webhook_id: str) -> Any:
    """The webhook as MLflow knows it, its secret decrypted; None where it was deleted."""
    found = session.query(SqlWebhook).filter(
        SqlWebhook.webhook_id == webhook_id, SqlWebhook.deleted_timestamp.is_(None)
    )
    row = found.one_or_none()
    return None if row is None else row.to_mlflow_entity()


def unlike(session: Session, targets: list[Target]) -> bool:
    """Whether there is a webhook that is no target yet, or a target whose webhook is gone."""
    known = {each.id for each in targets if each.kind == "mlflow"}
    return known != {str(row.webhook_id) for row in session.execute(_THERE)}


def take_in(session: Session) -> None:
    """Make a target of each webhook that is none, which hears from now on; and forget those that are gone."""
    targets, sizes = Targets(session), Streams(session).sizes()
    known = {each.id for each in targets.all() if each.kind == "mlflow"}
    there = {str(row.webhook_id): str(row.name) for row in session.execute(_THERE)}
    for webhook_id in sorted(there.keys() - known):
        name = f"mlflow-{webhook_id}"
        targets.add(Target(webhook_id, name, "mlflow", there[webhook_id], None, CHOSEN, SYSTEM.name, "", sizes))
    for webhook_id in known - there.keys():
        targets.remove(webhook_id)
