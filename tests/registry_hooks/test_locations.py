"""Which artifact locations are among the server's own files."""

import pytest

from registry_hooks.app.locations import is_among_the_servers_own


@pytest.mark.parametrize(
    ("location", "own"),
    [
        ("", False),
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
        ("mlflow-artifacts:/mine", False),
    ],
)
def test_only_what_lies_on_the_servers_disk_or_in_its_artifact_store(
    monkeypatch: pytest.MonkeyPatch, location: str, own: bool
) -> None:
    monkeypatch.setenv("_MLFLOW_SERVER_ARTIFACT_DESTINATION", "s3://models/artifacts")
    assert is_among_the_servers_own(location) is own
