"""The files of the evaluated model, so that Evidence says of which weights it speaks."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

from mlflow_eval_plugin.evidence import Digest, file_digest, model_digest, model_files

_logger = logging.getLogger(__name__)


def digest_at(uri: str) -> Digest | None:
    """The digest of a model's files, read to the end; None, with a warning, where they cannot be read.

    Files on this machine are read where they are, others are fetched once more: MLflow does not say where it has put
    those that it loaded.

    Args:
        uri: as MLflow takes it, such as ``models:/m-…`` or ``runs:/…/model``.
    """
    try:
        repository = get_artifact_repository(uri)
        repository = getattr(repository, "repo", repository)  # where models:/ and runs:/ point to
        with tempfile.TemporaryDirectory() as folder:
            in_place = isinstance(repository, LocalArtifactRepository)
            root = Path(repository.download_artifacts("", None if in_place else folder))
            files = {path: file_digest(local) for path, local in model_files(root)}
    except Exception as error:  # noqa: BLE001 (every artifact store has errors of its own)
        _logger.warning(
            "the files of %s cannot be read, so this Evidence names no model, and no registry takes it in: %s",
            uri,
            error,
        )
        return None
    return model_digest(files) if files else None
