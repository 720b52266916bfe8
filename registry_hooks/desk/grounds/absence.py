"""What versions rest on and is not there, or not for long: told to whoever asks how a model stands."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import TimeoutError as StillRunning
from dataclasses import dataclass
from threading import BoundedSemaphore

from registry_hooks.desk.grounds.case import Case
from registry_hooks.desk.grounds.presence import beside
from registry_hooks.errors import NotFound, Reason, RegistryError
from registry_hooks.records import ROLES
from registry_hooks.rules.files import Files, deleted_reason
from registry_hooks.storage.mlflow_io import missing_files
from registry_hooks.storage.mlflow_rows import VersionRow

GLANCE = 0.8  # seconds in which whoever asks how models stand is answered, whatever the artifact store does
_asking = BoundedSemaphore(16)  # threads that a silent store keeps waiting


@dataclass(frozen=True)
class Needed:
    """A version that must be there: its row, the files that were nominated, and what of it is deleted in MLflow."""

    row: VersionRow
    nominated: Files | None
    deleted: tuple[str, ...] = ()


def held_in(case: Case, versions: Iterable[int | None]) -> list[Needed]:
    """What must be known to look for the files of versions, each once, without those that are not registered."""
    found = []
    for version in dict.fromkeys(version for version in versions if version is not None):
        nomination = case.state.nominations.get(version)
        try:
            row = case.registry.version(case.model, version)
        except NotFound:
            continue
        nominated = case.ledger.manifest(case.model, version, nomination.files_digest) if nomination else None
        runs = {row.run_id or "", *(item.run_id for item in (nomination.evidence if nomination else ()))} - {""}
        found.append(Needed(row, nominated, case.registry.deleted(runs, row.location)))
    return found


def in_roles(case: Case) -> list[Needed]:
    """The versions in a role."""
    return held_in(case, (getattr(case.state.pair, role) for role in ROLES))


def purged_soon(case: Case, version: int) -> list[Reason]:
    """A reason for each run or logged model of a version that is deleted in MLflow and not yet purged."""
    return [deleted_reason(version, what) for held in held_in(case, [version]) for what in held.deleted]


def missing(held: Iterable[Needed], patience: float) -> list[str]:
    """Sentences about files of these versions that are missing, or about to be purged.

    Args:
        patience: seconds to wait for the artifact store.
    """
    versions = list(held)
    said = [f"version {each.row.version}: {what}" for each in versions for what in each.deleted]
    if not _asking.acquire(blocking=False):
        return [*said, "the artifact store has not answered those who asked before"]

    def look() -> list[str]:
        try:
            return [line for each in versions for line in _absent(each)]
        finally:
            _asking.release()

    try:
        return said + beside(look).result(patience)
    except StillRunning:
        return [*said, f"the artifact store did not answer within {patience:.1g} s"]


def _absent(held: Needed) -> list[str]:
    try:
        gone = missing_files(held.row, held.nominated)
    except RegistryError as error:
        gone = (error.headline,)
    return [f"version {held.row.version}: {each}" for each in gone]
