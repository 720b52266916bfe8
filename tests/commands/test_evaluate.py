"""``evidence evaluate`` and ``evidence trend``: exit codes, JSON, what is refused, and Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner, Result
from support.evaluating import World

from mlflow_eval_plugin.commands.group import main
from mlflow_eval_plugin.plugin.run.interrupts import undisturbed


def scored(folder: Path, rows: int = 4000) -> str:
    rng = np.random.default_rng(3)
    score = rng.random(rows)
    frame = pd.DataFrame({"region": rng.choice(["north", "south"], rows), "score": score})
    frame["default"] = (rng.random(rows) < score).astype(int)
    frame.to_parquet(folder / "scored.parquet", index=False)
    return str(folder / "*.parquet")


def run(folder: Path, *further: str, config: Any = None) -> Result:
    file = folder / "eval.yaml"
    file.write_text(yaml.safe_dump({"calibration": {"max_ece": 0.1}} if config is None else config))
    asked = ["evaluate", "--target", "default", "--predictions", "score", "--type", "classifier"]
    return CliRunner().invoke(main, [*asked, "--config", str(file), "--data", scored(folder), *further])


@pytest.mark.parametrize(
    ("tolerances", "verdict", "code"),
    [
        ({"max_ece": 0.1}, "pass", 0),
        ({"max_ece": 1e-6}, "insufficient", 3),
        ({"max_brier": 0.01}, "fail", 1),
    ],
)
def test_the_verdict_is_the_exit_code(
    tolerances: dict[str, float], verdict: str, code: int, world: World, tmp_path: Path
) -> None:
    result = run(tmp_path, "--json", config={"calibration": tolerances})
    outcome = json.loads(result.stdout)
    assert (outcome["verdict"], result.exit_code) == (verdict, code)
    assert outcome["rows"] == 4000
    found = world.client.get_run(outcome["run_id"])
    assert found.info.status == "FINISHED"
    assert found.data.tags["mlflow_eval_plugin.verdict"] == verdict
    assert outcome["evidence"]["calibration"]["evidence"].endswith("evidence/calibration.json")
    assert "Verdict:" in result.stderr


def test_without_json_it_says_what_a_call_of_mlflow_says(world: World, tmp_path: Path) -> None:
    result = run(tmp_path)
    assert result.exit_code == 0
    assert "Verdict: calibration pass\nWorst: " in result.stdout and "\nReport: " in result.stdout


def test_it_logs_to_the_run_or_experiment_that_is_named(world: World, tmp_path: Path) -> None:
    with mlflow.start_run() as own:
        pass
    outcome = json.loads(run(tmp_path, "--json", "--run", own.info.run_id).stdout)
    assert outcome["run_id"] == own.info.run_id
    before = mlflow.active_run()
    assert before is None
    outcome = json.loads(run(tmp_path, "--json", "--experiment", "nightly").stdout)
    try:
        experiment = world.client.get_experiment_by_name("nightly")
        assert experiment is not None
        assert world.client.get_run(outcome["run_id"]).info.experiment_id == experiment.experiment_id
    finally:
        mlflow.set_experiment("Default")


@pytest.mark.parametrize(
    ("further", "config", "said"),
    [
        (["--evaluator", "drift"], {}, "drift: key 'reference' is required"),
        ([], {"calibratoin": {}}, "there is no evaluator 'calibratoin'; did you mean 'calibration'?"),
        ([], ["calibration"], "expected keys by evaluator, such as 'calibration: {max_ece: 0.05}'"),
        ([], {}, "evaluators: expected some of calibration, disaggregated, drift and comparison, found none"),
        (["--data", "/nowhere/*.parquet"], None, "/nowhere/*.parquet: there are no files"),
        (["--run", "a", "--experiment", "b"], None, "give --run or --experiment, not both"),
        (["--type", "ranker"], None, "'ranker' is not one of 'classifier', 'regressor'"),
        (["--run", "0" * 32], None, "not found"),
    ],
)
def test_what_cannot_be_evaluated_ends_with_2(
    further: list[str], config: Any, said: str, world: World, tmp_path: Path
) -> None:
    before = len(mlflow.search_runs())
    result = run(tmp_path, *further, config=config)
    assert result.exit_code == 2
    assert said in result.output
    assert "Traceback" not in result.output
    assert len(mlflow.search_runs()) == before


def test_checks_of_runs_over_time(world: World, tmp_path: Path) -> None:
    runs = [json.loads(run(tmp_path, "--json", "--experiment", "over time").stdout)["run_id"] for _ in range(2)]
    mlflow.set_experiment("Default")
    page, picture = tmp_path / "trend.html", tmp_path / "trend.png"
    result = CliRunner().invoke(main, ["trend", *runs, "-o", str(page)])
    assert (result.exit_code, result.stdout) == (0, f"{page}\n")
    assert page.read_text().startswith("<!doctype html>")
    result = CliRunner().invoke(main, ["trend", "--experiment", "over time", "-o", str(picture)])
    assert result.exit_code == 0 and picture.read_bytes().startswith(b"\x89PNG")
    by_experiment = CliRunner().invoke(main, ["trend", "--experiment", "over time", "-o", "-"])
    assert by_experiment.stdout == page.read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--experiment", "no such"], "there is no experiment 'no such'"),
        (["--experiment", "over time", "--kind", "drift"], "hold no Evidence of drift; there is some of calibration"),
        ([], "Give RUNs, or --experiment: one of the two."),
        (["0" * 32], "not found"),
    ],
)
def test_trends_that_cannot_be_drawn(arguments: list[str], said: str, world: World, tmp_path: Path) -> None:
    run(tmp_path, "--experiment", "over time")
    mlflow.set_experiment("Default")
    result = CliRunner().invoke(main, ["trend", *arguments, "-o", str(tmp_path / "trend.html")])
    assert result.exit_code == 2
    assert said in result.output


SLOW = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs are begun without one
import mlflow
import pandas as pd
import mlflow_eval_plugin as evidence

mlflow.set_tracking_uri(sys.argv[1])

def model(rows):
    print("asked", flush=True)
    for _ in range(3000):
        time.sleep(0.1)  # a signal may reach another thread, which does not wake a sleep in this one

rows = pd.DataFrame({"x": [0.1, 0.2] * 100, "y": [0, 1] * 100})
def call():
    evidence.evaluate(
        rows, targets="y", model=model, model_type="classifier",
        evaluators=["calibration", "disaggregated"],
        evaluator_config={"calibration": {}, "disaggregated": {"slices": ["x"]}},
    )
if sys.argv[2] == "own":
    with mlflow.start_run():
        mlflow.log_param("of the user", 1)
        call()
else:
    call()
"""


