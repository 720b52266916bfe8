"""Addresses and secrets of targets, encrypted as MLflow encrypts the secrets of its webhooks: by the same key."""

from __future__ import annotations

import json
from collections.abc import Mapping

from cryptography.fernet import Fernet, InvalidToken

from registry_hooks.errors import Invalid, Reason
from registry_hooks.notify.contract import Undelivered

KEY = "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY"


def sealed(kept: Mapping[str, str]) -> str:
    """The encrypted form.

    Raises:
        Invalid: when this server has no key, and would forget what it encrypted.
    """
    cipher = _cipher()
    if cipher is None:
        reason = Reason("encryption-key", f"the same key in {KEY} for every worker and replica", "none, or no such key",
                        "start with `registry-hooks server`, which makes one, or set the variable to the key of "
                        "cryptography's Fernet.generate_key()")  # fmt: skip
        raise Invalid("the server cannot keep a secret", [reason])
    return cipher.encrypt(json.dumps(dict(kept)).encode()).decode()


def opened(text: str | None) -> dict[str, str]:
    """What was sealed.

    Raises:
        Undelivered: when it was sealed by another key, or this server has none.
    """
    cipher = _cipher()
    if cipher is None or text is None:
        raise Undelivered(f"its address and secret cannot be read: this server has no key in {KEY}")
    try:
        found: dict[str, str] = json.loads(cipher.decrypt(text.encode()))
    except InvalidToken as error:
        raise Undelivered(f"its address and secret were encrypted by another key than {KEY}") from error
    return found


def _cipher() -> Fernet | None:
    from mlflow.environment_variables import MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY

    try:
        return Fernet(MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY.get() or "")
    except ValueError:
        return None
