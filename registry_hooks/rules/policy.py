"""Policy: which Evidence, which approvals, from whom and how fresh, for the roles of which models.

What it does not say is refused, not guessed. The document is read, and its faults are told, in `policy_file`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import timedelta
from difflib import get_close_matches
from fnmatch import translate
from functools import cached_property, lru_cache
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from mlflow_eval_plugin.evidence import KNOWN_KINDS, Word
from registry_hooks.identity import Actor

MLFLOW_ROLE = "role:"
"""Before the name of an MLflow role, where it stands among names of users."""
SHORTEST_RETENTION = timedelta(days=184)
"""Six months, whichever six: nothing younger is ever taken out of the audit log."""
_LONGEST = timedelta(days=3650)
_DURATION = re.compile(r"^(\d{1,6})\s*(s|m|h|d|w)$")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def duration(value: object) -> timedelta:
    """A duration such as ``90m``, ``24h``, ``7d`` or ``2w``; ValueError says what was expected."""
    if isinstance(value, timedelta):
        return value
    match = _DURATION.match(value.strip()) if isinstance(value, str) else None
    if match is None or int(match[1]) == 0:
        raise ValueError("expected a duration such as 90m, 24h, 7d or 2w")
    found = timedelta(seconds=int(match[1]) * _SECONDS[match[2]])
    if found > _LONGEST:  # a time this far from now may be none that a calendar has
        raise ValueError(f"expected at most {_LONGEST.days}d")
    return found


def in_words(span: timedelta) -> str:
    """A duration as policies write it: ``24h``, ``90m``."""
    seconds = int(span.total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds % size == 0 and seconds // size > 1:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


Duration = Annotated[timedelta, BeforeValidator(duration)]
Name = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^\s\x00]([^\n\x00]*[^\s\x00])?$")]


class PolicyPart(BaseModel):
    """A mapping within a policy; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)


def _near(kind: str) -> str:
    near = get_close_matches(kind, KNOWN_KINDS, n=1)
    known = f"did you mean {near[0]!r}?" if near else f"it writes {', '.join(KNOWN_KINDS)}."
    return f"; {known} No version is promoted before another evaluator has written it"


