"""MLflow's registry rows and artifacts: the only SQL on its tables, the only reads of runs' and versions' files."""

from __future__ import annotations

import hashlib
import math
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlparse

import sqlalchemy as sa
import yaml
from mlflow import MlflowClient
from mlflow.entities.model_registry.model_version_stages import (
    STAGE_ARCHIVED,
    STAGE_DELETED_INTERNAL,
    STAGE_PRODUCTION,
    STAGE_STAGING,
)
from mlflow.exceptions import MlflowException
from mlflow.prompt.constants import IS_PROMPT_TAG_KEY
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository
from mlflow.store.model_registry.dbmodels.models import (
    SqlModelVersion,
    SqlModelVersionTag,
    SqlRegisteredModel,
    SqlRegisteredModelAlias,
    SqlRegisteredModelTag,
)
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT, MLFLOW_GIT_COMMIT, MLFLOW_SOURCE_NAME, MLFLOW_USER
from mlflow.utils.uri import append_to_uri_path, validate_path_is_safe
from sqlalchemy.orm import Session

from mlflow_eval_plugin.evidence import Evidence, EvidenceError, digest_of, loads, model_digest
from registry_hooks.envelope import SUFFIX
from registry_hooks.errors import Conflict, Invalid, NotFound, Reason
from registry_hooks.policy_file import NOT_YAML
from registry_hooks.records import ROLES, Pair

# Roles and stages are read and written as plain rows: as MLflow's objects the same takes twice as long.
_ALIASES, _VERSIONS, _MODELS = (
    cast(sa.Table, each.__table__) for each in (SqlRegisteredModelAlias, SqlModelVersion, SqlRegisteredModel)
)
_STAGE_OF = {"champion": STAGE_PRODUCTION, "challenger": STAGE_STAGING}
_ARTIFACT_ROOT = "_MLFLOW_SERVER_ARTIFACT_DESTINATION"
_SOURCE_TAGS = {"name": MLFLOW_SOURCE_NAME, "git_commit": MLFLOW_GIT_COMMIT, "user": MLFLOW_USER}
_LARGEST_EVIDENCE = 16 * 1024 * 1024
_MOST_EVIDENCE = 200
_LARGEST_VERSION = 2**31 - 1  # what the column holds; SQLite's driver fails on a number beyond its own


@dataclass(frozen=True)
class VersionRow:
    """What the registry knows of one model version."""

    model: str
    version: int
    run_id: str | None
    location: str
    stage: str


@dataclass(frozen=True)
class Manifest:
    """The files of a model version: path → (size, SHA-256), the digest of all, and the digest of its MLmodel."""

    files: dict[str, tuple[int, str]]
    digest: str
    model_digest: str | None


@dataclass(frozen=True)
class FoundEvidence:
    """Evidence as found in a run, with the path that it was found at, and the envelope that signs it, if any."""

    path: str
    evidence: Evidence
    envelope: bytes | None = None


