"""Policy: which Evidence, which approvals, from whom and how fresh, for the roles of which models.

A policy is a YAML document. What it does not say is refused, not guessed: an unknown key, a role that nobody defined, a
key given twice and a YAML alias are errors, and all of them are told at once.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Hashable, Iterator
from datetime import timedelta
from functools import lru_cache
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from rapidfuzz import process

from registry_hooks.errors import Invalid, Reason
from registry_hooks.identity import Actor

LARGEST = 256 * 1024  # bytes of YAML; a policy is a page, not a data set
# What PyYAML raises for text that is none: its own errors, and those of the tags that it takes on trust (!!int "").
NOT_YAML = (yaml.YAMLError, RecursionError, ValueError, LookupError, AttributeError, TypeError)
_LONGEST = timedelta(days=3650)
_DURATION = re.compile(r"^(\d{1,6})\s*(s|m|h|d|w)$")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def _duration(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    match = _DURATION.match(value.strip()) if isinstance(value, str) else None
    if match is None or int(match[1]) == 0:
        raise ValueError("expected a duration such as 90m, 24h, 7d or 2w")
    found = timedelta(seconds=int(match[1]) * _SECONDS[match[2]])
    if found > _LONGEST:  # a time this far from now may be none that a calendar has
        raise ValueError(f"expected at most {_LONGEST.days}d")
    return found


Duration = Annotated[timedelta, BeforeValidator(_duration)]
Name = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^\s\x00]([^\n\x00]*[^\s\x00])?$")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)


class RoleMembers(_Part):
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


class RequiredEvidence(_Part):
    """One kind of Evidence that must pass; ``insufficient: allow`` says that only a ``fail`` blocks."""

    kind: Literal["calibration", "disaggregated", "drift"]
    max_age: Duration = timedelta(days=30)
    insufficient: Literal["block", "allow"] = "block"

    def accepts(self, verdict: str) -> bool:
        """Whether a verdict opens this gate."""
        return verdict == "pass" or (verdict == "insufficient" and self.insufficient == "allow")


class RequiredApprovals(_Part):
    """How many holders of a role must say yes."""

    role: Name
    count: int = Field(default=1, ge=1, le=100)


class Nominate(_Part):
    """Who may make a version the challenger."""

    by: tuple[Name, ...] = Field(min_length=1)


class Promote(_Part):
    """What makes the challenger the champion."""

    by: tuple[Name, ...] = Field(min_length=1)
    evidence: tuple[RequiredEvidence, ...] = Field(min_length=1)
    approvals: tuple[RequiredApprovals, ...] = Field(min_length=1)
    expires: Duration = timedelta(days=7)

    @field_validator("evidence")
    @classmethod
    def _one_of_a_kind(cls, evidence: tuple[RequiredEvidence, ...]) -> tuple[RequiredEvidence, ...]:
        kinds = [item.kind for item in evidence]
        if len(set(kinds)) != len(kinds):
            raise ValueError(f"each kind once, found {kinds}")
        return evidence


class Rollback(_Part):
    """Who may go back, and when the review of it falls due."""

    by: tuple[Name, ...] = Field(min_length=1)
    review_due: Duration = timedelta(hours=24)


class Policy(_Part):
    """A whole policy; make one with ``load_policy``."""

    schema_: Literal["registry-hooks/policy/1"] = Field(alias="schema")
    name: Name
    models: tuple[Name, ...] = Field(min_length=1)
    roles: dict[Name, RoleMembers] = Field(min_length=1)
    nominate: Nominate
    promote: Promote
    rollback: Rollback

    def roles_of(self, actor: Actor) -> tuple[str, ...]:
        """The policy's roles that ``actor`` holds, sorted."""
        return tuple(sorted(role for role, members in self.roles.items() if members.held_by(actor)))

    def role_reasons(self, actor: Actor, allowed: tuple[str, ...], what: str) -> list[Reason]:
        """Empty when ``actor`` holds one of the roles ``allowed``; else the one reason why not."""
        held = self.roles_of(actor)
        if set(held) & set(allowed):
            return []
        return [
            Reason(
                rule="role",
                expected=f"a holder of {' or '.join(allowed)} to {what}",
                found=f"{actor.name}, who holds {', '.join(held) or 'no role of this policy'}",
                mend=f"ask one of {', '.join(self.who(allowed))}, or have an admin change policy {self.name!r}",
            )
        ]

    def who(self, roles: tuple[str, ...]) -> list[str]:
        """Names of those who hold one of ``roles``; MLflow roles stand as ``role:NAME``."""
        members = [self.roles[role] for role in roles]
        names = {user for m in members for user in m.users} | {f"role:{r}" for m in members for r in m.mlflow_roles}
        return sorted(names)

    def named_roles(self) -> Iterator[tuple[str, str]]:
        """Every (place, role) at which the document names a role."""
        for place, part in (
            ("nominate.by", self.nominate),
            ("promote.by", self.promote),
            ("rollback.by", self.rollback),
        ):
            yield from ((place, role) for role in part.by)
        yield from ((f"promote.approvals.{i}.role", item.role) for i, item in enumerate(self.promote.approvals))


