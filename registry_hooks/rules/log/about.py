"""Which entries of a model's log tell of one of its versions, and what else those rest on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from registry_hooks.records import ROLES, Approval, Entry, Nomination, Proposal, Review


def about(entries: Iterable[Entry], version: int) -> list[Entry]:
    """The entries of a model that name a version: its own, and those that gave it a role, or took one away."""
    return [entry for entry in entries if version in versions_of(entry)]


def versions_of(entry: Entry) -> set[int]:
    """The versions of which an entry of a model tells."""
    named = {entry.version} if entry.version is not None else set()
    for pair in (entry.body.get(name) for name in ("before", "after", "pair")):
        if isinstance(pair, dict):
            named |= {int(pair[role]) for role in ROLES if pair.get(role)}
    review = entry.body.get("review")
    if isinstance(review, dict):
        named.add(Review.model_validate(review).version)
    return named


def with_redactions(entries: Iterable[Entry], redactions: Iterable[Entry]) -> list[Entry]:
    """Entries, and those of the redactions (in order) that took texts out of any of them."""
    found = {entry.seq: entry for entry in entries}
    for entry in redactions:
        if any(int(seq) in found for seq in entry.body["rows"]):
            found[entry.seq] = entry
    return list(found.values())


def nominations(entries: Iterable[Entry], version: int) -> list[Nomination]:
    """The nominations of a version, each once, in order: a break-glass repeats the one that it found."""
    found = (Nomination.model_validate(e.body["nomination"]) for e in entries if "nomination" in e.body)
    mine = [nomination for nomination in found if nomination.version == version]
    return [each for place, each in enumerate(mine) if each not in mine[:place]]


def proposals(entries: Iterable[Entry], version: int) -> list[Proposal]:
    """The Proposals of a version as they were asked for."""
    asked = (Proposal.model_validate(e.body["proposal"]) for e in entries if e.action == "requested")
    return [proposal for proposal in asked if proposal.version == version]


def approvals(entries: Iterable[Entry]) -> Iterator[Approval]:
    """Every yes and no."""
    yield from (Approval.model_validate(e.body["approval"]) for e in entries if "approval" in e.body)


def trust_needed(entries: Iterable[Entry], version: int) -> tuple[set[str], set[str]]:
    """The ids of the keys that signed the Evidence of a version, and of the loans that its signers signed on."""
    every = list(entries)
    keys = {key for each in nominations(every, version) for item in each.evidence for key in item.signed_by}
    loans = {s.name for signed in approvals(every) for s in signed.sources if s.via == "loan"}
    return keys, loans


def is_of_trust(entry: Entry, keys: set[str], loans: set[str]) -> bool:
    """Whether an entry about keys and loans is about one of these."""
    body: dict[str, Any] = entry.body
    key, loan = body.get("key"), body.get("delegation")
    return (key["id"] if isinstance(key, dict) else key) in keys or (
        loan["id"] if isinstance(loan, dict) else loan
    ) in loans
