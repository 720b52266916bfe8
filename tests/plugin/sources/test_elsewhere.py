"""Files elsewhere: an S3-compatible server with MLflow's settings, and whatever fsspec reads."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import boto3
import fsspec
import pyarrow as pa
import pytest
from moto.server import ThreadedMotoServer
from pyarrow import parquet

from mlflow_eval_plugin.plugin.sources.opening import opened
from mlflow_eval_plugin.stats.errors import InputError


def content_of(**columns: Any) -> bytes:
    held = BytesIO()
    parquet.write_table(pa.table(columns), held)
    return held.getvalue()


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """A bucket ``lake`` with two files and one of something else, as MLflow would reach it."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("MLFLOW_S3_ENDPOINT_URL", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    (tmp_path / "credentials").write_text("[default]\naws_access_key_id = test\naws_secret_access_key = test\n")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    client = boto3.client("s3", endpoint_url=f"http://{host}:{port}", region_name="us-east-1")
    client.create_bucket(Bucket="lake")
    for day in (1, 2):
        client.put_object(
            Bucket="lake", Key=f"scored/2026-11/{day}.parquet", Body=content_of(x=[day, day], y=["a", "b"])
        )
    client.put_object(Bucket="lake", Key="scored/2026-11/_SUCCESS", Body=b"")
    yield client
    server.stop()


def read(uri: Any) -> list[Any]:
    source = opened(uri).source
    assert source is not None
    return [one for batch in source.batches(["x"]) for one in batch.column(0).to_pylist()]


@pytest.mark.parametrize(
    "uri", ["s3://lake/scored/2026-11/*.parquet", "s3://lake/scored/2026-11", "s3://lake/**/*.parquet"]
)
def test_files_of_a_bucket(uri: str, bucket: Any) -> None:
    assert read(uri) == [1, 1, 2, 2]
    assert read(["s3://lake/scored/2026-11/2.parquet"]) == [2, 2]


def test_what_is_not_there_is_named(bucket: Any) -> None:
    with pytest.raises(InputError, match=r"s3://lake/scored/2026-12/\*\.parquet: there are no files"):
        opened("s3://lake/scored/2026-12/*.parquet")
    with pytest.raises(InputError, match="s3://attic/scored"):
        opened("s3://attic/scored/*.parquet")


def test_an_object_that_is_replaced_between_two_readings_is_found(bucket: Any) -> None:
    source = opened("s3://lake/scored/2026-11/1.parquet").source
    assert source is not None
    bucket.put_object(Bucket="lake", Key="scored/2026-11/1.parquet", Body=content_of(x=[7], y=["a"]))
    with pytest.raises(InputError, match=r"s3://lake/scored/2026-11/1.parquet: the data changed between two readings"):
        list(source.batches(["x"]))


def test_a_bucket_that_refuses(bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_S3_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(InputError, match=r"s3://lake/scored/1\.parquet: it cannot be looked at"):
        opened("s3://lake/scored/1.parquet")


def test_what_fsspec_reads() -> None:
    system = fsspec.filesystem("memory")
    for day in (1, 2):
        with system.open(f"/lake/{day}.parquet", "wb") as file:
            file.write(content_of(x=[day]))
    assert read("memory://lake/*.parquet") == [1, 2]
