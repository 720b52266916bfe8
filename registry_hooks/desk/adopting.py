"""What ledger and registry say of a model that comes under a policy: the facts of `rules.governing.adopting`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from registry_hooks.desk.grounds.case import CLOCK_TOLERANCE
from registry_hooks.errors import Reason
from registry_hooks.records import ModelState, Pair
from registry_hooks.rules.governing.adopting import Adopt, Found, disagreeing, misleading
from registry_hooks.storage.ledger import Ledger
from registry_hooks.storage.mlflow_rows import Registry


@dataclass(frozen=True)
class Adoption:
    """What must be adopted of a model.

    Args:
        model: its name.
        pair: the roles that it comes with.
        fresh: whether nothing that was recorded of it before counts.
        gone: versions that the ledger knows as champions, and that were deleted past the server.
        settled: which of aliases and stages counted and what each said, where they disagree; else empty.
        aliases: the roles as the aliases had them.
    """

    model: str
    pair: Pair
    fresh: bool
    gone: tuple[int, ...] = ()
    settled: tuple[tuple[str, Any], ...] = ()
    aliases: Pair = field(default_factory=Pair)

    def body(self, registered: bool) -> dict[str, Any]:
        """The ledger entry's body."""
        kept = {"gone": list(self.gone)} if self.gone else {}
        return {
            "pair": self.pair.as_json(),
            "fresh": self.fresh,
            "registered": registered,
            "aliases": self.aliases.as_json(),
            **kept,
            **dict(self.settled),
        }


def adoption(
    ledger: Ledger, registry: Registry, model: str, *, fresh: bool, now: datetime, adopt: Adopt | None
) -> tuple[Adoption | None, list[Reason]]:
    """What must be adopted of a model, and the Reasons against it. Both are empty where ledger and registry agree."""
    state = ledger.state(model)
    if not registry.exists(model):
        known = state != ModelState(model=model)
        return (Adoption(model, Pair(), fresh=True) if known else None), []
    ahead = state.last_at is not None and state.last_at - now > CLOCK_TOLERANCE
    if registry.agrees(model, state.pair) and not ahead and (not fresh or state == ModelState(model=model)):
        return None, []
    found = Found(registry.pair(model), registry.stages(model))
    pair = found.pair(adopt or "alias")
    reasons = [*misleading(model, registry.lookalikes(model)), *disagreeing(model, found, pair, adopt)]
    settled: dict[str, Any] = {}
    if found.lost(pair):
        settled = {"adopt": adopt, "found": {"aliases": found.aliases.as_json(), "stages": found.stages}}
    gone = tuple(sorted(set(state.champions) - set(registry.versions(model))))
    return Adoption(model, pair, fresh, gone, tuple(settled.items()), found.aliases), reasons
