"""Baselines in runs, written by the evaluation's own code."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from support.releasing import upload
from support.serving import Server
from support.world import DATA, World

from mlflow_eval_plugin.plugin.baseline.document import DOCUMENT, TABLES, sealed


def put_on_server(server: Server, run_id: str) -> None:
    """Upload a baseline that names no model to the folder ``baseline`` of a run of ana's."""
    where = server.mlflow("ana", "GET", f"runs/get?run_id={run_id}")["run"]["info"]["artifact_uri"]
    for name, content in frozen(None, "baseline", 1000, "2026-01-01T00:00:00+00:00").items():
        upload(server, where, f"baseline/{name}", content)


def frozen(model: str | None, name: str, rows: int, at: str) -> dict[str, bytes]:
    """The two files of a baseline that was frozen for no evaluator."""
    body = {
        "name": name,
        "model_type": "classifier",
        "data": {**DATA, "columns": list(DATA["columns"]), "rows": rows},
        "columns": [{"name": "a", "kind": "number"}],
        "model": {"uri": None, "digest": model, "registered": []},
        "parts": {},
        "producer": {"name": "test", "version": "1"},
        "created_at": at,
    }
    return sealed(body, {})


def put_baseline(
    world: World, run_id: str, model: str | None, folder: str = "baseline", rows: int = 1000, edit: bool = False
) -> tuple[str, str]:
    """Log a baseline without any evaluator to a folder of a run; gives its address and its digest.

    ``edit`` changes both files afterwards.
    """
    files = frozen(model, folder, rows, world.now.isoformat())
    digest = str(json.loads(files[DOCUMENT])["digest"])
    if edit:
        files = {DOCUMENT: files[DOCUMENT].replace(b'"classifier"', b'"regressor"'), TABLES: files[TABLES] + b"x"}
    with tempfile.TemporaryDirectory() as made:
        for name, content in files.items():
            path = Path(made) / name
            path.write_bytes(content)
            world.client.log_artifact(run_id, str(path), folder)
    return f"runs:/{run_id}/{folder}", digest
