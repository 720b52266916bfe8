"""What a Proposal is shown with: the types of `registry_hooks.Client.proposal`."""

from __future__ import annotations

from typing import Literal, TypedDict

from registry_hooks.client.answers import ProposalAnswer
from registry_hooks.client.members import DataAnswer, PageAnswer, PairAnswer, ReasonAnswer, RoleSourceAnswer

Verdict = Literal["pass", "fail", "insufficient"]


class CheckAnswer(TypedDict):
    """One claim of an Evidence document: what it asks, and what came of it."""

    claim: str
    scope: str
    metric: str
    n: int
    value: float | None
    interval: list[float] | None
    minimum: float | None
    maximum: float | None
    verdict: Verdict
    reason: str


class EffectAnswer(TypedDict):
    """What the challenger of a comparison changes on all rows; ``better`` is None where neither way is."""

    metric: str
    champion: float | None
    challenger: float | None
    change: float
    interval: list[float] | None
    better: bool | None


class UncheckedAnswer(TypedDict):
    """A slice that does worse in something without a tolerance."""

    scope: str
    metric: str
    n: int
    value: float
    other: float
    difference: float
    interval: list[float]
    versus: str


class _Rows(TypedDict):
    name: str
    rows: int


class _Few(TypedDict):
    scope: str
    n: int


class FindingsAnswer(TypedDict):
    """What a document says; its Checks are the worst first, ``left_out`` of them are not told."""

    kind: str
    task: str
    data: _Rows
    reference: str | None
    counts: dict[str, int]
    effect: EffectAnswer | None
    checks: list[CheckAnswer]
    left_out: int
    too_few_rows: list[_Few]
    unchecked: list[UncheckedAnswer]
    alpha: float


class EvidenceShown(TypedDict):
    """Evidence that a Proposal is bound to, and what it says; ``untold`` is why that cannot be told."""

    kind: str
    digest: str
    verdict: Verdict
    created_at: str
    signed_by: list[str]
    run_id: str | None
    findings: FindingsAnswer | None
    untold: str


class You(TypedDict):
    """What the caller may do: in which roles they would sign, for whom, and what is against it."""

    roles: list[str]
    for_whom: str | None
    lenders: list[str]
    sources: list[RoleSourceAnswer]
    against_yes: list[ReasonAnswer]
    against_no: list[ReasonAnswer]
    reauthenticate: bool
    meanings: dict[str, str]


class PolicyShown(TypedDict):
    """The policy that governs a model, and what it asks before a version serves, in words."""

    name: str
    version: int
    digest: str
    words: list[str]


class FileAnswer(TypedDict):
    """One file of a version, as it was nominated."""

    path: str
    size: int
    sha256: str


class _Changed(TypedDict):
    same: int
    changed: list[str]
    added: list[str]
    removed: list[str]


class FilesShown(TypedDict):
    """The files of a version; ``listed`` is None where the list is not kept, ``from_champion`` where either is not."""

    digest: str
    listed: list[FileAnswer] | None
    from_champion: _Changed | None


class LineageShown(TypedDict, total=False):
    """Where a version came from when it was nominated, as its run said; only ``run_id`` where it may not be read."""

    run_id: str | None
    data: list[DataAnswer]
    metrics: dict[str, float]
    source: dict[str, str]
    unreadable: str


class ProposalShown(TypedDict):
    """A Proposal with all that it rests on, for somebody who is asked to sign."""

    proposal: ProposalAnswer
    pair: PairAnswer
    after: PairAnswer
    author: str | None
    could_sign: list[str]
    you: You
    policy: PolicyShown
    files: FilesShown
    lineage: LineageShown | None
    meddled: list[ReasonAnswer]
    evidence: list[EvidenceShown]
    pages: list[PageAnswer]
