"""Retention: how old an entry must be before its body may go, and which bodies stay whatever their age.

What stays is what shows why what serves does, and what is still needed to decide: the entries of versions in a role,
with an open Proposal or an open review; the policies that these rest on, and those in force; keys; and what was done
to the log itself. States do not need the entries: a purge keeps them as they were.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from registry_hooks.errors import Reason
from registry_hooks.records import ROLES, ModelState
from registry_hooks.rules.log.altered import Ranges, extend
from registry_hooks.rules.policy import SHORTEST_RETENTION

Json = dict[str, Any]
_ALWAYS = frozenset({"redacted", "purged", "key-trusted", "key-revoked", "log-key-changed"})


def kept_for(wanted: Iterable[timedelta | None]) -> timedelta:
    """How long bodies are kept: the longest of what policies and the server ask for, and never less than six months."""
    return max(each for each in (*wanted, SHORTEST_RETENTION) if each is not None)


def too_young(before: datetime, now: datetime, kept: timedelta) -> list[Reason]:
    """A reason where something younger than is kept would be purged."""
    latest = now - kept
    if before <= latest:
        return []
    expected = f"a time until {latest:%Y-%m-%d %H:%M:%S}Z: bodies are kept for {kept.days} days"
    return [Reason("retention", expected, f"{before:%Y-%m-%d %H:%M:%S}Z", "give an earlier time")]


def live(state: ModelState) -> set[int]:
    """The versions of a model about which something is decided or may be: in a role, asked for, or under review."""
    roles = (getattr(state.pair, role) for role in ROLES)
    return {
        *(version for version in roles if version is not None),
        *(proposal.version for proposal in state.proposals.values()),
        *(review.version for review in state.reviews),
    }


@dataclass
class Purge:
    """Which entries go and which stay, as they are read in order.

    Args:
        versions: those of each model that are `live`.
        policies: the digests of the policies in force.
        gone: the numbers of entries that go, as ranges.
        kept: how many stay.
    """

    versions: Mapping[str, set[int]]
    policies: set[str]
    gone: Ranges = field(default_factory=list)
    kept: int = 0
    _loans: set[str] = field(default_factory=set)

    def needs(self, document: Json) -> None:
        """Take in what an entry that stays rests on; to be asked of every entry before any is judged."""
        if not self._tells_of_live(document):
            return
        body = document["body"]
        if document["action"] == "requested":
            self.policies.add(body["proposal"]["policy_digest"])
        for source in body.get("approval", {}).get("sources", ()):
            self._loans |= {source["name"]} if source["via"] == "loan" else set()

    def goes(self, document: Json) -> bool:
        """Whether an entry goes; noted in ``gone`` or ``kept``."""
        if self._stays(document):
            self.kept += 1
            return False
        extend(self.gone, document["seq"])
        return True

    @property
    def count(self) -> int:
        """How many go."""
        return sum(last - first + 1 for first, last in self.gone)

    def _stays(self, document: Json) -> bool:
        action, body = document["action"], document["body"]
        if action in _ALWAYS:
            return True
        if action == "policy-applied":
            return body["digest"] in self.policies
        if action in ("delegated", "delegation-ended"):
            loan = body["delegation"]
            return (loan["id"] if isinstance(loan, dict) else loan) in self._loans
        return self._tells_of_live(document)

    def _tells_of_live(self, document: Json) -> bool:
        versions = self.versions.get(str(document["model"]), set()) if document["model"] is not None else set()
        if not versions:
            return False
        body = document["body"]
        pairs = (body[name] for name in ("before", "after", "pair") if isinstance(body.get(name), dict))
        review = body.get("review")
        named = [document["version"], review["version"] if isinstance(review, dict) else None]
        champions = [pair.get("champion") for pair in pairs] if document["action"] != "nominated" else []
        return not versions.isdisjoint({*named, *champions} - {None})
