"""The examples of the documents run as they stand, in the order of their page, each page in a process of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.serving import Process, Server, clean_environment, free_port

ROOT = Path(__file__).parents[1]
MANUAL = """
import mlflow
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression


def people_of(seed):
    chance = np.random.default_rng(seed)
    rows = pd.DataFrame({"SEX": chance.integers(1, 3, 2000), "AGEP": chance.integers(16, 90, 2000)})
    odds = (rows["AGEP"] - 50) / 20 + (rows["SEX"] == 1)
    return rows.assign(employed=(chance.random(2000) < 1 / (1 + np.exp(-odds))).astype(int))


last_year, data = people_of(0), people_of(1)
people = pd.DataFrame({"RAC1P": np.random.default_rng(2).integers(1, 4, 2000)})
for _ in range(7):
    model = LogisticRegression().fit(last_year[["SEX", "AGEP"]], last_year["employed"])
    mlflow.sklearn.log_model(model, name="model", registered_model_name="income", pip_requirements=[])
mlflow.MlflowClient().set_registered_model_alias("income", "champion", 6)
"""
OWN_METRICS = """
mlflow.models.evaluate(
    data=data.assign(score=0.5 + data["AGEP"] / 200), targets="employed", predictions="score",
    model_type="classifier", evaluators="disaggregated", evaluator_config={"slices": ["SEX"], **config},
)
"""
PRICES = """
def prices_of(seed):
    chance = np.random.default_rng(seed)
    mean, error = chance.normal(300_000, 50_000, 1000), chance.normal(0, 20_000, 1000)
    ends = {name: mean + 20_000 * z for name, z in (("q10", -1.2816), ("q50", 0), ("q90", 1.2816))}
    return pd.DataFrame({"mean": mean, **ends, "price": mean + error, "town": chance.choice(["a", "b"], 1000)})


last_year, data = prices_of(3), prices_of(4)
"""
SCORED = """
from pathlib import Path

import numpy as np
import pandas as pd

chance = np.random.default_rng(5)
rows = pd.DataFrame({"score": chance.random(3000), "region": chance.choice(["north", "south"], 3000)})
rows["default"] = (chance.random(3000) < rows["score"]).astype(int)
Path("scored/2026-11").mkdir(parents=True)
for day in (1, 2, 3):
    rows[day - 1 :: 3].to_parquet(f"scored/2026-11/{day}.parquet")
"""
BEFORE: dict[str, dict[int, str]] = {
    "docs/your-data.md": {},
    "docs/large-data.md": {0: SCORED},
    "docs/evaluators.md": {0: MANUAL, 2: OWN_METRICS + PRICES},
}
"""What a page takes for granted before which of its examples."""
EXCERPTS = {"docs/serving.md": "examples/serve_champion.py"}
"""Pages whose examples are parts of an example that another test runs."""


def examples(name: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / name).read_text(), re.DOTALL)


def ran(program: str, folder: Path, **env: str) -> str:
    file = folder / "example.py"
    file.write_text(program)
    done = subprocess.run(
        [sys.executable, file], env=clean_environment(folder, **env), cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


@pytest.mark.parametrize("name", BEFORE)
def test_the_examples_of_a_page_run(name: str, tmp_path: Path):
    code = [text for at, block in enumerate(examples(name)) for text in (BEFORE[name].get(at, ""), block)]
    told = ran("\n".join(code), tmp_path, MLFLOW_TRACKING_URI=f"sqlite:///{tmp_path}/mlflow.db")
    calls = ("mlflow.models.evaluate(", "evidence.evaluate(")
    assert told.count("Verdict: ") == sum(each.count(call) for each in code for call in calls)


def test_pages_with_examples_are_all_run():
    pages = [page.relative_to(ROOT).as_posix() for page in (ROOT / "docs").glob("*.md")]
    others = {"docs/api.md", "docs/taking-over.md", *EXCERPTS}
    assert {name for name in pages if examples(name)} <= BEFORE.keys() | others


@pytest.mark.parametrize("name", EXCERPTS)
def test_an_excerpt_is_what_the_example_has_which_is_run(name: str):
    whole = iter(line.split("  #")[0].strip() for line in (ROOT / EXCERPTS[name]).read_text().splitlines())
    for line in "".join(examples(name)).splitlines():
        assert not line.strip() or line.strip() in whole, line


def test_people_get_their_grants_as_the_page_about_taking_over_says(governed: Server, tmp_path: Path):
    (program,) = examples("docs/taking-over.md")
    who = f"ana-{tmp_path.name[-8:]}-{free_port()}"
    make = 'import mlflow\nmade = mlflow.create_experiment("of before")\n'
    for written, meant in (("https://mlflow.example.com", governed.uri), ('"12"', "made"), ('"ana"', repr(who))):
        assert written in program
        program = program.replace(written, meant)
    ran(
        make.replace("of before", who) + program + "print(client.get_user(" + repr(who) + ").username)",
        tmp_path,
        **{name: value for name, value in governed.env("admin").items() if name.startswith("MLFLOW_TRACKING_")},
    )


def test_the_quickstart_runs_as_pasted_against_a_bare_server(tmp_path: Path):
    (program,) = examples("README.md")
    readme, port = (ROOT / "README.md").read_text(), free_port()
    (server,) = re.findall(r"^\$ mlflow (server --port 5000)$", readme, re.MULTILINE)
    (shown,) = re.findall(r"```text\n(.*?)```", readme, re.DOTALL)
    command = [sys.executable, "-m", "mlflow", *server.replace("5000", str(port)).split(), "--workers", "1"]
    process = Process(command, clean_environment(tmp_path), tmp_path)
    try:
        process.wait_until_healthy(f"http://127.0.0.1:{port}")
        told = ran(program.replace("127.0.0.1:5000", f"127.0.0.1:{port}"), tmp_path)
    finally:
        process.stop()
    assert shown in told and f"Report: http://127.0.0.1:{port}/#/experiments/" in told
