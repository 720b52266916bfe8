"""Evidently's interactive drift report, attached beside ours; the verdicts are ours and do not depend on it."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

from mlflow.tracking.client import MlflowClient

from mlflow_eval_plugin.plugin.call import Call

WARNING_TAG = "mlflow_eval_plugin.drift.warning"
_MOST_ROWS = 10_000
_UNTRACKED = ("DO_NOT_TRACK", "ITERATIVE_DO_NOT_TRACK")  # Evidently's, and that of the library that it reports with


def attach_evidently(call: Call, kind: str, folder: Path) -> None:
    """Write Evidently's report into ``folder`` where the config asks for it.

    A failure becomes a Python warning and a tag of the run.
    """
    config = call.configs[kind]
    if not config.interactive:
        return
    try:
        _write(call, kind, folder / f"{config.metric_prefix}drift-evidently.html")
    except Exception as error:  # noqa: BLE001 - another project's report: whatever it raises, ours is unharmed
        message = f"Evidently's report is missing: {type(error).__name__}: {error}"[:500]
        warnings.warn(message, stacklevel=2)
        MlflowClient().set_tag(call.request.run_id, WARNING_TAG, message)


def _write(call: Call, kind: str, path: Path) -> None:
    # Evidently reports its use to its makers unless these are set, to whatever value. What is judged here is nobody
    # else's business, so they are set for the whole process, before Evidently can read them.
    for name in _UNTRACKED:
        os.environ.setdefault(name, "1")
    from evidently import Report
    from evidently.presets import DataDriftPreset

    reference = call.reference(call.configs[kind])
    if reference is None:
        return
    compared = {column["name"] for column in call.evidence[kind].measurements["columns"]}
    shared = [c for c in call.table.features.columns if c in compared and c in reference.features.columns]
    report = Report([DataDriftPreset()])
    snapshot = report.run(_sample(call.table.features, shared), _sample(reference.features, shared))
    path.parent.mkdir(parents=True, exist_ok=True)
    snapshot.save_html(str(path))


def _sample(frame: Any, columns: list[str]) -> Any:
    # A fixed seed: the same data give the same page.
    picked = frame if len(frame) <= _MOST_ROWS else frame.sample(_MOST_ROWS, random_state=0)
    return picked[columns]
