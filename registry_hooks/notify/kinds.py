"""The kinds of targets, one literal table."""

from __future__ import annotations

from collections.abc import Mapping

from registry_hooks.notify.apprise import Apprise
from registry_hooks.notify.contract import TargetKind
from registry_hooks.notify.mlflow import MlflowWebhook
from registry_hooks.notify.stdout import Stdout
from registry_hooks.notify.webhook import Webhook
from registry_hooks.storage.outbox.targets import Kind

KINDS: Mapping[Kind, TargetKind] = {
    "webhook": Webhook(),
    "mlflow": MlflowWebhook(),
    "apprise": Apprise(),
    "stdout": Stdout(),
}
