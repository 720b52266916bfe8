"""Which Evidence counts for a version: what its runs hold, matches its own digest, and speaks of these very files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from mlflow_eval_plugin.evidence import Evidence
from registry_hooks.errors import Invalid, NotFound, Reason
from registry_hooks.identity import current_sight
from registry_hooks.records import EvidenceRef, TrustState
from registry_hooks.rules.evidence_gate import about_another
from registry_hooks.rules.signatures import signers
from registry_hooks.storage.mlflow_io import FoundEvidence, Manifest, evidence_in
from registry_hooks.storage.mlflow_rows import VersionRow


@dataclass(frozen=True)
class Taken:
    """The newest Evidence of each kind, sorted by kind; and by kind, why other Evidence was passed over."""

    evidence: tuple[EvidenceRef, ...]
    passed_over: dict[str, Reason]


@dataclass(frozen=True)
class Serving:
    """The champion that a comparison is to be with.

    Args:
        version: its number.
        nominated: the digest of its files as they were nominated; None where it never was.
        as_they_are: reads its files; None where they cannot be read. After a rollback they may be others.
    """

    version: int
    nominated: str | None
    as_they_are: Callable[[], str | None]

    def has(self, digest: str | None) -> bool:
        """Whether these are its files: those that were nominated, or those that serve."""
        return digest is not None and (digest == self.nominated or digest == self.as_they_are())


def trusted_evidence(
    row: VersionRow, files: Manifest, runs: list[str], trust: TrustState, champion: Serving | None
) -> Taken:
    """The Evidence in ``runs`` (by default the run that made the version) that speaks of these files."""
    wanted = list(dict.fromkeys(runs)) or ([row.run_id] if row.run_id else [])
    if not wanted:
        raise Invalid(
            f"version {row.version} of {row.model} names no run; say which runs hold its Evidence (--run RUN_ID)"
        )
    for run_id in wanted:
        if not current_sight().run(run_id):
            named = f"run {run_id!r}" if runs else f"run of version {row.version}"
            # As for one that is not there: not even that may be learnt of it.
            raise NotFound(f"there is no {named} that you may read")
    newest: dict[str, EvidenceRef] = {}
    others: dict[str, Reason] = {}
    for run_id in wanted:
        for found in evidence_in(run_id):
            evidence = found.evidence
            if other := about_another(evidence, found.path, run_id, row.version, files.digest):
                others[evidence.kind] = other
                continue
            ref = EvidenceRef(
                kind=evidence.kind,
                digest=evidence.digest,
                verdict=evidence.verdict,
                created_at=datetime.fromisoformat(evidence.created_at.replace("Z", "+00:00")),
                run_id=run_id,
                path=found.path,
                failed=tuple(check.claim for check in evidence.failed),
                signed_by=_signed_by(found, trust),
                champion=champion.version if champion and champion.has(evidence.champion_digest) else None,
                sha256=found.sha256,
                envelope_sha256=hashlib.sha256(found.envelope).hexdigest() if found.envelope is not None else None,
                baseline=_baseline_of(evidence),
            )
            if evidence.kind not in newest or _counts_before(ref, newest[evidence.kind]):
                newest[evidence.kind] = ref
    return Taken(tuple(newest[kind] for kind in sorted(newest)), others)


def _baseline_of(evidence: Evidence) -> str | None:
    frozen = evidence.reference.baseline if evidence.reference else None
    return frozen.digest if frozen else None


def _counts_before(one: EvidenceRef, other: EvidenceRef) -> bool:
    # A comparison with somebody else, made later, does not take away the one with the champion.
    return (one.champion is not None, one.created_at) > (other.champion is not None, other.created_at)


def _signed_by(found: FoundEvidence, trust: TrustState) -> tuple[str, ...]:
    """The trusted keys that signed this very document; none where the envelope holds another."""
    if found.envelope is None:
        return ()
    keys = {key.id: key.public for key in trust.keys.values() if key.revoked_at is None}
    try:
        signed, by = signers(found.envelope, keys)
    except Invalid as error:
        raise Invalid(f"the envelope of {found.path} cannot be trusted: {error.headline}") from error
    return by if signed.digest == found.evidence.digest else ()
