"""What answers are made of: records of the registry, as JSON."""

from __future__ import annotations

from typing import Literal, TypedDict


class ReasonAnswer(TypedDict):
    """One rule that does not hold, as `registry_hooks.errors.Reason`."""

    rule: str
    expected: str
    found: str
    mend: str


class PairAnswer(TypedDict):
    """Champion, challenger and fallback of one registered model: version numbers, or None."""

    champion: int | None
    challenger: int | None
    fallback: int | None


class EvidenceAnswer(TypedDict):
    """Evidence as a nomination took it in; ``withheld`` stands for a run that the caller may not READ."""

    kind: str
    digest: str
    verdict: Literal["pass", "fail", "insufficient"]
    created_at: str
    run_id: str
    path: str
    failed: list[str]
    signed_by: list[str]
    champion: int | None
    sha256: str | None
    envelope_sha256: str | None
    baseline: str | None


class BaselineAnswer(TypedDict):
    """The baseline that the ledger names for a version; ``withheld`` stands for a run that may not be READ."""

    version: int
    address: str
    digest: str
    actor: str
    at: str


class PageAnswer(TypedDict):
    """A report page or figure, by the SHA-256 of its bytes."""

    run_id: str
    path: str
    sha256: str


class CondemnedAnswer(TypedDict):
    """A version that was rolled back from, when, and the digest of what it is made of."""

    model: str
    version: int
    at: str
    content: str | None


class ResemblanceAnswer(TypedDict):
    """A condemned version that another one has much in common with."""

    model: str
    version: int
    at: str
    files: int
    same: int
    near: list[str]


class RoleSourceAnswer(TypedDict):
    """Where a signer's role came from, and who gave it."""

    role: str
    via: Literal["policy", "mlflow-role", "loan"]
    name: str
    given_by: str | None


class ApprovalAnswer(TypedDict):
    """One person's yes or no to one Proposal."""

    proposal: str
    proposal_digest: str
    actor: str
    roles: list[str]
    decision: Literal["yes", "no"]
    meaning: str
    comment: str
    at: str
    for_whom: str | None
    reauthenticated: bool
    sources: list[RoleSourceAnswer]


class StoredProposal(TypedDict):
    """A requested promotion, as it is written down."""

    id: str
    model: str
    version: int
    requester: str
    created_at: str
    expires_at: str
    expected_champion: int | None
    evidence: list[EvidenceAnswer]
    files_digest: str
    policy_digest: str
    comment: str
    digest: str
    pages_digest: str | None
    condemned_by: CondemnedAnswer | None
    resembles: list[ResemblanceAnswer]
    approvals: list[ApprovalAnswer]


class NeedAnswer(TypedDict):
    """How many approvals a role must give, and how many of its holders have."""

    role: str
    count: int
    have: int


class ReviewAnswer(TypedDict):
    """What must be looked at after a rollback or a break-glass promotion, and by when."""

    id: str
    version: int
    opened_by: str
    opened_at: str
    due_at: str
    reason: str
    kind: Literal["rollback", "break-glass"]


class OpenReview(ReviewAnswer):
    """A review that nobody has closed."""

    overdue: bool


class ReviewInList(OpenReview):
    """A review that nobody has closed, of some model; ``yours_to_close`` where the caller may."""

    model: str
    yours_to_close: bool


class EntryAnswer(TypedDict):
    """One ledger entry in a sentence: who did what when."""

    seq: int
    at: str
    actor: str
    action: str
    version: int | None
    summary: str


class EntryInList(EntryAnswer):
    """A ledger entry of some model."""

    model: str


class AskedFor(TypedDict):
    """A Proposal in a list: what was asked for, and how far it is. ``champion`` is the version that serves now."""

    proposal: str
    model: str
    version: int
    champion: int | None
    requester: str
    created_at: str
    expires_at: str
    comment: str
    state: Literal["open", "approved", "rejected", "expired", "void"]
    needs: list[NeedAnswer]


class DataAnswer(TypedDict):
    """A data set that a run used, with MLflow's own digest."""

    name: str
    digest: str
    context: str | None
