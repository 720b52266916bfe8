"""What of a model waits for somebody: Proposals that are neither made nor taken back, and open reviews."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Literal, NamedTuple

from registry_hooks.records import ModelState

Kind = Literal["proposal", "rejected", "review"]


class Matter(NamedTuple):
    """One thing that waits, with what says whom it waits for.

    Args:
        model: whose.
        item: the id of the Proposal or review.
        kind: a Proposal, one that somebody rejected, or a review.
        who: its requester, or who opened the review.
        policy: the digest of the policy that a Proposal is bound to; empty for a review.
        until: when a Proposal expires, or a review falls due; text that sorts by time.
        barred: who can never sign the Proposal, its requester and the version's author; each between two line ends.
        signed: who has signed it, likewise.
    """

    model: str
    item: str
    kind: Kind
    who: str
    policy: str
    until: str
    barred: str
    signed: str


def matters(state: ModelState) -> tuple[Matter, ...]:
    """What waits of a model."""
    found = []
    for proposal in state.proposals.values():
        kind: Kind = "rejected" if proposal.rejected_by else "proposal"
        barred, signed = {proposal.requester}, {each.actor for each in proposal.approvals}
        if author := state.authors.get(proposal.version):
            barred.add(author)
        told = proposal.requester, proposal.policy_digest, sortable(proposal.expires_at)
        found.append(Matter(state.model, proposal.id, kind, *told, names(barred), names(signed)))
    for review in state.reviews:
        told = review.opened_by, "", sortable(review.due_at)
        found.append(Matter(state.model, review.id, "review", *told, names({review.opened_by}), ""))
    return tuple(sorted(found))


def names(people: Iterable[str]) -> str:
    """Names as text in which each stands between two line ends."""
    return "".join(f"\n{name}\n" for name in sorted(people))


def sortable(moment: datetime) -> str:
    """A time in UTC as text that sorts by time."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
