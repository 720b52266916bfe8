"""What serves cannot be pulled away through the server: asked where runs are deleted and artifacts are written.

Not at MLflow's routes, of which many end in the same act, each with its own reading of paths and ids. The methods of
the tracking store and of artifact repositories are what all of them end in, in Flask and in FastAPI, and there it is
known which run goes and which file is written. What each does stands in literal tables; one that they lack stops the
start.
"""

from __future__ import annotations

import asyncio
import inspect
import posixpath
from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from registry_hooks.app import refusing
from registry_hooks.app.governed import governed_desk
from registry_hooks.errors import Reason, Refused, RegistryError
from registry_hooks.storage.mlflow_rows import of_experiment
from registry_hooks.storage.places import place_of

PULLS_AWAY: dict[str, str] = {
    "delete_run": "run",
    "delete_experiment": "experiment",
    "delete_logged_model": "logged model",
    "_hard_delete_run": "run",
    "_hard_delete_experiment": "experiment",
    "_hard_delete_logged_model": "logged model",
}
"""Methods of the tracking store that take away what a version may rest on, and what their first argument names."""

LEAVES_FILES = frozenset(
    {
        "delete_assessment", "delete_budget_policy", "delete_dataset", "delete_dataset_records", "delete_dataset_tag",
        "delete_endpoint_binding", "delete_experiment_tag", "delete_gateway_endpoint", "delete_gateway_endpoint_tag",
        "delete_gateway_guardrail", "delete_gateway_model_definition", "delete_gateway_secret", "delete_label_schema",
        "delete_logged_model_tag", "delete_mcp_access_endpoint", "delete_mcp_server", "delete_mcp_server_alias",
        "delete_mcp_server_tag", "delete_mcp_server_version", "delete_mcp_server_version_tag", "delete_review_queue",
        "delete_scorer", "delete_tag", "delete_trace_tag", "remove_dataset_from_experiments",
        "remove_guardrail_from_endpoint", "remove_items_from_review_queue",
        "delete_traces",  # their archives go through the repositories
    }
)  # fmt: skip
"""Methods of the tracking store that delete, and leave runs, models and their files alone."""

WRITES: dict[str, str | None] = {
    "log_artifact": "local_file",
    "log_artifacts": "local_dir",
    "delete_artifacts": None,
    "log_artifact_from_stream": "artifact_file_name",
    "log_artifact_from_async_stream": "artifact_file_name",
    "create_multipart_upload": "local_file",
    "complete_multipart_upload": "local_file",
    "abort_multipart_upload": "local_file",
    "create_presigned_upload_url": None,
    "upload_trace_data": None,
    "upload_archived_trace_data": None,
    "upload_archived_trace_data_bytes": None,
    "upload_attachment": None,
}
"""Methods of artifact repositories that write or remove, at ``artifact_path`` or, without one, anywhere in the
repository; and the argument whose last part names the file below it."""

LONGEST_ADDRESS = 900
"""Seconds for which an address to write past the server may be good: a nomination does not take it back."""

READS = frozenset(
    {
        "download_archived_trace_data", "download_artifacts", "download_trace_attachment",
        "download_trace_attachment_to_file", "download_trace_data", "download_trace_data_to_file",
        "flush_async_logging", "get_download_presigned_url", "get_local_path", "list_artifacts", "max_workers",
    }
)  # fmt: skip
"""Methods of artifact repositories that change nothing in them."""

_TAKES_AWAY = ("delete_", "_hard_delete_", "remove_", "purge_")
_OF_OTHERS = ("runs", "models")  # repositories of these only pass on to one of another kind, which is asked itself


def unknown_acts() -> list[str]:
    """Methods of MLflow's tracking store that delete, and any of its artifact repositories, that the tables lack."""
    from mlflow.server.handlers import _get_tracking_store
    from mlflow.store.artifact import artifact_repo

    mixins = [each for name, each in vars(artifact_repo).items() if name.endswith(("Mixin", "ArtifactRepository"))]
    of_files = {name for each in mixins if inspect.isclass(each) for name in vars(each) if not name.startswith("_")}
    of_runs = {name for name in dir(type(_get_tracking_store())) if name.startswith(_TAKES_AWAY)}
    return sorted((of_files - WRITES.keys() - READS) | (of_runs - PULLS_AWAY.keys() - LEAVES_FILES))


