"""What a nomination is bound to in its runs, held against what they hold now: Evidence, signatures, report pages.

The Evidence of a version lies in a run that others may write to. What opened the gate at the nomination is what must
still be there when somebody asks for a promotion, approves one or makes one: those who approve look at the run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import TimeoutError as StillRunning
from dataclasses import dataclass
from typing import TypeVar

from registry_hooks.desk.grounds.presence import beside
from registry_hooks.errors import NotFound, Reason, RegistryError
from registry_hooks.identity import EVERYTHING, current_sight
from registry_hooks.records import EvidenceRef, Nomination, Page, TrustState
from registry_hooks.rules.grounds.bound import (
    UNREACHABLE,
    another_document,
    another_page,
    another_signature,
    unreachable,
)
from registry_hooks.rules.sight import shown_without_run
from registry_hooks.rules.signatures import SUFFIX
from registry_hooks.storage.mlflow_io import on_this_disk, pages_in, run_file, run_files

R = TypeVar("R")
GIVEN_WITHIN = 5.0  # seconds in which the artifact store gives what a run holds


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
        found = read_within(lambda: [(run, each) for run in runs for each in _changed(nomination, run, trust)], runs)
        sight = current_sight() if found else EVERYTHING
        return Bound(
            nomination, tuple(each if sight.run(run_id) else shown_without_run(each) for run_id, each in found)
        )
    except StillRunning:
        told = f"no answer within {GIVEN_WITHIN:g} s"
    except RegistryError as error:
        told = error.headline if all(map(current_sight().run, runs)) else "they cannot be read"
    return Bound(nomination, (unreachable(told),))


def read_within(call: Callable[[], R], runs: Iterable[str]) -> R:
    """What ``call`` gives; within seconds where a store is asked, which may be silent. A thread costs as much as it."""
    return call() if all(map(on_this_disk, runs)) else beside(call).result(GIVEN_WITHIN)


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
    return [*reasons, *(reason for page in pages for reason in another_page(page, there[page.path]))]


def _changed_evidence(item: EvidenceRef, there: Mapping[str, str | None], trust: TrustState) -> list[Reason]:
    """Why a document and its signatures are not as nominated. Of those in the very same bytes nothing is read."""
    reasons, envelope = [], item.path + SUFFIX
    if there[item.path] is None or there[item.path] != item.sha256:
        reasons += another_document(item, _text(item.run_id, item.path, there))
    if item.signed_by and (there.get(envelope) is None or there[envelope] != item.envelope_sha256):
        reasons += another_signature(item, _text(item.run_id, envelope, there), trust)
    return reasons


def _text(run_id: str, path: str, there: Mapping[str, str | None]) -> bytes | None:
    return None if there.get(path) is None else run_file(run_id, path)
