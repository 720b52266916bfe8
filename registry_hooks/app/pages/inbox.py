"""The first page: what waits for the reader, what they asked for, reviews, and what changed since yesterday."""

from __future__ import annotations

from registry_hooks.app.api.asking import ask
from registry_hooks.app.pages.table import Fields, Shown


def show(fields: Fields) -> Shown:
    """The inbox of who asks."""
    return Shown("inbox.html.j2", {"inbox": ask("inbox", fields)})
