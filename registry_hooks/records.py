"""The facts that the registry keeps, as frozen records that read and write themselves as JSON.

Times are aware datetimes in UTC. A record never changes: a transition makes a new one.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Role = Literal["champion", "challenger", "fallback"]
ROLES: tuple[Role, ...] = ("champion", "challenger", "fallback")
Action = Literal[
    "policy-applied",
    "adopted",
    "registered",
    "deleted",
    "nominated",
    "requested",
    "approved",
    "rejected",
    "promoted",
    "rolled-back",
]


class Record(BaseModel):
    """Base of all records: frozen, and nothing unknown is taken in."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_timedelta="iso8601")

    def as_json(self) -> dict[str, Any]:
        """The record as plain JSON values."""
        return self.model_dump(mode="json")


class Pair(Record):
    """Champion, challenger and fallback of one registered model: version numbers, or None."""

    champion: int | None = None
    challenger: int | None = None
    fallback: int | None = None


class EvidenceRef(Record):
    """Evidence as it was when a nomination took it in: enough to judge it later without reading it again."""

    kind: str
    digest: str
    verdict: Literal["pass", "fail", "insufficient"]
    created_at: datetime
    run_id: str
    path: str
    failed: tuple[str, ...] = ()


class Nomination(Record):
    """A version as it was nominated: which files, which Evidence, by whom."""

    version: int
    evidence: tuple[EvidenceRef, ...]
    files_digest: str
    actor: str
    at: datetime
    comment: str = ""


class Approval(Record):
    """One actor's signed-off yes or no to one Proposal, bound to the Proposal's digest."""

    proposal: str
    proposal_digest: str
    actor: str
    roles: tuple[str, ...]
    decision: Literal["yes", "no"]
    meaning: str
    comment: str
    at: datetime


class Proposal(Record):
    """A requested promotion, bound to what it was asked on; ``digest`` covers every member but approvals."""

    id: str
    model: str
    version: int
    requester: str
    created_at: datetime
    expires_at: datetime
    expected_champion: int | None
    evidence: tuple[EvidenceRef, ...]
    files_digest: str
    policy_digest: str
    comment: str
    digest: str
    approvals: tuple[Approval, ...] = ()

    @property
    def rejected_by(self) -> str | None:
        """Who said no, or None."""
        return next((a.actor for a in self.approvals if a.decision == "no"), None)


class Review(Record):
    """What must be looked at after a rollback, and by when."""

    id: str
    version: int
    opened_by: str
    opened_at: datetime
    due_at: datetime
    reason: str


class ModelState(Record):
    """All that the rules need to know of one registered model: the fold of its ledger entries.

    ``champions`` lists versions in the order in which they became champion. ``condemned`` maps a version that was
    rolled back from to the time of that rollback. ``proposals`` holds those that are neither promoted nor superseded.
    """

    model: str
    pair: Pair = Pair()
    champions: tuple[int, ...] = ()
    condemned: dict[int, datetime] = Field(default_factory=dict)
    nominations: dict[int, Nomination] = Field(default_factory=dict)
    authors: dict[int, str] = Field(default_factory=dict)
    proposals: dict[str, Proposal] = Field(default_factory=dict)
    reviews: tuple[Review, ...] = ()

    def open_proposal(self, version: int) -> Proposal | None:
        """The newest Proposal of ``version`` that nobody has rejected, whether it still holds or not."""
        mine = [p for p in self.proposals.values() if p.version == version and p.rejected_by is None]
        return mine[-1] if mine else None


class Entry(Record):
    """One line of the ledger. ``tree`` is the Merkle root, in hex, of all entries before this one."""

    schema_: Literal["registry-hooks/entry/1"] = Field(alias="schema", default="registry-hooks/entry/1")
    seq: int
    at: datetime
    actor: str
    authenticated_by: str
    action: Action
    model: str | None
    version: int | None
    body: dict[str, Any]
    tree: str

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    def as_json(self) -> dict[str, Any]:
        """The entry as plain JSON values, ``schema`` under its own name."""
        return self.model_dump(mode="json", by_alias=True)
