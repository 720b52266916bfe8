"""What the registry knows of one version, gathered in one transaction: entries as they are stored, lists of files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from registry_hooks.errors import Invalid, NotFound, Reason, Refused
from registry_hooks.identity import Sight
from registry_hooks.records import Entry, Nomination
from registry_hooks.rules.files import Files
from registry_hooks.rules.log import about, trust
from registry_hooks.rules.log.checkpoints import Checkpoint
from registry_hooks.rules.log.merkle import StoredEntry
from registry_hooks.rules.log.proofs import Hashes, Torn, inclusion, is_included
from registry_hooks.rules.policy import Policy, governing, is_pattern
from registry_hooks.rules.policy_file import load_policy
from registry_hooks.rules.signatures import SUFFIX
from registry_hooks.storage.ledger import Ledger
from registry_hooks.storage.log.rows import StoredLog


@dataclass(frozen=True)
class Gathered:
    """All that the ledger and its tables say of a version.

    Args:
        model, version: which.
        entries: those that tell of it, and those that they rest on; in order.
        rows: the same as they are stored.
        manifests: the lists of files that were nominated, by digest; None where one is not kept.
    """

    model: str
    version: int
    entries: tuple[Entry, ...]
    rows: tuple[StoredEntry, ...]
    manifests: dict[str, Files | None]

    @property
    def newest(self) -> int:
        """The number of the newest of them."""
        return self.rows[-1].seq

    @property
    def mine(self) -> list[Entry]:
        """The entries of the model itself."""
        return [entry for entry in self.entries if entry.model == self.model]

    @property
    def nominations(self) -> list[Nomination]:
        """Its nominations, in order."""
        return about.nominations(self.mine, self.version)

    @property
    def documents(self) -> list[tuple[str, str, str | None, bool]]:
        """Files of runs: run, path, the SHA-256 that a nomination is bound to, and whether it rests on the file."""
        listed: dict[tuple[str, str], tuple[str | None, bool]] = {}
        for nomination in self.nominations:
            for item in nomination.evidence:
                listed[item.run_id, item.path] = item.sha256, True
                if item.envelope_sha256 is not None or item.signed_by:
                    listed[item.run_id, item.path + SUFFIX] = item.envelope_sha256, bool(item.signed_by)
            listed.update({(page.run_id, page.path): (page.sha256, True) for page in nomination.pages})
        return [(*where, *bound) for where, bound in sorted(listed.items())]


def gathered(ledger: Ledger, stored: StoredLog, model: str, version: int, until: datetime | None) -> Gathered:
    """What is known of a version from entries until a time; of all of them where that is None.

    What was redacted since is redacted whatever the time, and the entries that say so are there.

    Raises:
        NotFound: when no entry tells of it.
    """
    mine, redactions = list[Entry](), [_entry(row) for row in stored.of_action("redacted")]
    for entry in ledger.each_entry(model):
        if entry.action == "redacted":
            redactions.append(entry)
        elif until is None or entry.at <= until:
            mine.append(entry)
    told = about.about(mine, version)
    if not told:
        when = f" until {until:%Y-%m-%d %H:%M:%S}Z" if until else ""
        raise NotFound(f"the audit log has nothing about version {version} of {model!r}{when}")
    beside = (*_policies(stored, model, told), *_trust(stored, told, version, until), *_purges(stored, until))
    entries = sorted(about.with_redactions((*told, *beside), sorted(redactions, key=_number)), key=_number)
    rows = stored.of([entry.seq for entry in entries])
    manifests = {
        each.files_digest: ledger.manifest(model, version, each.files_digest)
        for each in about.nominations(told, version)
    }
    return Gathered(model, version, tuple(entries), tuple(rows), manifests)


@dataclass(frozen=True)
class Proved:
    """The proofs of entries under one checkpoint.

    Args:
        checkpoint: the note; not signed where there is no key.
        root: of the tree that it is over.
        paths: audit paths (RFC 6962), by number.
        signed: whether the log's key signed it.
    """

    checkpoint: bytes
    root: bytes
    paths: dict[int, list[bytes]]
    signed: bool


def proved(tree: Hashes, found: Gathered, checkpoint: Checkpoint, note: bytes | None) -> Proved:
    """The proofs of all entries under a checkpoint; each was checked.

    Raises:
        Torn: when one does not lead to the root.
    """
    paths = {row.seq: inclusion(row.seq - 1, tree) for row in found.rows}
    for row in found.rows:
        leaf = bytes.fromhex(row.leaf_hash)
        if not is_included(leaf, row.seq - 1, checkpoint.size, paths[row.seq], checkpoint.root):
            raise Torn(
                f"entry {row.seq} does not lead to the log's root; registry-hooks audit verify says what is wrong"
            )
    return Proved(note or f"{checkpoint.text}\n".encode(), checkpoint.root, paths, note is not None)


def _number(entry: Entry) -> int:
    return entry.seq


def _policies(stored: StoredLog, model: str, told: list[Entry]) -> list[Entry]:
    """The policies on which the version's Proposals were made, and those that governed when something was decided."""
    applied = [_entry(row) for row in stored.of_action("policy-applied")]
    bound = {proposal.policy_digest for entry in told for proposal in about.proposals([entry], entry.version or 0)}
    needed = {entry.seq: entry for entry in applied if entry.body["digest"] in bound and entry.seq < told[-1].seq}
    in_force: dict[str, tuple[Policy, Entry]] = {}
    rest = iter(applied)
    following = next(rest, None)
    for entry in told:
        while following is not None and following.seq < entry.seq:
            if (policy := _readable(following.body["text"])) is not None:
                in_force[policy.name] = policy, following
            following = next(rest, None)
        found = governing(model, in_force.values())
        needed.update({found.seq: found} if found is not None else {})
    return list(needed.values())


