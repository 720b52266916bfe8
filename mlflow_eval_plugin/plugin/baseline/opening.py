"""Where a baseline lies: a run, the tag of a version, or a folder."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import mlflow
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.utils.models import get_model_name_and_version
from mlflow.tracking.client import MlflowClient

from mlflow_eval_plugin.plugin.baseline.document import DOCUMENT, Baseline, loaded
from mlflow_eval_plugin.stats.errors import InputError

TAG = "mlflow_eval_plugin.baseline"
DIGEST_TAG = "mlflow_eval_plugin.baseline_digest"
_MODELS = "models:/"
_MAGIC = frozenset("*?[")
_OF_ROWS = (".parquet", ".pq")


def is_baseline(given: Any) -> bool:
    """Whether a reference is the address of a baseline, and no rows.

    A glob, a file of Parquet and a folder of them on this machine are rows.
    """
    if not isinstance(given, (str, Path)):
        return False
    path = str(given)
    if _MAGIC & set(path) or path.endswith(_OF_ROWS):
        return False
    return ":/" in path or Path(path, DOCUMENT).exists() or next(Path(path).rglob("*.parquet"), None) is None


def opened_baseline(uri: str) -> Baseline:
    """Read a baseline: ``runs:/…/baseline``, ``models:/name/version`` whose version names one, a URI or a folder.

    Raises:
        InputError: when there is none, or it was cut short or changed.
    """
    named = _named_by(uri) if uri.startswith(_MODELS) else (uri, None)
    found = _read(named[0])
    if named[1] not in (None, found.document.digest):
        raise InputError(
            f"baseline: {uri} names {named[0]} with the digest {named[1]}, and there is {found.document.digest}; "
            "freeze it anew, and register it"
        )
    return found


def _read(uri: str) -> Baseline:
    local = Path(uri)
    if local.name == DOCUMENT:
        local = local.parent
    if ":/" not in uri and not local.is_dir():
        raise InputError(
            "reference: expected a data frame (pandas, polars, pyarrow or Spark), files of Parquet, or a "
            f"baseline: {uri} is no folder that 'freeze' wrote"
        )
    if ":/" not in uri:
        return loaded(local, uri)
    with tempfile.TemporaryDirectory() as folder:
        try:
            fetched = mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=folder)
        except Exception as error:
            # A store that is down, a run that is not there, credentials that are missing: each has errors of its own.
            raise InputError(
                f"baseline: {uri} cannot be read: {error}; expected what 'freeze' gave, such as runs:/…/baseline"
            ) from error
        return loaded(Path(fetched), uri)


def _named_by(uri: str) -> tuple[str, str | None]:
    """The baseline that a version of a model names, and its digest."""
    client = MlflowClient()
    try:
        name, version = get_model_name_and_version(client, uri)
        tags = client.get_model_version(name, version).tags
    except (MlflowException, ValueError) as error:
        raise InputError(f"baseline: {uri} is no version of a model that can be read: {error}") from error
    if TAG not in tags:
        raise InputError(
            f"baseline: version {version} of {name} names none (it has no tag {TAG!r}); freeze one with "
            f"register='models:/{name}/{version}'"
        )
    return tags[TAG], tags.get(DIGEST_TAG)