def hold() -> None:
    """Make this process ask the desk before it deletes a run, experiment or logged model, or writes an artifact.

    For the whole process, whoever in it holds a store or a repository: clients within the server are no way around.
    """
    from mlflow.server.handlers import _get_tracking_store
    from mlflow.store.artifact.artifact_repository_registry import _artifact_repository_registry as known

    store_class = type(_get_tracking_store())
    for name, kind in PULLS_AWAY.items():
        owner = next(each for each in store_class.__mro__ if name in vars(each))
        setattr(owner, name, _asked_before(vars(owner)[name], kind))
    make = known.get_artifact_repository

    @wraps(make)
    def made(*arguments: Any, **options: Any) -> Any:
        return _held(make(*arguments, **options))

    known.get_artifact_repository = made  # type: ignore[method-assign]


def _asked_before(method: Callable[..., Any], kind: str) -> Callable[..., Any]:
    @wraps(method)
    def asked(store: Any, named: Any, *rest: Any, **options: Any) -> Any:
        runs, locations = _WHAT[kind](store, str(named))
        _ask(f"{kind} {named} cannot be deleted", runs, [(location, "") for location in locations])
        return method(store, named, *rest, **options)

    return asked


def _of_run(store: Any, run_id: str) -> tuple[list[str], list[str]]:
    return [run_id], [store.get_run(run_id).info.artifact_uri]


def _of_experiment(store: Any, experiment_id: str) -> tuple[list[str], list[str]]:
    # Not its location, in which others may have theirs.
    with store.ManagedSessionMaker() as session:
        return of_experiment(session, store.get_experiment(experiment_id).experiment_id)


def _of_logged_model(store: Any, model_id: str) -> tuple[list[str], list[str]]:
    return [], [store.get_logged_model(model_id, allow_deleted=True).artifact_location]


_WHAT: dict[str, Callable[[Any, str], tuple[list[str], list[str]]]] = {
    "run": _of_run,
    "experiment": _of_experiment,
    "logged model": _of_logged_model,
}


def _held(repository: Any) -> Any:
    """The repository, which asks the desk before it writes. Its class stays the same, because MLflow tests for it."""
    if urlsplit(repository.artifact_uri).scheme in _OF_OTHERS:
        return repository
    for name, file_argument in WRITES.items():
        method = getattr(repository, name, None)
        if method is not None:
            setattr(repository, name, _asked_at(method, file_argument, repository.artifact_uri))
    return repository


def _asked_at(method: Callable[..., Any], file_argument: str | None, uri: str) -> Callable[..., Any]:
    signature = inspect.signature(method)

    def ask(*arguments: Any, **options: Any) -> None:
        given = signature.bind(*arguments, **options)
        given.apply_defaults()
        if given.arguments.get("expiration", 0) > LONGEST_ADDRESS:
            raise refusing.in_mlflow(_outlives(given.arguments["expiration"]))
        touched = [(uri, path) for path in _paths(given.arguments, file_argument)]
        _ask("the artifact store is not changed", [], touched)

    @wraps(method)
    def asked(*arguments: Any, **options: Any) -> Any:
        ask(*arguments, **options)
        return method(*arguments, **options)

    @wraps(method)
    async def asked_beside(*arguments: Any, **options: Any) -> Any:
        await asyncio.to_thread(ask, *arguments, **options)  # the loop serves others meanwhile
        return await method(*arguments, **options)

    return asked_beside if inspect.iscoroutinefunction(method) else asked


def _outlives(seconds: int) -> Refused:
    expected = f"an address that is good for at most {LONGEST_ADDRESS} seconds, since it writes past the server"
    return Refused("no such address is given", [Reason("expiration", expected, str(seconds)[:40], "ask for less")])


def _paths(given: dict[str, Any], file_argument: str | None) -> Iterable[str]:
    below = given.get("artifact_path") or ""
    if file_argument is None:
        return [below]
    named = str(given[file_argument])
    if file_argument == "local_dir":
        files = (each.relative_to(named).as_posix() for each in Path(named).rglob("*") if each.is_file())
        return [posixpath.join(below, each) for each in files]
    return [posixpath.join(below, posixpath.basename(named.replace("\\", "/")))]


def _ask(what: str, runs: Iterable[str], touched: Iterable[tuple[str, str]]) -> None:
    desk = governed_desk()
    try:
        desk.holding.refuse_pulling_away(what, runs, [place_of(uri, path) for uri, path in touched])
    except RegistryError as error:
        raise refusing.in_mlflow(error) from error
