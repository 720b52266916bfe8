"""A month of scored rows on disk, a baseline whose rows are gone, and the day on which a bug came in.

    python examples/lake.py [--folder demo/lake]

October is frozen into a run and deleted. November lies in thirty Parquet files, one a day. On the 19th a release of the
app begins to send some amounts in cents. Drift is judged day by day, and the story prints when which column changed.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd

import mlflow_eval_plugin as evidence

ROWS_A_DAY = 1_500
BUG = "2026-11-19"  # from this day on, of a quarter of the amounts of the app
TARGET, SCORE = "default", "score"


def scored(day: pd.Timestamp, rows: int = ROWS_A_DAY) -> pd.DataFrame:
    """The applications of one day with the scores that they were given."""
    chance = np.random.default_rng(int(day.strftime("%Y%m%d")))
    amount, income = chance.lognormal(7, 0.8, rows), chance.lognormal(10.4, 0.4, rows)
    channel = chance.choice(["app", "branch", "phone"], rows, p=[0.6, 0.25, 0.15])
    score = 1 / (1 + np.exp(-(np.log(amount / income) + 1.5)))
    frame = pd.DataFrame(
        {
            "scored_at": day + pd.to_timedelta(chance.uniform(0, 24, rows), unit="h"),
            "amount": amount,
            "income": income,
            "age": chance.integers(18, 80, rows).astype(float),
            "channel": channel,
            SCORE: score,
            TARGET: (chance.random(rows) < score).astype(int),
        }
    )
    if day >= pd.Timestamp(BUG):
        frame.loc[(channel == "app") & (chance.random(rows) < 0.25), "amount"] *= 100
    return frame


def written(folder: Path, month: str) -> list[Path]:
    """A month on disk, a file a day."""
    folder.mkdir(parents=True, exist_ok=True)
    days = pd.date_range(f"{month}-01", periods=pd.Period(month).days_in_month)
    files = [folder / f"{day:%Y-%m-%d}.parquet" for day in days]
    for day, file in zip(days, files, strict=True):
        scored(day).to_parquet(file, index=False)
    return files


def frozen(lake: Path) -> str:
    """October as a baseline; its rows are deleted afterwards."""
    files = written(lake / "2026-10", "2026-10")
    with mlflow.start_run(run_name="october"):
        baseline = evidence.freeze(data=str(lake / "2026-10" / "*.parquet"), targets=TARGET, predictions=SCORE)
    for file in files:
        file.unlink()
    return baseline


def judged(lake: Path, baseline: str) -> tuple[str, dict[str, Any]]:
    """November against the baseline, day by day: the run, and the Evidence."""
    written(lake / "2026-11", "2026-11")
    with mlflow.start_run(run_name="november") as run:
        evidence.evaluate(
            data=str(lake / "2026-11" / "*.parquet"),
            targets=TARGET,
            predictions=SCORE,
            model_type="classifier",
            evaluators=["drift"],
            evaluator_config={"drift": {"reference": baseline, "time_column": "scored_at", "window": "day"}},
        )
    return run.info.run_id, mlflow.artifacts.load_dict(f"runs:/{run.info.run_id}/evidence/drift.json")


def main() -> None:
    parser = argparse.ArgumentParser(description="A month of Parquet, a frozen baseline, and the day of a bug.")
    parser.add_argument("--folder", type=Path, default=Path(__file__).resolve().parents[1] / "demo" / "lake")
    folder = parser.parse_args().folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    mlflow.set_tracking_uri(f"sqlite:///{folder / 'mlflow.db'}")
    mlflow.set_experiment("lake")
    baseline = frozen(folder / "scored")
    print(f"October is frozen as {baseline}; its rows are deleted.")
    run, found = judged(folder / "scored", baseline)
    windows = found["measurements"]["windows"]
    print(f"November: {len(windows['windows'])} days, {found['data']['rows']:,} rows, verdict {found['verdict']}.")
    for column in windows["columns"]:
        for change in column["changes"]:
            held = f"{change['earliest']} to {change['latest']}"
            print(f"{column['name']} changed on {change['first']} (with confidence {held}), by {change['metric']}.")
    print(f"The page is reports/drift.html of run {run}.")


if __name__ == "__main__":
    main()
