"""What the server answers about targets, whom changes are told to."""

from __future__ import annotations

from typing import Literal, TypedDict


class TargetAnswer(TypedDict):
    """Whom changes are told to, as it may be shown, and what it wants to hear."""

    id: str
    name: str
    kind: Literal["webhook", "mlflow", "apprise", "stdout"]
    address: str
    events: list[str]
    models: list[str]


class TargetState(TargetAnswer):
    """How far a target has heard.

    ``waiting`` is how many entries and notices it has not been told of yet; ``held`` names the lines (models, mostly)
    of which it does not take the next message. The rest is None or 0 where all is well.
    """

    added_by: str
    added_at: str
    waiting: int
    held: list[str]
    failing_since: str | None
    failures: int
    retry_at: str | None
    error: str | None


class TargetAdded(TypedDict):
    """A target that changes are told to from now on. The secret is told this once."""

    target: TargetAnswer
    secret: str | None
    entry: int


class TargetTested(TypedDict):
    """Whether a target took a test message, or what was found instead."""

    target: TargetAnswer
    ok: bool
    found: str


class TargetRemoved(TypedDict):
    """A target that is told no more."""

    target: TargetAnswer
    entry: int


class Targets(TypedDict):
    """Every target."""

    targets: list[TargetState]
