"""The facts that the registry keeps, as frozen records that read and write themselves as JSON.

Times are aware datetimes in UTC. A record never changes: a transition makes a new one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from mlflow_eval_plugin.canonical import digest_of

R = TypeVar("R", bound="Record")
Role = Literal["champion", "challenger", "fallback"]
ROLES: tuple[Role, ...] = ("champion", "challenger", "fallback")
AccountAction = Literal[
    "user-created", "password-changed", "admin-changed", "user-deleted", "role-created", "role-changed", "role-deleted",
    "role-assigned", "role-unassigned", "permission-changed", "account-undone",
]  # fmt: skip
"""What is done to the accounts of MLflow's auth; each stands in the ledger before it is done."""

Action = Literal[
    "policy-applied", "key-trusted", "key-revoked", "delegated", "delegation-ended", "log-key-changed",
    "adopted", "registered", "deleted", "baseline-named", "nominated", "requested", "approved", "rejected", "withdrawn",
    "approval-withdrawn", "promoted", "broke-glass", "rolled-back", "files-checked", "review-closed",
    "notify-added", "notify-removed", "redacted", "purged", AccountAction,
]  # fmt: skip


class Record(BaseModel):
    """Base of all records: frozen, and nothing unknown is taken in."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_timedelta="iso8601")

    def model_copy(self: R, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> R:
        """As pydantic's, in a quarter of the time where nothing is deep: folding a ledger makes two an entry."""
        if deep:
            return super().model_copy(update=update, deep=True)
        made = object.__new__(type(self))
        object.__setattr__(made, "__dict__", {**self.__dict__, **(update or {})})
        object.__setattr__(made, "__pydantic_fields_set__", self.__pydantic_fields_set__ | (update or {}).keys())
        object.__setattr__(made, "__pydantic_extra__", None)
        object.__setattr__(made, "__pydantic_private__", None)
        return made

    def as_json(self) -> dict[str, Any]:
        """The record as plain JSON values."""
        return self.model_dump(mode="json")


class Pair(Record):
    """Champion, challenger and fallback of one registered model: version numbers, or None."""

    champion: int | None = None
    challenger: int | None = None
    fallback: int | None = None


class EvidenceRef(Record):
    """Evidence as it was when a nomination took it in: enough to judge it later without reading it again.

    ``signed_by`` lists the ids of the trusted keys whose signature over it was verified then. ``champion`` is, of a
    comparison, the version that was champion then and whose files it names; None where it names others. ``baseline`` is
    the digest of the baseline that it was held against; None where it was held against rows, or nothing. ``sha256`` and
    ``envelope_sha256`` are of the bytes of the document's file and of the envelope beside it, by which the same files
    are known again without being parsed; None where there was no envelope, or the nomination is of before these.
    """

    kind: str
    digest: str
    verdict: Literal["pass", "fail", "insufficient"]
    created_at: datetime
    run_id: str
    path: str
    failed: tuple[str, ...] = ()
    signed_by: tuple[str, ...] = ()
    champion: int | None = None
    sha256: str | None = None
    envelope_sha256: str | None = None
    baseline: str | None = None


class Page(Record):
    """A report page or figure in a run that holds Evidence, by the SHA-256 of its bytes."""

    run_id: str
    path: str
    sha256: str


class Condemned(Record):
    """A version that was rolled back from, when, and the digest of what it is made of; None where that is not known."""

    model: str
    version: int
    at: datetime
    content: str | None = None


class Resemblance(Record):
    """A condemned version that another one has much in common with, though their files are not the same.

    Of its ``files`` files so many are the ``same``, under whatever name, and ``near`` are names under which both have a
    file of about the same size; at most five are told.
    """

    model: str
    version: int
    at: datetime
    files: int
    same: int
    near: tuple[str, ...] = ()


class Nomination(Record):
    """A version as it was nominated: which files, which Evidence and report pages, by whom.

    ``content`` is the digest of what it is made of (`registry_hooks.rules.condemned.content_digest`); None in
    nominations of before it was taken. ``condemned_by`` says whose bytes they are, where those were rolled back from:
    then the Evidence is newer. ``resembles`` tells of condemned versions whose bytes are others, and not by much.
    """

    version: int
    evidence: tuple[EvidenceRef, ...]
    files_digest: str
    actor: str
    at: datetime
    comment: str = ""
    pages: tuple[Page, ...] = ()
    content: str | None = None
    condemned_by: Condemned | None = None
    resembles: tuple[Resemblance, ...] = ()

    @property
    def pages_digest(self) -> str | None:
        """One digest of the report pages; None where there are none."""
        return digest_of([page.as_json() for page in self.pages]) if self.pages else None


class RoleSource(Record):
    """Where a signer's role came from: the policy's own list, an MLflow role, or a loan; and who gave it.

    ``name`` is that of the policy, of the MLflow role, or the delegation's id. ``given_by`` is None where it was given
    before accounts were governed.
    """

    role: str
    via: Literal["policy", "mlflow-role", "loan"]
    name: str
    given_by: str | None = None


class Approval(Record):
    """One actor's signed-off yes or no to one Proposal, bound to the Proposal's digest.

    ``for_whom`` is the holder of the roles who delegated them to the actor; None for a signature in one's own right.
    ``sources`` says where each role came from; empty in entries of versions that did not write it down.
    """

    proposal: str
    proposal_digest: str
    actor: str
    roles: tuple[str, ...]
    decision: Literal["yes", "no"]
    meaning: str
    comment: str
    at: datetime
    for_whom: str | None = None
    reauthenticated: bool = False
    sources: tuple[RoleSource, ...] = ()

    @property
    def person(self) -> str:
        """Whose seat in the quorum the signature takes."""
        return self.for_whom or self.actor


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
    pages_digest: str | None = None
    condemned_by: Condemned | None = None
    resembles: tuple[Resemblance, ...] = ()
    approvals: tuple[Approval, ...] = ()

    @property
    def rejected_by(self) -> str | None:
        """Who said no, or None."""
        return next((a.actor for a in self.approvals if a.decision == "no"), None)