@pytest.mark.parametrize("whose", ["own", "new"])
def test_an_interrupted_run_is_killed_and_has_nothing_of_ours(whose: str, tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    program = subprocess.Popen(
        [sys.executable, "-c", SLOW, uri, whose],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert program.stdout is not None
    assert program.stdout.readline() == "asked\n"
    program.send_signal(signal.SIGINT)
    _, told = program.communicate(timeout=120)
    assert "KeyboardInterrupt: run " in told and "is KILLED, and nothing of this call is in it" in told
    client = mlflow.MlflowClient(uri)
    (run_found,) = client.search_runs(["0"])
    assert run_found.info.status == "KILLED"
    assert not run_found.data.metrics and not run_found.inputs.dataset_inputs
    assert not [name for name in run_found.data.tags if name.startswith("mlflow_eval_plugin")]
    assert client.list_artifacts(run_found.info.run_id) == []
    assert run_found.data.params == ({"of the user": "1"} if whose == "own" else {})


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Python's own handler of Ctrl-C, which a process that a shell began in the background has not."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_an_interrupt_while_all_is_written_waits_until_it_is(interruptible: None) -> None:
    written = []
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt, match="all was computed by then"), undisturbed():
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.05)
        written.append("all")
    assert written == ["all"]
    assert signal.getsignal(signal.SIGINT) is handler


def test_a_second_interrupt_does_not_wait(interruptible: None) -> None:
    written = []
    with pytest.raises(KeyboardInterrupt), undisturbed():
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.05)
        written.append("all")
    assert not written


def test_a_frozen_baseline_and_files_serve_as_reference(world: World, tmp_path: Path) -> None:
    (tmp_path / "before").mkdir()
    before = scored(tmp_path / "before", 3000)
    asked = ["--target", "default", "--predictions", "score", "--type", "classifier"]
    frozen = CliRunner().invoke(main, ["freeze", "--data", before, *asked, "--evaluator", "calibration"])
    assert frozen.exit_code == 0, frozen.output
    address = frozen.stdout.strip().splitlines()[-1]
    assert address.startswith("runs:/") and address.endswith("/baseline")
    found = [
        json.loads(run(tmp_path, "--json", config={"calibration": {"max_ece": 0.1, "reference": reference}}).stdout)
        for reference in (before, address)
    ]
    assert [one["verdict"] for one in found] == ["pass", "pass"]
    again = CliRunner().invoke(main, ["freeze", "--data", str(tmp_path / "no" / "*.parquet"), *asked])
    assert again.exit_code == 2 and "there are no files" in again.output


def test_a_plan_reads_once_and_makes_no_run(world: World, tmp_path: Path) -> None:
    file = tmp_path / "eval.yaml"
    file.write_text(yaml.safe_dump({"disaggregated": {"slices": ["region"]}}))
    asked = ["--target", "default", "--predictions", "score", "--type", "classifier", "--config", str(file)]
    before = len(mlflow.search_runs())
    told = CliRunner().invoke(main, ["plan", "--data", scored(tmp_path), *asked])
    assert told.exit_code == 0, told.output
    assert "4,000 rows, sha256:" in told.stdout and "  region: text\n" in told.stdout
    assert "disaggregated slices by region (2 levels)\nPasses: 2, of about " in told.stdout
    found = json.loads(CliRunner().invoke(main, ["plan", "--json", "--data", scored(tmp_path), *asked]).stdout)
    assert found["rows"] == 4000 and found["slices"] == {"disaggregated": {"region": 2}}
    assert {one["name"]: one["kind"] for one in found["columns"]}["score"] == "number"
    assert len(mlflow.search_runs()) == before
    missing = CliRunner().invoke(main, ["plan", "--data", str(tmp_path / "no.parquet"), *asked])
    assert missing.exit_code == 2 and "there are no files" in missing.output
