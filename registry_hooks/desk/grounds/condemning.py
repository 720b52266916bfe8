"""Whether a version's bytes are condemned, under whatever number or name of its policy, and what it resembles."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from registry_hooks.desk.grounds.case import Case
from registry_hooks.errors import NotFound, Reason, RegistryError
from registry_hooks.records import Condemned, Resemblance
from registry_hooks.rules.condemned import condemnation, resemblance, stale_reasons
from registry_hooks.rules.files import Files
from registry_hooks.rules.policy import governing
from registry_hooks.rules.sight import shown_condemned
from registry_hooks.storage.mlflow_io import Manifest, manifest
from registry_hooks.storage.mlflow_rows import VersionRow

_MOST = 100  # condemned versions that one is held against file by file, the newest


@dataclass(frozen=True)
class CondemnedFiles:
    """A condemned version of a model that the same policy governs.

    Args:
        by: the version; its ``content`` is None where nobody has read its files as they were.
        files: its list of files, where it was ever nominated.
        row: where its files are; None where they need not be read, or it is deleted.
    """

    by: Condemned
    files: Files | None
    row: VersionRow | None


@dataclass(frozen=True)
class Likeness:
    """The condemned versions whose bytes a version has, and those that it resembles."""

    condemned: tuple[Condemned, ...]
    resembles: tuple[Resemblance, ...]


def before(case: Case) -> list[CondemnedFiles]:
    """The condemned versions to hold a version of this case against."""
    return [
        CondemnedFiles(
            by, case.ledger.newest_manifest(by.model, by.version), _row(case, by) if by.content is None else None
        )
        for by in _of_the_policy(case, case.ledger.condemned())[:_MOST]
    ]


def held_against(found: Manifest, versions: Iterable[CondemnedFiles]) -> Likeness:
    """Compare a version's files with condemned ones. Those without a stored digest are read for it."""
    condemned, resembles = [], []
    for each in versions:
        by, files = each.by, each.files
        if each.row is not None:
            try:
                read = manifest(each.row)
            except RegistryError:  # they are gone, and nothing can be told of them
                continue
            by, files = by.model_copy(update={"content": read.content}), read.files
        condemned.append(by)
        if files is not None and by.content != found.content and (like := resemblance(found.files, by, files)):
            resembles.append(like)
    return Likeness(tuple(condemned), tuple(resembles[:5]))


def condemned_by(case: Case, version: int, content: str, known: Iterable[Condemned] = ()) -> Condemned | None:
    """The newest rollback from these bytes under this case's policy; ``known`` are rollbacks that the ledger lacks."""
    now = _of_the_policy(case, case.ledger.condemned(content))
    return condemnation(case.state, version, content, [*now, *known])


def condemned_since(case: Case, version: int) -> list[Reason]:
    """A reason where the version's bytes were rolled back from after its Evidence was made, here or elsewhere."""
    nomination = case.state.nominations.get(version)
    content = nomination.content if nomination else case.files.content if case.files else None
    evidence = nomination.evidence if nomination else ()
    by = condemned_by(case, version, content) if content else condemnation(case.state, version, None)
    return stale_reasons(case.model, version, evidence, by and shown_condemned(by, case.facts.sight))


def _of_the_policy(case: Case, condemned: list[Condemned]) -> list[Condemned]:
    if not condemned:
        return []
    policies = [(applied.policy, applied.policy.name) for applied in case.ledger.policies()]
    name = case.applied.policy.name
    return [by for by in condemned if by.model == case.model or governing(by.model, policies) == name]


def _row(case: Case, by: Condemned) -> VersionRow | None:
    try:
        return case.registry.version(by.model, by.version)
    except NotFound:
        return None
