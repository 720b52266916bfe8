"""Files that are read in parts are held against a baseline, of a frame or of files, as a frame is against its rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import pytest
from support.frozen_rows import CASES, said

from mlflow_eval_plugin import evaluate, freeze
from mlflow_eval_plugin.canonical import canonical

CASE = CASES["binary"]
HELD = ["tags", "code"]  # lists, and categories that a file of Parquet does not declare


def evidence(data: Any, reference: Any) -> bytes:
    config = {kind: {**one, **CASE.later.get(kind, {}), "reference": reference} for kind, one in CASE.configs.items()}
    with mlflow.start_run() as run:
        evaluate(data, evaluators=list(config), evaluator_config=config, **CASE.named)
    uri = f"runs:/{run.info.run_id}/evidence"
    return canonical(said({kind: mlflow.artifacts.load_dict(f"{uri}/{kind}.json") for kind in config}))


@pytest.mark.parametrize("frozen_of", ["a frame", "files"])
def test_files_are_held_against_a_baseline(frozen_of: str, store: Path, tmp_path: Path) -> None:
    before, after = (side.drop(columns=HELD) for side in (CASE.reference, CASE.current))
    path = tmp_path / "before.parquet"
    before.to_parquet(path)
    after.to_parquet(tmp_path / "after.parquet")
    uri = freeze(before if frozen_of == "a frame" else str(path), evaluator_config=CASE.configs, **CASE.named)
    assert evidence(str(tmp_path / "after.parquet"), uri) == evidence(after, before)
