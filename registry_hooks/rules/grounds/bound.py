"""Evidence, signatures and report pages as they were nominated, held against what a run has in their place now."""

from __future__ import annotations

from mlflow_eval_plugin.canonical import EvidenceError
from mlflow_eval_plugin.evidence import loads
from registry_hooks.errors import Invalid, Reason
from registry_hooks.records import EvidenceRef, Page, TrustState
from registry_hooks.rules.signatures import SUFFIX, signers

MOST_READ = 4 * 1024 * 1024
"""Bytes of a document in other bytes than were nominated that are read for what they say."""
UNREACHABLE = "evidence-unreachable"
_BACK = "put the nominated file back, or evaluate into a new run and nominate that; find out who changed it"


def unreachable(told: str) -> Reason:
    """The refusal to decide on Evidence that the artifact store does not give."""
    fix = "let the server reach the artifact store, then ask again"
    return Reason(UNREACHABLE, "the Evidence that was nominated", told, fix)


def another_page(page: Page, sha256: str | None) -> list[Reason]:
    """Why a report page is not as it was nominated; ``sha256`` is of what is there, None where nothing is."""
    if sha256 == page.sha256:
        return []
    found = f"{page.path} of run {page.run_id} {_what(sha256)}"
    return [Reason("reports", "the report pages as they were nominated", found, _BACK)]


def another_document(item: EvidenceRef, text: bytes | None) -> list[Reason]:
    """Why Evidence in other bytes than were nominated is another document; empty where it is the same one.

    ``text`` is what is there in its place; None where nothing is.
    """
    if not (told := _of_document(item, text)):
        return []
    expected = f"the {item.kind} Evidence that was nominated, {item.digest[:19]}…"
    return [Reason("evidence-changed", expected, f"Evidence {item.path} of run {item.run_id} {told}", _BACK)]


def another_signature(item: EvidenceRef, envelope: bytes | None, trust: TrustState) -> list[Reason]:
    """Why an envelope in other bytes than were nominated does not hold the same signatures, and perhaps more."""
    if not (told := _of_signature(item, envelope, trust)):
        return []
    names = ", ".join(trust.keys[key].name for key in item.signed_by if key in trust.keys)
    expected = f"the signature of {names} over the {item.kind} Evidence, as it was nominated"
    return [Reason("evidence-signature", expected, f"{item.path}{SUFFIX} of run {item.run_id} {told}", _BACK)]


def _of_document(item: EvidenceRef, text: bytes | None) -> str | None:
    if text is None:
        return _what(None)
    if item.sha256 is not None and len(text) > MOST_READ:
        return _what("")
    try:
        digest = loads(text).digest
    except EvidenceError as error:
        return f"cannot be trusted: {str(error)[:200]}"
    return None if digest == item.digest else "is another document than was nominated"


def _of_signature(item: EvidenceRef, envelope: bytes | None, trust: TrustState) -> str | None:
    if envelope is None:
        return _what(None)
    # Keys that were revoked since: that their signature is there says nothing for it, and has a reason of its own.
    keys = {key: trust.keys[key].public for key in item.signed_by if key in trust.keys}
    try:
        document, by = signers(envelope, keys)
    except Invalid as error:
        return f"cannot be trusted: {error.headline[:200]}"
    if document.digest != item.digest:
        return f"is over another document, {document.digest[:19]}…"
    return None if set(item.signed_by) <= set(by) else "is by other keys"


def _what(sha256: str | None) -> str:
    return "is gone" if sha256 is None else "was changed"
