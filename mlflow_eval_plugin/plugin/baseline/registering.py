"""Which baseline a version of a model has: two tags, set once it is written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from mlflow.exceptions import MlflowException
from mlflow.store.artifact.utils.models import get_model_name_and_version
from mlflow.tracking.client import MlflowClient

from mlflow_eval_plugin.plugin.baseline.document import DOCUMENT
from mlflow_eval_plugin.plugin.baseline.opening import DIGEST_TAG, TAG
from mlflow_eval_plugin.stats.errors import InputError


@dataclass(frozen=True)
class Version:
    """A version of a registered model."""

    name: str
    version: str


def named_version(uri: str) -> Version:
    """The version that a URI names, such as ``models:/churn/3`` or ``models:/churn@champion``.

    Raises:
        InputError: when there is none.
    """
    try:
        client = MlflowClient()
        name, version = get_model_name_and_version(client, uri)
        client.get_model_version(name, version)
    except (MlflowException, ValueError) as error:
        raise InputError(
            f"register: expected a version of a model, such as models:/churn/3, found {uri!r} ({error})"
        ) from error
    return Version(str(name), str(version))


def register_baseline(of: Version, uri: str, files: Mapping[str, bytes]) -> None:
    """Say at a version that this is its baseline: where it is, and its digest.

    Raises:
        MlflowException: when the registry does not let the caller.
    """
    digest = str(json.loads(files[DOCUMENT])["digest"])
    client = MlflowClient()
    # The digest first: a version that names a baseline of another digest is refused, one that names none is not read.
    client.set_model_version_tag(of.name, of.version, DIGEST_TAG, digest)
    client.set_model_version_tag(of.name, of.version, TAG, uri)