class _Loader(yaml.SafeLoader):
    """SafeLoader without anchors (a small document that unfolds into gigabytes) and without repeated keys."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]
            raise _alias_error(event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable) and key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} is given twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


def _alias_error(mark: Any) -> yaml.YAMLError:
    return yaml.composer.ComposerError(None, None, "YAML aliases (*name) are not accepted; write it out", mark)


def policy_digest(text: str) -> str:
    """``sha256:`` and the SHA-256 of the document's bytes, comments included: what was applied is what is named."""
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


@lru_cache(maxsize=256)
def load_policy(text: str) -> Policy:
    """Read a policy.

    Raises:
        Invalid: with a reason for each thing that is wrong (size, YAML, keys, values, undefined roles).
    """
    if len(text.encode("utf-8", "replace")) > LARGEST:
        raise _invalid(Reason("size", f"at most {LARGEST} bytes", f"{len(text)} characters", "shorten the policy"))
    try:
        document = yaml.load(text, Loader=_Loader)
    except NOT_YAML as error:
        raise _invalid(Reason("yaml", "a YAML mapping", " ".join(str(error).split()), "correct the file")) from error
    if not isinstance(document, dict):
        raise _invalid(Reason("yaml", "a YAML mapping", type(document).__name__, "see examples/policy.yaml"))
    try:
        policy = Policy.model_validate(document)
    except ValidationError as error:
        raise _invalid(*_reasons_of(error)) from error
    undefined = [
        Reason("unknown-role", f"a role defined under roles: ({', '.join(policy.roles)})", f"{role!r} at {place}",
               _did_you_mean(role, list(policy.roles)) or f"define {role!r} under roles:")
        for place, role in policy.named_roles() if role not in policy.roles
    ]  # fmt: skip
    if undefined:
        raise _invalid(*undefined)
    unreachable = [
        Reason(
            "quorum",
            f"at least {item.count} holders of {item.role!r}",
            f"{len(policy.roles[item.role].users)} users",
            f"name more users under roles.{item.role}, or ask for fewer",
        )
        for item in policy.promote.approvals
        if not policy.roles[item.role].mlflow_roles and len(set(policy.roles[item.role].users)) < item.count
    ]
    if unreachable:
        raise _invalid(*unreachable)
    return policy


def _invalid(*reasons: Reason) -> Invalid:
    return Invalid("the policy cannot be used", reasons)


def _did_you_mean(word: str, known: list[str]) -> str:
    match = process.extractOne(word, known, score_cutoff=60)
    return f"did you mean {match[0]!r}?" if match else ""


def _keys_at(location: tuple[int | str, ...]) -> list[str]:
    model: Any = Policy
    for part in location:
        if isinstance(part, int):
            continue
        field = model.model_fields.get(part) if isinstance(model, type) and issubclass(model, _Part) else None
        if field is None:
            model = RoleMembers
            continue
        inner = getattr(field.annotation, "__args__", (field.annotation,))
        model = next((t for t in inner if isinstance(t, type) and issubclass(t, _Part)), field.annotation)
    fields = model.model_fields.items() if isinstance(model, type) and issubclass(model, _Part) else ()
    return [field.alias or name for name, field in fields]


def _reasons_of(error: ValidationError) -> list[Reason]:
    reasons = []
    for item in error.errors():
        if item["type"] == "too_short" and item["input"]:
            continue  # pydantic counts only the items that are right; the wrong ones have errors of their own
        place = ".".join(str(part) for part in item["loc"]) or "the document"
        if item["type"] == "extra_forbidden":
            keys = _keys_at(item["loc"][:-1])
            mend = _did_you_mean(str(item["loc"][-1]), keys) or "remove it"
            reasons.append(Reason("unknown-key", f"one of {', '.join(keys)}", f"{place}", mend))
        elif item["type"] == "missing":
            reasons.append(Reason("missing-key", f"{place}", "nothing", f"add {place}; see examples/policy.yaml"))
        else:
            reasons.append(Reason("value", f"{place}: {item['msg']}", repr(item["input"])[:80], f"correct {place}"))
    return reasons
