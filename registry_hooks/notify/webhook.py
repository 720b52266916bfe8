"""Signed webhooks of ours: a POST of JSON with the headers of Standard Webhooks."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from registry_hooks.notify.contract import Send
from registry_hooks.notify.http import Session, check_address, post
from registry_hooks.notify.sealing import opened
from registry_hooks.rules.telling.messages import Message
from registry_hooks.rules.telling.standard_webhooks import secret_from, signed_headers
from registry_hooks.storage.outbox.targets import Target


class Webhook:
    """Targets of the kind ``webhook``."""

    def checked(self, address: str) -> Mapping[str, str]:
        """The address, and a new secret."""
        check_address(address)
        return {"address": address, "secret": secret_from(secrets.token_bytes(32))}

    def shown(self, address: str) -> str:
        """Scheme and host; a login, a path and a query may be what lets somebody in, and are left out."""
        parts = urlsplit(address)
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], "/…", "", ""))

    def open(self, target: Target, session: Any) -> Send:
        """What sends to it; the connection is kept between messages."""
        kept, http = opened(target.sealed), Session()

        def send(message: Message) -> None:
            headers = signed_headers(kept["secret"], message.id, int(time.time()), message.body)
            post(http, kept["address"], message.body, {**headers, "Content-Type": "application/json"})

        return send
