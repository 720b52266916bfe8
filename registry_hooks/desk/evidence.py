"""Which Evidence counts for a version: what its runs hold, matches its own digest, and speaks of this very model."""

from __future__ import annotations

from datetime import datetime

from registry_hooks.envelope import signers
from registry_hooks.errors import Invalid
from registry_hooks.mlflow_io import FoundEvidence, Manifest, evidence_in, model_digest_in
from registry_hooks.mlflow_rows import VersionRow
from registry_hooks.records import EvidenceRef, TrustState


def trusted_evidence(row: VersionRow, files: Manifest, runs: list[str], trust: TrustState) -> tuple[EvidenceRef, ...]:
    """The newest Evidence of each kind in ``runs`` (by default the run that made the version), sorted by kind."""
    wanted = list(dict.fromkeys(runs)) or ([row.run_id] if row.run_id else [])
    if not wanted:
        raise Invalid(
            f"version {row.version} of {row.model} names no run; say which runs hold its Evidence (--run RUN_ID)"
        )
    model_digest = model_digest_in(files, row)
    if model_digest is None:
        # Evidence about predictions alone names no model either; that must not make it speak of this one.
        raise Invalid(
            f"version {row.version} of {row.model} has no file MLmodel, so no Evidence speaks of it; log the model "
            "with MLflow and register that"
        )
    newest: dict[str, EvidenceRef] = {}
    for run_id in wanted:
        for found in evidence_in(run_id):
            evidence = found.evidence
            # Evidence copied in from elsewhere speaks of another run, or of another model: it is not this version's.
            if evidence.subject.run_id != run_id or evidence.subject.model_digest != model_digest:
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
            )
            if evidence.kind not in newest or ref.created_at > newest[evidence.kind].created_at:
                newest[evidence.kind] = ref
    return tuple(newest[kind] for kind in sorted(newest))


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
