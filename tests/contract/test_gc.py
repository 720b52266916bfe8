"""``mlflow gc``, a process of its own on the server's database and files, purges nothing that serves."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest
from support.releasing import govern, register, serve
from support.serving import ADMIN, Server


def gc(server: Server, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mlflow", "gc", "--backend-store-uri", "sqlite:///mlflow.db"]
    command += ["--artifacts-destination", "./mlartifacts", "--tracking-uri", server.uri, *options]
    return subprocess.run(
        command, env=server.env(), cwd=server.directory, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.early
def test_gc_finds_nothing_that_serves_to_purge_and_is_kept_from_its_files(governed: Server) -> None:
    model = govern(governed)
    serve(governed, model)
    served = governed.mlflow("ana", "GET", f"model-versions/get?name={model}&version=1")["model_version"]["run_id"]
    _, loose = register(governed, model)
    experiment = governed.mlflow("ana", "GET", f"runs/get?run_id={served}")["run"]["info"]["experiment_id"]
    for path, body, status in (
        ("runs/delete", {"run_id": served}, 403),
        ("experiments/delete", {"experiment_id": experiment}, 403),
        ("runs/delete", {"run_id": loose}, 200),
    ):
        assert governed.ask(ADMIN, "POST", f"/api/2.0/mlflow/{path}", json=body).status_code == status
    done = gc(governed)
    assert done.returncode == 0 and loose in done.stdout and served not in done.stdout, done.stdout + done.stderr
    root = governed.directory / "mlartifacts"
    assert not list(root.rglob(f"{loose}/artifacts/model/MLmodel"))

    # With the database's own credentials it is deleted past the server, which still keeps the files.
    with closing(sqlite3.connect(governed.directory / "mlflow.db")) as database:
        database.execute("UPDATE runs SET lifecycle_stage = 'deleted', deleted_time = 1 WHERE run_uuid = ?", (served,))
        database.commit()
    (told,) = governed.json("ana", "status", model)["models"][0]["missing"]
    assert told == f"version 1: run {served} is deleted, and the next mlflow gc purges it with its files"
    doctor = governed.cli(ADMIN, "doctor")
    assert doctor.returncode != 0 and served in doctor.stdout
    done = gc(governed, "--run-ids", served)
    assert done.returncode != 0 and "403" in done.stderr, done.stdout + done.stderr
    assert len(list(root.rglob(f"{served}/artifacts/model/MLmodel"))) == 1
    governed.mlflow(ADMIN, "POST", "runs/restore", run_id=served)
    assert governed.json("ana", "status", model)["models"][0]["missing"] == []
