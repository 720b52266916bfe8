"""The files of the evaluated model, so that Evidence says of which weights it speaks."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlflow.models import Model
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

from mlflow_eval_plugin.canonical import Digest
from mlflow_eval_plugin.model_files import model_digest_at

_logger = logging.getLogger(__name__)


def digest_at(uri: str, loaded: Mapping[str, Any]) -> Digest | None:
    """The digest of a model's files, read to the end; None, with a warning, where they cannot be read or are others.

    Files on this machine are read where they are, others are fetched once more: MLflow does not say where it has put
    those that it loaded, nor by which address.

    Args:
        uri: as MLflow takes it, such as ``models:/m-…`` or ``runs:/…/model``.
        loaded: the MLmodel document of the model that was evaluated; that of the files must be the same.
    """
    try:
        repository = get_artifact_repository(uri)
        repository = getattr(repository, "repo", repository)  # where models:/ and runs:/ point to
        with tempfile.TemporaryDirectory() as folder:
            in_place = isinstance(repository, LocalArtifactRepository)
            root = Path(repository.download_artifacts("", None if in_place else folder))
            if Model.load(str(root / "MLmodel")).to_dict() != loaded:
                _warn(uri, "are not those of the model that was evaluated")
                return None
            return model_digest_at(root)
    except Exception as error:  # noqa: BLE001 (every artifact store has errors of its own)
        _warn(uri, f"cannot be read: {error}")
        return None


def _warn(uri: str, why: str) -> None:
    _logger.warning(
        "the files at %s %s. So this Evidence names no model, and no registry takes it in; say where the model's files "
        "are with the key 'model_uri'",
        uri,
        why,
    )
