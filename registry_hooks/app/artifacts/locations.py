"""Which locations of files people may name to the server, which reads and writes there for them: none on its own disk,
none among its own files, and none that makes it connect to a host of somebody's choice.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import SplitResult, urlsplit

from registry_hooks.app import refusing
from registry_hooks.app.artifacts import sources
from registry_hooks.errors import Reason, Refused
from registry_hooks.identity import require_actor
from registry_hooks.storage.mlflow_rows import locations_of_experiments, locations_of_versions
from registry_hooks.storage.places import PROXIED, place_of

_ARTIFACT_ROOT = "_MLFLOW_SERVER_ARTIFACT_DESTINATION"
_CONNECTING = frozenset(
    {"http", "https", "ftp", "sftp", "hdfs", "viewfs", "r2", "b2", "abfss", "abfs", "wasbs", "mlflow-artifacts"}
)
"""Schemes by which MLflow connects to the host that a location names."""
_PASSING_ON = frozenset({"runs", "models"})
"""Schemes of places that are a run's, or a model's."""

Refuses = Callable[[Any, dict[str, Any]], Refused | None]


def guard_locations(app: Any) -> None:
    """Let only an administrator name a location that the server reads or writes at with rights of its own.

    MLflow lets everybody name any folder of the server's disk or bucket, and writes there for him; within the folder
    of a model version that voids its Proposals and stops its promotion, whoever owns it. Up to 3.16 it also connects to
    any host that somebody names. Places of traces are tags, and are kept in `registry_hooks.app.artifacts.traces`.

    Raises:
        KeyError: when this MLflow does one of these elsewhere; then the server must not start.
    """
    from mlflow.protos import model_registry_pb2, service_pb2

    guard_view(app, "_create_experiment", service_pb2.CreateExperiment, _of_an_experiment)
    guard_view(app, "_create_model_version", model_registry_pb2.CreateModelVersion, _of_a_version)


def guard_view(app: Any, name: str, message: Any, refuses: Refuses) -> None:
    """Ask before a view of MLflow answers.

    Args:
        app: MLflow's Flask app.
        name: of the view.
        message: the class of the protobuf message that MLflow reads its request as.
        refuses: why a message, with the parameters of the path, is refused, or None.

    Raises:
        KeyError: when there is no such view.
    """
    from mlflow.exceptions import MlflowException
    from mlflow.server.handlers import _get_request_message

    view = app.view_functions[name]

    @wraps(view)
    def guarded(**parameters: Any) -> Any:
        try:
            asked = _get_request_message(message())
        except MlflowException:
            return view(**parameters)  # which says what is wrong
        error = refuses(asked, parameters)
        return view(**parameters) if error is None else refusing.in_flask(error)

    app.view_functions[name] = guarded


def _of_an_experiment(asked: Any, _parameters: dict[str, Any]) -> Refused | None:
    location = asked.artifact_location.strip()
    if not location or require_actor().is_admin:
        return None
    taken = (connects, is_the_servers_own, _is_an_experiments, _is_a_versions)
    if not any(is_so(location) for is_so in taken):
        return None
    expected = "no location, or one beside the server's files and other people's, of no host of your choice"
    return _refusal("this experiment is refused", "artifact-location", expected, location,
                    "leave artifact_location out, or ask an administrator to make the experiment")  # fmt: skip


def _of_a_version(asked: Any, _parameters: dict[str, Any]) -> Refused | None:
    source = asked.source
    if not source or require_actor().is_admin:
        return None
    if connects(source):
        return _refusal("this version is refused", "source", "a run, a logged model or a place in a store", source,
                        "log the model to this server, or ask an administrator to register it")  # fmt: skip
    if not (is_the_servers_own(source) or _is_an_experiments(source)) or sources.may_read(asked):
        return None
    expected = "files of a run or a model that you may read, and are named as run_id or model_id"
    return _refusal("permission denied", "source", expected, source,
                    "name the run or the logged model, and ask its owner to grant READ on it")  # fmt: skip


def is_the_servers_own(location: str) -> bool:
    """Whether a location is on the server's disk, where it keeps everybody's artifacts, or a run's or a model's."""
    asked, own = _split(location), _split(os.environ.get(_ARTIFACT_ROOT, ""))
    if asked.scheme in ("", "file", *_PASSING_ON) or len(asked.scheme) == 1:  # one letter is a drive of Windows
        return True
    if own.netloc and asked.netloc.lower() == own.netloc.lower():
        asked = asked._replace(scheme=own.scheme, netloc=own.netloc)
    return place_of(asked.geturl()).startswith(PROXIED)


def _is_an_experiments(location: str) -> bool:
    """Whether a location is one that an experiment keeps its artifacts at, or is within it."""
    from mlflow.server.handlers import _get_tracking_store

    return _is_within(location, _get_tracking_store(), locations_of_experiments)


def _is_a_versions(location: str) -> bool:
    from mlflow.server.handlers import _get_model_registry_store

    return _is_within(location, _get_model_registry_store(), locations_of_versions)


def _is_within(location: str, store: Any, locations: Callable[[Any, str], list[str]]) -> bool:
    place = place_of(location)
    with store.ManagedSessionMaker() as session:
        theirs = map(place_of, locations(session, _split(location).netloc))
        return any(f"{place}/".startswith(f"{each}/") for each in theirs)


def connects(location: str) -> bool:
    """Whether a location names a host that the server would connect to, other than that of its own store."""
    asked, own = _split(location), _split(os.environ.get(_ARTIFACT_ROOT, ""))
    if asked.scheme not in _CONNECTING or (asked.scheme == "mlflow-artifacts" and not asked.netloc):
        return False
    return (asked.scheme, asked.netloc.lower()) != (own.scheme, own.netloc.lower())


def _split(location: str) -> SplitResult:
    try:
        return urlsplit(location.strip())
    except ValueError:  # brackets that hold no address
        return SplitResult("http", location, "", "", "")


def _refusal(headline: str, rule: str, expected: str, found: str, mend: str) -> Refused:
    return Refused(headline, [Reason(rule, expected, found[:200], mend)])
