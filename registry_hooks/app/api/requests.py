"""What each request may say, as models: from them requests are checked, and the OpenAPI document is made."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from registry_hooks.rules.telling.events import EVENTS, Event

LARGEST_WHOLE = 2**31 - 1  # what a version is in MLflow's tables
_WHOLE = re.compile(r"[0-9]{1,10}")


def _digits(value: object) -> object:
    """A number that is written as text, as every value of a query is."""
    return int(value) if isinstance(value, str) and _WHOLE.fullmatch(value) else value


def _or_digits(schema: dict[str, Any]) -> None:
    whole = dict(schema)
    schema.clear()
    schema["anyOf"] = [whole, {"type": "string", "pattern": "^[0-9]{1,10}$"}]


def _sound(value: str) -> str:
    if not value.strip():
        raise PydanticCustomError("unsound", "empty text")
    if "\x00" in value:
        raise PydanticCustomError("unsound", "a NUL character")  # PostgreSQL cannot store one
    return value


def _text(longest: int) -> Any:
    # Not told in the schema: a text holds no NUL character.
    return Field(strict=True, min_length=1, max_length=longest, json_schema_extra={"pattern": r"\S"})


def _whole(largest: int) -> Any:
    return Field(strict=True, ge=1, le=largest, json_schema_extra=_or_digits)


Sound = AfterValidator(_sound)
Text = Annotated[str, _text(4000), Sound]
Name = Annotated[str, _text(256), Sound]
Id = Annotated[str, _text(64), Sound]
Digest = Annotated[str, _text(80), Sound]
Yaml = Annotated[str, _text(256 * 1024), Sound]
Password = Annotated[str, _text(1024), Sound]
Duration = Annotated[str, _text(16), Sound]
TargetName = Annotated[str, Field(strict=True, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Number = Annotated[int, _whole(LARGEST_WHOLE), BeforeValidator(_digits)]
Page = Annotated[int, _whole(1000), BeforeValidator(_digits)]


class Body(BaseModel):
    """Base of all requests: of a POST the body, of a GET the query. Nothing unknown is taken in."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PolicyText(Body):
    """A policy."""

    yaml: Yaml


class PolicyApply(PolicyText):
    """A policy, and what counts for models whose aliases and stages disagree."""

    adopt: Literal["alias", "stage"] | None = None


class PolicyShow(Body):
    """Which policies."""

    model: Name | None = None
    name: Name | None = None


class AnyModel(Body):
    """One model, or all."""

    model: Name | None = None


class OfModel(Body):
    """One model."""

    model: Name


class PolicyNamed(Body):
    """A policy by its name."""

    name: Name


class AuditSearch(Body):
    """What to look for in the audit log."""

    model: Name | None = None
    actor: Name | None = None
    action: Id | None = None
    since: Id | None = None
    until: Id | None = None
    before: Number | None = None
    limit: Page | None = None


class Model(OfModel):
    """One model, and to which version it might be rolled back."""

    to: Number | None = None


class OfVersion(OfModel):
    """One version."""

    version: Number


class Nominate(OfVersion):
    """A version, and more runs that hold its Evidence."""

    runs: Annotated[list[Id], Field(strict=True, max_length=50)] | None = None
    comment: Text | None = None


class Baseline(OfVersion):
    """Which baseline a version has, and why."""

    address: Text
    reason: Text


class Request(OfVersion):
    """A version that is to serve."""

    comment: Text | None = None


class OfProposal(OfModel):
    """Which Proposal of a model."""

    version: Number | None = None
    proposal: Id | None = None


class Report(OfModel):
    """Which report page of a Proposal: it is in a run, at a path."""

    proposal: Id
    run: Id
    path: Annotated[str, _text(1000), Sound]


class Withdraw(OfProposal):
    """Which Proposal of a model, and why."""

    comment: Text | None = None


class Decision(Withdraw):
    """A yes or no to a Proposal; ``password`` is seen by no use case: it re-authenticates the Actor."""

    meaning: Text | None = None
    digest: Digest | None = None
    for_whom: Name | None = None
    password: Password | None = None


class BreakGlass(OfVersion):
    """A version that is to serve past the rules."""

    reason: Text


class ReviewClose(OfModel):
    """What was found."""

    review: Id
    finding: Text


class Rollback(OfModel):
    """Why, and to which version."""

    reason: Text
    to: Number | None = None
    expected: Number | None = None
    verify: Literal["parallel", "now", "later"] | None = None


class History(OfModel):
    """How much of it, and until when."""

    limit: Page | None = None
    at: Id | None = None


class Dossier(OfVersion):
    """Which version, until when, and whether its files are copied into it."""

    as_of: Id | None = None
    files: Literal["digests", "copies"] | None = None


class Redact(Body):
    """Which text of which entry, and why."""

    seq: Number
    field: Literal["comment", "meaning", "reason", "finding", "why"]
    reason: Text


class Before(Body):
    """Until when."""

    before: Id


class Purge(Before):
    """Until when, and why."""

    reason: Text


class KeyTrust(Body):
    """A public key in PEM, and its name in policies."""

    name: Name
    public: Text


class KeyRevoke(Body):
    """The id of a key, and why."""

    key: Digest
    reason: Text


class Delegate(Body):
    """Which role, to whom, for how long and why."""

    policy: Name
    role: Name
    to: Name
    lasts: Duration
    reason: Text


class DelegationEnd(Body):
    """The id of a delegation."""

    delegation: Id


class Cosign(Body):
    """A checkpoint with the signatures of witnesses, as a note."""

    note: Yaml


class Prove(Body):
    """The number of an entry, and the size of the log that it is proven to be in."""

    seq: Number
    size: Number | None = None


class Consistency(Body):
    """Two sizes of the log."""

    old: Number
    new: Number | None = None


class Leaves(Body):
    """Which entries of the log: those behind a number, up to another."""

    after: Number | None = None
    until: Number | None = None


class KeyRotate(Body):
    """Why."""

    reason: Text


class NotifyTarget(Body):
    """A target of notifications, by its name."""

    name: TargetName


class NotifyAdd(NotifyTarget):
    """Whom to tell, of which events and of which models."""

    kind: Literal["webhook", "apprise", "stdout"]
    address: Text | None = None
    events: Annotated[list[Event], Field(min_length=1, max_length=len(EVENTS))] | None = None
    models: Annotated[list[Name], Field(min_length=1, max_length=50)] | None = None
