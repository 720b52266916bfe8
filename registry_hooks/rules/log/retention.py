"""Retention: how old an entry must be before its body may go, and which bodies stay whatever their age.

What stays is what shows why what serves does, and what is still needed to decide: the entries of versions in a role,
with an open Proposal or an open review; the policies that these rest on, and those in force; keys; and what was done
to the log itself. States do not need the entries: a purge keeps them as they were.
"""

from __future__ import annotations

from collections.abc import Iterable
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

    versions: dict[str, set[int]]
    policies: set[str]
    gone: Ranges = field(default_factory=list)
    kept: int = 0
    _loans: set[str] = field(default_factory=set)
    _went: set[str] = field(default_factory=set)  # policies and loans whose entries go
    _told: dict[str, set[int]] = field(default_factory=dict)  # versions of each model that entries that go tell of

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
        rests_on = _is_rested_on(document)
        if document["action"] in _ALWAYS or rests_on in self.policies | self._loans or self._tells_of_live(document):
            self.kept += 1
            return False
        extend(self.gone, document["seq"])
        if rests_on is not None:
            self._went.add(rests_on)
        if told := _told_of(document):
            self._told.setdefault(document["model"], set()).update(told)
        return True

    def takes_needed(self, model: str, state: ModelState, document: Json) -> bool:
        """Take in a newer entry of a model, and its state then; whether what goes is needed now."""
        lives, before = live(state), self.versions.setdefault(model, set())
        fresh = lives - before
        before |= lives
        self.needs(document)
        return not (fresh.isdisjoint(self._told.get(model, ())) and self._went.isdisjoint(self.policies | self._loans))

    @property
    def count(self) -> int:
        """How many go."""
        return count(self.gone)

    def _tells_of_live(self, document: Json) -> bool:
        versions = self.versions.get(str(document["model"]))
        return versions is not None and not versions.isdisjoint(_told_of(document))


def _is_rested_on(document: Json) -> str | None:
    """The digest of the policy, or the name of the loan, that an entry is about; None of any other."""
    if document["action"] == "policy-applied":
        return str(document["body"]["digest"])
    if document["action"] in ("delegated", "delegation-ended"):
        loan = document["body"]["delegation"]
        return str(loan["id"] if isinstance(loan, dict) else loan)
    return None


def _told_of(document: Json) -> set[int]:
    """The versions that an entry of a model tells of."""
    if document["model"] is None:
        return set()
    body = document["body"]
    pairs = (body[name] for name in ("before", "after", "pair") if isinstance(body.get(name), dict))
    review = body.get("review")
    named = [document["version"], review["version"] if isinstance(review, dict) else None]
    champions = [pair.get("champion") for pair in pairs] if document["action"] != "nominated" else []
    return {*named, *champions} - {None}


def count(ranges: Ranges) -> int:
    """How many numbers there are in ranges."""
    return sum(last - first + 1 for first, last in ranges)


def lots(ranges: Ranges, numbers: int, most: int) -> list[Ranges]:
    """Ranges in lots of at most so many numbers, and at most so many ranges."""
    made, room = list[Ranges](), 0
    for first, last in ranges:
        at = first
        while at <= last:
            if not room or len(made[-1]) == most:
                made.append([])
                room = numbers
            until = min(last, at + room - 1)
            made[-1].append([at, until])
            room, at = room - (until - at + 1), until + 1
    return made
