"""The files of versions and the Evidence, data and metrics of runs: the only reads of what MLflow keeps of them."""

from __future__ import annotations

import hashlib
import math
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from mlflow import MlflowClient, get_tracking_uri
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT, MLFLOW_GIT_COMMIT, MLFLOW_SOURCE_NAME, MLFLOW_USER
from mlflow.utils.uri import append_to_uri_path, validate_path_is_safe

from mlflow_eval_plugin.canonical import EvidenceError
from mlflow_eval_plugin.evidence import Evidence, loads
from mlflow_eval_plugin.model_files import file_digest, model_digest, model_files
from registry_hooks.errors import Conflict, Invalid, NotFound, Reason, RegistryError
from registry_hooks.rules.condemned import content_digest
from registry_hooks.rules.files import Files
from registry_hooks.rules.signatures import SUFFIX
from registry_hooks.storage.mlflow_rows import VersionRow
from registry_hooks.storage.retry import is_unavailable, says_nothing

_ARTIFACT_ROOT = "_MLFLOW_SERVER_ARTIFACT_DESTINATION"
_SOURCE_TAGS = {"name": MLFLOW_SOURCE_NAME, "git_commit": MLFLOW_GIT_COMMIT, "user": MLFLOW_USER}
_HALF_UPLOADED = ".artifact.uploading."
_LARGEST_EVIDENCE = 16 * 1024 * 1024
_LARGEST_OF_A_RUN = 32 * 1024 * 1024  # which are in memory at once
_LARGEST_MLMODEL = 1024 * 1024
_MOST_EVIDENCE = 200
_FEW = 1000  # names among which a file is looked for


@dataclass(frozen=True)
class Manifest:
    """The files of a model version, path → (size, SHA-256), and their digest, by which Evidence names the model."""

    files: dict[str, tuple[int, str]]
    digest: str
    mlmodel: bytes | None = None

    @property
    def content(self) -> str:
        """The digest of what the version is made of, without what MLflow writes anew whenever it logs a model."""
        return content_digest(self.files, self.mlmodel)


@dataclass(frozen=True)
class FoundEvidence:
    """Evidence as found in a run: where, the SHA-256 of the file's bytes, and the envelope that signs it, if any."""

    path: str
    evidence: Evidence
    sha256: str
    envelope: bytes | None = None


def manifest(row: VersionRow) -> Manifest:
    """Path, size and SHA-256 of every file of a version, as the files are now.

    Raises:
        Invalid: when the version's files cannot be read.
    """
    files: dict[str, tuple[int, str]] = {}
    mlmodel: bytes | None = None
    what = f"version {row.version} of {row.model}"
    for path, local in _files(row.location, what):
        if local.name.startswith(_HALF_UPLOADED):  # MLflow's listings hide it, and who evaluated did not see it
            raise Invalid(
                f"{what} holds {path}, left by an upload that was cut short; delete that file, then ask again"
            )
        try:
            files[path] = file_digest(local)
            if path == "MLmodel" and files[path][0] <= _LARGEST_MLMODEL:
                mlmodel = local.read_bytes()
        except OSError as error:  # no rights to it, a disk that fails, or it went away while it was read
            raise Invalid(f"the file {path} of {what} cannot be read: {error}") from error
    if not files:
        raise Invalid(f"version {row.version} of {row.model} has no files at {row.location}")
    return Manifest(files, model_digest(files), mlmodel)


def version_files(row: VersionRow) -> Iterator[tuple[str, Path]]:
    """Every file of a version: its path, and where it is on this machine until the next one is asked for.

    Raises:
        Invalid: when the version's files cannot be read.
    """
    yield from _files(row.location, f"version {row.version} of {row.model}")


def missing_files(row: VersionRow, nominated: Files | None) -> tuple[str, ...]:
    """Files of a version that are not there, by name; looked for, and not read.

    Without a list of what was nominated, whether there is any file at all.

    Raises:
        Invalid: when the artifact store does not say.
    """
    with _plainly_told(f"the files of version {row.version} of {row.model} cannot be looked for"):
        repository = _repository(row.location)
        if isinstance(repository, LocalArtifactRepository):
            there = _on_disk(Path(repository.artifact_dir), nominated)
        else:
            there = _listed(repository, nominated)
    if nominated is None:
        return () if there else (f"no file is at {row.location}",)
    return tuple(f"{path} is missing" for path in sorted(nominated.keys() - there))


def _on_disk(root: Path, nominated: Files | None) -> set[str]:
    if nominated is None:
        return {each.name for each in islice(root.rglob("*"), _FEW) if each.is_file()}
    return {path for path in nominated if (root / path).is_file()}


