"""With no policy a governed server is plain MLflow: one client script gives the same results on both."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import mlflow
import pytest
from mlflow.exceptions import MlflowException
from mlflow.store.entities.paged_list import PagedList
from packaging.version import Version
from support.serving import PASSWORDS, Server, start, start_plain

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")
VOLATILE = re.compile(r"timestamp|_time$|^_?run_id$|artifact|^_?source$")
# Before 3.17 MLflow's own server leaves the aliases of a deleted version behind; a governed one never does.
DROPS_ALIASES = Version(mlflow.__version__) >= Version("3.17")
ID = re.compile(r"[0-9a-f]{32}")


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Iterator[Server]:
    """MLflow's own server with MLflow's own basic auth."""
    server = start_plain(tmp_path_factory.mktemp("plain"), "--workers", "1")
    yield server
    server.process.stop()


@pytest.fixture(scope="module")
def empty(tmp_path_factory) -> Iterator[Server]:
    """A governed server on which nobody has done anything."""
    server = start(tmp_path_factory.mktemp("empty"), "--workers", "1", "--auth-cache-seconds", "600", users=False)
    yield server
    server.process.stop()


def seen(value: Any) -> Any:
    """A result without what differs between any two servers: times, run ids, locations."""
    if isinstance(value, (list, tuple, PagedList)):
        return [seen(item) for item in value]
    if isinstance(value, dict):
        return {key: seen(item) for key, item in sorted(value.items()) if not VOLATILE.search(str(key))}
    if hasattr(value, "__dict__") and type(value).__module__.startswith("mlflow"):
        return type(value).__name__, seen(vars(value))
    return ID.sub("ID", value) if isinstance(value, str) else value


def transcript(client: mlflow.MlflowClient) -> list[tuple[str, Any]]:
    """What a team does with a registry, with the result or the error of every call."""
    said: list[tuple[str, Any]] = []

    def call(name: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        try:
            said.append((name, seen(function(*args, **kwargs))))
        except MlflowException as error:
            said.append((name, (type(error).__name__, error.error_code, seen(error.message))))

    c = client
    call("create", c.create_registered_model, "churn", {"team": "growth"}, "who leaves")
    call("create again", c.create_registered_model, "churn")
    for _ in range(3):
        call("version", c.create_model_version, "churn", "mlflow-artifacts:/0/x", None)
    run = c.create_run("0")
    for _ in range(3):
        call("version", c.create_model_version, "churn", f"{run.info.artifact_uri}/model", run.info.run_id)
    for alias, version in (
        ("champion", "1"),
        ("challenger", "2"),
        ("fallback", "1"),
        ("nightly", "3"),
        ("Champion", "2"),
    ):
        call(f"alias {alias}", c.set_registered_model_alias, "churn", alias, version)
        call(f"by alias {alias}", c.get_model_version_by_alias, "churn", alias)
    call("alias of nobody", c.set_registered_model_alias, "churn", "champion", "99")
    call("alias of no model", c.set_registered_model_alias, "nothing", "champion", "1")
    call("alias latest", c.set_registered_model_alias, "churn", "latest", "1")
    for stage in ("Production", "Staging", "Archived", "None", "Nirvana"):
        call(f"stage {stage}", c.transition_model_version_stage, "churn", "1", stage)
    call("archive", c.transition_model_version_stage, "churn", "2", "Production", True)
    call("stage of nobody", c.transition_model_version_stage, "churn", "99", "Production")
    call("latest", c.get_latest_versions, "churn")
    call("tag", c.set_registered_model_tag, "churn", "k", "v")
    call("version tag", c.set_model_version_tag, "churn", "1", "k", "v")
    call("describe", c.update_model_version, "churn", "1", "the first")
    call("describe model", c.update_registered_model, "churn", "who leaves, and why")
    call("search", c.search_registered_models, "name like 'chu%'")
    call("search versions", c.search_model_versions, "name='churn'")
    call("get", c.get_registered_model, "churn")
    call("untag", c.delete_registered_model_tag, "churn", "k")
    call("untag version", c.delete_model_version_tag, "churn", "1", "k")
    call("copy", c.copy_model_version, "models:/churn/2", "churn-copy")
    call("delete alias", c.delete_registered_model_alias, "churn", "champion")
    call("delete alias again", c.delete_registered_model_alias, "churn", "champion")
    call("by gone alias", c.get_model_version_by_alias, "churn", "champion")
    if not DROPS_ALIASES:
        for alias in ("challenger", "Champion"):
            call(f"delete alias {alias}", c.delete_registered_model_alias, "churn", alias)
    call("delete version", c.delete_model_version, "churn", "2")
    call("delete version again", c.delete_model_version, "churn", "2")
    call("rename", c.rename_registered_model, "churn", "leavers")
    call("rename nothing", c.rename_registered_model, "nothing", "something")
    call("prompt", c.register_prompt, "greeting", "Hello {{name}}", commit_message="first")
    call("prompt again", c.register_prompt, "greeting", "Dear {{name}}")
    call("prompt alias", c.set_prompt_alias, "greeting", "champion", 1)
    call("prompt by alias", c.get_prompt_version_by_alias, "greeting", "champion")
    call("prompts", c.search_prompts)
    call("delete prompt alias", c.delete_prompt_alias, "greeting", "champion")
    call("delete prompt version", c.delete_prompt_version, "greeting", "1")
    call("models after prompts", c.search_registered_models)
    call("delete", c.delete_registered_model, "leavers")
    call("delete again", c.delete_registered_model, "leavers")
    call("delete copy", c.delete_registered_model, "churn-copy")
    call("what is left", c.search_registered_models)
    return said


def test_a_client_without_a_policy_sees_no_difference(plain, empty, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "admin")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", PASSWORDS["admin"])
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")  # a 500 would be asked for again, for minutes
    on_plain, on_governed = (transcript(mlflow.MlflowClient(server.uri, server.uri)) for server in (plain, empty))
    assert [name for name, _ in on_plain] == [name for name, _ in on_governed]
    for (name, expected), (_, found) in zip(on_plain, on_governed, strict=True):
        assert found == expected, name
    succeeded = [name for name, result in on_plain if not (isinstance(result, tuple) and result[0] == "RestException")]
    assert len(succeeded) > 35, succeeded
