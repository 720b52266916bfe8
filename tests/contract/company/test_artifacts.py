"""Artifacts in a bucket: what the server passes on it guards, by every way of writing; past the server it finds."""

from __future__ import annotations

import subprocess
import sys
import uuid
from pathlib import Path

import pytest
import requests
from support.company.s3_server import BUCKET
from support.company.topology import Company
from support.releasing import go, govern, register, serve
from support.serving import Server

PART = 5 * 1024 * 1024
LOG = """
import sys, mlflow
with mlflow.start_run(run_id=sys.argv[1]):
    mlflow.log_artifact(sys.argv[2], "large")
"""


def run_of(front: Server, run_id: str) -> str:
    """Where a run keeps its artifacts, below the root of the store."""
    uri: str = front.mlflow("ana", "GET", f"runs/get?run_id={run_id}")["run"]["info"]["artifact_uri"]
    return uri.removeprefix("mlflow-artifacts:/").strip("/")


def begin(front: Server, folder: str, file: str) -> tuple[str, list[str]]:
    """Begin a multipart upload as ana; its id, and the addresses of its parts."""
    answer = front.ask(
        "ana", "POST", f"/api/2.0/mlflow-artifacts/mpu/create/{folder}", json={"path": file, "num_parts": 2}
    )
    assert answer.ok, answer.text
    told = answer.json()
    return told["upload_id"], [each["url"] for each in told["credentials"]]


def complete(front: Server, folder: str, file: str, upload: str, etags: list[str]) -> requests.Response:
    parts = [{"part_number": number, "etag": etag} for number, etag in enumerate(etags, 1)]
    body = {"path": file, "upload_id": upload, "parts": parts}
    return front.ask("ana", "POST", f"/api/2.0/mlflow-artifacts/mpu/complete/{folder}", json=body)


def put_parts(addresses: list[str], content: bytes) -> list[str]:
    parts = content[:PART], content[PART:]
    sent = [requests.put(address, data=part, timeout=60) for address, part in zip(addresses, parts, strict=True)]
    assert all(each.ok for each in sent)
    return [each.headers["ETag"] for each in sent]


def test_a_client_uploads_a_large_file_in_parts_past_the_server_and_reads_it_back(
    place: Company, tmp_path: Path
) -> None:
    front = place.front
    _version, run_id = register(front, govern(front))
    file = tmp_path / "weights.bin"
    file.write_bytes(bytes(range(256)) * (2 * PART // 256) + b"the end")
    env = front.env("ana", MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD="true", MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE=str(PART),
                    MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE=str(PART))  # fmt: skip
    before = len(place.proxy.answered)
    done = subprocess.run([sys.executable, "-c", LOG, run_id, str(file)], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    asked = [each for each, _, _ in place.proxy.answered[before:]]
    assert any("/mpu/create/" in each for each in asked) and any("/mpu/complete/" in each for each in asked)
    assert not any(each.startswith("PUT") for each in asked)  # not a byte of it went through the server
    [key] = place.s3.keys(f"mlflow/{run_of(front, run_id)}/large/")
    assert place.s3.client().get_object(Bucket=BUCKET, Key=key)["Body"].read() == file.read_bytes()
    read = front.ask("ana", "GET", f"/api/2.0/mlflow-artifacts/artifacts/{run_of(front, run_id)}/large/weights.bin")
    assert read.content == file.read_bytes()


def test_an_upload_that_began_before_the_nomination_cannot_be_completed_after_it(place: Company) -> None:
    front = place.front
    model = govern(front)
    version, run_id = register(front, model)
    folder = f"{run_of(front, run_id)}/model"
    upload, addresses = begin(front, folder, "MLmodel")
    etags = put_parts(addresses, b"x" * PART + b"other bytes")
    [key] = [each for each in place.s3.keys(f"mlflow/{folder}/") if each.endswith("MLmodel")]
    before = place.s3.client().get_object(Bucket=BUCKET, Key=key)["Body"].read()
    go(front, model, version, "ana nominate")

    refused = complete(front, folder, "MLmodel", upload, etags)
    assert refused.status_code == 403 and "version 1 of" in refused.text
    assert place.s3.client().get_object(Bucket=BUCKET, Key=key)["Body"].read() == before
    go(front, model, version, "ana request", "raj approve", "mei approve", "ana promote")


@pytest.mark.parametrize("way", ["put", "begin", "delete"])
def test_what_was_nominated_is_written_by_no_way_of_the_server(place: Company, way: str) -> None:
    front = place.front
    model = govern(front)
    serve(front, model)
    source = front.mlflow("ana", "GET", f"model-versions/get?name={model}&version=1")["model_version"]["source"]
    folder = source.removeprefix("mlflow-artifacts:/").strip("/")
    answer = {
        "put": lambda: front.ask("ana", "PUT", f"/api/2.0/mlflow-artifacts/artifacts/{folder}/MLmodel", data=b"x"),
        "begin": lambda: front.ask(
            "ana", "POST", f"/api/2.0/mlflow-artifacts/mpu/create/{folder}", json={"path": "MLmodel", "num_parts": 1}
        ),
        "delete": lambda: front.ask("ana", "DELETE", f"/api/2.0/mlflow-artifacts/artifacts/{folder}/MLmodel"),
    }[way]()
    assert answer.status_code == 403 and "which is champion" in answer.text, answer.text


def test_bytes_that_changed_in_the_bucket_past_the_server_are_found_and_not_promoted(place: Company) -> None:
    front = place.front
    model = govern(front)
    version, run_id = register(front, model)
    go(front, model, version, "ana nominate", "ana request", "raj approve", "mei approve")
    [key] = [each for each in place.s3.keys(f"mlflow/{run_of(front, run_id)}/model/") if each.endswith("MLmodel")]
    client = place.s3.client()
    content = client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    client.put_object(Bucket=BUCKET, Key=key, Body=content + b"\n# other")
    refused = front.ask("ana", "POST", "promote", json={"model": model, "version": version})
    assert refused.status_code == 403 and "MLmodel" in refused.text
    client.put_object(Bucket=BUCKET, Key=key, Body=content)
    go(front, model, version, "ana promote")
    client.delete_object(Bucket=BUCKET, Key=key)
    told = front.ask("oncall", "POST", "reconcile", json={"model": model})
    assert told.json()["ok"] is False and "has no files" in told.text


def of_a_run_beside(front: Server) -> str:
    """A run of ana's whose artifacts are in the bucket itself, not behind the server."""
    named = {"name": f"beside-{uuid.uuid4().hex}", "artifact_location": f"s3://{BUCKET}/beside/{uuid.uuid4().hex}"}
    experiment = front.mlflow("ana", "POST", "experiments/create", **named)["experiment_id"]
    run = front.mlflow("ana", "POST", "runs/create", experiment_id=experiment, start_time=0)
    return str(run["run"]["info"]["run_id"])


@pytest.mark.parametrize(("seconds", "status"), [(900, 200), (901, 403), (604800, 403)])
def test_an_address_to_write_past_the_server_does_not_outlive_a_quarter_of_an_hour(
    place: Company, seconds: int, status: int
) -> None:
    front = place.front
    body = {"run_id": of_a_run_beside(front), "path": "model/MLmodel", "expiration": seconds}
    answer = front.ask("ana", "POST", "/api/2.0/mlflow/artifacts/presigned-upload-url", json=body)
    assert answer.status_code == status, answer.text
    if status == 403:
        assert "900" in answer.text
