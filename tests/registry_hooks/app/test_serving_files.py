"""Where the desk is asked before files are written or runs deleted: every method, every spelling of a place."""

from __future__ import annotations

import asyncio
import shutil

import pytest
from mlflow.exceptions import MlflowException
from mlflow.server import handlers
from mlflow.store.artifact.http_artifact_repo import HttpArtifactRepository
from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from support.world import MODEL

from registry_hooks.app.artifacts import serving_files
from registry_hooks.errors import Refused
from registry_hooks.storage.places import place_of

ELSEWHERE = "http://127.0.0.1:1/api/2.0/mlflow-artifacts/artifacts/1/abc/artifacts"  # nobody listens there
ROOT = "_MLFLOW_SERVER_ARTIFACT_DESTINATION"


@pytest.fixture
def held(world, monkeypatch):
    """Version 1 serves from another server, 2 is its challenger; repositories ask the desk."""
    monkeypatch.setattr(handlers, "_model_registry_store", world.store)
    with world.acting("ana"):
        world.client.create_registered_model(MODEL)
        world.store.create_model_version(MODEL, f"{ELSEWHERE}/model")
    world.client.set_registered_model_alias(MODEL, "champion", "1")
    world.govern()
    world.quickly()
    with world.acting("ana"):
        world.desk.nominate(MODEL, 2)
    return world


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("log_artifact", ("/tmp/MLmodel", "model")),
        ("delete_artifacts", ("model/MLmodel",)),
        ("delete_artifacts", ("model/code/../MLmodel",)),
        ("delete_artifacts", ()),
        ("create_multipart_upload", ("MLmodel", 1, "model")),
        ("create_multipart_upload", ("x/../../MLmodel", 1, "model")),
        ("complete_multipart_upload", ("MLmodel", "id", [], "model")),
        ("abort_multipart_upload", ("MLmodel", "id", "model")),
    ],
)
def test_each_write_of_a_repository_is_refused_before_it_goes_out(held, method, arguments):
    repository = serving_files._held(HttpArtifactRepository(ELSEWHERE))
    with pytest.raises(MlflowException, match="version 1 of acs-employment, which is champion") as caught:
        getattr(repository, method)(*arguments)
    assert caught.value.error_code == "PERMISSION_DENIED" and caught.value.get_http_status_code() == 403


def test_streams_and_folders_on_disk_are_refused_and_what_lies_beside_is_written(held, tmp_path):
    folder = held.folder(2)
    repository = serving_files._held(LocalArtifactRepository(folder.parent.as_uri()))
    (tmp_path / "new" / "code").mkdir(parents=True)
    (tmp_path / "new" / "code" / "sitecustomize.py").write_text("print('hello')")

    async def chunks():
        yield b"x"

    refusals = [
        lambda: repository.log_artifacts(str(tmp_path / "new"), "model"),
        lambda: repository.log_artifact_from_stream(None, "MLmodel", "model"),
        lambda: asyncio.run(repository.log_artifact_from_async_stream(chunks(), "calibration.json", "evidence")),
        lambda: repository.delete_artifacts("evidence"),
    ]
    for refusal in refusals:
        with pytest.raises(MlflowException, match="version 2 of acs-employment, which is challenger"):
            refusal()
    repository.log_artifacts(str(tmp_path / "new"), "beside")
    asyncio.run(repository.log_artifact_from_async_stream(chunks(), "live.json", "evidence"))
    assert (folder.parent / "beside/code/sitecustomize.py").exists() and (folder.parent / "evidence/live.json").exists()
    # A link to the folder is the folder.
    shutil.rmtree(folder.parent / "beside")
    (folder.parent / "beside").symlink_to(folder)
    with pytest.raises(MlflowException, match="which is challenger"):
        repository.delete_artifacts("beside")


def test_a_way_to_delete_or_write_that_nobody_judged_stops_the_start(held, monkeypatch):
    monkeypatch.setattr(handlers, "_get_tracking_store", lambda: SqlAlchemyStore.__new__(SqlAlchemyStore))
    assert serving_files.unknown_acts() == []
    monkeypatch.setattr(SqlAlchemyStore, "delete_everything", lambda self: None, raising=False)
    from mlflow.store.artifact.artifact_repo import ArtifactRepository

    monkeypatch.setattr(ArtifactRepository, "overwrite", lambda self: None, raising=False)
    assert serving_files.unknown_acts() == ["delete_everything", "overwrite"]


def test_other_databases_and_deleted_versions_as_well(any_world):
    any_world.govern()
    (run, _), *_ = any_world.quickly(3)
    for version in (1, 2, 3):
        any_world.promote(version)
    with any_world.acting("ana"):
        any_world.store.delete_model_version(MODEL, "1")
    place = any_world.folder(2).as_uri()
    with pytest.raises(Refused, match=f"Evidence of run {run} of version 1 of {MODEL}, which was champion"):
        any_world.desk.holding.refuse_pulling_away("gone", [run])
    for each in (place_of(place), place_of(place, "weights.bin"), place_of(place, "../..")):
        with pytest.raises(
            Refused, match=f"the files of run .* of version 2 of {MODEL}, which is challenger and fallb"
        ):
            any_world.desk.holding.refuse_pulling_away("gone", [], [each])
    any_world.desk.holding.refuse_pulling_away(
        "beside", ["0" * 32], [place_of(place + "-2"), place_of(place, "..", "notes")]
    )


@pytest.mark.parametrize(
    "spelt",
    [
        ("mlflow-artifacts:/1/abc/artifacts/model",),
        ("mlflow-artifacts:/1/abc/artifacts", "model"),
        ("mlflow-artifacts://host:5000/1/abc/artifacts/model/",),
        ("mlflow-artifacts:/1/abc/artifacts/x/../model",),
        ("mlflow-artifacts:/1/abc/artifacts/%6dodel",),
        ("mlflow-artifacts:/1/abc/artifacts/%256dodel",),
        ("ROOT", "1/abc/artifacts/model"),
        ("ROOT", "1/abc/./artifacts//model/"),
        ("file://ROOT/1/abc/artifacts", "/model"),
        ("ROOT/link/abc/artifacts/model",),
    ],
)
def test_a_place_has_one_name(tmp_path, monkeypatch, spelt):
    (tmp_path / "1").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "1")
    monkeypatch.setenv(ROOT, str(tmp_path))
    assert (
        place_of(*(each.replace("ROOT", str(tmp_path)) for each in spelt)) == "mlflow-artifacts:/1/abc/artifacts/model"
    )


def test_places_elsewhere_are_told_apart(monkeypatch):
    monkeypatch.setenv(ROOT, "s3://bucket/root")
    assert place_of("s3://bucket/root/1/a") == place_of("S3://bucket/x/../root/1/a/") == "mlflow-artifacts:/1/a"
    assert place_of("s3://bucket/rooted/1/a") == "s3://bucket/rooted/1/a"
    assert place_of("s3://other/root/1/a") == "s3://other/root/1/a"
    assert place_of("") == ""
