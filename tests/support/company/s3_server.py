"""An S3-compatible server for tests: over HTTP, on loopback, with multipart uploads and presigned addresses."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
import requests
from botocore.config import Config
from support.serving import free_port

BUCKET = "models"
_KEY = "for-tests"


@dataclass(frozen=True)
class S3:
    """A bucket on a server of its own."""

    uri: str

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to find the bucket."""
        login = {"AWS_ACCESS_KEY_ID": _KEY, "AWS_SECRET_ACCESS_KEY": _KEY, "AWS_DEFAULT_REGION": "us-east-1"}
        return {**login, "MLFLOW_S3_ENDPOINT_URL": self.uri, "AWS_EC2_METADATA_DISABLED": "true"}

    def client(self) -> Any:
        """boto3's client, with every right to the bucket."""
        return boto3.client(
            "s3", endpoint_url=self.uri, aws_access_key_id=_KEY, aws_secret_access_key=_KEY, region_name="us-east-1",
            config=Config(retries={"max_attempts": 2}),
        )  # fmt: skip

    def keys(self, prefix: str = "") -> list[str]:
        """Names of all objects below a prefix."""
        pages = self.client().get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return [found["Key"] for page in pages for found in page.get("Contents", ())]


@contextmanager
def s3_server() -> Iterator[S3]:
    """A server with one empty bucket, ``models``."""
    port = free_port()
    s3 = S3(f"http://127.0.0.1:{port}")
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _wait(s3.uri, process)
        s3.client().create_bucket(Bucket=BUCKET)
        yield s3
    finally:
        process.terminate()
        process.wait(30)


def _wait(uri: str, process: subprocess.Popen[bytes], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        assert process.poll() is None, "the S3 server ended"
        try:
            requests.get(uri, timeout=2)
            return
        except requests.RequestException:
            time.sleep(0.05)
    raise AssertionError("the S3 server did not come up")
