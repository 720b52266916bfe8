"""Who people are to a policy now: in which roles, in whose right, and who else could be asked.

Pure functions of a policy, the people as they are now, the roles lent, and the time.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from registry_hooks.errors import Reason
from registry_hooks.identity import EVERYTHING, Actor, Directory, Sight
from registry_hooks.records import AccountsState, Delegation, TrustState
from registry_hooks.rules.policy import MLFLOW_ROLE, Policy

MOST_NAMED = 8
"""How many people a hint names."""
MOST_LOOKED_UP = 24
"""How many people are looked up for a hint; a policy may name thousands."""


@dataclass(frozen=True)
class Facts:
    """What a Proposal is held against: the world as it is now.

    Args:
        now: the time of judgement.
        policy: the policy in force, ``policy_digest`` its digest.
        files_digest: digest of the version's files as they are; None where they were not read this time.
        trust: the keys and delegations.
        directory: who can say what a user is now; None where nobody can, as outside a server: then a role held
            through MLflow stands as it was at the signing, until the policy changes.
        sight: what the caller may READ; reasons and answers tell nothing else of runs.
        accounts: what the ledger knows of the users' accounts and MLflow roles.
        applied_by: who put the policy in force, and so gave the roles that it names users for.
    """

    now: datetime
    policy: Policy
    policy_digest: str
    files_digest: str | None = None
    trust: TrustState = field(default_factory=TrustState)
    directory: Directory | None = None
    sight: Sight = EVERYTHING
    accounts: AccountsState = field(default_factory=AccountsState)
    applied_by: str = ""


@dataclass(frozen=True)
class Standing:
    """For which person, and in which roles, an actor would sign. ``roles`` is empty for an actor who may not sign."""

    person: str
    roles: tuple[str, ...]


def standing(actor: Actor, facts: Facts, for_whom: str | None = None) -> Standing:
    """The actor's own roles where they hold one that the quorum asks for; else those lent to them.

    Args:
        actor: who would sign.
        facts: the world as it is now.
        for_whom: the lender meant; needed only by somebody to whom several people lend a role.
    """
    wanted = facts.policy.approver_roles
    own = tuple(role for role in facts.policy.roles_of(actor) if role in wanted)
    lent = [d for d in lent_to(actor.name, facts) if d.role in wanted and for_whom in (None, d.by)]
    if for_whom not in (None, actor.name):
        own = ()
    if own or not lent or len({d.by for d in lent}) > 1:
        return Standing(actor.name, own)
    return Standing(lent[0].by, tuple(sorted({d.role for d in lent})))


def lent_to(name: str, facts: Facts) -> list[Delegation]:
    """Delegations to somebody that are in force now, and whose lender still holds the role."""
    return [
        d
        for d in facts.trust.delegations.values()
        if d.to == name
        and d.policy == facts.policy.name
        and facts.policy.delegation is not None
        and d.in_force(facts.now)
        and holds_role(d.by, d.role, facts, otherwise=False)
    ]


def holds_role(name: str, role: str, facts: Facts, *, otherwise: bool) -> bool:
    """Whether somebody holds a role now. It is ``otherwise`` where MLflow gives the role and cannot be asked."""
    members = facts.policy.roles.get(role)
    if members is None:
        return False
    if facts.directory is None:
        return name in members.users or (bool(members.mlflow_roles) and otherwise)
    person = facts.directory(name)
    return person is not None and members.held_by(person)


def is_gone(name: str, facts: Facts) -> bool:
    """Whether somebody is no user any more; False where nobody can say."""
    return facts.directory is not None and facts.directory(name) is None


def who_could(
    roles: tuple[str, ...],
    facts: Facts,
    without: Collection[str | None] = (),
    but: Callable[[str], bool] = lambda _name: False,
) -> list[str]:
    """Names of a few who hold one of ``roles`` and could be asked: users still, none of ``without`` and not ``but``.

    MLflow roles stand as ``role:NAME``. No more people are looked up than a hint is worth.
    """
    fit = (
        name
        for name in islice((name for name in facts.policy.who(roles) if name not in without), MOST_LOOKED_UP)
        if name.startswith(MLFLOW_ROLE) or not (is_gone(name, facts) or but(name))
    )
    return list(islice(fit, MOST_NAMED))


def ask_one_of(names: Collection[str], facts: Facts) -> str:
    """The fix of a Reason that takes another person: one of ``names``, or an administrator where there are none."""
    if not names:
        return f"have an admin name somebody else in policy {facts.policy.name!r}: nobody is left who could"
    return f"ask one of {listed(names)}"


def listed(names: Collection[str]) -> str:
    """Names of those who could, and that there may be more."""
    return ", ".join(names) + (" or another" if len(names) == MOST_NAMED else "")


def is_no_admin(actor: Actor) -> list[Reason]:
    """Why ``actor`` may not do what administrators of MLflow do; empty when they are one."""
    return [] if actor.is_admin else [Reason("role", "an administrator of MLflow", actor.name, "ask an MLflow admin")]


def lacks_role(
    actor: Actor, allowed: tuple[str, ...], what: str, facts: Facts, others: str | None = None
) -> list[Reason]:
    """Empty when ``actor`` holds one of the roles ``allowed``; else the one reason why not.

    ``others`` says whom to ask, where not everybody who holds such a role could do it.
    """
    policy = facts.policy
    held = policy.roles_of(actor)
    if set(held) & set(allowed):
        return []
    others = others or ask_one_of(who_could(allowed, facts, {actor.name}), facts)
    return [
        Reason(
            rule="role",
            expected=f"a holder of {' or '.join(allowed)} to {what}",
            found=f"{actor.name}, who holds {', '.join(held) or 'no role of this policy'}",
            mend=f"{others}, or have an admin change policy {policy.name!r}" if others.startswith("ask") else others,
        )
    ]