class RoleMembers(PolicyPart):
    """Who holds a role: login names, and MLflow RBAC roles whose holders hold it too."""

    users: tuple[Name, ...] = ()
    mlflow_roles: tuple[Name, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _list_of_users(cls, value: object) -> object:
        return {"users": value} if isinstance(value, list) else value

    @model_validator(mode="after")
    def _not_empty(self) -> RoleMembers:
        if not (self.users or self.mlflow_roles):
            raise ValueError("a role needs at least one user or MLflow role; delete it if nobody holds it")
        return self

    def held_by(self, actor: Actor) -> bool:
        """Whether ``actor`` holds the role."""
        return actor.name in self.users or not actor.mlflow_roles.isdisjoint(self.mlflow_roles)


class RequiredEvidence(PolicyPart):
    """One kind of Evidence that must pass; ``insufficient: allow`` says that only a ``fail`` blocks.

    A ``comparison`` must be with the champion, and is not asked for while there is none.

    With ``signed_by`` it must carry a signature by a trusted key of one of those names (`registry-hooks key trust`).
    With ``baseline: required`` it must have been held against a frozen baseline, and not against rows that may be gone.
    """

    kind: Word
    max_age: Duration = timedelta(days=30)
    insufficient: Literal["block", "allow"] = "block"
    signed_by: tuple[Name, ...] = ()
    baseline: Literal["required", "optional"] = "optional"

    def accepts(self, verdict: str) -> bool:
        """Whether a verdict opens this gate."""
        return verdict == "pass" or (verdict == "insufficient" and self.insufficient == "allow")


class RequiredApprovals(PolicyPart):
    """How many holders of a role must say yes; a yes counts for as long as ``expires`` says, or as the Proposal does.

    Each person fills one seat: who holds two roles that the quorum asks for counts for one of them.
    """

    role: Name
    count: int = Field(default=1, ge=1, le=100)
    expires: Duration | None = None


class Nominate(PolicyPart):
    """Who may make a version the challenger."""

    by: tuple[Name, ...] = Field(min_length=1)


class Promote(PolicyPart):
    """What makes the challenger the champion.

    ``reauthenticate`` asks every approver for the password once more. ``settled`` asks that an approver's account, its
    password and the MLflow role that it approves in be so old when it signs. ``overdue_reviews`` says whether a review
    that nobody closed in time keeps the next version from serving.
    """

    by: tuple[Name, ...] = Field(min_length=1)
    evidence: tuple[RequiredEvidence, ...] = Field(min_length=1)
    approvals: tuple[RequiredApprovals, ...] = Field(min_length=1)
    expires: Duration = timedelta(days=7)
    reauthenticate: bool = False
    settled: Duration | None = None
    overdue_reviews: Literal["block", "allow"] = "block"

    @field_validator("evidence")
    @classmethod
    def _one_of_a_kind(cls, evidence: tuple[RequiredEvidence, ...]) -> tuple[RequiredEvidence, ...]:
        _once("each kind once", [item.kind for item in evidence])
        return evidence

    @field_validator("approvals")
    @classmethod
    def _one_of_a_role(cls, approvals: tuple[RequiredApprovals, ...]) -> tuple[RequiredApprovals, ...]:
        _once("each role once, with its count", [item.role for item in approvals])
        return approvals


class Rollback(PolicyPart):
    """Who may go back, and when the review of it falls due."""

    by: tuple[Name, ...] = Field(min_length=1)
    review_due: Duration = timedelta(hours=24)


class BreakGlass(PolicyPart):
    """Who may promote past Evidence and approvals in an emergency, and when the review of it falls due."""

    by: tuple[Name, ...] = Field(min_length=1)
    review_due: Duration = timedelta(hours=4)


class Reviews(PolicyPart):
    """Who may close a review with a finding; never the one whose act opened it."""

    by: tuple[Name, ...] = Field(min_length=1)


class Delegations(PolicyPart):
    """For how long at most a holder of a role may lend it to somebody else."""

    longest: Duration = timedelta(days=14)


class Policy(PolicyPart):
    """A whole policy; make one with ``load_policy``.

    ``models`` are names, or patterns with ``*`` and ``?``; ``"*"`` makes governed the default. ``exempt`` takes names
    or patterns out again. Without ``break_glass`` there is no way past the rules, and without ``delegation`` nobody
    lends a role. Without ``reviews`` those who hold the roles that approve close them. ``retention`` is of the whole
    log: of several policies the longest counts.
    """

    schema_: Literal["registry-hooks/policy/1"] = Field(alias="schema")
    name: Name
    models: tuple[Name, ...]
    exempt: tuple[Name, ...] = ()
    roles: dict[Name, RoleMembers] = Field(min_length=1)
    nominate: Nominate
    promote: Promote
    rollback: Rollback
    break_glass: BreakGlass | None = None
    reviews: Reviews | None = None
    delegation: Delegations | None = None
    retention: Duration = SHORTEST_RETENTION

    @field_validator("retention")
    @classmethod
    def _not_shorter(cls, retention: timedelta) -> timedelta:
        if retention < SHORTEST_RETENTION:
            raise ValueError(f"expected at least {SHORTEST_RETENTION.days}d")
        return retention

    @property
    def patterns(self) -> tuple[str, ...]:
        """Those of ``models`` that are patterns."""
        return tuple(each for each in self.models if is_pattern(each))

    @cached_property
    def _known_names(self) -> frozenset[str]:
        return frozenset(self.names)

    @property
    def names(self) -> tuple[str, ...]:
        """Those of ``models`` that are names."""
        return tuple(each for each in self.models if not is_pattern(each))

    def rank(self, model: str) -> tuple[int, int] | None:
        """How closely the policy names a model: names above patterns, longer patterns above shorter; else None."""
        if any(matches(each, model) for each in self.exempt):
            return None
        if model in self._known_names:
            return (1, 0)
        letters = [len(each.replace("*", "").replace("?", "")) for each in self.patterns if matches(each, model)]
        return (0, max(letters)) if letters else None

    @property
    def approver_roles(self) -> tuple[str, ...]:
        """The roles that the quorum asks for, in order, each once."""
        return tuple(dict.fromkeys(item.role for item in self.promote.approvals))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is sound and may not be meant: each kind of Evidence that this release does not write."""
        unknown = [item.kind for item in self.promote.evidence if item.kind not in KNOWN_KINDS]
        return tuple(f"promote.evidence: no evaluator of this release writes {kind!r}{_near(kind)}" for kind in unknown)

    @property
    def review_roles(self) -> tuple[str, ...]:
        """The roles that may close a review."""
        return self.reviews.by if self.reviews else self.approver_roles

    def roles_of(self, actor: Actor) -> tuple[str, ...]:
        """The policy's roles that ``actor`` holds, sorted."""
        return tuple(sorted(role for role, members in self.roles.items() if members.held_by(actor)))

    def who(self, roles: tuple[str, ...]) -> list[str]:
        """Names of those who hold one of ``roles``; MLflow roles stand as ``role:NAME``."""
        members = [self.roles[role] for role in roles]
        names = {user for m in members for user in m.users} | {MLFLOW_ROLE + r for m in members for r in m.mlflow_roles}
        return sorted(names)

    def named_roles(self) -> Iterator[tuple[str, str]]:
        """Every (place, role) at which the document names a role."""
        parts: tuple[tuple[str, Nominate | Promote | Rollback | BreakGlass | Reviews | None], ...] = (
            ("nominate", self.nominate),
            ("promote", self.promote),
            ("rollback", self.rollback),
            ("break_glass", self.break_glass),
            ("reviews", self.reviews),
        )
        for name, part in parts:
            yield from ((f"{name}.by", role) for role in (part.by if part else ()))
        yield from ((f"promote.approvals.{i}.role", item.role) for i, item in enumerate(self.promote.approvals))


def _once(what: str, names: list[str]) -> None:
    if len(set(names)) != len(names):
        raise ValueError(f"{what}, found {str(names)[:200]}")


def is_pattern(name: str) -> bool:
    """Whether a policy means a pattern by it: ``*`` stands for any letters, ``?`` for one."""
    return "*" in name or "?" in name


def matches(name: str, model: str) -> bool:
    """Whether a name, or a pattern, of a policy is that of ``model``; letter case counts."""
    return bool(_compiled(name).fullmatch(model))


Companion = TypeVar("Companion")


def governing(model: str, policies: Iterable[tuple[Policy, Companion]]) -> Companion | None:
    """The companion of the policy that governs ``model``: of the one that names it, else of the closest pattern.

    Of two patterns with as many letters, that of the policy whose name comes first counts.
    """
    ranked = [((-rank[0], -rank[1], policy.name), held) for policy, held in policies if (rank := policy.rank(model))]
    return min(ranked, key=lambda item: item[0])[1] if ranked else None


@lru_cache(maxsize=4096)
def _compiled(name: str) -> re.Pattern[str]:
    # Not a row of ".*", which takes time without end for a name that all but matches: fnmatch never goes back
    # behind a "*" that has found its place. Its brackets, which a policy has none of, are written as letters.
    return re.compile(translate(name.replace("[", "[[]")))
