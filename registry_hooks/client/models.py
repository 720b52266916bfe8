"""What the server answers about one model as a whole, and about what came before."""

from __future__ import annotations

from typing import Literal, TypedDict

from registry_hooks.client.answers import FileCheckAnswer, PolicyAnswer, PolicyVersion, ProposalAnswer, Tenure
from registry_hooks.client.members import BaselineAnswer, EntryAnswer, OpenReview, PairAnswer, ReasonAnswer


class BaselineNamed(BaselineAnswer):
    """A decision about a version's baseline; ``replaces`` is the digest of the one before, None of the first."""

    model: str
    replaces: str | None
    reason: str
    entry: int


class TenureTold(Tenure):
    """A time as champion, with what was said for it, and the Proposal behind a promotion."""

    why: str
    proposal: str | None


class Verdict(TypedDict):
    """The verdict of one Evidence document."""

    kind: str
    verdict: Literal["pass", "fail", "insufficient"]


class NominatedVersion(TypedDict):
    """What a version was nominated on, by whom; ``warnings`` say what speaks against its bytes."""

    by: str
    at: str
    evidence: list[Verdict]
    warnings: list[str]


class VersionTold(TypedDict):
    """A version in a list. ``nominated`` is None where it was not, or too long ago to be looked for."""

    version: int
    roles: list[Literal["champion", "challenger", "fallback"]]
    author: str | None
    served: bool
    condemned_at: str | None
    proposal: str | None
    nominated: NominatedVersion | None


class ReviewTold(OpenReview):
    """An open review; ``yours_to_close`` where the caller may."""

    yours_to_close: bool


class ClosedReview(TypedDict):
    """A review that was closed, with what was found."""

    id: str
    version: int
    finding: str
    by: str
    at: str
    seq: int


class RollbackNow(TypedDict):
    """What a rollback by the caller would do at this moment.

    ``to`` would serve in place of ``leaves``, and ``could_be`` are the versions that may be gone back to. ``after`` is
    None where there is nothing to go back to. ``nominated`` says whether the files can be compared with a nomination,
    and ``ends`` names the Proposals that would hold no longer. ``reasons`` speak against it now.
    """

    leaves: int | None
    to: int | None
    could_be: list[int]
    after: PairAnswer | None
    nominated: bool
    review_due: str
    ends: list[str]
    reasons: list[ReasonAnswer]


class EntryFound(EntryAnswer):
    """A ledger entry that was searched for; ``model`` is None of one about no single model."""

    model: str | None


class EntriesFound(TypedDict):
    """Entries, newest first; ``older`` is what to give as ``before`` to go on, None where nothing older is left."""

    entries: list[EntryFound]
    older: int | None


class PolicyHistory(TypedDict):
    """The versions of a policy, newest first."""

    name: str
    versions: list[PolicyAnswer]


class ModelAnswer(TypedDict):
    """A governed model: newest first who served, its versions, and reviews that were closed."""

    model: str
    policy: PolicyVersion
    pair: PairAnswer
    condemned: list[int]
    baselines: list[BaselineAnswer]
    file_check: FileCheckAnswer | None
    proposals: list[ProposalAnswer]
    reviews: list[ReviewTold]
    closed: list[ClosedReview]
    meddled: list[ReasonAnswer]
    missing: list[str]
    tenures: list[TenureTold]
    versions: list[VersionTold]
    more_versions: int
    rollback: RollbackNow
