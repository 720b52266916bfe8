"""The audit log searched: who did what, about which model, and when."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from registry_hooks.desk.answers import Answer, entry_json
from registry_hooks.desk.grounds.case import Cases
from registry_hooks.desk.grounds.times import moment
from registry_hooks.errors import RegistryError
from registry_hooks.identity import Sight, current_sight
from registry_hooks.records import Entry
from registry_hooks.storage.log.rows import StoredLog

MOST_READ = 5000  # entries that one search reads; the next one goes on from there


@dataclass(frozen=True)
class Searching:
    """Searches of the log."""

    cases: Cases

    def audit_search(
        self,
        model: str | None = None,
        actor: str | None = None,
        action: str | None = None,
        since: str | None = None,
        until: str | None = None,
        before: int | None = None,
        limit: int = 50,
    ) -> Answer:
        """Entries of models that the caller may READ, newest first; those of no model to who may READ everything.

        ``older`` is what to give as ``before`` to go on; None where nothing older is left. Times are RFC 3339.
        """
        first = moment("since", since) if since is not None else None
        last = moment("until", until) if until is not None else None
        with self.cases.unit_of_work(write=False) as session:
            rows = StoredLog(session).newest(before, MOST_READ, model, action)
            reached = rows[-1].seq if len(rows) == MOST_READ else None
            found: list[Answer] = []
            for entry in _readable(map(_entry, (row.entry for row in rows)), current_sight()):
                if (actor is None or entry.actor == actor) and _within(entry.at, first, last):
                    if len(found) == limit:
                        reached = found[-1]["seq"]
                        break
                    found.append({"model": entry.model, **entry_json(entry)})
        return {"entries": found, "older": reached}


def _within(at: datetime, first: datetime | None, last: datetime | None) -> bool:
    return (first is None or at >= first) and (last is None or at <= last)


def _readable(entries: Iterator[Entry], sight: Sight) -> Iterator[Entry]:
    seen: dict[str, bool] = {}
    for entry in entries:
        name = entry.model
        if name is None:
            may = seen.setdefault(":", sight.everything())
        else:
            may = seen[name] if name in seen else seen.setdefault(name, sight.model(name))
        if may:
            yield entry


def _entry(text: bytes) -> Entry:
    try:
        return Entry.model_validate(json.loads(text))
    except ValueError as error:
        raise RegistryError("a ledger entry cannot be read; registry-hooks audit verify names it") from error
