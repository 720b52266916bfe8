"""By which names and versions the registry knows a model, so that a report names it as people do."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

from mlflow.exceptions import MlflowException
from mlflow.store.artifact.utils.models import get_model_name_and_version
from mlflow.tracking.client import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_MODEL_VERSIONS

from mlflow_eval_plugin.evidence import Registered

_logger = logging.getLogger(__name__)
_MODELS = "models:/"


def registered_as(uri: str | None) -> tuple[Registered, ...]:
    """Name and version of a model: what ``models:/name@alias``, a stage or a version means at this moment.

    Of a logged model (``models:/m-…``) all versions that were made of it; of anything else none. A registry that cannot
    be asked, or does not show the caller the model, gives none: nothing that is measured depends on it.
    """
    if uri is None or not uri.startswith(_MODELS):
        return ()
    try:
        return tuple(_found(MlflowClient(), uri))
    except MlflowException as error:
        _logger.debug("the registry does not say what %s is: %s", uri, error)
        return ()


def _found(client: MlflowClient, uri: str) -> Iterator[Registered]:
    named = get_model_name_and_version(client, uri)
    if len(named) == 2:
        yield Registered(name=str(named[0]), version=str(named[1]))
        return
    tags = client.get_logged_model(str(named[0])).tags or {}
    for one in json.loads(tags.get(MLFLOW_MODEL_VERSIONS, "[]")):
        yield Registered(name=str(one["name"]), version=str(one["version"]))