class Registry:
    """MLflow's registry rows within one unit of work."""

    def __init__(self, session: Session, workspace: str = "default") -> None:
        self._session = session
        self._workspace = workspace

    def lock(self, model: str, *, missing_ok: bool = False) -> None:
        """Take the model's row for this unit of work, or no row where there is none and that is well.

        Raises:
            NotFound: when there is no such registered model.
        """
        query: sa.Select[Any] = (
            sa.select(SqlRegisteredModel.name)
            .where(SqlRegisteredModel.workspace == self._workspace, SqlRegisteredModel.name == model)
            .with_for_update()
        )
        found = self._session.execute(query).scalar_one_or_none()
        if found != model and not (found is None and missing_ok):
            raise NotFound(f"there is no registered model {model!r}")

    def exists(self, model: str) -> bool:
        """Whether the model is registered."""
        return self.spelt(model) is not None

    def spelt(self, model: str) -> str | None:
        """How the name that the database finds for ``model`` is spelt, which may be in other letters; None for none."""
        query: sa.Select[Any] = sa.select(SqlRegisteredModel.name).where(
            SqlRegisteredModel.workspace == self._workspace, SqlRegisteredModel.name == model
        )
        return self._session.execute(query).scalar_one_or_none()

    def models(self) -> list[str]:
        """Names of all registered models, sorted; prompts, which MLflow keeps in the same tables, are none."""
        tag, model = SqlRegisteredModelTag, SqlRegisteredModel
        prompt: sa.Select[Any] = sa.select(tag.name).where(
            tag.workspace == self._workspace, tag.key == IS_PROMPT_TAG_KEY, sa.func.lower(tag.value) == "true"
        )
        query: sa.Select[Any] = sa.select(model.name).where(
            model.workspace == self._workspace, model.name.not_in(prompt)
        )
        return sorted(str(name) for name in self._session.execute(query).scalars())

    def is_prompt(self, model: str) -> bool:
        """Whether the name is that of a prompt, which MLflow keeps in the same tables."""
        return self._marked(model, SqlRegisteredModelTag)

    def passes_for_prompt(self, model: str) -> bool:
        """Whether MLflow's searches take it for a prompt: it, or a single version of it, is marked so."""
        return self.is_prompt(model) or self._marked(model, SqlModelVersionTag)

    def _marked(self, model: str, tag: Any) -> bool:
        query: sa.Select[Any] = sa.select(tag.value).where(
            tag.workspace == self._workspace, tag.name == model, tag.key == IS_PROMPT_TAG_KEY
        )
        return "true" in {str(value).lower() for value in self._session.execute(query).scalars()}

    def version(self, model: str, version: int) -> VersionRow:
        """One version.

        Raises:
            NotFound: when there is no such model, or no such version, or it was deleted.
        """
        query: sa.Select[Any] = sa.select(SqlModelVersion).where(
            SqlModelVersion.workspace == self._workspace,
            SqlModelVersion.name == model,
            SqlModelVersion.version == version,
            SqlModelVersion.current_stage != STAGE_DELETED_INTERNAL,
        )
        row = self._session.execute(query).scalar_one_or_none() if version <= _LARGEST_VERSION else None
        if row is None:
            known = f"; its versions are {self.versions(model)}" if self.exists(model) else ", nor such a model"
            raise NotFound(f"there is no version {version} of model {model!r}{known}")
        location = str(row.storage_location or row.source or "")
        return VersionRow(model, version, str(row.run_id) if row.run_id else None, location, str(row.current_stage))

    def versions(self, model: str) -> list[int]:
        """Numbers of the versions that are not deleted, ascending."""
        query: sa.Select[Any] = (
            sa.select(SqlModelVersion.version)
            .where(
                SqlModelVersion.workspace == self._workspace,
                SqlModelVersion.name == model,
                SqlModelVersion.current_stage != STAGE_DELETED_INTERNAL,
            )
            .order_by(SqlModelVersion.version)
        )
        return [int(version) for version in self._session.execute(query).scalars()]

    def pair(self, model: str) -> Pair:
        """The roles as MLflow's aliases have them."""
        alias = _ALIASES.c
        query: sa.Select[Any] = sa.select(alias.alias, alias.version).where(
            alias.workspace == self._workspace, alias.name == model, alias.alias.in_(ROLES)
        )
        return Pair(**{row.alias: int(row.version) for row in self._session.execute(query)})

    def stages(self, model: str) -> dict[str, list[int]]:
        """Versions in Production and Staging."""
        found: dict[str, list[int]] = {STAGE_PRODUCTION: [], STAGE_STAGING: []}
        for row in self._staged(model):
            found[str(row.current_stage)].append(int(row.version))
        return found

    def agrees(self, model: str, pair: Pair) -> bool:
        """Whether aliases and stages are those of ``pair``."""
        wanted = {stage: [held] if (held := getattr(pair, role)) else [] for role, stage in _STAGE_OF.items()}
        return self.pair(model) == pair and self.stages(model) == wanted

    def put_pair(self, model: str, pair: Pair, at_ms: int) -> None:
        """Make aliases and stages say what ``pair`` says; what leaves Production or Staging becomes Archived."""
        now = self.pair(model)
        for role in ROLES:
            wanted, found = getattr(pair, role), getattr(now, role)
            if wanted != found:
                self._put_alias(model, role, wanted, found is not None)
        wanted_stage = {getattr(pair, role): stage for role, stage in _STAGE_OF.items() if getattr(pair, role)}
        staged = {int(row.version): str(row.current_stage) for row in self._staged(model)}
        for version, stage in {**dict.fromkeys(staged, STAGE_ARCHIVED), **wanted_stage}.items():
            if staged.get(version) != stage:
                self._put_stage(model, version, stage, at_ms)
        here = (_MODELS.c.workspace == self._workspace, _MODELS.c.name == model)
        self._session.execute(sa.update(_MODELS).where(*here).values(last_updated_time=at_ms))

    def _staged(self, model: str) -> list[sa.Row[tuple[int, str]]]:
        mv = _VERSIONS.c
        query: sa.Select[Any] = sa.select(mv.version, mv.current_stage).where(
            mv.workspace == self._workspace,
            mv.name == model,
            mv.current_stage.in_((STAGE_PRODUCTION, STAGE_STAGING)),
        )
        return list(self._session.execute(query))

    def _put_alias(self, model: str, role: str, version: int | None, present: bool) -> None:
        alias, here_ = _ALIASES, _ALIASES.c
        here = (here_.workspace == self._workspace, here_.name == model, here_.alias == role)
        statement: sa.Executable
        if version is None:
            statement = sa.delete(alias).where(*here)
        elif present:
            statement = sa.update(alias).where(*here).values(version=version)
        else:
            statement = sa.insert(alias).values(workspace=self._workspace, name=model, alias=role, version=version)
        self._session.execute(statement)

    def _put_stage(self, model: str, version: int, stage: str, at_ms: int) -> None:
        mv = _VERSIONS.c
        self._session.execute(
            sa.update(_VERSIONS)
            .where(mv.workspace == self._workspace, mv.name == model, mv.version == version, mv.current_stage != stage)
            .values(current_stage=stage, last_updated_time=at_ms)
        )


