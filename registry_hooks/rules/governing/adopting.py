"""How a model comes under a policy: with the roles that its aliases and stages say it has, and nothing lost in silence.

Aliases and stages mean the same roles once a model is governed. Before, they are two registers that nobody keeps alike.
Where one says something of a role and the other nothing, that is the role. Where taking both at their word would
archive a version, or move or end an alias, nobody is asked to guess: it is refused with both states shown, or an
administrator says which of the two counts, and the ledger keeps what the other one said.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from registry_hooks.errors import Reason
from registry_hooks.records import ROLES, Pair, Role
from registry_hooks.rules.stages import STAGE_OF

Adopt = Literal["alias", "stage"]


@dataclass(frozen=True)
class Found:
    """Aliases and stages of one model, as they are."""

    aliases: Pair
    stages: dict[str, list[int]]

    def __str__(self) -> str:
        held = [f"{role} {version}" for role in ROLES if (version := getattr(self.aliases, role))]
        staged = [f"{stage} {', '.join(map(str, self.stages[stage]))}" for stage in self.stages if self.stages[stage]]
        return f"aliases {', '.join(held) or 'of no role'}; stages {'; '.join(staged) or 'none'}"

    def pair(self, first: Adopt) -> Pair:
        """The roles that aliases and stages give; ``first`` of the two wins. Only a fallback may have another role."""
        by_stage = {role: held[0] for role, stage in STAGE_OF.items() if len(held := self.stages[stage]) == 1}
        by_alias = {role: version for role in ROLES if (version := getattr(self.aliases, role))}
        one, other = (by_alias, by_stage) if first == "alias" else (by_stage, by_alias)
        taken = {v for role, v in one.items() if role != "fallback"}  # a fallback may have another role as well
        said = {**{role: v for role, v in other.items() if v not in taken or role == "fallback"}, **one}
        champion, challenger, fallback = (said.get(role) for role in ROLES)
        return Pair(
            champion=champion,
            challenger=None if challenger == champion else challenger,
            fallback=None if champion is None or fallback == champion else fallback,
        )

    def lost(self, pair: Pair) -> bool:
        """Whether a version would be archived, or an alias moved or ended, were these the roles."""
        staged = any(held and held != [getattr(pair, role)] for role, held in self._by_role())
        return staged or any(getattr(self.aliases, role) not in (None, getattr(pair, role)) for role in ROLES)

    def undecided(self, pair: Pair) -> list[str]:
        """Stages that hold several versions, of which nothing says which one counts."""
        return [STAGE_OF[role] for role, held in self._by_role() if len(held) > 1 and getattr(pair, role) not in held]

    def _by_role(self) -> list[tuple[Role, list[int]]]:
        return [(role, self.stages[stage]) for role, stage in STAGE_OF.items()]


def misleading(model: str, lookalikes: Iterable[str]) -> list[Reason]:
    """A reason for each alias of the model that reads as a role in other letters."""
    return [
        Reason("alias", "aliases of which none reads as a role in other letters", f"{model!r} has the alias {alias!r}",
               f"delete the alias {alias!r} of {model}, then apply the policy again")
        for alias in lookalikes
    ]  # fmt: skip


def disagreeing(model: str, found: Found, pair: Pair, adopt: Adopt | None) -> list[Reason]:
    """Why the model cannot come with the roles of ``pair``: something would be lost, and nobody has said which."""
    if undecided := " and ".join(found.undecided(pair)):
        expected = f"one version of {model!r} in {undecided}, or an alias that says which"
        return [Reason("adopt", expected, str(found), f"leave one version in {undecided}, then apply the policy again")]
    if adopt is not None or not found.lost(pair):
        return []
    told = " or ".join(
        f"--adopt {each} ({_roles(found.pair(each))})"
        for each in ("alias", "stage")
        if not found.undecided(found.pair(each))
    )
    fix = f"make them agree, or registry-hooks policy apply FILE {told}"
    return [Reason("adopt", f"aliases and stages of {model!r} that say the same", str(found), fix)]


def _roles(pair: Pair) -> str:
    return ", ".join(f"{role} {version}" for role in ROLES if (version := getattr(pair, role))) or "no roles"
