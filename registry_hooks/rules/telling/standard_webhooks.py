"""How a webhook of ours is signed: Standard Webhooks (standardwebhooks.com), version 1, HMAC-SHA256."""

from __future__ import annotations

import base64
import hashlib
import hmac

PREFIX = "whsec_"


def secret_from(random_bytes: bytes) -> str:
    """A secret as receivers' libraries take it."""
    return PREFIX + base64.b64encode(random_bytes).decode()


def signed_headers(secret: str, message_id: str, seconds: int, body: bytes) -> dict[str, str]:
    """The three headers of a message that is sent at that time, in seconds since 1970."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = hmac.new(key, f"{message_id}.{seconds}.".encode() + body, hashlib.sha256).digest()
    signature = "v1," + base64.b64encode(signed).decode()
    return {"webhook-id": message_id, "webhook-timestamp": str(seconds), "webhook-signature": signature}
