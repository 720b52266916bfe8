"""Evidently reports nothing of what it is given here, and nothing else in a process that has used it here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import contextlib, json, sys
from pathlib import Path
from types import SimpleNamespace as Given

attempts = []
watched = {"socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.system", "os.fork", "os.posix_spawn"}

def refuse(event, _):
    if event in watched:
        attempts.append(event)
        raise OSError(f"{event} is not for here")

import pandas as pd
from mlflow_eval_plugin.evaluators.config.keys import parse
from mlflow_eval_plugin.plugin.run.interactive import attach_evidently

rows = pd.DataFrame({"age": range(200), "sex": ["f", "m"] * 100})
config = parse("drift", {"reference": rows, "evidently": True})
call = Given(
    configs={"drift": config},
    reference=lambda _: Given(features=rows),
    table=Given(features=rows),
    evidence={"drift": Given(measurements={"columns": [{"name": "age"}, {"name": "sex"}]})},
)
sys.addaudithook(refuse)
attach_evidently(call, "drift", Path(sys.argv[1]))

from evidently.telemetry import event_logger

enabled = event_logger.is_enabled()
for ways in ({}, {"use_daemon": False}, {"use_daemon": False, "use_thread": True}):
    with contextlib.suppress(OSError):
        event_logger.send_event("test", "test", **ways)
print(json.dumps({"attempts": attempts, "enabled": enabled}))
"""


def test_evidently_reports_nothing(tmp_path: Path):
    tracked = {name: value for name, value in os.environ.items() if not name.endswith("DO_NOT_TRACK")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        env=tracked | {"HOME": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "drift-evidently.html").exists()
    assert json.loads(done.stdout.splitlines()[-1]) == {"attempts": [], "enabled": False}