def _listed(repository: ArtifactRepository, nominated: Files | None) -> set[str]:
    """Names, and those of folders too where nothing is looked for by its name."""
    folders = {path.rpartition("/")[0] for path in nominated} if nominated is not None else {""}
    listed = [each for folder in sorted(folders) for each in repository.list_artifacts(folder or None)]
    return {each.path for each in listed if nominated is None or not each.is_dir}


def evidence_in(run_id: str) -> list[FoundEvidence]:
    """Every Evidence document in a run, each held against its digest.

    Raises:
        NotFound: when there is no such run.
        Invalid: when a document cannot be trusted (cut short, changed, of an unknown schema), by its path, or the run's
            files cannot be read.
    """
    run, found, bad = _run(run_id), [], []
    for path, text, envelope in _fetched(run_id, run.info.artifact_uri):
        try:
            found.append(FoundEvidence(path, loads(text), hashlib.sha256(text).hexdigest(), envelope))
        except EvidenceError as error:
            bad.append(
                Reason("evidence", "Evidence that matches its digest", f"{path} of run {run_id}: {error}",
                       "evaluate again into a new run")
            )  # fmt: skip
    if bad:
        raise Invalid(f"run {run_id} holds Evidence that cannot be trusted", bad)
    return found


def _fetched(run_id: str, artifact_uri: str) -> list[tuple[str, bytes, bytes | None]]:
    """Path and bytes of each Evidence file of a run, and the bytes of the envelope beside it."""
    with _plainly_told(f"the Evidence of run {run_id} cannot be read"):
        repository = _repository(artifact_uri)
        listed = [
            f for f in repository.list_artifacts("evidence") if f.path.endswith((".json", SUFFIX)) and not f.is_dir
        ]
        if len(listed) > _MOST_EVIDENCE or sum(f.file_size or 0 for f in listed) > _LARGEST_OF_A_RUN:
            raise Invalid(
                f"run {run_id} holds more than {_MOST_EVIDENCE} Evidence files, or over {_LARGEST_OF_A_RUN} bytes"
            )
        with _fetching(repository) as fetch:
            read = {f.path: fetch(f.path).read_bytes() for f in listed}
    return [(path, text, read.get(path + SUFFIX)) for path, text in read.items() if not path.endswith(SUFFIX)]


def pages_in(run_id: str) -> dict[str, str]:
    """Path and SHA-256 of every report page and figure in a run, which lie below ``reports/``.

    Raises:
        NotFound: when there is no such run.
        Invalid: when its files cannot be read, or are too many or too large.
    """
    what = f"the reports of run {run_id}"
    with _plainly_told(f"{what} cannot be read"):
        repository = _repository_of(run_id)
        listed = [f for f in repository.list_artifacts("reports") if not f.is_dir]
        if len(listed) > _MOST_EVIDENCE or any((f.file_size or 0) > _LARGEST_EVIDENCE for f in listed):
            raise Invalid(f"{what} are more than {_MOST_EVIDENCE} files, or one is over {_LARGEST_EVIDENCE} bytes")
        with _fetching(repository) as fetch:
            return {f.path: file_digest(fetch(f.path))[1] for f in listed}


def run_files(run_id: str, paths: Iterable[str]) -> dict[str, str | None]:
    """The SHA-256 of files of a run, by path, as they are now; None for one that is not there.

    Raises:
        NotFound: when there is no such run.
        Invalid: when its files cannot be read.
    """
    with _plainly_told(f"the files of run {run_id} cannot be read"):
        repository = _repository_of(run_id)
        there = _those_there(repository, paths)
        with _fetching(repository) as fetch:
            return {path: file_digest(fetch(path))[1] if path in there else None for path in paths}


def run_file(run_id: str, path: str) -> bytes | None:
    """The bytes of a file of a run; None where it is not there.

    Raises:
        NotFound: when there is no such run.
        Invalid: when it cannot be read, or is too large for Evidence.
    """
    with _plainly_told(f"{path} of run {run_id} cannot be read"):
        repository = _repository_of(run_id)
        if path not in _those_there(repository, [path]):
            return None
        with _fetching(repository) as fetch:
            local = fetch(path)
            if local.stat().st_size > _LARGEST_EVIDENCE:
                raise Invalid(f"{path} of run {run_id} is over {_LARGEST_EVIDENCE} bytes")
            return local.read_bytes()


