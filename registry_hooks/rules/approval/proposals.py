"""Which Proposals there may be: one open for a version, the one that was read, and whose it is to take back."""

from __future__ import annotations

from registry_hooks.errors import Reason
from registry_hooks.identity import Actor
from registry_hooks.records import ModelState, Proposal
from registry_hooks.rules.approval.approvals import holds
from registry_hooks.rules.approval.people import Facts, is_gone


def already_open(state: ModelState, version: int, facts: Facts) -> list[Reason]:
    """Why no other Proposal for the version can be opened: there is one that still holds."""
    proposal = state.open_proposal(version)
    if proposal is None or holds(proposal, state, facts):
        return []
    fix = f"approve or reject it (registry-hooks approve|reject {state.model} {version})"
    found = f"{proposal.id}, requested by {proposal.requester}"
    return [Reason("proposal", "no open Proposal for this version", found, fix)]


def another_than_read(proposal: Proposal, digest: str | None) -> list[Reason]:
    """Why a Proposal is not the one that its signer read; empty where they did not say which that was."""
    if digest in (None, proposal.digest):
        return []
    expected = f"the Proposal that was read ({str(digest)[:80]})"
    fix = f"read it again: registry-hooks status {proposal.model}"
    return [Reason("digest", expected, f"{proposal.id} is {proposal.digest}", fix)]


def meant(state: ModelState, version: int | None, proposal_id: str | None, facts: Facts) -> list[Proposal]:
    """The Proposals that are meant by a version, an id, or neither; exactly one where it is clear which."""
    found = [p for p in state.proposals.values() if proposal_id in (None, p.id) and version in (None, p.version)]
    if len(found) < 2:
        return found
    # Those that nobody can decide any more do not make the one that can be ambiguous.
    return [p for p in found if not holds(p, state, facts)] or found


def may_withdraw(actor: Actor, proposal: Proposal, facts: Facts) -> list[Reason]:
    """Why ``actor`` has nothing to take back: the Proposal is its requester's, each signature its signer's."""
    if actor.name == proposal.requester or any(signed.actor == actor.name for signed in proposal.approvals):
        return []
    gone = is_gone(proposal.requester, facts)
    fix = ("" if gone else f"ask {proposal.requester} to withdraw it, or ") + "say no with registry-hooks reject"
    return [Reason("withdraw", f"the requester of {proposal.id}, or somebody who signed it", actor.name, fix)]
