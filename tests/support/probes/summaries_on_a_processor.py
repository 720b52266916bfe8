"""Prints, as JSON, what Summaries of the same rows hold: to be run with features of the processor left out.

The rows are made of sums and products, so that they are the same with any features.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[2]))

from support.summaries import digests

from mlflow_eval_plugin.engines.arrow import (
    drift_binning,
    fold_summary,
    moment_summary,
    paired_rows,
    paired_summary,
    placement_summary,
    predicted_rows,
    score_summary,
    slice_summary,
)
from mlflow_eval_plugin.engines.arrow.multiclass.inputs import ClassScored
from mlflow_eval_plugin.engines.arrow.multiclass.paired import paired_class_summary
from mlflow_eval_plugin.engines.arrow.multiclass.slices import multiclass_summary
from mlflow_eval_plugin.engines.arrow.regression.paired import paired_moment_summary
from mlflow_eval_plugin.engines.slicing import Slicing

ROWS, BY_LABEL = 300_000, Slicing(["y"])


def main() -> None:
    """Count the rows in every way."""
    rng = np.random.default_rng(3)
    names = ("s", "p", "w", "t", "u", "v")
    people = pd.DataFrame({name: rng.random(ROWS) for name in names} | {"y": rng.integers(0, 2, ROWS)})
    people["s"] *= people["s"] * people["s"] * people["s"]  # many near 0, where a loss is large
    first, second = (classes(rng, people) for _ in range(2))
    second = replace(second, label=first.label)
    champion, challenger = (
        predicted_rows(people, target="t", prediction=name, weight="w", quantiles={0.1: "s", 0.9: "p"}) for name in "uv"
    )
    pairs = paired_rows(people, label="y", champion="p", challenger="s", weight="w", slicing=BY_LABEL)
    paired = paired_summary(pairs)
    found = {
        "moments": moment_summary(people, champion, slicing=BY_LABEL),
        "pairs of moments": paired_moment_summary(champion, challenger),
        "folds": fold_summary(champion, 3),
        "scores": score_summary(people, label="y", score="s"),
        "slices": slice_summary(people, label="y", score="s", slicing=BY_LABEL),
        "pairs": paired,
        "placements": placement_summary(pairs, paired),
        "classes": multiclass_summary(people, first, slicing=BY_LABEL),
        "pairs of classes": paired_class_summary(first, second),
        "drift": drift_binning(people),
    }
    print(json.dumps({f"{name}: {path}": value for name, one in found.items() for path, value in digests(one).items()}))


def classes(rng: np.random.Generator, people: pd.DataFrame) -> ClassScored:
    """Probabilities of three classes."""
    drawn = rng.random((ROWS, 3))
    drawn *= drawn
    drawn[: ROWS // 10, 0] = 0.0
    given = drawn / (drawn[:, :1] + drawn[:, 1:2] + drawn[:, 2:])
    return ClassScored(("0", "1", "2"), rng.integers(0, 3, ROWS), given.argmax(axis=1), given, people["w"].to_numpy())


if __name__ == "__main__":
    main()
