"""Which locations of files people may name to the server, which reads and writes there for them: none on its own disk,
none among its own files, and none that makes it connect to a host of somebody's choice.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any
from urllib.parse import SplitResult, urlsplit

from registry_hooks.app import refusing
from registry_hooks.errors import Reason, Refused
from registry_hooks.identity import require_actor

_ARTIFACT_ROOT = "_MLFLOW_SERVER_ARTIFACT_DESTINATION"
_CONNECTING = frozenset(
    {"http", "https", "ftp", "sftp", "hdfs", "viewfs", "r2", "b2", "abfss", "abfs", "wasbs", "mlflow-artifacts"}
)
"""Schemes by which MLflow connects to the host that a location names."""
_OF_A_TRACE = "mlflow.artifactLocation"
"""The tag from which MLflow's server takes the place of a trace's files; it writes the tag itself, with the trace."""

Refuses = Callable[[Any, dict[str, Any]], Refused | None]


def guard_locations(app: Any) -> None:
    """Let only an administrator name a location that the server reads or writes at with rights of its own.

    MLflow lets everybody name any folder of the server's disk or bucket, and writes there for him; within the folder
    of a model version that voids its Proposals and stops its promotion, whoever owns it. Up to 3.16 it also connects to
    any host that somebody names, and in all releases the place of a trace's files is a tag that its owner may change.

    Raises:
        KeyError: when this MLflow does one of these elsewhere; then the server must not start.
    """
    from mlflow.protos import model_registry_pb2, service_pb2

    for view, message, refuses in (
        ("_create_experiment", service_pb2.CreateExperiment, _of_an_experiment),
        ("_create_model_version", model_registry_pb2.CreateModelVersion, _of_a_version),
        ("_set_trace_tag", service_pb2.SetTraceTag, _of_a_trace),
        ("_set_trace_tag_v3", service_pb2.SetTraceTagV3, _of_a_trace),
        ("_delete_trace_tag", service_pb2.DeleteTraceTag, _of_a_trace),
        ("_delete_trace_tag_v3", service_pb2.DeleteTraceTagV3, _of_a_trace),
        ("_deprecated_end_trace_v2", service_pb2.EndTrace, _of_an_ended_trace),
    ):
        guard_view(app, view, message, refuses)


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
    location = asked.artifact_location
    if not (is_among_the_servers_own(location) or connects(location)) or require_actor().is_admin:
        return None
    expected = "no location, or one beside the server's own files, of no host of your choice"
    return _refusal("this experiment is refused", "artifact-location", expected, location,
                    "leave artifact_location out, or ask an administrator to make the experiment")  # fmt: skip


def _of_a_version(asked: Any, _parameters: dict[str, Any]) -> Refused | None:
    if not connects(asked.source) or require_actor().is_admin:
        return None
    return _refusal("this version is refused", "source", "a run, a logged model or a place in a store", asked.source,
                    "log the model to this server, or ask an administrator to register it")  # fmt: skip


def _of_a_trace(asked: Any, _parameters: dict[str, Any]) -> Refused | None:
    return _of_its_tag(asked.key) if asked.key == _OF_A_TRACE else None


def _of_an_ended_trace(asked: Any, parameters: dict[str, Any]) -> Refused | None:
    named = set(_locations_in(asked.tags))
    # MLflow's older clients send all tags back, this one among them.
    return _of_its_tag(", ".join(sorted(named))) if named - {_location_of(parameters.get("request_id", ""))} else None


def _locations_in(tags: Any) -> Iterator[str]:
    return (tag.value for tag in tags if tag.key == _OF_A_TRACE)


def _location_of(trace: str) -> str | None:
    from mlflow.exceptions import MlflowException
    from mlflow.server.handlers import _get_tracking_store

    try:
        return _get_tracking_store().get_trace_info(trace).tags.get(_OF_A_TRACE)
    except MlflowException:
        return None  # there is no such trace, as MLflow will say


def _of_its_tag(found: str) -> Refused:
    expected = f"the tag {_OF_A_TRACE} as the server wrote it"
    return _refusal("this trace keeps its files where they are", "artifact-location", expected, found,
                    "leave the tag out")  # fmt: skip


def is_among_the_servers_own(location: str) -> bool:
    """Whether a location is on the server's disk, or where it keeps everybody's artifacts."""
    if not location:
        return False
    asked, own = _split(location), _split(os.environ.get(_ARTIFACT_ROOT, ""))
    if asked.scheme in ("", "file") or len(asked.scheme) == 1:  # one letter is a drive of Windows
        return True
    if not own.netloc or asked.netloc.lower() != own.netloc.lower():
        return False
    root, path = (posixpath.normpath("/" + each.path.lstrip("/")).rstrip("/") for each in (own, asked))
    return f"{path}/".startswith(f"{root}/")


def connects(location: str) -> bool:
    """Whether a location makes the server connect to a host that it names, and that is not the one of its own store."""
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