class SweptRegistry(Registry):
    """The registry with the roles and stages of all models read at once, for questions about every model."""

    def __init__(self, session: Session, workspace: str = "default") -> None:
        super().__init__(session, workspace)
        alias: Any = SqlRegisteredModelAlias
        mv: Any = SqlModelVersion
        held: dict[str, dict[str, int]] = {}
        roles = sa.select(alias.name, alias.alias, alias.version).where(alias.alias.in_(ROLES))
        for name, role, version in session.execute(roles.where(alias.workspace == workspace)):
            held.setdefault(str(name), {})[role] = int(version)
        self._pairs = {name: Pair(**roles_of_it) for name, roles_of_it in held.items()}
        self._stages: dict[str, dict[str, list[int]]] = {}
        staged = sa.select(mv.name, mv.version, mv.current_stage).where(mv.current_stage.in_(_STAGE_OF.values()))
        for name, version, stage in session.execute(staged.where(mv.workspace == workspace)):
            self._stages.setdefault(str(name), {}).setdefault(str(stage), []).append(int(version))

    def pair(self, model: str) -> Pair:
        """The roles as MLflow's aliases had them."""
        return self._pairs.get(model, Pair())

    def stages(self, model: str) -> dict[str, list[int]]:
        """Versions in Production and Staging, as they were."""
        return {stage: self._stages.get(model, {}).get(stage, []) for stage in (STAGE_PRODUCTION, STAGE_STAGING)}


def manifest(row: VersionRow) -> Manifest:
    """Path, size and SHA-256 of every file of a version, as the files are now.

    Raises:
        Invalid: when the version's files cannot be read.
    """
    files: dict[str, tuple[int, str]] = {}
    digest_of_model = None
    what = f"version {row.version} of {row.model}"
    for path, local in _files(row.location, what):
        try:
            files[path] = (local.stat().st_size, _sha256(local))
            if path == "MLmodel":
                digest_of_model = _digest_of_mlmodel(local, what)
        except OSError as error:  # no rights to it, a disk that fails, or it went away while it was read
            raise Invalid(f"the file {path} of {what} cannot be read: {error}") from error
    if not files:
        raise Invalid(f"version {row.version} of {row.model} has no files at {row.location}")
    listed = [{"path": path, "size": size, "sha256": digest} for path, (size, digest) in sorted(files.items())]
    return Manifest(files, digest_of(listed), digest_of_model)


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


def _digest_of_mlmodel(file: Path, what: str) -> str:
    try:
        document = yaml.safe_load(file.read_bytes())
    except NOT_YAML as error:
        raise Invalid(f"the file MLmodel of {what} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(document, dict):
        raise Invalid(f"the file MLmodel of {what} is no mapping; log the model again with MLflow")
    return model_digest(document)


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