class Review(Record):
    """What must be looked at after a rollback or a promotion by break-glass, and by when.

    ``version`` is the one that was rolled back from, or that was promoted past the rules.
    """

    id: str
    version: int
    opened_by: str
    opened_at: datetime
    due_at: datetime
    reason: str
    kind: Literal["rollback", "break-glass"] = "rollback"


class FileCheck(Record):
    """A version's files held against its nomination after a rollback; ``differences`` is None until that is done."""

    version: int
    since: datetime
    differences: tuple[str, ...] | None = None


class NamedBaseline(Record):
    """The baseline that a version has by decision: where it is in a run, and its digest. The reason is in the entry."""

    run_id: str
    path: str
    digest: str
    actor: str
    at: datetime

    @property
    def address(self) -> str:
        """As evaluators take it."""
        return f"runs:/{self.run_id}/{self.path}"


class ModelState(Record):
    """All that the rules need to know of one registered model: the fold of its ledger entries.

    ``champions`` lists versions in the order in which they became champion. ``condemned`` maps a version that was
    rolled back from to the time of that rollback; ``condemned_files`` does so for what such versions are made of, by
    its digest, and keeps it when the version is deleted. ``nominations`` are kept of the challenger, of versions that
    ever were champion, and of those with a Proposal. ``proposals`` holds those that are neither promoted, withdrawn nor
    superseded. ``reviews`` are the open ones. ``baselines`` are by version, the newest of each. ``file_check`` is of
    the champion, where it came back by a rollback that did not wait for the check. ``last_at`` is the time of the
    newest entry: time does not go back in a ledger, even where a clock does.
    """

    model: str
    pair: Pair = Pair()
    champions: tuple[int, ...] = ()
    condemned: dict[int, datetime] = Field(default_factory=dict)
    condemned_files: dict[str, Condemned] = Field(default_factory=dict)
    nominations: dict[int, Nomination] = Field(default_factory=dict)
    authors: dict[int, str] = Field(default_factory=dict)
    baselines: dict[int, NamedBaseline] = Field(default_factory=dict)
    proposals: dict[str, Proposal] = Field(default_factory=dict)
    reviews: tuple[Review, ...] = ()
    last_rollback: Review | None = None
    file_check: FileCheck | None = None
    last_at: datetime | None = None

    def open_proposal(self, version: int) -> Proposal | None:
        """The newest Proposal of ``version`` that nobody has rejected, whether it still holds or not."""
        mine = [p for p in self.proposals.values() if p.version == version and p.rejected_by is None]
        return mine[-1] if mine else None


class TrustedKey(Record):
    """A public Ed25519 key that signs Evidence; ``revoked_at`` ends the trust in all that it ever signed."""

    id: str
    name: str
    public: str
    trusted_by: str
    trusted_at: datetime
    revoked_at: datetime | None = None


class Delegation(Record):
    """A holder's seat in a role of a policy, lent to somebody else for a time."""

    id: str
    policy: str
    role: str
    by: str
    to: str
    since: datetime
    until: datetime
    reason: str

    def in_force(self, now: datetime) -> bool:
        """Whether it counts at that time; it has ended at ``until`` itself."""
        return self.since <= now < self.until


class LogKey(Record):
    """A key that signs, or signed, the log's checkpoints: those from ``since`` entries on, until the next key's."""

    vkey: str
    since: int


class TrustState(Record):
    """Keys and delegations, of no single model: the fold of the ledger entries about them.

    ``log_keys`` are the keys of the log's checkpoints, oldest first; empty as long as the first one was never changed.
    """

    keys: dict[str, TrustedKey] = Field(default_factory=dict)
    delegations: dict[str, Delegation] = Field(default_factory=dict)
    log_keys: tuple[LogKey, ...] = ()

    def key_name(self, key_id: str) -> str | None:
        """The name of a key that is trusted now; None for one that is unknown or revoked."""
        key = self.keys.get(key_id)
        return key.name if key is not None and key.revoked_at is None else None


class Given(Record):
    """Who did something to an account, when, and by which ledger entry.

    ``hands`` are the one who did it and all who had that one's account in their hands then.
    """

    by: str
    hands: tuple[str, ...]
    at: datetime
    seq: int


class Account(Record):
    """What the ledger knows of a user of MLflow's auth.

    ``created`` is None for an account from before. ``password`` is the newest change of the password by somebody else.
    ``roles`` maps the MLflow roles held, now or once, to who gave them. ``removed`` is an account that is gone, as far
    as is known.
    """

    created: Given | None = None
    password: Given | None = None
    roles: dict[str, Given] = Field(default_factory=dict)
    removed: bool = False


class Before(Record):
    """Accounts and permissions as they were before an entry, to go back to where the change then failed."""

    seq: int
    accounts: dict[str, Account | None]
    permitted: dict[str, dict[str, Given] | None]


class AccountsState(Record):
    """Accounts by name, of no single model: the fold of the ledger entries about them.

    ``permitted`` maps each MLflow role to its permissions, and those to who gave them. ``recent`` are the newest
    changes, which may yet turn out to have failed.
    """

    accounts: dict[str, Account] = Field(default_factory=dict)
    permitted: dict[str, dict[str, Given]] = Field(default_factory=dict)
    recent: tuple[Before, ...] = ()


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
