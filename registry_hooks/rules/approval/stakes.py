"""Whose word an approval really is: accounts and roles that come from somebody with a stake in the Proposal.

Four eyes mean four eyes of two people. Who made an account, or gave it its password, may have it in their hands; who
gave it its role chose who approves. So a signature counts for nothing where its account was made, was given a password
or was given its role by the requester, by the version's author, or by another who signed the same Proposal, or by
somebody whose own account was in such hands when they did it. Roles that the policy itself names users for are the
policy's, which everybody sees and the Proposal is bound to.

Of accounts from before they were governed, and of the server's first administrator, the ledger knows nothing: they
count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from registry_hooks.identity import Actor
from registry_hooks.records import Account, Given, ModelState, Proposal, RoleSource
from registry_hooks.rules.approval.people import Facts, Standing, lent_to
from registry_hooks.rules.policy import in_words


@dataclass(frozen=True)
class Signature:
    """A signature as it is judged: given at ``at``, or about to be.

    Args:
        actor: who signs, ``person`` whose seat it takes.
        roles: in which roles.
        at: when.
        sources: where the roles came from when it was given, for where nobody can say it now.
    """

    actor: str
    person: str
    roles: tuple[str, ...]
    at: datetime
    sources: tuple[RoleSource, ...] = ()


@dataclass(frozen=True)
class Why:
    """Why something about a signature does not count: the rule, and what there is."""

    rule: Literal["stake", "settled"]
    found: str


@dataclass(frozen=True)
class Worth:
    """What is left of a signature: the roles that it counts in, and why it does not in others."""

    roles: frozenset[str]
    why_not: tuple[Why, ...] = ()


def judged(signature: Signature, proposal: Proposal | None, state: ModelState, version: int, facts: Facts) -> Worth:
    """What a signature counts for, as far as accounts and MLflow roles go."""
    return judged_against(_stakes(signature, proposal, state, version), signature, facts)


def judged_against(stakes: Mapping[str, str], signature: Signature, facts: Facts) -> Worth:
    """What a signature is worth, given who has a stake: ``stakes`` is name to what the stake is, in words."""
    names = dict.fromkeys((signature.actor, signature.person))
    why = [told for name in names for told in _of_account(name, signature, stakes, facts)]
    if why:
        return Worth(frozenset(), tuple(why))
    by_role = {role: _of_role(role, signature, stakes, facts) for role in signature.roles}
    told_of_roles = dict.fromkeys(told for each in by_role.values() for told in each)
    return Worth(frozenset(role for role, each in by_role.items() if not each), tuple(told_of_roles))


def role_sources(actor: Actor, as_: Standing, facts: Facts) -> tuple[RoleSource, ...]:
    """Where each role that an actor signs in comes from: a loan, the policy's list, MLflow roles.

    A role that comes in several ways has a source for each. What is lent is the lender's, whose own sources follow.
    """
    found: list[RoleSource] = []
    lent = lent_to(actor.name, facts) if as_.person != actor.name else []
    for role in as_.roles:
        found += [
            RoleSource(role=role, via="loan", name=loan.id, given_by=loan.by)
            for loan in lent
            if (loan.by, loan.role) == (as_.person, role)
        ]
        if as_.person in facts.policy.roles[role].users:
            by = facts.applied_by or None
            found.append(RoleSource(role=role, via="policy", name=facts.policy.name, given_by=by))
        found += [
            RoleSource(role=role, via="mlflow-role", name=name, given_by=given.by if given else None)
            for name, given in _mlflow_roles(as_.person, role, facts, actor).items()
        ]
    return tuple(found)


def _stakes(signature: Signature, proposal: Proposal | None, state: ModelState, version: int) -> dict[str, str]:
    """Who has a stake in the Proposal beside the signer, each with what it is."""
    found: dict[str, str] = {}
    if proposal is not None:
        signers = [name for each in proposal.approvals for name in (each.actor, each.person)]
        found = dict.fromkeys(signers, f"signed {proposal.id}")
    if author := state.authors.get(version):
        found[author] = f"registered version {version}"
    if proposal is not None:
        found[proposal.requester] = f"requested {proposal.id}"
    return {name: what for name, what in found.items() if name not in (signature.actor, signature.person)}


def _of_account(name: str, signature: Signature, stakes: Mapping[str, str], facts: Facts) -> list[Why]:
    account = facts.accounts.accounts.get(name) or Account()
    acts = (("was made", account.created), ("was given a password", account.password))
    return [
        replace(why, found=f"the account of {name} {what} {why.found}")
        for what, given in acts
        if given is not None and (why := _why_not(given, signature, stakes, facts))
    ]


def _of_role(role: str, signature: Signature, stakes: Mapping[str, str], facts: Facts) -> list[Why]:
    """Why no source of the role counts; empty where one does."""
    person = signature.person
    members = facts.policy.roles.get(role)
    if members is None or person in members.users:
        return []
    held = _mlflow_roles(person, role, facts)
    if facts.directory is None:  # nobody can say it now: what they were at the signing
        names = [source.name for source in signature.sources if source.role == role and source.via == "mlflow-role"]
        held = {name: _given(person, name, facts) for name in names}
    told = {name: _of_mlflow_role(person, name, given, signature, stakes, facts) for name, given in held.items()}
    return [] if not told or not all(told.values()) else [each for several in told.values() for each in several]


def _of_mlflow_role(
    person: str, name: str, given: Given | None, signature: Signature, stakes: Mapping[str, str], facts: Facts
) -> list[Why]:
    acts = [(f"{person} was given the MLflow role {name}", given)]
    permitted = facts.accounts.permitted.get(name) or {}
    acts += [(f"the MLflow role {name} was given a permission", each) for each in permitted.values()]
    return [
        replace(why, found=f"{what} {why.found}")
        for what, each in acts
        if each is not None and (why := _why_not(each, signature, stakes, facts))
    ]


def _why_not(given: Given, signature: Signature, stakes: Mapping[str, str], facts: Facts) -> Why | None:
    """Why what was given does not count: by whom, or since when; None where it does."""
    theirs = [name for name in given.hands if name in stakes]
    if theirs:
        theirs.sort(key=lambda name: name != given.by)
        through = "" if given.by == theirs[0] else f", whose account was in the hands of {theirs[0]}"
        return Why("stake", f"by {given.by}{through}, who {stakes[theirs[0]]} (ledger entry {given.seq})")
    settled = facts.policy.promote.settled
    if settled is not None and signature.at - given.at < settled:
        return Why("settled", f"at {given.at:%Y-%m-%d %H:%M:%S}Z, less than {in_words(settled)} before the signature")
    return None


def _mlflow_roles(person: str, role: str, facts: Facts, actor: Actor | None = None) -> dict[str, Given | None]:
    """The MLflow roles through which somebody holds a role now, each with who gave it, where the ledger knows.

    Where nobody can say it, an ``actor`` who is that person can.
    """
    known = facts.directory(person) if facts.directory else actor if actor and actor.name == person else None
    held = known.mlflow_roles if known else frozenset()
    names = sorted(held & set(facts.policy.roles[role].mlflow_roles))
    return {name: _given(person, name, facts) for name in names}


def _given(person: str, name: str, facts: Facts) -> Given | None:
    account = facts.accounts.accounts.get(person)
    return account.roles.get(name) if account else None
