"""A version's files held against the list that was nominated: which differ, by name, and which are not there."""

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
    fix = f"find out who changed the artifacts; register them as a new version of {model} and nominate that"
    return _changed(version, differences, fix)


def changed_on_the_way_back(model: str, version: int, differences: tuple[str, ...], others: list[int]) -> Reason:
    """The same, of the version that a rollback would return to; ``others`` are earlier champions."""
    other = f"--to VERSION, with one of {others}, or " if others else ""
    fix = f"registry-hooks rollback {model} --reason … {other}--verify later, to serve these files as they are"
    return _changed(version, differences, fix)


def missing_reason(model: str, version: int, missing: tuple[str, ...], others: list[int]) -> Reason:
    """The refusal of a version whose files are not there; ``others`` are earlier champions to go back to instead."""
    other = f", or registry-hooks rollback {model} --to VERSION --reason …, with one of {others}" if others else ""
    fix = f"put the files back where they were{other}"
    return Reason("files-missing", f"the files of version {version} where they were nominated", _few(missing), fix)


def unreachable_reason(version: int, told: str) -> Reason:
    """The refusal of a version of whose files the artifact store does not say whether they are there."""
    fix = "let the server reach the artifact store: nobody who starts now could load this version from it either"
    expected = f"an artifact store that says whether the files of version {version} are there"
    return Reason("files-unreachable", expected, told, fix)


def deleted_reason(version: int, deleted: str) -> Reason:
    """The refusal of a version that rests on a run or a logged model that is deleted; ``deleted`` says on which."""
    expected = f"runs and logged models of version {version} that are not deleted"
    fix = "restore it (mlflow runs restore, mlflow experiments restore), or log the model and evaluate it again"
    return Reason("deleted", expected, deleted, fix)


def _changed(version: int, differences: tuple[str, ...], fix: str) -> Reason:
    expected = f"the files of version {version} as they were nominated"
    return Reason("files", expected, _few(differences) or "other files", fix)


def _few(names: tuple[str, ...]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
