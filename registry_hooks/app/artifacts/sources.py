"""Whose files a model version may have: those of a run or a model that its maker may READ.

MLflow asks leave for the model whose version it is when somebody reads its files, and not for where they are. Before
3.17 it takes any location of its own store as a version's, with no word of whose, and for what calls itself a prompt
any path of the server's disk that does not begin with a slash.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

from registry_hooks.app import refusing
from registry_hooks.errors import Reason, Refused
from registry_hooks.identity import current_sight
from registry_hooks.storage.places import place_of
from registry_hooks.storage.retry import says_nothing

_OF_PROMPTS = frozenset({"dummy-source", "prompt-template"})
"""What MLflow's clients send as the source of a prompt, which has no files."""


def keep_to_places() -> None:
    """Refuse the files of a version whose source is a path from wherever the server was started.

    No client of MLflow's writes such a source. Before 3.17 anybody could, of a prompt, and what was registered then is
    there still. For the whole process, as in `registry_hooks.app.artifacts.traces`.

    Raises:
        KeyError: when this MLflow's store has no such method; then the server must not start.
    """
    from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore

    method = vars(SqlAlchemyStore)["get_model_version_download_uri"]

    @wraps(method)
    def asked(store: Any, name: str, version: Any) -> str:
        source: str = method(store, name, version)
        if source not in _OF_PROMPTS and _is_a_path_from_here(source):
            expected = "a place in a store, or a path from the root of a disk"
            mend = "register the version again from the run or the model that logged it"
            raise refusing.in_mlflow(
                Refused("this version has no files", [Reason("source", expected, source[:200], mend)])
            )
        return source

    setattr(SqlAlchemyStore, "get_model_version_download_uri", asked)  # noqa: B010 - mypy takes methods for fixed


def _is_a_path_from_here(source: str) -> bool:
    parts = urlsplit(source.strip())
    if len(parts.scheme) == 1:  # a drive of Windows
        return False
    return parts.scheme in ("", "file") and not parts.path.startswith(("/", "\\"))


def may_read(asked: Any) -> bool:
    """Whether the maker of a version may READ what its source names, where that is a run, a model or an experiment's.

    Args:
        asked: the message with the source, and with the run or the logged model that it is said to be of.
    """
    from mlflow.exceptions import MlflowException
    from mlflow.store.artifact.runs_artifact_repo import RunsArtifactRepository
    from mlflow.store.artifact.utils.models import _parse_model_uri

    source, sight = asked.source.strip(), current_sight()
    if source in _OF_PROMPTS:
        return True
    scheme = urlsplit(source).scheme
    try:
        if scheme == "runs":
            return sight.run(RunsArtifactRepository.parse_runs_uri(source)[0])
        if scheme == "models":
            parsed = _parse_model_uri(source)
            return sight.logged_model(parsed.model_id) if parsed.model_id else sight.model(parsed.name or "")
    except MlflowException as error:
        if says_nothing(error):
            raise
        return False  # it is no such URI
    place = place_of(source)
    return any(f"{place}/".startswith(f"{root}/") for root in _roots(asked))


def _roots(asked: Any) -> Iterator[str]:
    """The places of the run and of the logged model that are named, as far as they may be READ."""
    from mlflow.server.handlers import _get_tracking_store

    sight = current_sight()
    if asked.run_id and sight.run(asked.run_id):
        yield place_of(_get_tracking_store().get_run(asked.run_id).info.artifact_uri)
    if asked.model_id and sight.logged_model(asked.model_id):
        yield place_of(_get_tracking_store().get_logged_model(asked.model_id).artifact_location)