def on_this_disk(run_id: str) -> bool:
    """Whether a run's files are read where they are, without a store that may not answer."""
    return isinstance(_repository_of(run_id), LocalArtifactRepository)


def _repository_of(run_id: str) -> ArtifactRepository:
    return _repository(_artifact_uri(get_tracking_uri(), run_id))


def _those_there(repository: ArtifactRepository, paths: Iterable[str]) -> set[str]:
    if isinstance(repository, LocalArtifactRepository):
        return {path for path in paths if Path(repository.artifact_dir, path).is_file()}
    folders = sorted({path.rpartition("/")[0] for path in paths})
    return {f.path for folder in folders for f in repository.list_artifacts(folder or None) if not f.is_dir}


@lru_cache(maxsize=4096)
def _artifact_uri(_tracking_uri: str, run_id: str) -> str:
    """Where a run keeps its files, which never changes: the question costs as much as a promotion."""
    return str(_run(run_id).info.artifact_uri)


def _run(run_id: str) -> Run:
    try:
        return MlflowClient().get_run(run_id)
    except MlflowException as error:
        if says_nothing(error):
            raise
        raise NotFound(f"there is no run {run_id!r}: {error.message}") from error


def lineage(row: VersionRow) -> dict[str, Any]:
    """Where a version comes from, as its run says now: training data, metrics, source; empty without a run.

    ``data`` lists the run's data sets with MLflow's own digest of each and the context that they were used in;
    ``metrics`` the run's newest values, at most 200 by name. A run that is gone is said to be.
    """
    if row.run_id is None:
        return {"run_id": None}
    try:
        run = MlflowClient().get_run(row.run_id)
    except MlflowException as error:
        if says_nothing(error):
            raise
        return {"run_id": row.run_id, "unreadable": str(error.message)[:500]}
    inputs = run.inputs.dataset_inputs if run.inputs else []
    data = [
        {
            "name": used.dataset.name,
            "digest": used.dataset.digest,
            "context": next((tag.value for tag in used.tags if tag.key == MLFLOW_DATASET_CONTEXT), None),
        }
        for used in inputs[:100]
    ]
    finite = {name: value for name, value in sorted(run.data.metrics.items()) if math.isfinite(value)}
    source = {name: run.data.tags[tag] for name, tag in _SOURCE_TAGS.items() if tag in run.data.tags}
    metrics = dict(list(finite.items())[:200])
    return {"run_id": row.run_id, "data": data, "metrics": metrics, "source": source}


def log_file(run_id: str, folder: str, name: str, data: bytes) -> None:
    """Put a file among a run's artifacts, over one of that name.

    Raises:
        RegistryError: when there is no such run, or it cannot be written.
    """
    with tempfile.TemporaryDirectory() as made, _plainly_told(f"{folder}/{name} cannot be written to run {run_id}"):
        (Path(made) / name).write_bytes(data)
        _repository_of(run_id).log_artifact(str(Path(made) / name), folder)


def _repository(uri: str) -> ArtifactRepository:
    if urlparse(uri).scheme == "mlflow-artifacts":
        root = os.environ.get(_ARTIFACT_ROOT)
        if root is None:
            raise Conflict(f"{uri} is served by an MLflow server, and this process is not one; ask through the server")
        uri = append_to_uri_path(root, validate_path_is_safe(urlparse(uri).path.lstrip("/")))
    return get_artifact_repository(uri)


@contextmanager
def _fetching(repository: ArtifactRepository) -> Iterator[Callable[[str], Path]]:
    """Gives the place on this machine of a file or folder, for as long as the block lasts."""
    if isinstance(repository, LocalArtifactRepository):
        # Files on this machine are read where they are; a copy would double the time of hashing a large model.
        yield lambda path: Path(repository.download_artifacts(path))
        return
    with tempfile.TemporaryDirectory() as folder:
        yield lambda path: Path(repository.download_artifacts(path, folder))


def _files(location: str, what: str) -> Iterator[tuple[str, Path]]:
    told = f"the files of {what} cannot be read"
    with _plainly_told(told):
        repository = _repository(location)
    with _fetching(repository) as fetch:
        with _plainly_told(told):
            root = fetch("")
        yield from model_files(root)


@contextmanager
def _plainly_told(what: str) -> Iterator[None]:
    try:
        yield
    except RegistryError:
        raise
    except Exception as error:  # every artifact store has errors of its own
        if isinstance(error, MlflowException) and is_unavailable(error):
            raise  # MLflow's database, which is not what cannot be read; stores of artifacts call what they meet 500
        raise Invalid(f"{what}: {error}") from error
