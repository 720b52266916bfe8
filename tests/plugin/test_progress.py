"""The progress bar of a long call, on a real terminal; and nothing where nobody looks."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

SCRIPT = """
import sys
import numpy as np
import pandas as pd
import mlflow
from mlflow.models import evaluate
from mlflow_eval_plugin.plugin import progress

progress.MOMENT = float(sys.argv[1])
mlflow.set_tracking_uri(f"sqlite:///{sys.argv[2]}/mlflow.db")
mlflow.set_experiment(experiment_id=mlflow.create_experiment("e", f"file://{sys.argv[2]}/artifacts"))
score = np.random.default_rng(0).random(400)
rows = pd.DataFrame({"s": score, "y": (score > 0.5).astype(int), "g": "a"})
with mlflow.start_run():
    evaluate(
        data=rows, targets="y", predictions="s", model_type=sys.argv[3], evaluators=["calibration", "disaggregated"],
        evaluator_config={"calibration": {}, "disaggregated": {"slices": ["g"]}},
    )
"""


def on_a_terminal(moment: float, folder: Path, model_type: str = "classifier") -> str:
    """What is written to a terminal of 80 columns."""
    screen, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    command = [sys.executable, "-c", SCRIPT, str(moment), str(folder), model_type]
    with subprocess.Popen(command, stderr=terminal, stdout=subprocess.DEVNULL) as run:
        os.close(terminal)
        written = b""
        while chunk := _read(screen):
            written += chunk
    os.close(screen)
    assert run.returncode == 0, written.decode()
    return written.decode()


def _read(screen: int) -> bytes:
    try:
        return os.read(screen, 65536)
    except OSError:  # what Linux says when the last writer is gone
        return b""


@pytest.mark.parametrize("model_type", ["classifier", "regressor"])
def test_a_long_call_names_its_steps_on_a_terminal(tmp_path: Path, model_type: str) -> None:
    written = on_a_terminal(0.0, tmp_path, model_type)
    named = [written.index(step) for step in ("scores |", "rows of calibration |", "rows of disaggregated |")]
    assert named == sorted(named)
    assert "| 4/5 steps" in written
    # Each line takes the place of the one before, and the last is wiped.
    assert written.rpartition("steps")[2].rpartition("\r")[0].endswith(" " * 60)


def test_a_short_call_shows_no_bar(tmp_path: Path) -> None:
    assert "step" not in on_a_terminal(60.0, tmp_path)


@pytest.mark.parametrize("stderr", ["", "sys.stderr = None", "class Log: write = flush = print; sys.stderr = Log()"])
def test_nothing_is_shown_where_nobody_looks(tmp_path: Path, stderr: str) -> None:
    # A pipe; no standard error at all, as of a service; and something that only knows how to write.
    script = SCRIPT.replace("progress.MOMENT =", f"{stderr.replace('; ', chr(10))}\nprogress.MOMENT =")
    command = [sys.executable, "-c", script, "0", str(tmp_path), "classifier"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "steps" not in run.stderr + run.stdout
