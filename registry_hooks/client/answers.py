"""What the server answers: JSON objects, typed. Times are text in RFC 3339, UTC; digests are ``sha256:`` and hex.

A newer server may answer with more members than are named here.
"""

from __future__ import annotations

from typing import Literal, TypedDict, final

from registry_hooks.client.members import (
    AskedFor,
    BaselineAnswer,
    CondemnedAnswer,
    DataAnswer,
    EntryAnswer,
    EntryInList,
    EvidenceAnswer,
    NeedAnswer,
    OpenReview,
    PageAnswer,
    PairAnswer,
    ReasonAnswer,
    ResemblanceAnswer,
    ReviewAnswer,
    ReviewInList,
    StoredProposal,
)


@final
class ProposalAnswer(StoredProposal):
    """A Proposal as it is judged now.

    ``reasons`` say why it does not hold; ``uncounted`` why signatures do not count; ``warnings`` what speaks against
    the version's bytes.
    """

    state: Literal["open", "approved", "rejected", "expired", "void"]
    reasons: list[ReasonAnswer]
    needs: list[NeedAnswer]
    warnings: list[str]
    uncounted: list[ReasonAnswer]


@final
class Withdrawn(TypedDict):
    """A Proposal that its requester took back."""

    model: str
    version: int
    withdrawn: str
    entry: int


class Nominated(TypedDict):
    """A version that became challenger."""

    model: str
    version: int
    evidence: list[EvidenceAnswer]
    files_digest: str
    warnings: list[str]
    pair: PairAnswer
    entry: int


class Moved(TypedDict):
    """A change of roles, and the ledger entry that records it."""

    model: str
    version: int
    before: PairAnswer
    after: PairAnswer
    entry: int


class Promoted(Moved):
    """A version that became champion by an approved Proposal."""

    proposal: str


class RolledBack(Moved):
    """A return to an earlier champion. ``files`` says whether its files are those that were nominated."""

    review: ReviewAnswer
    files: Literal["match", "pending", "unknown"]


class BrokeGlass(Moved):
    """A version that became champion past the rules that ``overridden`` lists."""

    review: ReviewAnswer
    overridden: list[ReasonAnswer]


class ReviewClosed(TypedDict):
    """A review that was closed with a finding."""

    model: str
    review: ReviewAnswer
    finding: str
    entry: int


class Plan(TypedDict):
    """What a promotion by the caller would meet now."""

    model: str
    version: int
    allowed: bool
    reasons: list[ReasonAnswer]
    pair: PairAnswer
    after: PairAnswer
    proposal: ProposalAnswer | None


class FileCheckAnswer(TypedDict):
    """A version's files held against its nomination after a rollback; None where that is not done yet."""

    version: int
    since: str
    differences: list[str] | None


class PolicyVersion(TypedDict):
    """Which policy governs a model."""

    name: str
    version: int


class ModelStatus(TypedDict):
    """A governed model as it stands. ``missing`` is None where there was no time to look."""

    model: str
    policy: PolicyVersion
    pair: PairAnswer
    condemned: list[int]
    baselines: list[BaselineAnswer]
    file_check: FileCheckAnswer | None
    proposals: list[ProposalAnswer]
    reviews: list[OpenReview]
    meddled: list[ReasonAnswer]
    missing: list[str] | None


class Status(TypedDict):
    """The governed models that the caller may READ."""

    models: list[ModelStatus]


class InboxAnswer(TypedDict):
    """What waits for the caller: at most 15 of each; ``more`` names the lists of which there may be others."""

    waiting: list[AskedFor]
    asked: list[AskedFor]
    reviews: list[ReviewInList]
    changed: list[EntryInList]
    more: list[str]


class StateAnswer(TypedDict):
    """A model's roles, Proposals and reviews as they stood at some time."""

    model: str
    pair: PairAnswer
    condemned: list[int]
    proposals: list[StoredProposal]
    reviews: list[ReviewAnswer]


class _Entries(TypedDict):
    model: str
    entries: list[EntryAnswer]


class History(_Entries, total=False):
    """Ledger entries of a model, oldest first; ``as_of`` is there where a time was asked for."""

    as_of: StateAnswer


