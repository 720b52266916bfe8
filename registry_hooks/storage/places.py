"""Where artifacts are, as one text for one place however it is written, and on which of them a version rests."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mlflow import MlflowClient
from mlflow.entities import LifecycleStage, Run
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.runs_artifact_repo import RunsArtifactRepository
from mlflow.utils.file_utils import local_file_uri_to_path

from registry_hooks.errors import Reason
from registry_hooks.records import EvidenceRef, Page
from registry_hooks.rules.files import deleted_reason
from registry_hooks.rules.signatures import SUFFIX
from registry_hooks.storage.mlflow_rows import VersionRow
from registry_hooks.storage.resting import Rest

_NONE = "RESOURCE_DOES_NOT_EXIST"
_LOGGED_MODEL = re.compile(r"(?<=/)m-[0-9a-f]{32}(?=/|$)")
_ARTIFACT_ROOT = "_MLFLOW_SERVER_ARTIFACT_DESTINATION"
PROXIED = "mlflow-artifacts:"


def place_of(uri: str, *below: str) -> str:
    """The place that a location names, and the path ``below`` it; empty for no location.

    What is below the folder or bucket where the server keeps artifacts is named by its path there, whether it was
    written so or as ``mlflow-artifacts:/…``: it stays the same when all of it is moved. On disk, links are followed.
    Escaped characters are read as what they stand for, as often as they are escaped: so does MLflow, here and there.
    """
    if not uri:
        return ""
    root, scheme = os.environ.get(_ARTIFACT_ROOT, ""), urlsplit(uri).scheme.lower()
    if scheme == "mlflow-artifacts":
        path = _path(urlsplit(uri).path, *below)
        if not root:
            return f"{PROXIED}{path}"
        uri, below = root, (path,)  # links below it are followed as well
    here, kept = _plain(uri, *below), _plain(root) if root else ""
    if kept and (here == kept or here.startswith(kept + "/")):
        return PROXIED + here[len(kept) :]
    return here


def _plain(uri: str, *below: str) -> str:
    parts = urlsplit(uri)
    if parts.scheme in ("", "file") or len(parts.scheme) == 1:  # one letter is a drive of Windows
        joined = Path(local_file_uri_to_path(uri), *(each.lstrip("/") for each in below))
        return _unescaped(Path(os.path.realpath(joined)).as_posix()).rstrip("/")
    return f"{parts.scheme.lower()}://{parts.netloc}{_path(parts.path, *below)}"


def _path(*parts: str) -> str:
    """With one slash in front, none behind, and nothing like ``..`` in it."""
    joined = "/".join(_unescaped(part).strip("/") for part in parts)
    return posixpath.normpath(f"/{joined}").replace("//", "/").rstrip("/")


def _unescaped(text: str) -> str:
    while (plain := unquote(text)) != text:
        text = plain
    return text


def held_by(evidence: Collection[EvidenceRef], pages: Iterable[Page] = ()) -> list[tuple[str, str]]:
    """Files of runs that a nomination holds, as run and path: documents, the signatures that count, report pages."""
    signed = [(e.run_id, e.path + SUFFIX) for e in evidence if e.signed_by]
    return [*((e.run_id, e.path) for e in evidence), *signed, *((page.run_id, page.path) for page in pages)]


def rests_of(
    row: VersionRow, held: Iterable[tuple[str, str]] = (), where: Callable[[str], str | None] | None = None
) -> list[Rest]:
    """What a version rests on: its own files, and those of runs that its nomination holds, as run and path.

    ``where`` says where a run keeps its files, and is MLflow itself by default.
    The place in a run that is gone is not known any more; nothing is there either.
    """
    where = where or _artifact_uri
    found = [Rest(row.model, row.version, row.run_id or "", _place_of_files(row.location, where))]
    by_run: dict[str, list[str]] = {}
    for run_id, path in held:
        by_run.setdefault(run_id, []).append(path)
    for run_id, paths in by_run.items():
        found.append(Rest(row.model, row.version, run_id, place_of(where(run_id) or ""), tuple(sorted(set(paths)))))
    return found


def _place_of_files(location: str, where: Callable[[str], str | None]) -> str:
    if not RunsArtifactRepository.is_runs_uri(location):
        return place_of(location)
    run_id, path = RunsArtifactRepository.parse_runs_uri(location)
    return place_of(where(run_id) or "", path)


def _artifact_uri(run_id: str) -> str | None:
    run = _run(run_id)
    return None if run is None else str(run.info.artifact_uri)


def _run(run_id: str) -> Run | None:
    try:
        return MlflowClient().get_run(run_id)
    except MlflowException as error:
        if error.error_code != _NONE:
            raise  # a database that does not answer says nothing about the run
        return None


def deleted_reasons(row: VersionRow, runs: Iterable[str]) -> list[Reason]:
    """A reason for each deleted thing that a version rests on: its run, a run of its Evidence, its logged model.

    What is gone for good is not told here: then its files are missing.
    """
    gone = [f"run {run_id}" for run_id in dict.fromkeys([row.run_id or "", *runs]) if run_id and _run_deleted(run_id)]
    gone += [f"logged model {each}" for each in _LOGGED_MODEL.findall(row.location) if _logged_model_deleted(each)]
    return [deleted_reason(row.version, f"{each} is deleted, and the next mlflow gc purges it with its files")
            for each in gone]  # fmt: skip


def _run_deleted(run_id: str) -> bool:
    run = _run(run_id)
    return run is not None and bool(run.info.lifecycle_stage == LifecycleStage.DELETED)


def _logged_model_deleted(model_id: str) -> bool:
    # MLflow answers for a deleted one as for one that never was; the name stands in a location, so there was one.
    try:
        experiment = MlflowClient().get_logged_model(model_id).experiment_id
        return bool(MlflowClient().get_experiment(experiment).lifecycle_stage == LifecycleStage.DELETED)
    except MlflowException as error:
        if error.error_code != _NONE:
            raise
        return True
