"""A line of JSON a change on the standard output of the server, for whoever collects logs."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from registry_hooks.errors import Invalid, Reason
from registry_hooks.notify.contract import Send, Undelivered
from registry_hooks.rules.telling.messages import Message
from registry_hooks.storage.outbox.targets import Target


class Stdout:
    """Targets of the kind ``stdout``; they have no address."""

    def checked(self, address: str) -> Mapping[str, str]:
        """Nothing is kept."""
        if address not in ("", "-"):
            reason = Reason("address", "none: standard output is one", ascii(address[:80]), "leave it out")
            raise Invalid("the target cannot be added", [reason])
        return {}

    def shown(self, address: str) -> str:
        """A dash."""
        return "-"

    def open(self, target: Target, session: Any) -> Send:
        """What writes the line, in one piece."""

        def send(message: Message) -> None:
            line = json.dumps({"id": message.id, **json.loads(message.body)})
            try:
                sys.stdout.write(line + "\n")
                sys.stdout.flush()
            except (OSError, ValueError) as error:
                raise Undelivered(f"standard output: {error}") from error

        return send
