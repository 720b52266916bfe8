"""Which of MLflow's aliases an entry of the ledger moved, as MLflow's own webhooks are told of it."""

from __future__ import annotations

from dataclasses import dataclass

from registry_hooks.records import ROLES, Entry, Pair, Role

MOVED_BY = ("adopted", "nominated", "promoted", "rolled-back", "broke-glass")
"""Actions of the entries that can move an alias."""


@dataclass(frozen=True)
class Moved:
    """An alias that is another version's now; None where it was taken away."""

    alias: Role
    version: int | None


def aliases_moved(entry: Entry, pairs: tuple[Pair, Pair] | None) -> tuple[Moved, ...]:
    """The aliases that were moved with an entry, in the order in which they are written.

    ``pairs`` are those before and after it. A model that comes under a policy has aliases already, which its entry
    says; of one that was written without them nothing is told.
    """
    if pairs is None or entry.action not in MOVED_BY:
        return ()
    before, after = pairs
    if entry.action == "adopted":
        before = Pair.model_validate(entry.body["aliases"]) if "aliases" in entry.body else after
    return tuple(Moved(role, getattr(after, role)) for role in ROLES if getattr(before, role) != getattr(after, role))
