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
        data=rows, targets="y", predictions="s", model_type="classifier", evaluators=["calibration", "disaggregated"],
        evaluator_config={"calibration": {"max_ece": 0.5}, "disaggregated": {"slices": ["g"], "max_gap": {"fpr": 0.9}}},
    )
"""


def on_a_terminal(moment: float, folder: Path) -> str:
    """What is written to a terminal of 80 columns."""
    screen, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    command = [sys.executable, "-c", SCRIPT, str(moment), str(folder)]
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


def test_a_long_call_names_its_steps_on_a_terminal(tmp_path: Path) -> None:
    written = on_a_terminal(0.0, tmp_path)
    named = [written.index(step) for step in ("scores |", "rows of calibration |", "rows of disaggregated |")]
    assert named == sorted(named)
    assert "| 4/5 steps" in written
    # Each line takes the place of the one before, and the last is wiped.
    assert written.rpartition("steps")[2].rpartition("\r")[0].endswith(" " * 60)


def test_a_short_call_shows_no_bar(tmp_path: Path) -> None:
    assert "step" not in on_a_terminal(60.0, tmp_path)


def test_a_pipe_shows_no_bar(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SCRIPT, "0", str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "step" not in run.stderr
