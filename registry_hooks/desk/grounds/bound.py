"""What a nomination is bound to in its runs, held against what they hold now: Evidence, signatures, report pages.

The Evidence of a version lies in a run that others may write to. What opened the gate at the nomination is what must
still be there when somebody asks for a promotion, approves one or makes one: those who approve look at the run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import TimeoutError as StillRunning
from dataclasses import dataclass, replace
from typing import TypeVar

from mlflow_eval_plugin.canonical import EvidenceError
from mlflow_eval_plugin.evidence import loads
from registry_hooks.desk.grounds.presence import beside
from registry_hooks.errors import Invalid, NotFound, Reason, RegistryError
from registry_hooks.identity import EVERYTHING, current_sight
from registry_hooks.records import EvidenceRef, Nomination, Page, TrustState
from registry_hooks.rules.signatures import SUFFIX, signers
from registry_hooks.storage.mlflow_io import on_this_disk, pages_in, run_file, run_files

_REREAD = 4 * 1024 * 1024  # bytes of a document in other bytes than were nominated that are read for what they say
R = TypeVar("R")
UNREACHABLE = "evidence-unreachable"
PATIENCE = 5.0  # seconds in which the artifact store gives what a run holds
_BACK = "put the nominated file back, or evaluate into a new run and nominate that; find out who changed it"


@dataclass(frozen=True)
class Bound:
    """A nomination as it was read, and what is not as it was nominated."""

    nomination: Nomination | None
    reasons: tuple[Reason, ...] = ()

    @property
    def silent(self) -> bool:
        """Whether the artifact store did not answer."""
        return any(reason.rule == UNREACHABLE for reason in self.reasons)


def pages_of(evidence: tuple[EvidenceRef, ...]) -> tuple[Page, ...]:
    """The report pages in the runs that hold the Evidence, as they are now."""
    runs = dict.fromkeys(item.run_id for item in evidence)
    return tuple(Page(run_id=run, path=path, sha256=sha) for run in runs for path, sha in sorted(pages_in(run).items()))


def bound(nomination: Nomination | None, trust: TrustState) -> Bound:
    """Compare what was nominated with what is there. An artifact store that does not answer is a Reason too."""
    if nomination is None:
        return Bound(None)
    held: tuple[EvidenceRef | Page, ...] = (*nomination.evidence, *nomination.pages)
    runs = dict.fromkeys(item.run_id for item in held)
    try:
        found = _read(lambda: [(run, each) for run in runs for each in _changed(nomination, run, trust)], runs)
        sight = current_sight() if found else EVERYTHING
        return Bound(nomination, tuple(each if sight.run(run_id) else _hidden(each) for run_id, each in found))
    except StillRunning:
        told = f"no answer within {PATIENCE:g} s"
    except RegistryError as error:
        told = error.headline if all(map(current_sight().run, runs)) else "they cannot be read"
    mend = "see that the server reaches the artifact store, then ask again"
    return Bound(nomination, (Reason(UNREACHABLE, "the Evidence that was nominated", told, mend),))


def _read(call: Callable[[], R], runs: Iterable[str]) -> R:
    """What ``call`` gives; within seconds where a store is asked, which may be silent. A thread costs as much as it."""
    return call() if all(map(on_this_disk, runs)) else beside(call).result(PATIENCE)


def _hidden(reason: Reason) -> Reason:
    """A reason as told to somebody who may not READ the run: it names neither run nor file."""
    return replace(reason, found="something else, in a run that you may not read")


def _changed(nomination: Nomination, run_id: str, trust: TrustState) -> list[Reason]:
    evidence = [item for item in nomination.evidence if item.run_id == run_id]
    pages = [page for page in nomination.pages if page.run_id == run_id]
    signed = [item.path + SUFFIX for item in evidence if item.signed_by]
    paths = [*(item.path for item in evidence), *signed, *(page.path for page in pages)]
    try:
        there = run_files(run_id, paths)
    except NotFound:  # deleted for good
        there = dict.fromkeys(paths)
    reasons = [reason for item in evidence for reason in _changed_evidence(item, there, trust)]
    for page in pages:
        if there[page.path] != page.sha256:
            found = f"{page.path} of run {run_id} {_what(there[page.path])}"
            reasons.append(Reason("reports", "the report pages as they were nominated", found, _BACK))
    return reasons


def _changed_evidence(item: EvidenceRef, there: Mapping[str, str | None], trust: TrustState) -> list[Reason]:
    reasons = []
    if told := _another_document(item, there[item.path]):
        expected = f"the {item.kind} Evidence that was nominated, {item.digest[:19]}…"
        found = f"Evidence {item.path} of run {item.run_id} {told}"
        reasons.append(Reason("evidence-changed", expected, found, _BACK))
    if told := _another_signature(item, there.get(item.path + SUFFIX), trust):
        names = ", ".join(trust.keys[key].name for key in item.signed_by if key in trust.keys)
        expected = f"the signature of {names} over the {item.kind} Evidence, as it was nominated"
        found = f"{item.path}{SUFFIX} of run {item.run_id} {told}"
        reasons.append(Reason("evidence-signature", expected, found, _BACK))
    return reasons


def _another_document(item: EvidenceRef, sha256: str | None) -> str | None:
    """What is there instead; None where it is the same document, if in other bytes."""
    if sha256 is not None and sha256 == item.sha256:
        return None
    text = None if sha256 is None else run_file(item.run_id, item.path)
    if text is None:
        return _what(None)
    if item.sha256 is not None and len(text) > _REREAD:
        return _what("")
    try:
        digest = loads(text).digest
    except EvidenceError as error:
        return f"cannot be trusted: {str(error)[:200]}"
    return None if digest == item.digest else "is another document than was nominated"


def _another_signature(item: EvidenceRef, sha256: str | None, trust: TrustState) -> str | None:
    """The signature found instead. None where nobody had signed, or the same keys (and perhaps more) still sign."""
    if not item.signed_by or (sha256 is not None and sha256 == item.envelope_sha256):
        return None
    envelope = None if sha256 is None else run_file(item.run_id, item.path + SUFFIX)
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