def _readable(text: str) -> Policy | None:
    try:
        return load_policy(text)
    except Invalid:  # of another release
        return None


def _trust(stored: StoredLog, told: list[Entry], version: int, until: datetime | None) -> Iterator[Entry]:
    keys, loans = about.trust_needed(told, version)
    if not keys and not loans:
        return
    for row in stored.of_scope(trust.SCOPE):
        entry = _entry(row)
        if about.is_of_trust(entry, keys, loans) and (until is None or entry.at <= until):
            yield entry


def _purges(stored: StoredLog, until: datetime | None) -> Iterator[Entry]:
    """What took entries out of the log: where some of the version's are not here, these say so."""
    for row in stored.of_action("purged"):
        if until is None or _entry(row).at <= until:
            yield _entry(row)


def _entry(row: StoredEntry) -> Entry:
    return Entry.model_validate_json(row.entry)


def refuse_unseen(found: Gathered, sight: Sight) -> None:
    """Refuse a dossier to whoever may not READ all that is in it: an entry is given whole, or cannot be verified.

    Raises:
        Refused: naming what may not be read by what it is, and not by its name.
    """
    if sight.everything():
        return
    # Of every entry: those that gave a role to the version, or took it away, tell of other versions too.
    runs = {name for entry in found.entries for name in _named_as("run_id", entry.body)}
    others = {name for entry in found.entries for name in _named_as("model", entry.body)}
    others |= set().union(*(_named(entry) for entry in found.entries if entry.action == "policy-applied"))
    reasons = [
        *_unseen("run", "that it came from, or that holds Evidence", sum(not sight.run(run) for run in runs)),
        *_unseen("model", "that its policy or its nominations name", sum(not sight.model(m) for m in others)),
    ]
    if reasons:
        raise Refused(f"the dossier of version {found.version} of {found.model} is not yours to read", reasons)


def _named_as(what: str, value: Any) -> Iterator[str]:
    """Every text that is called so anywhere in a document."""
    if isinstance(value, dict) and isinstance(value.get(what), str):
        yield value[what]
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _named_as(what, each)


def _named(applied: Entry) -> set[str]:
    """The models that a policy names; ``*`` for every model where it names some by a pattern."""
    policy = _readable(applied.body["text"])
    names = (*policy.models, *policy.exempt) if policy else ("*",)
    return {"*" if is_pattern(name) else name for name in names}


def _unseen(what: str, which: str, count: int) -> Iterable[Reason]:
    if count:
        yield Reason("mlflow-permission", f"READ on every {what} {which}", f"{count} of them may not be read",
                     "ask an administrator to grant it, or to make the dossier")  # fmt: skip
