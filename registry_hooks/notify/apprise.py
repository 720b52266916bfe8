"""Chats and mail, by Apprise where it is installed: ``slack://…``, ``msteams://…``, ``mailtos://…`` and many more."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from registry_hooks.errors import Invalid, Reason
from registry_hooks.notify.contract import Send, Undelivered
from registry_hooks.notify.peers import public_peers_only
from registry_hooks.notify.sealing import opened
from registry_hooks.rules.telling.messages import Message
from registry_hooks.storage.outbox.targets import Target

ALARMS = ("rolled-back", "broke-glass", "rejected", "review-overdue", "tampering-seen")
"""Events that are told as warnings."""


class Apprise:
    """Targets of the kind ``apprise``, whose address is an Apprise URL."""

    def checked(self, address: str) -> Mapping[str, str]:
        """The address, which holds what is secret."""
        try:
            _sender(address)
        except Undelivered as error:
            raise Invalid("the target cannot be added", [_no_address(str(error))]) from error
        return {"address": address}

    def shown(self, address: str) -> str:
        """The address as Apprise masks it."""
        return str(_sender(address).url(privacy=True))[:200]

    def open(self, target: Target, session: Any) -> Send:
        """What sends to it."""
        sender = _sender(opened(target.sealed)["address"])

        def send(message: Message) -> None:
            apprise = _apprise()
            kind = apprise.NotifyType.WARNING if message.event in ALARMS else apprise.NotifyType.INFO
            with apprise.LogCapture(level=logging.WARNING) as told, public_peers_only():
                try:
                    taken = sender.notify(title=message.title, body=message.text, notify_type=kind)
                except (OSError, TypeError, ValueError) as error:
                    raise Undelivered(f"{type(error).__name__}: {error}") from error
                if not taken:
                    raise Undelivered(
                        f"Apprise could not deliver it: {told.getvalue().strip()[-400:] or 'no reason told'}"
                    )

        return send


def _sender(address: str) -> Any:
    if address.isprintable() and len(address) <= 2000:
        sender = _apprise().Apprise.instantiate(address)
        if sender is not None:
            return sender
    raise Undelivered("no address that Apprise knows")


def _apprise() -> ModuleType:
    try:
        import apprise
    except ImportError as error:
        raise Undelivered("apprise is not installed: pip install 'mlflow-registry-hooks[notify]'") from error
    found: ModuleType = apprise
    return found


def _no_address(found: str) -> Reason:
    mend = "https://appriseit.com lists its addresses; the server needs mlflow-registry-hooks[notify]"
    return Reason("address", "an address of Apprise, such as slack://TokenA/TokenB/TokenC/#channel", found, mend)
