"""Baselines in runs, written by the evaluation's own code."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from support.world import DATA, World

from mlflow_eval_plugin.plugin.baseline.document import DOCUMENT, TABLES, sealed


def put_baseline(
    world: World, run_id: str, model: str | None, folder: str = "baseline", rows: int = 1000, edit: bool = False
) -> tuple[str, str]:
    """Log a baseline without any evaluator to a folder of a run; gives its address and its digest.

    ``edit`` changes both files afterwards.
    """
    body = {
        "name": folder,
        "model_type": "classifier",
        "data": {**DATA, "columns": list(DATA["columns"]), "rows": rows},
        "columns": [{"name": "a", "kind": "number"}],
        "model": {"uri": None, "digest": model, "registered": []},
        "parts": {},
        "producer": {"name": "test", "version": "1"},
        "created_at": world.now.isoformat(),
    }
    files = sealed(body, {})
    digest = str(json.loads(files[DOCUMENT])["digest"])
    if edit:
        files = {DOCUMENT: files[DOCUMENT].replace(b'"classifier"', b'"regressor"'), TABLES: files[TABLES] + b"x"}
    with tempfile.TemporaryDirectory() as made:
        for name, content in files.items():
            path = Path(made) / name
            path.write_bytes(content)
            world.client.log_artifact(run_id, str(path), folder)
    return f"runs:/{run_id}/{folder}", digest
