"""A version's files held against the list that was nominated: which differ, by name."""

from __future__ import annotations

from registry_hooks.errors import Reason

Files = dict[str, tuple[int, str]]
"""Path → (size in bytes, SHA-256 in hex)."""


def differing_files(nominated: Files | None, found: Files) -> tuple[str, ...]:
    """What differs, by file: ``model.pkl changed``; in order of names."""
    if nominated is None:
        return ("files differ, and the nominated list of files is gone",)
    said = []
    for path in sorted(nominated.keys() | found.keys()):
        if nominated.get(path) != found.get(path):
            how = "was added" if path not in nominated else "is missing" if path not in found else "was changed"
            said.append(f"{path} {how}")
    return tuple(said)


def files_reason(model: str, version: int, differences: tuple[str, ...]) -> Reason:
    """The refusal of a version whose files are not those that were nominated, by name."""
    told = ", ".join(differences[:5]) + (f" and {len(differences) - 5} more" if len(differences) > 5 else "")
    return Reason(
        "files",
        f"the files of version {version} as they were nominated",
        told or "other files",
        f"find out who changed the artifacts; register them as a new version of {model} and nominate that",
    )


def missing_reason(model: str, version: int, missing: tuple[str, ...], others: list[int]) -> Reason:
    """The refusal of a version whose files are not there; ``others`` are earlier champions to go back to instead."""
    told = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
    other = f", or registry-hooks rollback {model} --to VERSION --reason …, with one of {others}" if others else ""
    mend = f"put the files back where they were{other}"
    return Reason("files-missing", f"the files of version {version} where they were nominated", told, mend)
