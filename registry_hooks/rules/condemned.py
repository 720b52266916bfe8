"""What was rolled back from is condemned, and so are its bytes, under whatever number, run or name they come back.

What a version is made of is the bytes of its files, under whatever names, less what MLflow writes anew whenever it logs
a model: ``MLmodel`` (the run, the ids, the time) and the descriptions of the environment. A version that has no other
file is its ``MLmodel``, less the lines about run, place and time; its ``model_uuid`` is then all that tells it from
others. Bytes are condemned until they are promoted again; they are nominated again only with Evidence newer than the
rollback.

Bytes that differ are other bytes: a model that is logged again may be, and the same model trained again is. Of those it
is told what they resemble.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime

from mlflow_eval_plugin.canonical import digest_of
from registry_hooks.errors import Reason
from registry_hooks.records import Condemned, EvidenceRef, ModelState, Resemblance
from registry_hooks.rules.files import Files

# What MLflow's log_model writes beside what it was given; the examples are data to show, which no model reads.
WRITTEN_ANEW = frozenset(
    {"MLmodel", "conda.yaml", "python_env.yaml", "requirements.txt", "input_example.json", "serving_input_example.json"}
)
_LINES_WRITTEN_ANEW = (b"artifact_path:", b"mlflow_version:", b"model_id:", b"run_id:", b"utc_time_created:")
_ENOUGH = 0.5  # the share of a condemned version's files, or of their bytes, that makes another one resemble it
_ABOUT = 0.01  # by how much of its size a file may be longer or shorter, and still be about as long
_FEW = 64  # bytes, which may be more than that of a small one


def made_of(files: Files) -> Files:
    """The files that MLflow was given; empty where there are none but those that it writes anew."""
    return {path: found for path, found in files.items() if path not in WRITTEN_ANEW}


def content_digest(files: Files, mlmodel: bytes | None) -> str:
    """The digest of what a version is made of.

    Args:
        files: all of its files.
        mlmodel: the text of its ``MLmodel``, where it has one.
    """
    if kept := sorted(sha for size, sha in made_of(files).values() if size):
        return digest_of(kept)
    lines = [line for line in (mlmodel or b"").splitlines() if not line.startswith(_LINES_WRITTEN_ANEW)]
    return "sha256:" + hashlib.sha256(b"\n".join(lines)).hexdigest()


def condemnation(
    state: ModelState, version: int, content: str | None, elsewhere: Iterable[Condemned] = ()
) -> Condemned | None:
    """The newest rollback from this version or from its bytes; None for none.

    Args:
        state: of the version's model.
        version: its number.
        content: what it is made of, where that is known.
        elsewhere: condemned versions of any model of the policy.
    """
    found = [each for each in elsewhere if content is not None and each.content == content]
    if version in state.condemned:
        found.append(Condemned(model=state.model, version=version, at=state.condemned[version], content=content))
    if content is not None and content in state.condemned_files:
        found.append(state.condemned_files[content])
    return max(found, key=lambda each: (each.at, each.model, each.version), default=None)


def stale_reasons(model: str, version: int, evidence: tuple[EvidenceRef, ...], by: Condemned | None) -> list[Reason]:
    """Why condemned bytes cannot be nominated or promoted: Evidence that is older than the rollback, or none."""
    if by is None:
        return []
    stale = [item.kind for item in evidence if item.created_at <= by.at]
    if evidence and not stale:
        return []
    what = "was rolled back from" if (by.model, by.version) == (model, version) else (
        f"has the files of version {by.version}" + (f" of {by.model}" if by.model != model else "")
        + ", which was rolled back from"
    )  # fmt: skip
    older = f"its Evidence of {', '.join(stale)} is older" if stale else "it has no Evidence"
    return [
        Reason(
            "condemned",
            f"Evidence newer than the rollback of {by.at:%Y-%m-%d %H:%M:%S}Z",
            f"version {version} {what}; {older}",
            f"evaluate version {version} again, then registry-hooks nominate {model} {version}",
        )
    ]


def left(state: ModelState, to: int, at: datetime) -> tuple[dict[int, datetime], dict[str, Condemned]]:
    """What is condemned after a rollback to ``to``: the version numbers, and the digests of their content."""
    versions = {version: when for version, when in state.condemned.items() if version != to}
    files, champion = dict(state.condemned_files), state.pair.champion
    if champion is None:
        return versions, files
    nomination = state.nominations.get(champion)
    content = nomination.content if nomination else None
    if content is not None:
        files[content] = Condemned(model=state.model, version=champion, at=at, content=content)
    alike = {v for v, n in state.nominations.items() if content is not None and n.content == content}
    return {**versions, **dict.fromkeys(alike - {to}, at), champion: at}, files


def lifted(state: ModelState, version: int) -> tuple[dict[int, datetime], dict[str, Condemned]]:
    """What is condemned once ``version`` was promoted: neither it nor its bytes."""
    nomination = state.nominations.get(version)
    content = nomination.content if nomination else None
    alike = {v for v, n in state.nominations.items() if content is not None and n.content == content} | {version}
    files = {each: by for each, by in state.condemned_files.items() if each != content}
    return {v: at for v, at in state.condemned.items() if v not in alike}, files


def all_condemned(state: ModelState) -> tuple[Condemned, ...]:
    """Every condemned version of a model, and every deleted one whose bytes are."""
    contents = {v: n.content for v, n in state.nominations.items()}
    found = {by.version: by for by in state.condemned_files.values()}
    for version, at in state.condemned.items():
        found.setdefault(version, Condemned(model=state.model, version=version, at=at, content=contents.get(version)))
    return tuple(found[version] for version in sorted(found))


def resemblance(files: Files, of: Condemned, theirs: Files) -> Resemblance | None:
    """What a version has in common with a condemned one. None where it is too little to mention, or all of it."""
    ours, theirs = made_of(files), made_of(theirs)
    if not theirs or ours == theirs:
        return None
    hashes = {found for found in ours.values() if found[0]}
    same = {path for path, found in theirs.items() if found in hashes}
    near = sorted(
        path for path, (size, _) in theirs.items()
        if path not in same and path in ours and abs(ours[path][0] - size) <= max(_ABOUT * size, _FEW)
    )  # fmt: skip
    alike = same | set(near)
    share = sum(theirs[path][0] for path in alike) / max(sum(size for size, _ in theirs.values()), 1)
    if max(share, len(alike) / len(theirs)) < _ENOUGH:
        return None
    return Resemblance(model=of.model, version=of.version, at=of.at, files=len(theirs), same=len(same),
                       near=tuple(near[:5]))  # fmt: skip
