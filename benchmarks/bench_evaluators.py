"""The three evaluators beside MLflow's own, in one call: time beyond scoring, memory beyond the data.

    python benchmarks/bench_evaluators.py [--rows 1000000]

Prints a markdown table. Time is taken around the evaluators' ``evaluate``, with all modules compiled and imported, and
that of asking the model is subtracted. Memory is the highest resident size while our evaluators run, as the kernel
keeps it, less that at their start: to look at it from a thread would take time of the interpreter that is measured.
"""

from __future__ import annotations

import argparse
import compileall
import ctypes
import gc
import os
import sys
import tempfile
import time
import warnings
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

LEVELS = (2, 3, 4, 5, 6, 9)
NUMERIC = 24


def people(rows: int, seed: int) -> pd.DataFrame:
    """24 numeric columns, 6 columns of codes and a label that depends on some of them."""
    rng = np.random.default_rng(seed)
    data = {f"x{i:02d}": rng.normal(size=rows) for i in range(NUMERIC)}
    for i, levels in enumerate(LEVELS):
        data[f"g{i}"] = rng.integers(0, levels, rows).astype(np.float64)
    logit = data["x00"] - 0.5 * data["x01"] + 0.2 * data["g1"]
    data["label"] = (rng.random(rows) < 1 / (1 + np.exp(-logit))).astype(np.int64)
    return pd.DataFrame(data, copy=False)


class Clock:
    """Seconds by name, and the most that any of ours adds to the resident size."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.cpu: defaultdict[str, float] = defaultdict(float)
        self.peak = 0

    def timed(self, name: str, function: Callable[..., Any], *, watched: bool = False) -> Callable[..., Any]:
        """The function, with its time added to ``name``, and its memory to the peak where it is watched."""

        def call(*args: Any, **kwargs: Any) -> Any:
            before = _settled() if watched else 0
            start, cpu = time.perf_counter(), time.process_time()
            try:
                return function(*args, **kwargs)
            finally:
                self.seconds[name] += time.perf_counter() - start
                self.cpu[name] += time.process_time() - cpu
                if watched:
                    self.peak = max(self.peak, _status("VmHWM") - before)

        return call


def _settled() -> int:
    """The resident size, from which on the kernel keeps the highest anew (Linux)."""
    # Freed memory is given back first: what was freed before would hide what is taken next.
    gc.collect()
    if sys.platform == "linux":
        ctypes.CDLL("libc.so.6").malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _status(name: str) -> int:
    line = next(one for one in Path("/proc/self/status").read_text().splitlines() if one.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024


def run(rows: int) -> tuple[Clock, int]:
    """Evaluate once; returns the times and the size of the evaluated data."""
    import mlflow
    from mlflow.models import evaluate
    from mlflow.models.evaluation.evaluators.classifier import ClassifierEvaluator
    from sklearn.linear_model import LogisticRegression

    import mlflow_eval_plugin

    # As pip does where it installs, and has done for MLflow: a new checkout would compile ours while it is timed.
    compileall.compile_dir(Path(mlflow_eval_plugin.__file__).parent, quiet=1)
    from mlflow_eval_plugin import plugin
    from mlflow_eval_plugin.plugin.binary import scores as source
    from mlflow_eval_plugin.plugin.run import log

    assert log.logged  # MLflow has imported its own evaluator by now, and so have we ours
    clock = Clock()
    train, reference, current = people(min(rows, 20_000), 0), people(rows, 1), people(rows, 2)
    features = [name for name in current.columns if name != "label"]
    slices = [name for name in features if name.startswith("g")]
    model = LogisticRegression(max_iter=500).fit(train[features], train["label"])
    logged = mlflow.sklearn.log_model(model, name="model", pip_requirements=["scikit-learn"])
    ours = (plugin.CalibrationEvaluator, plugin.DisaggregatedEvaluator, plugin.DriftEvaluator)
    kept = [(one, "evaluate", one.evaluate) for one in (*ours, ClassifierEvaluator)]
    kept.append((source, "model_scores", source.model_scores))
    try:
        for owner, name, function in kept:
            label = {ClassifierEvaluator: "default", source: "scoring"}.get(owner, "ours")
            setattr(owner, name, clock.timed(label, function, watched=label == "ours"))
        with mlflow.start_run():
            evaluate(
                logged.model_uri,
                current,
                targets="label",
                model_type="classifier",
                # Ours come first: memory that MLflow's has freed would hide what ours take.
                evaluators=["calibration", "disaggregated", "drift", "default"],
                evaluator_config={
                    "default": {"log_model_explainability": False},
                    "calibration": {"max_ece": 0.05},
                    "disaggregated": {"slices": slices, "depth": 2},
                    "drift": {"reference": reference},
                },
            )
    finally:
        for owner, name, function in kept:
            setattr(owner, name, function)
    return clock, int(current.memory_usage(index=False).sum())


def main() -> None:
    parser = argparse.ArgumentParser(description="Time and memory of the three evaluators beside MLflow's own.")
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    warnings.simplefilter("ignore")
    home = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder}/mlflow.db"
        try:
            clock, size = run(rows)
        finally:
            os.chdir(home)
    beyond = clock.seconds["ours"] - clock.seconds["scoring"]
    print(f"| {rows:,} rows x {NUMERIC + len(LEVELS)} columns, reference of as many | |")
    print("|---|---|")
    cpu = clock.cpu["ours"] - clock.cpu["scoring"]
    print(f"| three evaluators, beyond scoring | {beyond:.2f} s ({cpu:.2f} s of processor) |")
    print(f"| scoring (data and reference, once each) | {clock.seconds['scoring']:.2f} s |")
    print(f"| MLflow's default evaluator | {clock.seconds['default']:.2f} s ({clock.cpu['default']:.2f} s) |")
    print(f"| ours to MLflow's | {beyond / clock.seconds['default']:.2f} |")
    print(f"| peak extra memory | {clock.peak / 2**20:.0f} MiB, {clock.peak / size:.2f} of the data |")


if __name__ == "__main__":
    main()
