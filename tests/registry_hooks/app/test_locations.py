"""Which artifact locations are among the server's own files."""

import pytest

from registry_hooks.app.artifacts.locations import connects, is_the_servers_own


@pytest.mark.parametrize(
    ("location", "own"),
    [
        ("", True),
        ("/srv/mlflow", True),
        ("mlruns", True),
        (" file:///etc", True),
        ("FILE:///etc", True),
        ("C:\\models", True),
        ("s3://models/artifacts", True),
        ("S3://Models/artifacts/1/run/artifacts/model", True),
        ("s3a://models//artifacts/x/../1", True),
        ("s3://models/artifacts-of-mine", False),
        ("s3://models", False),
        ("s3://mine/artifacts", False),
        ("s3://models/%61rtifacts/1", True),
        ("gs://mine/artifacts", False),
        ("mlflow-artifacts:/mine", True),
        ("MLFLOW-ARTIFACTS:///../mine", True),
        ("runs:/1/model", True),
        ("models:/m-1", True),
    ],
)
def test_only_what_lies_on_the_servers_disk_or_in_its_artifact_store(
    monkeypatch: pytest.MonkeyPatch, location: str, own: bool
) -> None:
    monkeypatch.setenv("_MLFLOW_SERVER_ARTIFACT_DESTINATION", "s3://models/artifacts")
    assert is_the_servers_own(location) is own


@pytest.mark.parametrize(
    ("location", "elsewhere"),
    [
        ("", False),
        ("s3://models/artifacts", False),
        ("mlflow-artifacts:/mine", False),
        ("mlflow-artifacts:///mine", False),
        ("runs:/1/model", False),
        ("hdfs://store/models/mine", False),
        ("hdfs://store:8020/models", True),
        ("mlflow-artifacts://evil.example/mine", True),
        ("http://169.254.169.254/latest/meta-data", True),
        (" HTTPS://evil.example", True),
        ("ftp:///etc", True),
        ("sftp://store/models", True),
        ("abfss://files@evil.example/x", True),
        ("wasbs://files@evil.blob.core.windows.net/x", True),
        ("viewfs://store/models", True),
        ("http://store\\@evil.example", True),
        ("http://[::1", True),
    ],
)
def test_only_what_names_a_host_beside_the_stores(
    monkeypatch: pytest.MonkeyPatch, location: str, elsewhere: bool
) -> None:
    monkeypatch.setenv("_MLFLOW_SERVER_ARTIFACT_DESTINATION", "hdfs://store/models")
    assert connects(location) is elsewhere
