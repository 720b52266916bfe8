"""From an item of a stream to the message about it."""

from __future__ import annotations

import json
from typing import Any

from pydantic import ValidationError

from registry_hooks.notify.contract import Undelivered
from registry_hooks.records import Entry
from registry_hooks.rules.telling.events import Event
from registry_hooks.rules.telling.messages import Message, Place, of_entry, of_notice
from registry_hooks.storage.log.checkpoints import Checkpoints
from registry_hooks.storage.outbox.streams import Item, Streams


def made(item: Item, event: Event, session: Any, server: str) -> Message:
    """The message about one item, told under that event.

    Raises:
        Undelivered: when it cannot be read: somebody changed it in the database.
    """
    try:
        document = json.loads(item.text)
        if item.stream == "notices":
            return of_notice(item.number, item.sign, event, document, server)
        entry, streams = Entry.model_validate(document), Streams(session)
        place = Place(item.number, item.sign, streams.root_after(item.number),
                      Checkpoints(session).newest_text())  # fmt: skip
        return of_entry(entry, event, place, streams.pairs(entry), server)
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        told = "it was changed in the database; registry-hooks audit verify names it"
        raise Undelivered(f"{item.stream} {item.number} cannot be read: {told}") from error