class _Run(TypedDict):
    run_id: str | None


class Origin(_Run, total=False):
    """What a version's run says of it; only ``run_id`` where there is no run, or none that the caller may READ."""

    unreadable: str
    data: list[DataAnswer]
    metrics: dict[str, float]
    source: dict[str, str]


class NominationAnswer(TypedDict):
    """A nomination, with what the version's run said then."""

    version: int
    evidence: list[EvidenceAnswer]
    files_digest: str
    actor: str
    at: str
    comment: str
    pages: list[PageAnswer]
    content: str | None
    condemned_by: CondemnedAnswer | None
    resembles: list[ResemblanceAnswer]
    lineage: Origin | None


class Tenure(TypedDict):
    """A time as champion; ``until`` is None of the one that serves."""

    version: int
    since: str
    until: str | None
    by: str
    how: str
    seq: int


class Lineage(TypedDict):
    """A version's record: who registered it, its nominations, when it served, and what its run says now."""

    model: str
    version: int
    stage: str
    registered: EntryAnswer | None
    nominations: list[NominationAnswer]
    deployments: list[Tenure]
    now: Origin


class Reconciled(TypedDict):
    """A model held against the ledger; ``problems`` says what differs."""

    model: str
    ok: bool
    versions: list[int]
    problems: list[str]


class PolicyChecked(TypedDict):
    """A policy that is sound; ``warnings`` say what may not be meant."""

    name: str
    models: list[str]
    digest: str
    problems: list[str]
    warnings: list[str]


class Adopted(TypedDict):
    """A model that came under a policy, with its roles."""

    model: str
    pair: PairAnswer


class PolicyApplied(TypedDict):
    """A policy that is in force; ``entry`` is None where it was already."""

    name: str
    version: int
    digest: str
    entry: int | None
    adopted: list[Adopted]
    let_go: list[str]
    warnings: list[str]


class PolicyAnswer(TypedDict):
    """A policy in force, with as much of it as the caller may READ."""

    name: str
    version: int
    digest: str
    yaml: str
    applied_by: str
    applied_at: str
    models: list[str]


class Policies(TypedDict):
    """The policies in force."""

    policies: list[PolicyAnswer]


class KeyAnswer(TypedDict):
    """A public key that signs Evidence."""

    id: str
    name: str
    public: str
    trusted_by: str
    trusted_at: str
    revoked_at: str | None


class KeyChanged(TypedDict):
    """A key that was trusted, or revoked."""

    key: KeyAnswer
    entry: int


class Keys(TypedDict):
    """Every key that is or ever was trusted."""

    keys: list[KeyAnswer]


class DelegationAnswer(TypedDict):
    """A seat in a role of a policy, lent for a time."""

    id: str
    policy: str
    role: str
    by: str
    to: str
    since: str
    until: str
    reason: str


class DelegationChanged(TypedDict):
    """A delegation that began, or ended."""

    delegation: DelegationAnswer
    entry: int


class Delegations(TypedDict):
    """The delegations in force."""

    delegations: list[DelegationAnswer]


class Problem(TypedDict):
    """What does not add up; ``seq`` is None where it is no single entry."""

    seq: int | None
    what: str


class Redaction(TypedDict):
    """An entry that lacks a text, and the entry that says so."""

    seq: int
    by: int


class Verified(TypedDict):
    """The audit log, recomputed. ``redacted`` and ``purged``, a number of entries, are what it says that it lacks.

    ``held_against`` says which checkpoints and keys it was compared with.
    """

    ok: bool
    size: int
    root: str
    problems: list[Problem]
    held_against: list[str]
    redacted: list[Redaction]
    purged: int


class Redacted(TypedDict):
    """A text that was taken out of the log: the entries that had it, and the one that says so."""

    seq: int
    field: str
    rows: list[int]
    entry: int


class PurgePlan(TypedDict):
    """What a purge takes until entry ``through``: how many bodies go, and how many stay because they are needed."""

    through: int
    count: int
    kept: int


class Purged(PurgePlan):
    """A purge that was made, and the entries that say so; ``entry`` is the last of them."""

    entry: int
    entries: list[int]


class Health(TypedDict):
    """The version that the server runs."""

    version: str
    governed: bool
