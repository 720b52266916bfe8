"""Which Evidence opens the gate: of each kind that the policy asks for, passing, fresh, and signed where it must be."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from mlflow_eval_plugin.evidence import Evidence
from registry_hooks.errors import Reason
from registry_hooks.records import EvidenceRef, ModelState, TrustState
from registry_hooks.rules.approval.people import Facts
from registry_hooks.rules.baselines import against_its_baseline
from registry_hooks.rules.policy import RequiredEvidence, in_words
from registry_hooks.rules.sight import WITHHELD, shown_evidence


def evidence_reasons(state: ModelState, version: int, facts: Facts) -> list[Reason]:
    """Why the nomination's Evidence does not open the gate, for each kind that the policy asks for."""
    nomination = state.nominations.get(version)
    evidence = nomination.evidence if nomination else ()
    return judge_evidence(evidence, state, version, facts)


def judge_evidence(
    evidence: tuple[EvidenceRef, ...],
    state: ModelState,
    version: int,
    facts: Facts,
    passed_over: Mapping[str, Reason] | None = None,
) -> list[Reason]:
    """One reason for each kind of Evidence that is missing, stale, unsigned or not good enough.

    ``passed_over`` says by kind why some that is there was not taken in.
    """
    by_kind, model = {item.kind: item for item in shown_evidence(evidence, facts.sight)}, state.model
    mend = f"evaluate version {version} with mlflow.models.evaluate, then registry-hooks nominate {model} {version}"
    reasons: list[Reason] = []
    for required in facts.policy.promote.evidence:
        if required.kind == "comparison" and state.pair.champion in (None, version):
            continue  # there is nothing to compare with
        found = by_kind.get(required.kind)
        if found is None:
            missing = Reason("evidence", f"{required.kind} Evidence", "none in the nomination", mend)
            reasons.append((passed_over or {}).get(required.kind, missing))
            continue
        if not required.accepts(found.verdict):
            failed = f" ({'; '.join(found.failed[:3])})" if found.failed else ""
            reasons.append(
                Reason("evidence", f"{required.kind} Evidence that passes", f"verdict {found.verdict}{failed}", mend)
            )
        reasons += _too_old(required, found, facts, mend)
        reasons += _with_another(found, state, version)
        reasons += against_its_baseline(required, found, state, version)
        reasons += _unsigned(required, found, model, version, facts.trust)
    return reasons


def _too_old(required: RequiredEvidence, found: EvidenceRef, facts: Facts, mend: str) -> list[Reason]:
    age = facts.now - found.created_at
    if -timedelta(minutes=5) <= age <= required.max_age:
        return []
    expected = f"{required.kind} Evidence of the last {in_words(required.max_age)}"
    return [Reason("evidence-age", expected, f"made {found.created_at:%Y-%m-%d %H:%M}Z", mend)]


def about_another(evidence: Evidence, path: str, run_id: str, version: int, files_digest: str) -> Reason | None:
    """Why Evidence in a run is not about this version: it was copied in from elsewhere, or the files have changed."""
    subject = evidence.subject
    if subject.run_id != run_id:
        what = f"was made in run {subject.run_id[:40]}"
    elif subject.model_digest is None:
        what = "names no model's files: it is about predictions alone, or the files could not be read"
    elif subject.model_digest != files_digest:
        what = "is about other files"
    else:
        return None
    fix = "evaluate the model as it is registered, by its URI, and leave its files as they are"
    expected = f"{evidence.kind} Evidence about the files of version {version}"
    return Reason("evidence", expected, f"{path} of run {run_id} {what}", fix)


def _with_another(found: EvidenceRef, state: ModelState, version: int) -> list[Reason]:
    champion = state.pair.champion
    if found.kind != "comparison" or found.champion == champion:
        return []
    other = "a model with other files, or none" if found.champion is None else f"version {found.champion}"
    return [
        Reason(
            "comparison",
            f"a comparison with the champion, version {champion}",
            f"one with {other}",
            f"evaluate version {version} with the champion models:/{state.model}/{champion}, then registry-hooks "
            f"nominate {state.model} {version}",
        )
    ]


def _unsigned(
    required: RequiredEvidence, found: EvidenceRef, model: str, version: int, trust: TrustState
) -> list[Reason]:
    if not required.signed_by:
        return []
    names = {trust.key_name(key) for key in found.signed_by} - {None}
    if names & set(required.signed_by):
        return []
    revoked = [trust.keys[key].name for key in found.signed_by if key in trust.keys and trust.key_name(key) is None]
    run = "RUN_ID" if found.run_id == WITHHELD else found.run_id
    held = sorted(map(str, names)) or (f"the revoked key {revoked[0]}" if revoked else "no trusted key")
    return [
        Reason(
            "evidence-signature",
            f"{required.kind} Evidence signed by {' or '.join(required.signed_by)}",
            f"signed by {', '.join(held) if isinstance(held, list) else held}",
            f"registry-hooks evidence sign --run {run} --model models:/{model}/{version} --key KEYFILE, then "
            f"registry-hooks nominate {model} {version}",
        )
    ]
