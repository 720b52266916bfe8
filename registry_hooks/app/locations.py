"""Where experiments may keep their artifacts: not among the server's own files, which other rules protect."""

from __future__ import annotations

import json
import os
import posixpath
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

from registry_hooks.errors import Reason, Refused
from registry_hooks.identity import require_actor

_ARTIFACT_ROOT = "_MLFLOW_SERVER_ARTIFACT_DESTINATION"


def guard_locations(app: Any) -> None:
    """Let only an administrator make an experiment whose files the server writes among its own.

    MLflow lets everybody name any folder of the server's disk or bucket, and writes there for him. Within the folder
    of a model version that voids its Proposals and stops its promotion, whoever owns it.

    Raises:
        KeyError: when this MLflow makes experiments elsewhere; then the server must not start.
    """
    from mlflow.exceptions import MlflowException
    from mlflow.protos.service_pb2 import CreateExperiment
    from mlflow.server.handlers import _get_request_message

    create = app.view_functions["_create_experiment"]

    @wraps(create)
    def guarded() -> Any:
        from flask import Response

        try:
            location = _get_request_message(CreateExperiment()).artifact_location
        except MlflowException:
            return create()  # which says what is wrong
        if not is_among_the_servers_own(location) or require_actor().is_admin:
            return create()
        return Response(json.dumps(_refusal(location).as_json()), 403, mimetype="application/json")

    app.view_functions["_create_experiment"] = guarded


def is_among_the_servers_own(location: str) -> bool:
    """Whether a location is on the server's disk, or where it keeps everybody's artifacts."""
    if not location:
        return False
    asked, own = urlsplit(location.strip()), urlsplit(os.environ.get(_ARTIFACT_ROOT, ""))
    if asked.scheme in ("", "file") or len(asked.scheme) == 1:  # one letter is a drive of Windows
        return True
    if not own.netloc or asked.netloc.lower() != own.netloc.lower():
        return False
    root, path = (posixpath.normpath("/" + each.path.lstrip("/")).rstrip("/") for each in (own, asked))
    return f"{path}/".startswith(f"{root}/")


def _refusal(location: str) -> Refused:
    expected = "no location, or one beside the server's own files"
    mend = "leave artifact_location out, or ask an administrator to make the experiment"
    return Refused("this experiment is refused", [Reason("artifact-location", expected, location[:200], mend)])
