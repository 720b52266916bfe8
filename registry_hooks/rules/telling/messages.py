"""A change as a message: the JSON that a webhook is sent, and the words for people."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from registry_hooks.records import Entry, Pair
from registry_hooks.rules.telling.aliases import Moved, aliases_moved
from registry_hooks.rules.telling.events import Event
from registry_hooks.rules.telling.sentences import sentence

_WHY = ("comment", "reason", "finding")
_OF_PROPOSALS = ("requested", "approved", "rejected", "approval-withdrawn")
_HOLDERS = ("review", "proposal", "approval", "nomination", "delegation")


@dataclass(frozen=True)
class Message:
    """What is sent to one target about one change.

    Args:
        id: the same for every try, and for no other change: a receiver that sees it again has it already.
        event: under which event it is told.
        at: when it happened.
        data: what happened, as JSON.
        moved: the aliases that MLflow has moved with it.
    """

    id: str
    event: Event
    at: datetime
    data: dict[str, Any]
    moved: tuple[Moved, ...] = ()

    @property
    def body(self) -> bytes:
        """The document as Standard Webhooks has it: ``type``, ``timestamp`` and ``data``."""
        document = {"type": f"registry-hooks.{self.event}", "timestamp": _time(self.at), "data": self.data}
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()

    @property
    def title(self) -> str:
        """One line: which model, and what happened."""
        about = self.data.get("model") or "registry-hooks"
        return _plain(f"{about}: {self.event.replace('-', ' ')}")

    @property
    def text(self) -> str:
        """Who did what, and where to look."""
        lines = [f"{self.data['actor']}: {self.data['summary']}" if self.data.get("actor") else self.data["summary"]]
        return "\n".join(map(_plain, [*lines, *([self.data["page"]] if self.data.get("page") else [])]))


@dataclass(frozen=True)
class Place:
    """Where an entry stands in the ledger: its number, its leaf hash, and the root of the tree that ends with it.

    ``checkpoint`` is the newest one that was signed when it was told, as a note; None where none ever was.
    """

    seq: int
    leaf: str
    root: str
    checkpoint: str | None = None


def of_entry(entry: Entry, event: Event, place: Place, pairs: tuple[Pair, Pair] | None, server: str) -> Message:
    """The message about one entry of the ledger; ``pairs`` are those before and after it, ``server`` its address."""
    data = {
        "event": event,
        "action": entry.action,
        "model": entry.model,
        "version": entry.version,
        "summary": sentence(entry),
        "actor": entry.actor,
        "authenticated_by": entry.authenticated_by,
        "reason": _why(entry.body),
        "before": pairs[0].as_json() if pairs else None,
        "after": pairs[1].as_json() if pairs else None,
        "ledger": {"seq": place.seq, "leaf": place.leaf, "root": place.root, "checkpoint": place.checkpoint},
        "page": page(server, entry.model, entry.version if entry.action in _OF_PROPOSALS else None),
    }
    known: dict[str, Any] = {name: entry.body[name] for name in ("review", "proposal") if name in entry.body}
    if "approval" in entry.body:
        known["proposal"] = entry.body["approval"]["proposal"]
    numbers = {name: held["id"] if isinstance(held, dict) else held for name, held in known.items()}
    return Message(
        f"entry-{place.seq}-{place.leaf[:32]}", event, entry.at, {**data, **numbers}, aliases_moved(entry, pairs)
    )


def of_notice(number: int, said: str, event: Event, body: dict[str, Any], server: str) -> Message:
    """The message about what was found, or fell due, and is no entry of the ledger."""
    summary = f"{body['summary']}: {body['reason']}" if body.get("reason") else body["summary"]
    told = {"event": event, "action": None, "actor": None, **body, "summary": summary}
    data = {**told, "page": page(server, body.get("model"))}
    return Message(f"notice-{number}-{said[:32]}", event, datetime.fromisoformat(body["at"]), data)


def page(server: str, model: str | None, version: int | None = None) -> str | None:
    """The page to look at: of a version's Proposal, of a model, or the inbox; None where no address is known."""
    if not server:
        return None
    below, asked = ("", {}) if model is None else ("model", {"model": model})
    if model is not None and version is not None:
        below, asked = "proposal", {"model": model, "version": str(version)}
    query = f"?{urlencode(asked)}" if asked else ""
    return f"{server.rstrip('/')}/registry-hooks/{below}{query}"


def _why(body: dict[str, Any]) -> str | None:
    places = [body, *(held for name in _HOLDERS if isinstance(held := body.get(name), dict))]
    return next((str(place[name]) for name in _WHY for place in places if place.get(name)), None)


def _plain(text: str) -> str:
    """On one line and without characters that steer what shows it, or turn the order of letters round."""
    return "".join(each if each.isprintable() else " " for each in str(text))


def _time(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
