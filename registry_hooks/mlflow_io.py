"""The files of versions and the Evidence, data and metrics of runs: the only reads of what MLflow keeps of them."""

from __future__ import annotations

import hashlib
import math
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import yaml
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT, MLFLOW_GIT_COMMIT, MLFLOW_SOURCE_NAME, MLFLOW_USER
from mlflow.utils.uri import append_to_uri_path, validate_path_is_safe

from mlflow_eval_plugin.evidence import Evidence, EvidenceError, digest_of, loads, model_digest
from registry_hooks.envelope import SUFFIX
from registry_hooks.errors import Conflict, Invalid, NotFound, Reason
from registry_hooks.mlflow_rows import VersionRow
from registry_hooks.policy_file import NOT_YAML

_ARTIFACT_ROOT = "_MLFLOW_SERVER_ARTIFACT_DESTINATION"
_SOURCE_TAGS = {"name": MLFLOW_SOURCE_NAME, "git_commit": MLFLOW_GIT_COMMIT, "user": MLFLOW_USER}
_LARGEST_EVIDENCE = 16 * 1024 * 1024
_MOST_EVIDENCE = 200


@dataclass(frozen=True)
class Manifest:
    """The files of a model version: path → (size, SHA-256), the digest of all, and what its file MLmodel holds."""

    files: dict[str, tuple[int, str]]
    digest: str
    mlmodel: bytes | None


@dataclass(frozen=True)
class FoundEvidence:
    """Evidence as found in a run, with the path that it was found at, and the envelope that signs it, if any."""

    path: str
    evidence: Evidence
    envelope: bytes | None = None


def manifest(row: VersionRow) -> Manifest:
    """Path, size and SHA-256 of every file of a version, as the files are now.

    Raises:
        Invalid: when the version's files cannot be read.
    """
    files: dict[str, tuple[int, str]] = {}
    what, mlmodel = f"version {row.version} of {row.model}", None
    for path, local in _files(row.location, what):
        try:
            files[path] = (local.stat().st_size, _sha256(local))
            if path == "MLmodel":
                mlmodel = local.read_bytes()
        except OSError as error:  # no rights to it, a disk that fails, or it went away while it was read
            raise Invalid(f"the file {path} of {what} cannot be read: {error}") from error
    if not files:
        raise Invalid(f"version {row.version} of {row.model} has no files at {row.location}")
    listed = [{"path": path, "size": size, "sha256": digest} for path, (size, digest) in sorted(files.items())]
    return Manifest(files, digest_of(listed), mlmodel)


def model_digest_in(files: Manifest, row: VersionRow) -> str | None:
    """The model that a version's files are, as Evidence names it; None where there is no file MLmodel.

    Raises:
        Invalid: when MLmodel is not what MLflow writes.
    """
    if files.mlmodel is None:
        return None
    what = f"version {row.version} of {row.model}"
    try:
        document = yaml.safe_load(files.mlmodel)
    except NOT_YAML as error:
        raise Invalid(f"the file MLmodel of {what} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(document, dict):
        raise Invalid(f"the file MLmodel of {what} is no mapping; log the model again with MLflow")
    return model_digest(document)


def evidence_in(run_id: str) -> list[FoundEvidence]:
    """Every Evidence document in a run, each held against its digest.

    Raises:
        NotFound: when there is no such run.
        Invalid: when a document cannot be trusted (cut short, changed, of an unknown schema), by its path.
    """
    try:
        run = MlflowClient().get_run(run_id)
    except MlflowException as error:
        if error.get_http_status_code() >= 500:
            raise  # a database that does not answer says nothing about the run
        raise NotFound(f"there is no run {run_id!r}: {error.message}") from error
    repository = _repository(run.info.artifact_uri)
    there = [f for f in repository.list_artifacts("evidence") if not f.is_dir]
    listed = [f for f in there if f.path.endswith((".json", SUFFIX))]
    envelopes = {f.path for f in listed if f.path.endswith(SUFFIX)}
    if len(listed) > _MOST_EVIDENCE or any((f.file_size or 0) > _LARGEST_EVIDENCE for f in listed):
        raise Invalid(
            f"run {run_id} holds more than {_MOST_EVIDENCE} Evidence files, or one over {_LARGEST_EVIDENCE} bytes"
        )
    found, bad = [], []
    with tempfile.TemporaryDirectory() as folder:
        for path in (info.path for info in listed if info.path not in envelopes):
            text = _local(repository, path, folder).read_bytes()
            beside = path + SUFFIX
            envelope = _local(repository, beside, folder).read_bytes() if beside in envelopes else None
            try:
                found.append(FoundEvidence(path, loads(text), envelope))
            except EvidenceError as error:
                bad.append(
                    Reason("evidence", "Evidence that matches its digest", f"{path} of run {run_id}: {error}",
                           "evaluate again into a new run")
                )  # fmt: skip
    if bad:
        raise Invalid(f"run {run_id} holds Evidence that cannot be trusted", bad)
    return found


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


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as content:
        while chunk := content.read(1 << 20):  # a model may be larger than memory
            digest.update(chunk)
    return digest.hexdigest()


def _repository(uri: str) -> ArtifactRepository:
    if urlparse(uri).scheme == "mlflow-artifacts":
        root = os.environ.get(_ARTIFACT_ROOT)
        if root is None:
            raise Conflict(f"{uri} is served by an MLflow server, and this process is not one; ask through the server")
        uri = append_to_uri_path(root, validate_path_is_safe(urlparse(uri).path.lstrip("/")))
    return get_artifact_repository(uri)


def _local(repository: ArtifactRepository, path: str, folder: str) -> Path:
    # Files on this machine are read where they are; a copy would double the time of hashing a large model.
    in_place = isinstance(repository, LocalArtifactRepository)
    return Path(repository.download_artifacts(path) if in_place else repository.download_artifacts(path, folder))


def _files(location: str, what: str) -> Iterator[tuple[str, Path]]:
    with tempfile.TemporaryDirectory() as folder:
        try:
            root = _local(_repository(location), "", folder)
        except (MlflowException, OSError, ImportError, ValueError) as error:
            raise Invalid(f"the files of {what} cannot be read: {error}") from error
        for local in sorted(root.rglob("*")):
            if local.is_file():
                yield local.relative_to(root).as_posix(), local
